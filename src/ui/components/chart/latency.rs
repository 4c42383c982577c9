//! Latency over time on a log scale: one hue, three weights, the names at the right end.

use leptos::prelude::*;

use super::{
    plot::{Figure, Plot, Told},
    requests::times,
    scale::{self, LatencyScale, Tick},
    shape,
    zoom::Zoom,
};
use crate::{
    model::stats::{Bucket, Overview, Quantiles},
    ui::{
        clock::Clock,
        format,
        i18n::{language, t},
    },
};

/// Which latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Time to the first byte.
    FirstByte,
    /// Time to the end.
    Total,
}

impl Measure {
    fn of(self, bucket: &Bucket) -> Quantiles {
        match self {
            Self::FirstByte => bucket.first_byte,
            Self::Total => bucket.total,
        }
    }
}

type Pick = fn(&Quantiles) -> u64;
const LINES: [(&str, &str, Pick); 3] =
    [("P50", "line-p50", |q| q.p50_us), ("P95", "line-p95", |q| q.p95_us), ("P99", "line-p99", |q| q.p99_us)];

/// The chart.
#[component]
pub fn LatencyChart(
    /// The data.
    #[prop(into)]
    overview: Signal<Overview>,
    /// Which latency.
    #[prop(into)]
    measure: Signal<Measure>,
    /// The stretch that is shown.
    #[prop(optional)]
    zoom: Zoom,
) -> impl IntoView {
    let clock = Clock::here();
    let buckets = Memo::new(move |_| overview.with(|data| data.buckets[zoom.columns(&data.buckets)].to_vec()));
    let step_ms = Memo::new(move |_| overview.with(|data| data.step_ms));
    let quantiles = Memo::new(move |_| {
        buckets.with(|buckets| buckets.iter().map(|bucket| measure.get().of(bucket)).collect::<Vec<_>>())
    });
    let scale = Memo::new(move |_| {
        quantiles.with(|all| LatencyScale::for_values(all.iter().flat_map(|q| [q.p50_us, q.p95_us, q.p99_us])))
    });
    let columns = Memo::new(move |_| quantiles.with(Vec::len));
    let rows = Signal::derive(move || {
        let scale = scale.get();
        let tick = |step: &u64| Tick { percent: scale.place(*step) * 100.0, label: scale::axis_latency(*step) };
        scale.steps.iter().map(tick).collect::<Vec<_>>()
    });
    let times = Signal::derive(move || buckets.with(|buckets| times(buckets, step_ms.get(), clock)));
    let nothing = Signal::derive(move || {
        let empty = quantiles.with(|all| all.iter().all(|q| q.p99_us == 0));
        empty.then(|| t!(chart::no_requests))
    });
    let path = move |pick: Pick| {
        let scale = scale.get();
        let place = |q: &Quantiles| (pick(q) > 0).then(|| scale.place(pick(q)) * 1000.0);
        quantiles.with(|all| shape::line(all.iter().map(place)))
    };
    let lines = LINES.map(|(_, class, pick)| view! { <path class=class d=move || path(pick)></path> });
    let names = move || quantiles.with(|all| names(all, &scale.get()));
    let tell = move |column: usize| {
        let Some(at_ms) = buckets.with(|buckets| buckets.get(column).map(|bucket| bucket.at_ms)) else {
            return Told::default();
        };
        let all = quantiles.with(|all| all.get(column).copied()).unwrap_or_default();
        told(at_ms, step_ms.get(), &all, clock)
    };
    view! {
        <Plot
            name=t!(chart::latency_name).to_owned()
            file="latency-ms"
            columns=columns
            rows=rows
            base=100.0
            times=times
            tell=Callback::new(tell)
            nothing=nothing
            zoom=zoom
            over=view! { {names} }.into_any()
        >
            {lines.into_iter().collect_view()}
        </Plot>
    }
    .into_any()
}

/// What there is to tell of a column.
fn told(at_ms: i64, step_ms: i64, all: &Quantiles, clock: Clock) -> Told {
    let figure = |(name, _, pick): (&'static str, &'static str, Pick)| Figure {
        name,
        color: "",
        text: format::latency_text(pick(all), language()),
        raw: pick(all) as f64 / 1_000.0,
    };
    Told {
        time: scale::column_time(at_ms, step_ms, clock.zone(), language()),
        span_ms: (at_ms, at_ms + step_ms),
        figures: LINES.map(figure).into(),
        notes: Vec::new(),
    }
}

/// The names of the lines at their right ends, kept apart.
fn names(all: &[Quantiles], scale: &LatencyScale) -> AnyView {
    let last = all.iter().rev().find(|q| q.p99_us > 0).copied().unwrap_or_default();
    let mut floor = f64::INFINITY;
    let mut words = Vec::new();
    for (name, class, pick) in LINES {
        if pick(&last) == 0 {
            continue;
        }
        let percent = (scale.place(pick(&last)) * 100.0).min(floor - 8.0);
        floor = percent;
        words.push(
            view! { <span class=format!("line-name {class}-name") style=format!("top:{percent:.2}%")>{name}</span> },
        );
    }
    words.into_iter().collect_view().into_any()
}
