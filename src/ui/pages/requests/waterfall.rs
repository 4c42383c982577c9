//! Attempts on one time axis: how long each waited, how long it streamed, how it ended.

use leptos::prelude::*;

use super::{
    names::{Names, name_of},
    rows::attempt_glyph,
};
use crate::{
    model::request_log::{Attempt, AttemptOutcome, RequestDetail},
    ui::{
        format,
        i18n::{failure, language, t},
        icon::Mark,
    },
};

/// All attempts of a request.
pub(super) fn waterfall(detail: &RequestDetail, names: &Names) -> AnyView {
    if detail.attempts.is_empty() {
        return view! { <p class="text-ink-3 px-5 py-4">{t!(requests::none_sent)}</p> }.into_any();
    }
    let whole_us = detail.attempts.iter().map(|one| one.started_us + one.ended_us).max().unwrap_or(0);
    let whole_us = whole_us.max(detail.row.total_us).max(1);
    let attempts = detail.attempts.iter().enumerate().map(|(index, one)| attempt(index + 1, one, whole_us, names));
    let quarter = |part: u64| match part {
        0 => "0".to_owned(),
        part => format::latency_text(whole_us * part / 3, language()),
    };
    view! {
        <div class="px-5 pt-3">
            <ul class="legend pb-2">
                <li><span class="swatch fall-dead"></span>{t!(requests::no_answer)}</li>
                <li><span class="swatch fall-wait"></span>{t!(requests::wait)}</li>
                <li><span class="swatch fall-stream"></span>{t!(requests::stream)}</li>
            </ul>
            <ol>{attempts.collect_view()}</ol>
            <div class="fall-axis" aria-hidden="true">{(0..4).map(|part| view! { <span>{quarter(part)}</span> }).collect_view()}</div>
        </div>
    }
    .into_any()
}

fn attempt(place: usize, one: &Attempt, whole_us: u64, names: &Names) -> AnyView {
    let glyph = attempt_glyph(one.outcome);
    let credential = one.credential.and_then(|id| name_of(&names.credentials, id));
    let answered = one.outcome == AttemptOutcome::Answered;
    let end = if answered {
        let status = one.status.unwrap_or_default();
        t!(requests::status_in, status, &format::latency_text(one.ended_us.max(1), language()))
    } else {
        let word = failure::attempt(language(), one.outcome.as_str()).to_owned();
        match one.status {
            Some(status) if word != status.to_string() => format!("{status} · {word}"),
            _ => word,
        }
    };
    let told = match one.first_byte_us {
        Some(first) if one.ended_us > first => {
            let rest = format::latency_text(one.ended_us - first, language());
            t!(requests::took, &format::latency_text(first.max(1), language()), &rest)
        }
        _ => t!(requests::ended, &format::latency_text(one.ended_us.max(1), language())),
    };
    let detail = (!one.detail.is_empty()).then(|| format!("{} ", sentence(&one.detail)));
    let tone = if answered { "text-ink-2".to_owned() } else { format!("word-{}", glyph.tone()) };
    view! {
        <li class="fall">
            <span class="text-ink-3">{place}</span>
            <div class="min-w-0">
                <p class="flex flex-wrap items-center gap-2">
                    <Mark glyph/>
                    <span class="font-medium wrap-anywhere">{one.provider_name.clone()}</span>
                    {credential.map(|label| view! { <span class="tag">{label}</span> })}
                    {one.drill.map(|_| view! { <span class="tag">{t!(drill::in_attempt)}</span> })}
                    <span class=format!("ml-auto {tone}")>{end}</span>
                </p>
                {bar(one, whole_us, glyph.tone(), answered)}
                <p class="caption">{detail}{told}</p>
            </div>
        </li>
    }
    .into_any()
}

fn bar(one: &Attempt, whole_us: u64, tone: &'static str, answered: bool) -> AnyView {
    let percent = |micros: u64| micros as f64 / whole_us as f64 * 100.0;
    let place = |from: u64, length: u64| format!("left:{:.2}%;width:{:.2}%", percent(from), percent(length).max(0.4));
    let parts = match one.first_byte_us {
        Some(first) => {
            let first = first.min(one.ended_us);
            let wait = place(one.started_us, first);
            let stream = place(one.started_us + first, one.ended_us - first);
            view! { <span class="fall-wait" style=wait></span><span class="fall-stream" style=stream></span> }
                .into_any()
        }
        None => view! { <span class="fall-dead" style=place(one.started_us, one.ended_us)></span> }.into_any(),
    };
    let mark = (!answered).then(|| {
        let style =
            format!("left:calc({:.2}% - 3px);background:var(--color-{tone})", percent(one.started_us + one.ended_us));
        view! { <span class="fall-end" style=style></span> }
    });
    view! { <div class="fall-bar" aria-hidden="true">{parts}{mark}</div> }.into_any()
}

/// A line of the log as a sentence.
fn sentence(text: &str) -> String {
    let text = text.trim().trim_end_matches('.');
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
