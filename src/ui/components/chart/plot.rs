//! The ground of a chart: axes, crosshair, the box that tells a column, and the data as a table.

use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

use super::scale::Tick;
use crate::ui::i18n::t;

/// Rows of figures behind a chart: what the box tells of a column, and the table of all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// Time of the column.
    pub time: String,
    /// Series, colour (a CSS value; empty for none) and figure.
    pub figures: Vec<(&'static str, &'static str, String)>,
    /// What happened in it.
    pub notes: Vec<String>,
}

/// A chart of equal columns around its shapes, which are drawn in units of [`super::shape::PITCH`] × 1000.
#[component]
pub fn Plot(
    /// What the chart shows, for those who cannot see it.
    name: String,
    /// Number of columns.
    #[prop(into)]
    columns: Signal<usize>,
    /// Gridlines and their words, percent from the top.
    #[prop(into)]
    rows: Signal<Vec<Tick>>,
    /// Place of the base line, percent from the top.
    base: f64,
    /// Words under the time axis.
    #[prop(into)]
    times: Signal<Vec<Tick>>,
    /// What is to be told of a column.
    tell: Callback<usize, Told>,
    /// One sentence when there is nothing to draw.
    #[prop(into)]
    nothing: Signal<Option<&'static str>>,
    /// HTML over the shapes: names of lines, hatches.
    #[prop(optional, into)]
    over: Option<AnyView>,
    /// The shapes.
    children: Children,
) -> impl IntoView {
    let pointed = RwSignal::new(None::<usize>);
    let grid = move || {
        let mut path = String::new();
        let wide = columns.get() * super::shape::PITCH;
        rows.with(|rows| rows.iter().for_each(|tick| path.push_str(&format!("M0 {:.0}H{wide}", tick.percent * 10.0))));
        path
    };
    let ground = move || format!("M0 {:.0}H{}", base * 10.0, columns.get() * super::shape::PITCH);
    let view_box = move || format!("0 0 {} 1000", columns.get().max(1) * super::shape::PITCH);
    let upright = move || {
        let tick =
            |tick: Tick| view! { <span class="tick-y" style=format!("top:{:.2}%", tick.percent)>{tick.label}</span> };
        rows.get().into_iter().map(tick).collect_view()
    };
    let level = move || {
        let tick =
            |tick: Tick| view! { <span class="tick-x" style=format!("left:{:.2}%", tick.percent)>{tick.label}</span> };
        times.get().into_iter().map(tick).collect_view()
    };
    let follow = move |event: ev::PointerEvent| pointed.set(column_under(&event, columns.get_untracked()));
    view! {
        <div
            class="plot"
            tabindex="0"
            role="img"
            aria-label=name.clone()
            on:pointermove=follow
            on:pointerdown=follow
            on:pointerleave=move |_| pointed.set(None)
            on:blur=move |_| pointed.set(None)
            on:keydown=move |event| step(&event, pointed, columns.get_untracked())
        >
            <svg viewBox=view_box preserveAspectRatio="none" aria-hidden="true">
                <path class="plot-grid" d=grid></path>
                {children()}
                <path class="plot-base" d=ground></path>
            </svg>
            {over}
            {upright}
            {level}
            {move || nothing.get().map(|says| view! { <p class="plot-nothing">{says}</p> })}
            {move || pointed.get().map(|column| crosshair(column, columns.get(), tell.run(column)))}
        </div>
        <DataTable name columns tell/>
    }
    .into_any()
}

/// The column under the pointer.
pub(super) fn column_under(event: &ev::PointerEvent, columns: usize) -> Option<usize> {
    let plot = event.current_target()?.dyn_into::<web_sys::Element>().ok()?.get_bounding_client_rect();
    let part = (f64::from(event.client_x()) - plot.left()) / plot.width().max(1.0);
    (columns > 0 && (0.0..1.0).contains(&part)).then(|| ((part * columns as f64) as usize).min(columns - 1))
}

/// Arrow keys go from column to column; Escape closes.
fn step(event: &ev::KeyboardEvent, pointed: RwSignal<Option<usize>>, columns: usize) {
    if columns == 0 {
        return;
    }
    let last = columns - 1;
    let here = pointed.get_untracked();
    let next = match event.key().as_str() {
        "ArrowLeft" => Some(here.map_or(last, |column| column.saturating_sub(1))),
        "ArrowRight" => Some(here.map_or(last, |column| (column + 1).min(last))),
        "Home" => Some(0),
        "End" => Some(last),
        "Escape" => None,
        _ => return,
    };
    event.prevent_default();
    pointed.set(next);
}

fn crosshair(column: usize, columns: usize, told: Told) -> AnyView {
    let percent = (column as f64 + 0.45) / columns.max(1) as f64 * 100.0;
    let place = if percent > 50.0 {
        format!("right:calc({:.2}% + 10px)", 100.0 - percent)
    } else {
        format!("left:calc({percent:.2}% + 10px)")
    };
    view! {
        <span class="crosshair" style=format!("left:{percent:.2}%")></span>
        <div class="tip" style=place role="status">
            <p class="text-ink-2">{told.time}</p>
            {told.figures.into_iter().map(|(name, color, figure)| tip_row(name, color, figure)).collect_view()}
            {told.notes.into_iter().map(|note| view! { <p class="tip-note">{note}</p> }).collect_view()}
        </div>
    }
    .into_any()
}

fn tip_row(name: &'static str, color: &'static str, figure: String) -> AnyView {
    let swatch =
        (!color.is_empty()).then(|| view! { <span class="swatch" style=format!("background:{color}")></span> });
    view! {
        <p class="flex items-center gap-2">
            {swatch}
            <span class="text-ink-2">{name}</span>
            <span class="ml-auto pl-4 font-medium">{figure}</span>
        </p>
    }
    .into_any()
}

/// The data behind a chart, made when it is asked for.
#[component]
fn DataTable(name: String, columns: Signal<usize>, tell: Callback<usize, Told>) -> impl IntoView {
    let open = RwSignal::new(false);
    let follow = move |event: ev::Event| {
        let details = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        open.set(details.is_some_and(|details| details.has_attribute("open")));
    };
    let table = move || {
        open.get().then(|| {
            let told: Vec<Told> = (0..columns.get()).map(|column| tell.run(column)).collect();
            let heads = told.first().map(|first| first.figures.iter().map(|(name, ..)| *name).collect::<Vec<_>>());
            let row = |told: Told| {
                let cells = told.figures.into_iter().map(|(_, _, figure)| view! { <td class="num">{figure}</td> });
                view! { <tr><td>{told.time}</td>{cells.collect_view()}</tr> }
            };
            view! {
                <div class="max-h-80 overflow-auto">
                    <table class="table">
                        <caption class="sr-only">{name.clone()}</caption>
                        <thead>
                            <tr>
                                <th scope="col">{t!(chart::time)}</th>
                                {heads
                                    .unwrap_or_default()
                                    .into_iter()
                                    .map(|head| view! { <th scope="col" class="num">{head}</th> })
                                    .collect_view()}
                            </tr>
                        </thead>
                        <tbody>{told.into_iter().map(row).collect_view()}</tbody>
                    </table>
                </div>
            }
        })
    };
    view! {
        <details class="plot-table" on:toggle=follow>
            <summary>{t!(chart::as_table)}</summary>
            {table}
        </details>
    }
    .into_any()
}
