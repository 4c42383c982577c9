//! Heat strips: how a provider's attempts went, column by column. No data is never green.

use leptos::prelude::*;

use super::{
    scale,
    shape::{Bars, PITCH, halve, visible},
};
use crate::{
    model::stats::ProviderColumn,
    ui::{
        clock::Clock,
        format,
        i18n::{language, t},
    },
};

const LEAST: f64 = 0.22;
/// From here up a column is fine, below [`MANY`] many failed.
const FINE: f64 = 0.98;
const MANY: f64 = 0.80;

#[derive(Clone, Debug, Default, PartialEq)]
struct Shapes {
    fine: String,
    rest: String,
    some: String,
    many: String,
    hollow: String,
    rails: String,
    nothing: String,
    unknown: String,
}

/// One strip. The time of a column comes from `first_ms` and `step_ms`.
#[component]
pub fn HeatStrip(
    /// Columns, oldest first.
    #[prop(into)]
    columns: Signal<Vec<ProviderColumn>>,
    /// Start of the first column and length of each, unix milliseconds.
    #[prop(into)]
    axis: Signal<(i64, i64)>,
    /// Whether it is the tall one of a detail page.
    #[prop(optional)]
    tall: bool,
) -> impl IntoView {
    let clock = Clock::here();
    let wide = Memo::new(move |_| columns.with(|columns| draw(columns)));
    let narrow = Memo::new(move |_| columns.with(|columns| draw(&halve(columns, join))));
    let count = move || columns.with(Vec::len);
    let pointed = RwSignal::new(String::new());
    let follow = move |event: leptos::ev::PointerEvent| {
        let Some(column) = super::plot::column_under(&event, count()) else { return };
        let (first_ms, step_ms) = axis.get_untracked();
        let told = columns.with_untracked(|columns| columns.get(column).map(|one| tell(*one)));
        let time = scale::column_time(first_ms + step_ms * column as i64, step_ms, clock.zone_untracked(), language());
        pointed.set(format!("{time} · {}", told.unwrap_or_default()));
    };
    let sum = move || columns.with(|columns| summary(columns));
    view! {
        <div class=if tall { "strip strip-tall" } else { "strip" } role="img" aria-label=sum title=move || pointed.get() on:pointermove=follow>
            <svg class="desk-only" viewBox=move || format!("0 0 {} 100", count().max(1) * PITCH - 2) preserveAspectRatio="none" aria-hidden="true">
                {drawn(wide)}
            </svg>
            <svg class="phone-only" viewBox=move || format!("0 0 {} 100", count().div_ceil(2).max(1) * PITCH - 2) preserveAspectRatio="none" aria-hidden="true">
                {drawn(narrow)}
            </svg>
        </div>
    }
    .into_any()
}

/// The meaning of the shapes.
#[component]
pub fn StripLegend() -> impl IntoView {
    let sample = |column: ProviderColumn, word: &'static str| {
        let shapes = Memo::new(move |_| draw(&[column]));
        view! {
            <li>
                <svg class="strip-sample" viewBox="0 0 8 100" preserveAspectRatio="none" aria-hidden="true">{drawn(shapes)}</svg>
                {word}
            </li>
        }
    };
    let column =
        |answered, failed, taken_out| ProviderColumn { answered, failed, taken_out, ..ProviderColumn::default() };
    view! {
        <ul class="legend">
            {sample(column(1, 0, false), t!(chart::fine))}
            {sample(column(9, 1, false), t!(chart::some_failed))}
            {sample(column(1, 2, false), t!(chart::many_failed))}
            {sample(column(0, 0, true), t!(chart::taken_out))}
            {sample(column(0, 0, false), t!(chart::no_traffic))}
            {sample(ProviderColumn { unknown: true, ..ProviderColumn::default() }, t!(chart::unknown))}
        </ul>
    }
    .into_any()
}

fn drawn(shapes: Memo<Shapes>) -> AnyView {
    let path = |class: &'static str, pick: fn(&Shapes) -> &String| {
        view! { <path class=class d=move || shapes.with(|all| pick(all).clone())></path> }
    };
    view! {
        {path("heat-fine", |all| &all.fine)}
        {path("heat-rest", |all| &all.rest)}
        {path("fill-warn", |all| &all.some)}
        {path("fill-bad", |all| &all.many)}
        {path("heat-hollow", |all| &all.hollow)}
        {path("fill-bad", |all| &all.rails)}
        {path("fill-off", |all| &all.nothing)}
        {path("heat-unknown", |all| &all.unknown)}
    }
    .into_any()
}

fn join(a: ProviderColumn, b: ProviderColumn) -> ProviderColumn {
    ProviderColumn {
        answered: a.answered + b.answered,
        failed: a.failed + b.failed,
        taken_out: a.taken_out || b.taken_out,
        unknown: a.unknown && b.unknown,
        p95_us: a.p95_us.max(b.p95_us),
    }
}

fn draw(columns: &[ProviderColumn]) -> Shapes {
    let mut bars: [Bars; 8] = Default::default();
    let [fine, rest, some, many, hollow, rails, nothing, unknown] = &mut bars;
    for (index, column) in columns.iter().enumerate() {
        let all = column.answered + column.failed;
        let good = if all == 0 { 1.0 } else { f64::from(column.answered) / f64::from(all) };
        if column.taken_out {
            hollow.add(index, 0.0, 100.0);
            rails.add(index, 0.0, 8.0);
            rails.add(index, 92.0, 8.0);
        } else if all == 0 && column.unknown {
            unknown.add(index, 46.0, 8.0);
        } else if all == 0 {
            nothing.add(index, 92.0, 8.0);
        } else if good >= FINE {
            fine.add(index, 0.0, 100.0);
        } else {
            let part = visible(1.0 - good, 100.0, LEAST);
            let bars = if good < MANY { &mut *many } else { &mut *some };
            bars.add(index, 0.0, part);
            rest.add(index, part, 100.0 - part);
        }
    }
    let [fine, rest, some, many, hollow, rails, nothing, unknown] = bars.map(Bars::path);
    Shapes { fine, rest, some, many, hollow, rails, nothing, unknown }
}

/// A column in words.
fn tell(column: ProviderColumn) -> String {
    if column.taken_out {
        return t!(chart::taken_out).to_owned();
    }
    if column.answered + column.failed == 0 {
        return if column.unknown { t!(chart::unknown) } else { t!(chart::no_traffic) }.to_owned();
    }
    t!(chart::column, &format::count(column.answered.into()), &format::count(column.failed.into()))
}

/// The strip in words.
fn summary(columns: &[ProviderColumn]) -> String {
    let (mut answered, mut failed, mut out) = (0_u64, 0_u64, 0);
    for column in columns {
        answered += u64::from(column.answered);
        failed += u64::from(column.failed);
        out += u32::from(column.taken_out);
    }
    t!(chart::strip_summary, &format::count(answered), &format::count(failed), out)
}
