//! The audit trail: who changed what, newest first, paged by place in the chain.

use leptos::prelude::*;

use crate::{
    api::audit::list_audit,
    model::audit::AuditRow,
    ui::{
        clock::Clock,
        components::{
            feedback::{Empty, Failure},
            layout::PageBar,
            table::{ListSkeleton, ListState},
        },
        format,
        i18n::{language, t},
        icon::Icon,
        live::Live,
        suspended::suspended,
    },
};

/// `/admin/audit`
#[component]
pub fn AuditPage() -> impl IntoView {
    let (live, state) = (Live::here(), ListState::here());
    let rows = Resource::new(
        move || (state.word("before"), live.configuration.get()),
        |(before, _)| list_audit(before.parse().ok()),
    );
    let body = move || {
        suspended(async move {
            match rows.await {
                Err(error) => view! { <section class="card"><Failure error><a class="btn" href="">{t!(shell::try_again)}</a></Failure></section> }.into_any(),
                Ok(stretch) if stretch.rows.is_empty() => view! { <section class="card"><Empty title=t!(people::no_audit) hint=t!(people::no_audit_hint)/></section> }.into_any(),
                Ok(stretch) => {
                    let older = stretch.older.map(|before| state.href(&[("before", &before)]));
                    let deep = !state.word("before").is_empty();
                    view! {
                        <section class="card">
                            <table class="table rows">
                                <thead><tr><th>{t!(people::when)}</th><th>{t!(people::who)}</th><th>{t!(people::action)}</th><th>{t!(people::object)}</th><th class="num">{t!(people::revision)}</th><th class="mid">{t!(people::changed)}</th></tr></thead>
                                <tbody>{stretch.rows.into_iter().map(|row| view! { <Row row/> }).collect_view()}</tbody>
                            </table>
                            <div class="card-foot">
                                <span class="max-md:hidden">{t!(people::audit_hint)}</span>
                                <span class="ml-auto flex gap-2">
                                    {deep.then(|| view! { <a class="btn btn-sm btn-ghost" href="/admin/audit">{t!(people::newest)}</a> })}
                                    {older.map(|href| view! { <a class="btn btn-sm" href=href>{t!(people::older)}<Icon name="chevron-right"/></a> })}
                                </span>
                            </div>
                        </section>
                    }
                    .into_any()
                }
            }
        })
    };
    view! { <PageBar title=t!(shell::audit)/><div class="page"><Transition fallback=|| view! { <section class="card"><ListSkeleton rows=10/></section> }>{body}</Transition></div> }.into_any()
}

/// `provider.update` in words; an unknown action is shown as it is.
fn action_words(action: &str) -> String {
    let (thing, verb) = action.split_once('.').unwrap_or((action, ""));
    let thing = match thing {
        "provider" => t!(people::thing_provider),
        "group" => t!(people::thing_group),
        "api_key" => t!(people::thing_key),
        "user" => t!(people::thing_user),
        "token" => t!(people::thing_token),
        "prices" => t!(people::thing_prices),
        other => other,
    };
    let verb = match verb {
        "create" => t!(people::act_create),
        "update" | "put" => t!(people::act_update),
        "delete" => t!(people::act_delete),
        "revoke" => t!(people::act_revoke),
        "enable" => t!(people::act_enable),
        "disable" => t!(people::act_disable),
        other => other,
    };
    format!("{thing} {verb}").trim_end().to_owned()
}

#[component]
fn Row(row: AuditRow) -> impl IntoView {
    let clock = Clock::here();
    let at_ms = row.at_ms;
    let detail = row.detail.clone();
    let hash = row.hash.clone();
    view! {
        <tr>
            <td class="whitespace-nowrap max-md:order-2 max-md:text-xs max-md:text-ink-3" title=move || format::iso(at_ms, clock.zone())>{move || format::moment(at_ms, clock.now_ms(), clock.zone(), language())}</td>
            <td class="end">{row.actor}</td>
            <td class="max-md:order-first">{action_words(&row.action)}</td>
            <td class="strong break-all">{row.object}</td>
            <td class="num away">{row.revision}</td>
            <td class="mid away w-2/5 max-w-0">
                <details><summary class="truncate mono text-ink-3">{detail.clone()}</summary><pre class="code mt-2 whitespace-pre-wrap">{detail}"\n"{t!(people::hash)}" "{hash}</pre></details>
            </td>
        </tr>
    }
    .into_any()
}
