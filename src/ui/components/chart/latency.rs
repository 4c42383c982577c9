//! Latency over time on a log scale: one hue, three weights, the names at the right end.

use leptos::prelude::*;

use super::{
    legend::{LeftOut, legend},
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
/// Name, class and figure.
type Line = (&'static str, &'static str, Pick);
const LINES: [Line; 3] =
    [("P50", "line-p50", |q| q.p50_us), ("P95", "line-p95", |q| q.p95_us), ("P99", "line-p99", |q| q.p99_us)];

/// The figures on screen, and the axis they are drawn on.
#[derive(Clone, Debug, PartialEq)]
struct Drawn {
    quantiles: Vec<Quantiles>,
    scale: LatencyScale,
}

impl Drawn {
    /// A line that is left out does not stretch the axis.
    fn of(buckets: &[Bucket], measure: Measure, left_out: LeftOut) -> Self {
        let quantiles: Vec<Quantiles> = buckets.iter().map(|bucket| measure.of(bucket)).collect();
        let shown = lines(left_out);
        let values = quantiles.iter().flat_map(|all| shown.iter().map(|(.., pick)| pick(all)));
        let scale = LatencyScale::for_values(values);
        Self { quantiles, scale }
    }

    fn path(&self, pick: Pick) -> String {
        let place = |all: &Quantiles| (pick(all) > 0).then(|| self.scale.place(pick(all)) * 1000.0);
        shape::line(self.quantiles.iter().map(place))
    }

    fn rows(&self) -> Vec<Tick> {
        let tick = |step: &u64| Tick { percent: self.scale.place(*step) * 100.0, label: scale::axis_latency(*step) };
        self.scale.steps.iter().map(tick).collect()
    }

    fn is_empty(&self) -> bool {
        self.quantiles.iter().all(|all| all.p99_us == 0)
    }
}

/// The lines that are not left out.
fn lines(left_out: LeftOut) -> Vec<Line> {
    (0_u8..).zip(LINES).filter(|(number, _)| !left_out.has(*number)).map(|(_, line)| line).collect()
}

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
    /// Lines that are not.
    #[prop(optional)]
    left_out: LeftOut,
) -> impl IntoView {
    let clock = Clock::here();
    let buckets = Memo::new(move |_| overview.with(|data| data.buckets[zoom.columns(&data.buckets)].to_vec()));
    let step_ms = Memo::new(move |_| overview.with(|data| data.step_ms));
    let drawn = Memo::new(move |_| buckets.with(|buckets| Drawn::of(buckets, measure.get(), left_out)));
    let line = move |(number, (_, class, pick)): (u8, Line)| {
        let path = move || if left_out.has(number) { String::new() } else { drawn.with(|drawn| drawn.path(pick)) };
        view! { <path class=class d=path></path> }
    };
    let names = move || drawn.with(|drawn| names(drawn, &lines(left_out)));
    let tell = move |column: usize| {
        let Some(at_ms) = buckets.with(|buckets| buckets.get(column).map(|bucket| bucket.at_ms)) else {
            return Told::default();
        };
        let all = drawn.with(|drawn| drawn.quantiles.get(column).copied()).unwrap_or_default();
        told(at_ms, step_ms.get(), &all, clock)
    };
    view! {
        <Plot
            name=t!(chart::latency_name).to_owned()
            file="latency-ms"
            columns=Memo::new(move |_| buckets.with(Vec::len))
            rows=Signal::derive(move || drawn.with(Drawn::rows))
            base=100.0
            times=Signal::derive(move || buckets.with(|buckets| times(buckets, step_ms.get(), clock)))
            tell=Callback::new(tell)
            nothing=Signal::derive(move || drawn.with(Drawn::is_empty).then(|| t!(chart::no_requests)))
            zoom=zoom
            over=view! { {names} }.into_any()
        >
            {(0_u8..).zip(LINES).map(line).collect_view()}
        </Plot>
    }
    .into_any()
}

/// The strokes; each leaves its line out, and brings it back.
#[component]
pub fn LatencyLegend(
    /// Lines that are not shown.
    left_out: LeftOut,
) -> impl IntoView {
    legend(
        left_out,
        [(0, "swatch swatch-p50", "P50"), (1, "swatch swatch-p95", "P95"), (2, "swatch swatch-p99", "P99")],
    )
}

/// What there is to tell of a column.
fn told(at_ms: i64, step_ms: i64, all: &Quantiles, clock: Clock) -> Told {
    let figure = |(name, _, pick): Line| Figure {
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
fn names(drawn: &Drawn, lines: &[Line]) -> AnyView {
    let last = drawn.quantiles.iter().rev().find(|all| all.p99_us > 0).copied().unwrap_or_default();
    let mut floor = f64::INFINITY;
    let mut words = Vec::new();
    for (name, class, pick) in lines {
        if pick(&last) == 0 {
            continue;
        }
        let percent = (drawn.scale.place(pick(&last)) * 100.0).min(floor - 8.0);
        floor = percent;
        words.push(
            view! { <span class=format!("line-name {class}-name") style=format!("top:{percent:.2}%")>{*name}</span> },
        );
    }
    words.into_iter().collect_view().into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_left_out_does_not_stretch_the_axis() {
        let owner = Owner::new();
        owner.set();
        let first_byte = Quantiles { p50_us: 400_000, p95_us: 900_000, p99_us: 90_000_000, ..Quantiles::default() };
        let buckets = [Bucket { first_byte, ..Bucket::default() }];
        let left_out = LeftOut::default();
        let all = Drawn::of(&buckets, Measure::FirstByte, left_out);
        left_out.turn(2);
        let some = Drawn::of(&buckets, Measure::FirstByte, left_out);
        assert!(all.scale.steps.last() > some.scale.steps.last());
        assert_eq!(lines(left_out).iter().map(|(name, ..)| *name).collect::<Vec<_>>(), ["P50", "P95"]);
        assert_eq!(all.quantiles, some.quantiles, "box, table and file still tell all");
    }
}
