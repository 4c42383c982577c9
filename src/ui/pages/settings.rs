//! Settings: moving the configuration in and out, one's own security, and what this is.

pub mod prices;
pub mod security;
pub mod transfer;

use leptos::prelude::*;

use self::{prices::PricesTab, security::SecurityTab, transfer::TransferTab};
use crate::{
    model::user::Permission,
    ui::{
        components::{
            form::CodeBlock,
            layout::{
                PageBar,
                switches::{LanguageSwitch, ThemeSwitch},
            },
            table::ListState,
        },
        format,
        i18n::t,
        icon::Icon,
        live::Live,
        session::Session,
    },
};

/// `/admin/settings`
#[component]
pub fn SettingsPage() -> impl IntoView {
    let state = ListState::here();
    let transfer = Session::here().may(Permission::Transfer);
    let tab = Memo::new(move |_| state.word("tab"));
    let content = move || match tab.get().as_str() {
        "prices" => view! { <PricesTab/> }.into_any(),
        "transfer" if transfer => view! { <TransferTab/> }.into_any(),
        "security" => view! { <SecurityTab/> }.into_any(),
        "about" => view! { <AboutTab/> }.into_any(),
        _ => view! { <GeneralTab/> }.into_any(),
    };
    let entries = move || {
        let all = [
            ("", "settings", t!(people::general), true),
            ("prices", "table-2", t!(people::prices), true),
            ("transfer", "arrow-left-right", t!(people::transfer), transfer),
            ("security", "lock", t!(people::security), true),
            ("about", "info", t!(people::about), true),
        ];
        let chosen = tab.get();
        let entry = |(word, icon, title, _): (&'static str, &'static str, &'static str, bool)| {
            let current = (chosen == word).then_some("page");
            view! { <a class="settings-entry" href=state.href(&[("tab", word)]) aria-current=current><Icon name=icon/>{title}</a> }
        };
        all.into_iter().filter(|entry| entry.3).map(entry).collect_view()
    };
    view! {
        <PageBar title=t!(shell::settings)/>
        <div class="page"><div class="grid gap-4 lg:grid-cols-[196px_minmax(0,1fr)] lg:gap-8 items-start"><nav class="settings-nav" aria-label=t!(shell::settings)>{entries}</nav><div class="flex flex-col gap-4 min-w-0">{content}</div></div></div>
    }
    .into_any()
}

#[component]
fn GeneralTab() -> impl IntoView {
    let live = Live::here();
    let revision = move || {
        live.snapshot
            .with(|snapshot| snapshot.as_ref().map_or_else(|| "–".to_owned(), |snapshot| snapshot.revision.to_string()))
    };
    let dropped = move || {
        live.snapshot.with(|snapshot| {
            snapshot.as_ref().map_or_else(|| "–".to_owned(), |snapshot| format::count(snapshot.dropped_rows))
        })
    };
    view! {
        <dl class="card facts">
            <div><dt>{t!(people::version)}</dt><dd>{format!("Rondo {}", env!("CARGO_PKG_VERSION"))}</dd></div>
            <div><dt>{t!(people::serving_revision)}</dt><dd>{t!(people::revision)}" "{revision}</dd></div>
            <div><dt>{t!(people::dropped)}</dt><dd>{dropped}</dd></div>
        </dl>
        <section class="card form-section">
            <div class="flex flex-wrap items-center gap-2"><span class="font-medium">{t!(shell::language)}" · "{t!(shell::theme)}</span><LanguageSwitch wide=true/><ThemeSwitch/></div>
            <p class="caption">{t!(people::language_says)}</p>
        </section>
        <section class="card form-section"><p class="text-ink-2">{t!(people::commands_hint)}</p><CodeBlock text="rondo serve --help\nrondo settings".to_owned()/></section>
    }
    .into_any()
}

#[component]
fn AboutTab() -> impl IntoView {
    view! {
        <dl class="card facts">
            <div><dt>{t!(people::version)}</dt><dd>{format!("Rondo {}", env!("CARGO_PKG_VERSION"))}</dd></div>
            <div><dt>{t!(people::license)}</dt><dd>{env!("CARGO_PKG_LICENSE")}</dd></div>
        </dl>
        <section class="card form-section">
            <h2 class="card-title">{t!(people::rest_api)}</h2>
            <p class="text-ink-2">{t!(people::rest_hint)}" "<a class="link mono" href="/api/admin/openapi.json" rel="external">"/api/admin/openapi.json"</a></p>
            <p class="text-ink-2">{t!(people::cli_hint)}</p>
            <CodeBlock text="rondo export > rondo.yaml\nrondo apply -f rondo.yaml --dry-run".to_owned()/>
        </section>
    }
    .into_any()
}
