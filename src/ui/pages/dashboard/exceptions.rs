//! The newest requests that were saved, failed or broke, each with the way it took.

use leptos::{prelude::*, task::spawn_local};

use crate::{
    api::requests::list_exceptions,
    model::{error::ApiError, request_log::LogLine},
    ui::{
        clock::Clock,
        components::{feedback::Failure, status::OutcomeWord},
        format,
        i18n::{failure, language, t},
        icon::Icon,
        suspended::suspended,
    },
};

const ROWS: u32 = 6;
/// Readings at most this often, however many exceptions come in.
const PAUSE_MS: i64 = 2_000;

/// The first rows.
pub(super) type First = Resource<Result<Vec<LogLine>, ApiError>>;

/// Reads the first rows; called by the page itself, because what is made below a `Suspense` has no
/// stable place in the document.
pub(super) fn read_first() -> First {
    Resource::new_blocking(|| (), |()| list_exceptions(ROWS))
}

/// The card; `version` grows when there may be a new one.
#[component]
pub fn Exceptions(
    /// The first rows.
    first: First,
    /// Grows with each new exception.
    version: RwSignal<u32>,
) -> impl IntoView {
    let body = move || {
        suspended(async move {
            match first.await {
                Ok(lines) => view! { <List lines version/> }.into_any(),
                Err(error) => view! { <Failure error/> }.into_any(),
            }
        })
    };
    view! {
        <section class="card">
            <div class="card-head">
                <h2 class="card-title">{t!(dashboard::exceptions)}</h2>
                <a class="link ml-auto" href="/admin/requests">{t!(dashboard::open_log)}</a>
            </div>
            <Transition fallback=|| ()>{body}</Transition>
        </section>
    }
    .into_any()
}

#[component]
fn List(lines: Vec<LogLine>, version: RwSignal<u32>) -> impl IntoView {
    let clock = Clock::here();
    let lines = RwSignal::new(lines);
    let read_at_ms = StoredValue::new(0);
    let seen = StoredValue::new(0_u32);
    Effect::new(move || {
        let newest = version.get();
        let now_ms = clock.now_ms();
        if newest == seen.get_value() || now_ms - read_at_ms.get_value() < PAUSE_MS {
            return;
        }
        seen.set_value(newest);
        read_at_ms.set_value(now_ms);
        spawn_local(async move {
            if let Ok(fresh) = list_exceptions(ROWS).await {
                lines.try_set(fresh);
            }
        });
    });
    let rows = move || lines.with(|lines| lines.iter().map(|line| row(line, clock)).collect_view());
    let empty = move || lines.with(Vec::is_empty);
    view! {
        <ul class="px-4 py-2">{rows}</ul>
        {move || empty().then(|| view! { <p class="caption px-4 pb-4">{t!(dashboard::no_exceptions)}</p> })}
    }
    .into_any()
}

fn row(line: &LogLine, clock: Clock) -> AnyView {
    let at_ms = line.row.at_ms;
    let time = move || format::moment(at_ms, clock.now_ms(), clock.zone(), language());
    view! {
        <li>
            <a class="exception" href=format!("/admin/requests/{}", line.row.id)>
                <span class="exception-time">{time}</span>
                <span class="exception-outcome"><OutcomeWord outcome=line.row.outcome/></span>
                <span class="exception-way">{way(line)}</span>
            </a>
        </li>
    }
    .into_any()
}

/// `openrouter → azure-eastus2 connect timeout`.
fn way(line: &LogLine) -> AnyView {
    let hops = line.tried.iter().enumerate().map(|(index, hop)| {
        let arrow = (index > 0).then(|| view! { <span class="hop"><Icon name="arrow-right"/></span> });
        view! { {arrow}<span class="text-ink">{hop.provider.clone()}</span> }
    });
    let cause = line.tried.iter().find(|hop| hop.outcome != crate::model::request_log::AttemptOutcome::Answered);
    let why = cause.map(|hop| failure::attempt(language(), hop.outcome.as_str()).to_owned());
    let why = why.or_else(|| line.row.error_code.clone()).unwrap_or_default();
    view! { {hops.collect_view()} " " <span class="caption">{why}</span> }.into_any()
}
