//! The rows: one line each on a wide screen, an item of three lines on a phone.

use leptos::prelude::*;

use super::Around;
use crate::{
    model::request_log::{AttemptOutcome, LogLine, Outcome, RequestRow},
    ui::{
        clock::Clock,
        components::status::{OutcomeWord, outcome_glyph},
        format,
        i18n::{failure, language, t},
        icon::{Glyph, Icon, Mark},
    },
};

/// The heads of the columns.
#[component]
pub fn Head() -> impl IntoView {
    view! {
        <div class="log-row log-head" aria-hidden="true">
            <span class="log-time">{t!(requests::time)}</span>
            <span class="log-outcome">{t!(requests::outcome)}</span>
            <span class="log-code">{t!(requests::code)}</span>
            <span class="log-group">{t!(requests::group)}</span>
            <span class="log-key">{t!(requests::key)}</span>
            <span class="log-model">{t!(requests::model)}</span>
            <span class="log-way">{t!(requests::way)}</span>
            <span class="log-first">{t!(requests::first_byte)}</span>
            <span class="log-total">{t!(requests::total)}</span>
            <span class="log-tokens">{t!(requests::tokens)}</span>
            <span class="log-size">{t!(requests::size)}</span>
        </div>
    }
    .into_any()
}

/// The rows.
#[component]
pub fn Rows(
    /// The rows, newest first.
    lines: Vec<LogLine>,
    /// What is around an open one.
    around: Around,
) -> impl IntoView {
    let clock = Clock::here();
    view! { <ul>{lines.into_iter().map(|line| row(line, around, clock)).collect_view()}</ul> }.into_any()
}

fn row(line: LogLine, around: Around, clock: Clock) -> AnyView {
    let row = &line.row;
    let (id, at_ms) = (row.id, row.at_ms);
    let time = move || format::moment(at_ms, clock.now_ms(), clock.zone(), language());
    let exact = move || format::iso(at_ms, clock.zone());
    let code = format!("log-code mono word-{}", code_tone(row.outcome));
    let key = if row.api_key_name.is_empty() { "–".to_owned() } else { row.api_key_name.clone() };
    let size = format!("{} / {}", format::bytes(row.request_bytes), format::bytes(row.response_bytes));
    view! {
        <li>
            <a class="log-row" href=move || around.address(Some(id))>
                <span class="log-time" title=exact>{time}</span>
                <span class="log-outcome"><OutcomeWord outcome=row.outcome/></span>
                <span class=code>{row.status}</span>
                <span class="log-group">{row.group_slug.clone()}</span>
                <span class="log-key" title=key.clone()>{key.clone()}</span>
                <span class="log-model">{row.model.clone().unwrap_or_else(|| row.path.clone())}</span>
                <span class="log-way">{way(&line)}</span>
                <span class="log-first">{format::maybe_latency(row.first_byte_us, language())}</span>
                <span class="log-total">{format::latency_text(row.total_us.max(1), language())}</span>
                {tokens(row)}
                <span class="log-size">{size}</span>
            </a>
        </li>
    }
    .into_any()
}

/// Tokens in and out; `–` where they are unknown, and a mark where they are estimated.
fn tokens(row: &RequestRow) -> AnyView {
    let (Some(usage), language) = (row.usage, language()) else {
        return view! { <span class="log-tokens" title=t!(requests::tokens_unknown)>"–"</span> }.into_any();
    };
    let figure =
        |count: Option<u64>| count.map_or_else(|| "–".to_owned(), |count| format::compact_text(count, language));
    let mark = if usage.estimated { "≈ " } else { "" };
    let says = if usage.estimated { t!(requests::tokens_estimated) } else { t!(requests::tokens_told) };
    view! { <span class="log-tokens" title=says>{format!("{mark}{} / {}", figure(usage.input), figure(usage.output))}</span> }.into_any()
}

/// Colour of the code: that of the outcome, quiet when nothing is wrong.
fn code_tone(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Failed => "bad",
        Outcome::RateLimited => "warn",
        _ => "ok",
    }
}

/// Which providers were tried; what failed in grey, behind its glyph.
fn way(line: &LogLine) -> AnyView {
    if line.row.attempts == 0 {
        let why = line.row.error_code.clone().map(|code| format!(": {code}")).unwrap_or_default();
        return view! { <span class="text-ink-3">{t!(requests::not_sent)}{why}</span> }.into_any();
    }
    if line.tried.is_empty() {
        return view! { <span class="text-ink">{line.row.provider_name.clone()}</span> }.into_any();
    }
    let hop = |(index, one): (usize, &crate::model::request_log::Tried)| {
        let arrow = (index > 0).then(|| view! { <span class="hop"><Icon name="chevron-right"/></span> });
        let answered = one.outcome == AttemptOutcome::Answered;
        let told = failure::attempt(language(), one.outcome.as_str()).to_owned();
        let mark = (!answered).then(|| view! { <Mark glyph=attempt_glyph(one.outcome)/> " " });
        let class = if answered { "text-ink" } else { "text-ink-3" };
        view! { {arrow}<span class=class title=told>{mark}{one.provider.clone()}</span> }
    };
    line.tried.iter().enumerate().map(hop).collect_view().into_any()
}

/// The silhouette of an attempt's end.
pub(super) fn attempt_glyph(outcome: AttemptOutcome) -> Glyph {
    match outcome {
        AttemptOutcome::Answered => Glyph::Ok,
        AttemptOutcome::RateLimited | AttemptOutcome::Overloaded => Glyph::Cooling,
        AttemptOutcome::CredentialRefused | AttemptOutcome::QuotaExhausted => Glyph::KeyFailed,
        AttemptOutcome::BodyBroken | AttemptOutcome::IdleTimeout => Glyph::Cut,
        AttemptOutcome::ClientLeft => outcome_glyph(Outcome::ClientLeft),
        AttemptOutcome::ClientError | AttemptOutcome::ModelNotFound => Glyph::Skip,
        _ => Glyph::Bad,
    }
}
