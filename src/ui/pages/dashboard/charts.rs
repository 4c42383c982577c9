//! The two charts and their heads.

use leptos::prelude::*;

use crate::{
    model::stats::Overview,
    ui::{
        components::chart::{
            latency::{LatencyChart, LatencyLegend, Measure},
            legend::LeftOut,
            requests::{RequestsChart, RequestsLegend},
            zoom::Zoom,
        },
        components::layout::StalePill,
        format,
        i18n::t,
    },
};

/// Requests over time.
#[component]
pub fn RequestsCard(
    /// The data.
    data: RwSignal<Overview>,
    /// The stretch that the charts show.
    zoom: Zoom,
) -> impl IntoView {
    let left_out = LeftOut::default();
    let now = move |data: &Overview| {
        let rate = t!(dashboard::rate_now, &format::rate(data.rate_now));
        format!("{rate} · {}", super::figures::in_flight(data))
    };
    let rate = move || data.with(now);
    view! {
        <section class="card flex flex-col">
            <div class="card-head">
                <h2 class="card-title">{t!(dashboard::requests_chart)}</h2>
                <span class="caption">{rate}</span>
                <StalePill/>
                <div class="ml-auto desk-only"><RequestsLegend left_out/></div>
            </div>
            <RequestsChart overview=data zoom left_out/>
            <div class="px-4 pb-4 -mt-2 phone-only"><RequestsLegend left_out/></div>
        </section>
    }
    .into_any()
}

/// Latency over time, first byte or total.
#[component]
pub fn LatencyCard(
    /// The data.
    data: RwSignal<Overview>,
    /// The stretch that the charts show.
    zoom: Zoom,
) -> impl IntoView {
    let (measure, left_out) = (RwSignal::new(Measure::FirstByte), LeftOut::default());
    let tab = move |which: Measure, word: &'static str| {
        let pressed = move || if measure.get() == which { "true" } else { "false" };
        view! { <button type="button" aria-pressed=pressed on:click=move |_| measure.set(which)>{word}</button> }
    };
    view! {
        <section class="card flex flex-col">
            <div class="card-head">
                <h2 class="card-title">{t!(dashboard::latency)}</h2>
                <StalePill/>
                <div class="ml-auto desk-only"><LatencyLegend left_out/></div>
                <div class="seg max-md:ml-auto">
                    {tab(Measure::FirstByte, t!(dashboard::first_byte_tab))}
                    {tab(Measure::Total, t!(dashboard::total_tab))}
                </div>
            </div>
            <div class="pr-4 grow flex flex-col"><LatencyChart overview=data measure zoom left_out/></div>
            <div class="px-4 pb-4 -mt-2 phone-only"><LatencyLegend left_out/></div>
        </section>
    }
    .into_any()
}
