//! Why a provider is in its state: the path of states, the two measures that decide, and what its
//! weight comes to in each group.

use leptos::prelude::*;

use crate::{
    model::{
        health::{HealthState, ProviderHealth},
        provider::GroupRef,
    },
    ui::{
        clock::Clock,
        components::status::{state_glyph, state_word},
        format,
        i18n::{Language, language, t},
        icon::Mark,
    },
};

/// Failures in a row that take a provider out (gateway.md §5).
const TRIPS_AT: u32 = 5;
const PATH: [HealthState; 4] =
    [HealthState::Healthy, HealthState::Degraded, HealthState::Unhealthy, HealthState::Recovering];

/// The panel.
#[component]
pub fn WhyPanel(
    /// Its health now.
    health: Memo<Option<ProviderHealth>>,
    /// Its state now.
    state: Memo<HealthState>,
    /// Where it is a member.
    groups: Vec<GroupRef>,
) -> impl IntoView {
    let clock = Clock::here();
    let title = move || {
        let word = state_word(state.get());
        let word = if language() == Language::English { word.to_lowercase() } else { word.to_owned() };
        t!(provider::why, &word)
    };
    let since = move || {
        health
            .get()
            .filter(|health| health.since_ms > 0)
            .map(|health| t!(provider::for_span, &format::span(clock.now_ms() - health.since_ms, language())))
    };
    view! {
        <section class="card p-4 flex flex-col gap-4">
            <div class="flex items-baseline gap-2"><h2 class="card-title">{title}</h2><span class="caption ml-auto">{since}</span></div>
            <StatePath state/>
            <Measures health/>
            {groups.into_iter().map(|group| view! { <Weight group health/> }).collect_view()}
        </section>
    }
    .into_any()
}

#[component]
fn StatePath(state: Memo<HealthState>) -> impl IntoView {
    let stop = move |this: HealthState| {
        let here = move || state.get() == this;
        view! {
            <li class="flex flex-col items-center gap-1.5 flex-1" aria-current=move || here().then_some("step")>
                <span class="inline-flex items-center justify-center w-7 h-7 rounded-full border" class:border-line-strong=here class:opacity-50=move || !here()><Mark glyph=state_glyph(this)/></span>
                <span class="caption" class:font-medium=here class:text-ink=here>{state_word(this)}</span>
            </li>
        }
    };
    view! { <ol class="flex list-none m-0 p-0">{PATH.map(stop).collect_view()}</ol> }.into_any()
}

#[component]
fn Measures(health: Memo<Option<ProviderHealth>>) -> impl IntoView {
    let rate = move || {
        health.with(|health| {
            health
                .as_ref()
                .filter(|health| health.samples > 0)
                .map(|health| f64::from(health.successes) / f64::from(health.samples))
        })
    };
    let samples =
        move || health.with(|health| health.as_ref().map(|health| format!(" {}/{}", health.successes, health.samples)));
    let failures = move || health.with(|health| health.as_ref().map_or(0, |health| health.consecutive_failures));
    let fill = move || match rate() {
        Some(rate) if rate < 0.5 => "bar-fill bg-bad",
        Some(rate) if rate < 0.9 => "bar-fill bg-warn",
        _ => "bar-fill bg-ok",
    };
    view! {
        <div>
            <div class="flex justify-between pb-1.5"><span class="text-ink-2">{t!(provider::success_now)}</span><span><b class="font-semibold">{move || format::share(rate())}</b><span class="text-ink-3">{samples}</span></span></div>
            <span class="bar-track w-full"><span class=fill style=move || format!("width: {:.1}%", rate().unwrap_or(0.0) * 100.0)></span>
                {[50, 80, 90].map(|at| view! { <span class="absolute -top-0.5 w-px h-2.5 bg-ink-2" style=format!("left: {at}%")></span> }).collect_view()}
            </span>
            <div class="relative h-4 caption">{[50, 80, 90].map(|at| view! { <span class="absolute -translate-x-1/2" style=format!("left: {at}%")>{at}"%"</span> }).collect_view()}</div>
        </div>
        <div>
            <div class="flex justify-between pb-1.5"><span class="text-ink-2">{t!(provider::failures_row)}</span><span><b class="font-semibold">{failures}</b><span class="text-ink-3">" / "{TRIPS_AT}</span></span></div>
            <span class="bar-track w-full"><span class="bar-fill bg-ink-3" style=move || format!("width: {:.0}%", f64::from(failures().min(TRIPS_AT)) / f64::from(TRIPS_AT) * 100.0)></span></span>
            <div class="caption text-right">{t!(provider::taken_out_at, TRIPS_AT)}</div>
        </div>
    }
    .into_any()
}

/// priority × factor = effective weight.
#[component]
fn Weight(group: GroupRef, health: Memo<Option<ProviderHealth>>) -> impl IntoView {
    let factor = move || health.with(|health| health.as_ref().map_or(1.0, |health| health.factor));
    let priority = group.priority;
    let sum = move || view! { <span class="text-ink-3">{priority}" × "{format!("{:.2}", factor()).trim_end_matches('0').trim_end_matches('.').to_owned()}" = "</span><b class="font-semibold">{format!("{:.0}", f64::from(priority) * factor())}</b> };
    view! { <div class="flex justify-between border-t border-line pt-3"><span class="text-ink-2">{t!(provider::weight_in, &group.slug)}</span><span>{sum}</span></div> }.into_any()
}
