//! Sparklines: the shape of a series beside its figure. Gaps stay gaps.

use leptos::prelude::*;

use super::shape::{self, PITCH};

/// A line of values, each within the span of all.
#[component]
pub fn Sparkline(
    /// Values, oldest first.
    #[prop(into)]
    values: Signal<Vec<Option<f64>>>,
    /// Grey instead of the accent, for tables.
    #[prop(optional)]
    quiet: bool,
) -> impl IntoView {
    let path = Memo::new(move |_| values.with(|values| draw(values)));
    let view_box = move || format!("0 0 {} 100", values.with(Vec::len).max(1) * PITCH);
    let class = if quiet { "spark spark-quiet" } else { "spark" };
    view! {
        <svg class=class viewBox=view_box preserveAspectRatio="none" aria-hidden="true">
            <path d=move || path.get()></path>
        </svg>
    }
    .into_any()
}

fn draw(values: &[Option<f64>]) -> String {
    let present = || values.iter().flatten().copied();
    let low = present().fold(f64::INFINITY, f64::min);
    let high = present().fold(f64::NEG_INFINITY, f64::max);
    if high <= 0.0 {
        // Nothing at all has no shape.
        return String::new();
    }
    let span = high - low;
    let place = |value: f64| if span > 0.0 { 94.0 - (value - low) / span * 88.0 } else { 50.0 };
    shape::line(values.iter().map(|value| value.map(place)))
}
