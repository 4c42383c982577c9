//! The log as a file, under the filters of the page: the browser saves it, the menu says how far it is.

use leptos::prelude::*;

use super::filter::Asked;
use crate::{
    api::requests::{EndExport, watch_export},
    model::id::RequestId,
    ui::{clock::Clock, format, i18n::t},
};

/// A menu of the two forms, and the progress of what was asked for here last.
#[component]
pub fn Export(
    /// What the address asks for.
    asked: Memo<Asked>,
) -> impl IntoView {
    let clock = Clock::here();
    // The number of the next export, made up by the browser; the server's page links without one that counts.
    let next = RwSignal::new(RequestId(uuid::Uuid::nil()));
    let watched = RwSignal::new(None::<RequestId>);
    let stop = ServerAction::<EndExport>::new();
    Effect::new(move || {
        watched.track();
        let random = || (js_sys::Math::random() * 2f64.powi(64)) as u64;
        next.set(RequestId(uuid::Uuid::from_u64_pair(random(), random())));
    });
    let over = RwSignal::new(false);
    let told = Resource::new(
        // Asked again each second, as long as there is something to wait for.
        move || (watched.get(), if over.get() { 0 } else { clock.now_ms() / 1_000 }),
        |(watched, _)| async move {
            match watched {
                Some(watch) => watch_export(watch).await.ok().flatten(),
                None => None,
            }
        },
    );
    let href = move |format: &'static str| {
        move || asked.with(|asked| asked.export(format, next.get(), clock.now_untracked_ms()))
    };
    let begin = move |_| {
        over.set(false);
        watched.set(Some(next.get_untracked()));
    };
    Effect::new(move || over.set(told.get().flatten().is_some_and(|progress| progress.ended)));
    let progress = move || {
        let (watch, progress) = (watched.get()?, told.get().flatten()?);
        let rows = format::count(progress.rows);
        if progress.ended {
            return Some(view! { <p class="menu-item" role="status">{t!(requests::exported, &rows)}</p> }.into_any());
        }
        let end = move |_| {
            stop.dispatch(EndExport { watch });
        };
        Some(view! {
            <p class="menu-item" role="status">
                {t!(requests::exporting, &rows)}
                <button type="button" class="btn btn-ghost btn-sm ml-auto" on:click=end>{t!(requests::end_export)}</button>
            </p>
        }
        .into_any())
    };
    view! {
        <button type="button" class="btn btn-ghost btn-sm" popovertarget="log-export">{t!(requests::export)}</button>
        <div id="log-export" popover="auto" class="menu log-form">
            <a class="menu-item" href=href("csv") download="requests.csv" rel="external" on:click=begin>{t!(requests::export_csv)}</a>
            <a class="menu-item" href=href("ndjson") download="requests.ndjson" rel="external" on:click=begin>{t!(requests::export_json)}</a>
            <Transition fallback=|| ()>{progress}</Transition>
        </div>
    }
    .into_any()
}
