//! Requests over time: answered above the axis, failures below it, spans where a provider was out.

use leptos::prelude::*;

use super::{
    plot::{Plot, Told},
    scale::{self, CountScale},
    shape::{Bars, PITCH, halve, visible},
};
use crate::{
    model::stats::{Bucket, Counts, Overview},
    ui::{
        clock::Clock,
        components::status::state_word,
        format,
        i18n::{language, t},
    },
};

/// Percent of the height above the base line.
const BASE: f64 = 87.0;
const LANE_TOP: f64 = 880.0;
const LANE: f64 = 64.0;
const SPAN_TOP: f64 = 962.0;
const SPAN: f64 = 16.0;
/// Least height of a failure in its lane.
const LEAST: f64 = 0.22;

/// The paths of one drawing.
#[derive(Clone, Debug, Default, PartialEq)]
struct Shapes {
    served: String,
    saved: String,
    failed: String,
    out: String,
}

/// The chart. Columns are requests as clients saw them.
#[component]
pub fn RequestsChart(
    /// The data.
    #[prop(into)]
    overview: Signal<Overview>,
) -> impl IntoView {
    let clock = Clock::here();
    let scale = Memo::new(move |_| overview.with(|data| CountScale::for_max(largest(&data.buckets))));
    let wide = Memo::new(move |_| overview.with(|data| draw(&data.buckets, &taken_out(data))));
    let narrow = Memo::new(move |_| {
        overview.with(|data| {
            let out = halve(&taken_out(data), |a, b| a || b);
            draw(&halve(&data.buckets, join), &out)
        })
    });
    let columns = Memo::new(move |_| overview.with(|data| data.buckets.len()));
    let narrow_columns = move || columns.get().div_ceil(2);
    let rows = Signal::derive(move || scale::count_ticks(&scale.get(), BASE, language()));
    let times = Signal::derive(move || overview.with(|data| times(data, clock)));
    let nothing = Signal::derive(move || overview.with(|data| data.counts.total == 0).then(|| t!(chart::no_requests)));
    let over = view! {
        <span class="tick-y" style="top:91.5%">{t!(chart::failed_lane)}</span>
        <span class="plot-partial" style=move || partial(columns.get())></span>
    };
    view! {
        <Plot
            name=t!(chart::requests_name).to_owned()
            columns=columns
            rows=rows
            base=BASE
            times=times
            tell=Callback::new(move |column| overview.with(|data| tell(data, column, clock)))
            nothing=nothing
            over=over.into_any()
        >
            <g class="desk-only">{drawn(wide)}</g>
            <svg
                class="phone-only"
                viewBox=move || format!("0 0 {} 1000", narrow_columns().max(1) * PITCH)
                preserveAspectRatio="none"
                x="0"
                y="0"
                width=move || columns.get() * PITCH
                height="1000"
            >
                {drawn(narrow)}
            </svg>
        </Plot>
    }
    .into_any()
}

/// The meaning of the colours.
#[component]
pub fn RequestsLegend() -> impl IntoView {
    view! {
        <ul class="legend">
            <li><span class="swatch bg-served"></span>{t!(status::served)}</li>
            <li><span class="swatch bg-info"></span>{t!(status::saved)}</li>
            <li><span class="swatch bg-bad w-[4px]!"></span>{t!(status::failed)}</li>
            <li><span class="swatch bg-bad h-[3px]! w-[12px]! rounded-full!"></span>{t!(chart::provider_out)}</li>
        </ul>
    }
    .into_any()
}

fn drawn(shapes: Memo<Shapes>) -> AnyView {
    view! {
        <path class="fill-served" d=move || shapes.with(|all| all.served.clone())></path>
        <path class="fill-info" d=move || shapes.with(|all| all.saved.clone())></path>
        <path class="fill-bad" d=move || shapes.with(|all| all.failed.clone())></path>
        <path class="fill-bad" d=move || shapes.with(|all| all.out.clone())></path>
    }
    .into_any()
}

