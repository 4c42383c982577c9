//! Requests over time: answered above the axis, failures below it, spans where a provider was out.

use leptos::prelude::*;

use super::{
    legend::{LeftOut, legend},
    plot::{Figure, Plot, Told},
    scale::{self, CountScale},
    shape::{Bars, PITCH, halve, visible},
    zoom::Zoom,
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

/// A series of the chart that can be left out.
#[derive(Clone, Copy)]
enum Series {
    Served,
    Saved,
    Failed,
    Out,
}

/// The columns on screen, without the series that are left out.
#[derive(Clone, Debug, Default, PartialEq)]
struct Shown {
    first: usize,
    buckets: Vec<Bucket>,
    out: Vec<bool>,
    /// Whether the last column is the one that is not over yet.
    to_now: bool,
}

impl Shown {
    fn of(data: &Overview, zoom: Zoom, left_out: LeftOut) -> Self {
        let columns = zoom.columns(&data.buckets);
        let keep = |series: Series, count: u64| if left_out.has(series as u8) { 0 } else { count };
        let mask = |bucket: &Bucket| {
            let counts = bucket.counts;
            let served = keep(Series::Served, counts.served);
            let (saved, failed) = (keep(Series::Saved, counts.saved), keep(Series::Failed, counts.failed));
            Bucket { counts: Counts { served, saved, failed, ..counts }, ..*bucket }
        };
        let (first, to_now) = (columns.start, columns.end == data.buckets.len());
        let mut out = taken_out(data);
        if left_out.has(Series::Out as u8) {
            out.fill(false);
        }
        Self {
            first,
            buckets: data.buckets[columns.clone()].iter().map(mask).collect(),
            out: out[columns].to_vec(),
            to_now,
        }
    }
}

/// The chart. Columns are requests as clients saw them.
#[component]
pub fn RequestsChart(
    /// The data.
    #[prop(into)]
    overview: Signal<Overview>,
    /// The stretch that is shown.
    #[prop(optional)]
    zoom: Zoom,
    /// Series that are not.
    #[prop(optional)]
    left_out: LeftOut,
) -> impl IntoView {
    let clock = Clock::here();
    let shown = Memo::new(move |_| overview.with(|data| Shown::of(data, zoom, left_out)));
    let scale = Memo::new(move |_| shown.with(|shown| CountScale::for_max(largest(&shown.buckets))));
    let wide = Memo::new(move |_| shown.with(|shown| draw(&shown.buckets, &shown.out)));
    let narrow =
        Memo::new(move |_| shown.with(|shown| draw(&halve(&shown.buckets, join), &halve(&shown.out, |a, b| a || b))));
    let columns = Memo::new(move |_| shown.with(|shown| shown.buckets.len()));
    let narrow_columns = move || columns.get().div_ceil(2);
    let rows = Signal::derive(move || scale::count_ticks(&scale.get(), BASE, language()));
    let step_ms = Memo::new(move |_| overview.with(|data| data.step_ms));
    let times = Signal::derive(move || shown.with(|shown| times(&shown.buckets, step_ms.get(), clock)));
    let nothing = Signal::derive(move || overview.with(|data| data.counts.total == 0).then(|| t!(chart::no_requests)));
    let hatch = move || shown.with(|shown| if shown.to_now { partial(shown.buckets.len()) } else { String::new() });
    let over = view! {
        <span class="tick-y" style="top:91.5%">{t!(chart::failed_lane)}</span>
        <span class="plot-partial" style=hatch></span>
    };
    let tell = Callback::new(move |column: usize| {
        let first = shown.with(|shown| shown.first);
        overview.with(|data| tell(data, first + column, clock))
    });
    view! {
        <Plot name=t!(chart::requests_name).to_owned() file="requests" columns=columns rows=rows base=BASE times=times tell=tell nothing=nothing zoom=zoom over=over.into_any()>
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

/// The meaning of the colours; each leaves its series out, and brings it back.
#[component]
pub fn RequestsLegend(
    /// Series that are not shown.
    left_out: LeftOut,
) -> impl IntoView {
    let entries = [
        (Series::Served as u8, "swatch bg-served", t!(status::served)),
        (Series::Saved as u8, "swatch bg-info", t!(status::saved)),
        (Series::Failed as u8, "swatch bg-bad w-[4px]!", t!(status::failed)),
        (Series::Out as u8, "swatch bg-bad h-[3px]! w-[12px]! rounded-full!", t!(chart::provider_out)),
    ];
    legend(left_out, entries)
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

/// Words of the time axis under these columns.
pub(super) fn times(buckets: &[Bucket], step_ms: i64, clock: Clock) -> Vec<scale::Tick> {
    let Some(first) = buckets.first() else { return Vec::new() };
    scale::time_ticks(first.at_ms, step_ms, buckets.len(), clock.zone(), language())
}

fn tell(data: &Overview, column: usize, clock: Clock) -> Told {
    let Some(bucket) = data.buckets.get(column) else { return Told::default() };
    let counts = bucket.counts;
    let figure = |name, color, count: u64| Figure { name, color, text: format::count(count), raw: count as f64 };
    let figures = vec![
        figure(t!(status::served), "var(--color-served)", counts.served),
        figure(t!(status::saved_by_failover), "var(--color-info)", counts.saved),
        figure(t!(status::failed), "var(--color-bad)", counts.failed),
        figure(t!(status::rate_limited), "", counts.rate_limited),
        figure(t!(chart::clients), "", counts.client),
    ];
    let inside = bucket.at_ms..bucket.at_ms + data.step_ms;
    let note = |event: &crate::model::health::HealthEvent| {
        let name =
            data.providers.iter().find(|one| one.provider == Some(event.provider)).map(|one| one.name.as_str())?;
        let at = format::Civil::of(event.at_ms, clock.zone()).hour_minute();
        Some(t!(chart::event, name, state_word(event.state), &at))
    };
    let notes = data.events.iter().filter(|event| inside.contains(&event.at_ms)).filter_map(note).take(4).collect();
    Told {
        time: scale::column_time(bucket.at_ms, data.step_ms, clock.zone(), language()),
        span_ms: (bucket.at_ms, bucket.at_ms + data.step_ms),
        figures,
        notes,
    }
}
