//! Traffic by provider: the share bar, always with its table.

use leptos::prelude::*;

use crate::model::health::HealthState;
use crate::{
    model::stats::{Overview, ProviderStats},
    ui::{
        components::{
            chart::share::{ShareBar, category},
            status::{state_glyph, state_word},
        },
        format,
        i18n::{language, t},
        icon::Mark,
    },
};

/// Providers that have a row of their own; the rest is one row.
const ROWS: usize = 7;

/// The card.
#[component]
pub fn Traffic(
    /// The data.
    data: RwSignal<Overview>,
) -> impl IntoView {
    let parts = Signal::derive(move || {
        data.with(|data| {
            let mut parts: Vec<(u8, u64)> =
                data.providers.iter().take(ROWS).map(|one| (one.color, one.attempts)).collect();
            parts.push((8, data.providers.iter().skip(ROWS).map(|one| one.attempts).sum()));
            parts
        })
    });
    let rows = move || {
        data.with(|data| {
            let all: u64 = data.providers.iter().map(|one| one.attempts).sum();
            let state = |one: &ProviderStats| {
                data.health.iter().find(|health| Some(health.provider) == one.provider).map(|health| health.state)
            };
            data.providers.iter().take(ROWS).map(|one| row(one, all, state(one))).collect_view()
        })
    };
    let others = move || {
        let count = data.with(|data| data.providers.len().saturating_sub(ROWS));
        let says = if count == 1 { t!(dashboard::one_other).to_owned() } else { t!(dashboard::others, count) };
        (count > 0).then(|| view! { <p class="caption px-4 pb-3">{says}</p> })
    };
    let empty = move || data.with(|data| data.providers.iter().all(|one| one.attempts == 0));
    let count = move || data.with(|data| data.health.len());
    view! {
        <section class="card flex flex-col">
            <div class="card-head">
                <h2 class="card-title">{t!(dashboard::traffic)}</h2>
                <a class="link ml-auto" href="/admin/providers">{move || t!(dashboard::all, count())}</a>
            </div>
            <div class="px-4 py-3"><ShareBar parts/></div>
            <table class="mini">
                <thead>
                    <tr>
                        <th scope="col">{t!(dashboard::provider)}</th>
                        <th scope="col" class="num">{t!(dashboard::share)}</th>
                        <th scope="col" class="num">{t!(dashboard::success_short)}</th>
                        <th scope="col" class="num">"P95"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            {others}
            {move || empty().then(|| view! { <p class="caption px-4 pb-4">{t!(dashboard::no_attempts)}</p> })}
        </section>
    }
    .into_any()
}

fn row(one: &ProviderStats, all: u64, state: Option<HealthState>) -> AnyView {
    let judged = one.answered + one.failed;
    let rate = (judged > 0).then(|| one.answered as f64 / judged as f64);
    let share = (one.attempts > 0).then(|| one.attempts as f64 / all.max(1) as f64);
    let mark = state.filter(|state| *state != HealthState::Healthy).map(|state| {
        view! { <span class="inline-flex ml-1.5" title=state_word(state)><Mark glyph=state_glyph(state)/><span class="sr-only">{state_word(state)}</span></span> }
    });
    let name = match one.provider {
        _ if one.name.is_empty() => t!(dashboard::deleted).into_any(),
        Some(id) => view! { <a class="plain" href=format!("/admin/providers/{id}")>{one.name.clone()}</a> }.into_any(),
        None => one.name.clone().into_any(),
    };
    view! {
        <tr class:text-ink-3=one.attempts == 0>
            <td>
                <span class="swatch mr-2" style=format!("background:{}", category(one.color))></span>
                {name}
                {mark}
            </td>
            <td class="num font-medium">{share.map_or_else(|| "0".to_owned(), |share| format::share(Some(share)))}</td>
            <td class=format!("num {}", success_tone(rate))>{format::success(rate)}</td>
            <td class="num">{format::latency_text(one.first_byte.p95_us, language())}</td>
        </tr>
    }
    .into_any()
}

/// Success below 99 % is worth a look, below 95 % a worry.
pub(in crate::ui::pages) fn success_tone(rate: Option<f64>) -> &'static str {
    match rate {
        Some(rate) if rate < 0.95 => "text-bad-fg",
        Some(rate) if rate < 0.99 => "text-warn-fg",
        _ => "",
    }
}