fn largest(buckets: &[Bucket]) -> u64 {
    buckets.iter().map(|bucket| bucket.counts.served + bucket.counts.saved).max().unwrap_or(0)
}

fn join(a: Bucket, b: Bucket) -> Bucket {
    let (x, y) = (a.counts, b.counts);
    let counts = Counts {
        total: x.total + y.total,
        served: x.served + y.served,
        saved: x.saved + y.saved,
        failed: x.failed + y.failed,
        rate_limited: x.rate_limited + y.rate_limited,
        client: x.client + y.client,
    };
    Bucket { counts, ..a }
}

/// Per column: whether any provider was taken out.
fn taken_out(data: &Overview) -> Vec<bool> {
    let out_in = |column: usize| data.providers.iter().any(|one| one.columns.get(column).is_some_and(|c| c.taken_out));
    (0..data.buckets.len()).map(out_in).collect()
}

fn draw(buckets: &[Bucket], out: &[bool]) -> Shapes {
    let top = CountScale::for_max(largest(buckets)).top;
    let worst = buckets.iter().map(|bucket| bucket.counts.failed).max().unwrap_or(0).max(1) as f64;
    let base = BASE * 10.0;
    let (mut served, mut saved, mut failed, mut spans) =
        (Bars::default(), Bars::default(), Bars::default(), Bars::default());
    for (column, bucket) in buckets.iter().enumerate() {
        let counts = bucket.counts;
        let low = visible(counts.served as f64 / top, base, 0.004);
        let high = visible(counts.saved as f64 / top, base, 0.008);
        served.add(column, base - low, low);
        saved.add(column, base - low - high, high);
        failed.add(column, LANE_TOP, visible(counts.failed as f64 / worst, LANE, LEAST));
        if out.get(column).copied().unwrap_or_default() {
            spans.add_joined(column, SPAN_TOP, SPAN);
        }
    }
    Shapes { served: served.path(), saved: saved.path(), failed: failed.path(), out: spans.path() }
}

/// The hatch over the last column, which is not over yet.
fn partial(columns: usize) -> String {
    let width = 100.0 / columns.max(1) as f64;
    format!("left:{:.2}%;width:{width:.2}%;height:{BASE}%", 100.0 - width)
}

/// Words of the time axis of an overview.
pub fn times(data: &Overview, clock: Clock) -> Vec<scale::Tick> {
    let Some(first) = data.buckets.first() else { return Vec::new() };
    scale::time_ticks(first.at_ms, data.step_ms, data.buckets.len(), clock.zone(), language())
}

fn tell(data: &Overview, column: usize, clock: Clock) -> Told {
    let Some(bucket) = data.buckets.get(column) else { return Told::default() };
    let counts = bucket.counts;
    let mut figures = vec![
        (t!(status::served), "var(--color-served)", format::count(counts.served)),
        (t!(status::saved_by_failover), "var(--color-info)", format::count(counts.saved)),
        (t!(status::failed), "var(--color-bad)", format::count(counts.failed)),
    ];
    if counts.rate_limited > 0 {
        figures.push((t!(status::rate_limited), "", format::count(counts.rate_limited)));
    }
    if counts.client > 0 {
        figures.push((t!(chart::clients), "", format::count(counts.client)));
    }
    let inside = bucket.at_ms..bucket.at_ms + data.step_ms;
    let note = |event: &crate::model::health::HealthEvent| {
        let name =
            data.providers.iter().find(|one| one.provider == Some(event.provider)).map(|one| one.name.as_str())?;
        let at = format::Civil::of(event.at_ms, clock.zone()).hour_minute();
        Some(t!(chart::event, name, state_word(event.state), &at))
    };
    let notes = data.events.iter().filter(|event| inside.contains(&event.at_ms)).filter_map(note).take(4).collect();
    Told { time: scale::column_time(bucket.at_ms, data.step_ms, clock.zone(), language()), figures, notes }
}
