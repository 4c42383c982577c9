//! The six key figures: a word, a figure with its unit, its shape over time, and what to hold it against.

use leptos::prelude::*;

use crate::{
    model::{
        health::HealthState,
        stats::{Bucket, Overview, Quantiles, Range, UsageTotals},
    },
    ui::{
        components::chart::spark::Sparkline,
        format,
        i18n::{language, t},
        icon::Icon,
    },
};

/// All six.
#[component]
pub fn Figures(
    /// The data.
    data: RwSignal<Overview>,
) -> impl IntoView {
    let series = move |pick: fn(&Bucket) -> Option<f64>| {
        Signal::derive(move || data.with(|data| data.buckets.iter().map(pick).collect::<Vec<_>>()))
    };
    let requests = figure(
        t!(dashboard::requests),
        Signal::derive(move || data.with(|data| format::compact(data.counts.total, language()))),
        series(|bucket| Some(bucket.counts.total as f64)),
        view! { <Growth data/> }.into_any(),
    );
    let success = figure(
        t!(dashboard::success),
        Signal::derive(move || data.with(|data| success_figure(data.counts.success_rate()))),
        series(|bucket| bucket.counts.success_rate()),
        view! { <Points data/> }.into_any(),
    );
    let saved_share =
        move || data.with(|data| (data.counts.total > 0).then(|| data.counts.saved as f64 / data.counts.total as f64));
    let saved = figure(
        t!(dashboard::saved),
        Signal::derive(move || data.with(|data| format::compact(data.counts.saved, language()))),
        series(|bucket| Some(bucket.counts.saved as f64)),
        view! { {move || saved_share().map_or_else(|| "–".to_owned(), |share| t!(dashboard::of_requests, &percent(share)))} }.into_any(),
    );
    let first_byte = figure(
        t!(dashboard::first_byte),
        Signal::derive(move || data.with(|data| format::latency(data.first_byte.p95_us, language()))),
        series(|bucket| (bucket.first_byte.p95_us > 0).then_some(bucket.first_byte.p95_us as f64)),
        view! { {move || data.with(|data| quantiles(data.first_byte))} }.into_any(),
    );
    let total = figure(
        t!(dashboard::total),
        Signal::derive(move || data.with(|data| format::latency(data.total.p95_us, language()))),
        series(|bucket| (bucket.total.p95_us > 0).then_some(bucket.total.p95_us as f64)),
        view! { {move || data.with(|data| quantiles(data.total))} }.into_any(),
    );
    let tokens = figure(
        t!(dashboard::tokens),
        Signal::derive(move || data.with(|data| token_figure(&data.usage))),
        series(|bucket| Some(bucket.tokens as f64)),
        view! { {move || data.with(|data| token_caption(&data.usage, &data.currency))} }.into_any(),
    );
    view! { <section class="card figures">{requests}{success}{saved}{first_byte}{total}{tokens}</section> }.into_any()
}

fn figure(
    name: &'static str,
    value: Signal<(String, &'static str)>,
    values: Signal<Vec<Option<f64>>>,
    caption: AnyView,
) -> AnyView {
    view! {
        <div class="figure">
            <p class="caption">{name}</p>
            <div class="flex items-center gap-3">
                <p class="figure-value">
                    {move || value.get().0}
                    <span class="figure-unit">{move || value.get().1}</span>
                </p>
                <span class="figure-spark"><Sparkline values/></span>
            </div>
            <p class="caption">{caption}</p>
        </div>
    }
    .into_any()
}

/// `P50 388 ms · P90 1.2 s · P99 4.8 s`; a line breaks between two of them only.
fn quantiles(all: Quantiles) -> AnyView {
    [("P50", all.p50_us, " ·"), ("P90", all.p90_us, " ·"), ("P99", all.p99_us, "")]
        .map(|(name, micros, end)| {
            let pair = format!("{name} {}{end}", format::latency_text(micros, language()));
            view! { <span class="whitespace-nowrap">{pair}</span> " " }
        })
        .collect_view()
        .into_any()
}

fn success_figure(rate: Option<f64>) -> (String, &'static str) {
    rate.map_or_else(|| ("–".to_owned(), ""), |rate| (format::success_figure(rate), "%"))
}

/// Two digits, for shares that are small when all is well.
fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

/// Unknown is a dash, never zero.
fn token_figure(usage: &UsageTotals) -> (String, &'static str) {
    if usage.known == 0 { ("–".to_owned(), "") } else { format::compact(usage.tokens(), language()) }
}

fn token_caption(usage: &UsageTotals, currency: &str) -> String {
    if usage.known == 0 {
        return t!(dashboard::tokens_unknown).to_owned();
    }
    let text = |tokens| format::compact_text(tokens, language());
    let told = t!(dashboard::in_and_out, &text(usage.input), &text(usage.output));
    if usage.priced == 0 {
        return told;
    }
    t!(dashboard::and_cost, &told, &format::cost(usage.cost_nanos, currency))
}

/// What is under way, and how many providers could take more.
pub(super) fn in_flight(data: &Overview) -> String {
    let on = |state| !matches!(state, HealthState::Disabled | HealthState::Drained);
    let ready = |state| matches!(state, HealthState::Healthy | HealthState::Degraded | HealthState::Recovering);
    let all = data.health.iter().filter(|one| on(one.state)).count();
    let ready = data.health.iter().filter(|one| ready(one.state)).count();
    t!(dashboard::in_flight, &format::count(data.in_flight.into()), ready, all)
}

fn than(range: Range) -> &'static str {
    match range {
        Range::Hour => t!(dashboard::than_hour),
        Range::Day => t!(dashboard::than_day),
        Range::Week => t!(dashboard::than_week),
        Range::Month => t!(dashboard::than_month),
    }
}

/// More or fewer requests than in the range before. Neither is good or bad in itself.
#[component]
fn Growth(data: RwSignal<Overview>) -> impl IntoView {
    let face = move || {
        data.with(|data| {
            if data.before.total == 0 {
                return t!(dashboard::nothing_before).into_any();
            }
            let change = data.counts.total as f64 / data.before.total as f64 - 1.0;
            let text = format!("{:.1}%", change.abs() * 100.0);
            view! { <Change up={change >= 0.0} tone="text-ink-2" text/> {than(data.range)} }.into_any()
        })
    };
    view! { {face} }.into_any()
}

/// Success in percentage points against the range before.
#[component]
fn Points(data: RwSignal<Overview>) -> impl IntoView {
    let face = move || {
        data.with(|data| match (data.counts.success_rate(), data.before.success_rate()) {
            (None, _) => t!(dashboard::nothing_judged).into_any(),
            (Some(_), None) => t!(dashboard::nothing_before).into_any(),
            (Some(now), Some(before)) => {
                let change = (now - before) * 100.0;
                let tone = if change >= 0.0 { "text-ok-fg" } else { "text-bad-fg" };
                let text = t!(dashboard::points, &format!("{:.2}", change.abs()));
                view! { <Change up={change >= 0.0} tone text/> }.into_any()
            }
        })
    };
    view! { {face} }.into_any()
}

#[component]
fn Change(up: bool, tone: &'static str, text: String) -> impl IntoView {
    let arrow = if up { "arrow-up-right" } else { "arrow-down-right" };
    view! { <span class=format!("mr-1 {tone} change")><Icon name=arrow/>{text}</span> }.into_any()
}
