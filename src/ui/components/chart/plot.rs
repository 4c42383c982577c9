//! The ground of a chart: axes, crosshair, the box that tells a column, the stretch that is drawn out, and the
//! data as a table or a file.

use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

use super::{scale::Tick, shape::PITCH, zoom::Zoom};
use crate::ui::{clock::Clock, format, i18n::t, icon::Icon};

/// One figure of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The series.
    pub name: &'static str,
    /// Its colour, a CSS value; empty for none.
    pub color: &'static str,
    /// As people read it.
    pub text: String,
    /// As a file has it.
    pub raw: f64,
}

/// What there is to tell of a column: in the box beside the crosshair, as a row of the table and of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// Time of the column.
    pub time: String,
    /// Its start and end, unix milliseconds.
    pub span_ms: (i64, i64),
    /// The figures.
    pub figures: Vec<Figure>,
    /// What happened in it.
    pub notes: Vec<String>,
}

/// A chart of equal columns around its shapes, which are drawn in units of [`super::shape::PITCH`] × 1000.
#[component]
pub fn Plot(
    /// What the chart shows, for those who cannot see it.
    name: String,
    /// Name of the file with its data, without ending.
    file: &'static str,
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
    /// The stretch that is shown.
    zoom: Zoom,
    /// HTML over the shapes: names of lines, hatches.
    #[prop(optional, into)]
    over: Option<AnyView>,
    /// The shapes.
    children: Children,
) -> impl IntoView {
    let pointer = Pointer { columns, zoom, tell, at: RwSignal::new(None), drawn: RwSignal::new(None) };
    let as_table = RwSignal::new(false);
    view! {
        <div class="plot-box">
            <div
                class="plot"
                tabindex="0"
                role="img"
                aria-label=name.clone()
                on:pointermove=move |event| pointer.follow(&event)
                on:pointerdown=move |event| pointer.press(&event)
                on:pointerup=move |_| pointer.release()
                on:pointerleave=move |_| pointer.leave()
                on:blur=move |_| pointer.leave()
                on:keydown=move |event| pointer.step(&event)
            >
                {ground(columns, rows, base, children().into_any())}
                {over}
                {words(rows, times, nothing)}
                {move || pointer.drawn.get().map(|ends| selection(ends, columns.get()))}
                {move || pointer.at.get().map(|column| crosshair(column, columns.get(), tell.run(column)))}
            </div>
            <Tools file columns tell zoom as_table/>
        </div>
        {move || as_table.get().then(|| table(name.clone(), columns.get(), tell))}
    }
    .into_any()
}

/// The shapes between their gridlines and the base line.
fn ground(columns: Signal<usize>, rows: Signal<Vec<Tick>>, base: f64, shapes: AnyView) -> AnyView {
    let wide = move || columns.get() * PITCH;
    let grid = move || {
        let line = |tick: &Tick| format!("M0 {:.0}H{}", tick.percent * 10.0, wide());
        rows.with(|rows| rows.iter().map(line).collect::<String>())
    };
    view! {
        <svg viewBox=move || format!("0 0 {} 1000", wide().max(PITCH)) preserveAspectRatio="none" aria-hidden="true">
            <path class="plot-grid" d=grid></path>
            {shapes}
            <path class="plot-base" d=move || format!("M0 {:.0}H{}", base * 10.0, wide())></path>
        </svg>
    }
    .into_any()
}

/// What stands at the axes, and in place of the shapes where there are none.
fn words(rows: Signal<Vec<Tick>>, times: Signal<Vec<Tick>>, nothing: Signal<Option<&'static str>>) -> AnyView {
    view! {
        {move || rows.get().into_iter().map(|tick| tick_at("tick-y", "top", tick)).collect_view()}
        {move || times.get().into_iter().map(|tick| tick_at("tick-x", "left", tick)).collect_view()}
        {move || nothing.get().map(|says| view! { <p class="plot-nothing">{says}</p> })}
    }
    .into_any()
}

fn tick_at(class: &'static str, side: &'static str, tick: Tick) -> AnyView {
    view! { <span class=class style=format!("{side}:{:.2}%", tick.percent)>{tick.label}</span> }.into_any()
}

/// What pointer and keys do on a plot. Cheap to copy.
#[derive(Clone, Copy)]
struct Pointer {
    columns: Signal<usize>,
    zoom: Zoom,
    tell: Callback<usize, Told>,
    /// The column under the crosshair.
    at: RwSignal<Option<usize>>,
    /// Where a stretch was begun, and where it ends by now.
    drawn: RwSignal<Option<(usize, usize)>>,
}

impl Pointer {
    fn follow(self, event: &ev::PointerEvent) {
        let column = column_under(event, self.columns.get_untracked());
        self.at.set(column);
        if let (Some((from, _)), Some(column)) = (self.drawn.get_untracked(), column) {
            self.drawn.set(Some((from, column)));
        }
    }

    /// A finger scrolls and points; a stretch is drawn with a mouse or a pen.
    fn press(self, event: &ev::PointerEvent) {
        self.follow(event);
        if event.button() == 0 && event.pointer_type() != "touch" {
            self.drawn.set(self.at.get_untracked().map(|column| (column, column)));
        }
    }

    fn release(self) {
        if let Some((from, to)) = self.drawn.get_untracked() {
            self.drawn.set(None);
            if from != to {
                self.show(from.min(to), from.max(to));
            }
        }
    }

    fn leave(self) {
        self.at.set(None);
        self.drawn.set(None);
    }

    fn show(self, first: usize, last: usize) {
        let (from_ms, to_ms) = (self.tell.run(first).span_ms.0, self.tell.run(last).span_ms.1);
        self.at.set(None);
        self.zoom.select(from_ms, to_ms);
    }

    /// Arrow keys go from column to column, with shift they draw a stretch; Enter shows it, Escape goes back.
    fn step(self, event: &ev::KeyboardEvent) {
        let Some(last) = self.columns.get_untracked().checked_sub(1) else { return };
        let here = self.at.get_untracked();
        let next = match event.key().as_str() {
            "ArrowLeft" => here.map_or(last, |column| column.saturating_sub(1)),
            "ArrowRight" => here.map_or(last, |column| (column + 1).min(last)),
            "Home" => 0,
            "End" => last,
            "Enter" => return self.release(),
            "Escape" if here.is_none() && self.drawn.get_untracked().is_none() => return self.zoom.reset(),
            "Escape" => return self.leave(),
            _ => return,
        };
        event.prevent_default();
        let from = self.drawn.get_untracked().map(|(from, _)| from).or(here).unwrap_or(next);
        self.drawn.set(event.shift_key().then_some((from, next)));
        self.at.set(Some(next));
    }
}

/// The column under the pointer.
pub(super) fn column_under(event: &ev::PointerEvent, columns: usize) -> Option<usize> {
    let plot = event.current_target()?.dyn_into::<web_sys::Element>().ok()?.get_bounding_client_rect();
    let part = (f64::from(event.client_x()) - plot.left()) / plot.width().max(1.0);
    (columns > 0 && (0.0..1.0).contains(&part)).then(|| ((part * columns as f64) as usize).min(columns - 1))
}

fn selection((from, to): (usize, usize), columns: usize) -> AnyView {
    let part = |column: usize| column as f64 / columns.max(1) as f64 * 100.0;
    let (first, end) = (from.min(to), from.max(to) + 1);
    let style = format!("left:{:.2}%;width:{:.2}%", part(first), part(end) - part(first));
    view! { <span class="plot-selection" style=style></span> }.into_any()
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
            {told.figures.into_iter().map(tip_row).collect_view()}
            {told.notes.into_iter().map(|note| view! { <p class="tip-note">{note}</p> }).collect_view()}
        </div>
    }
    .into_any()
}

fn tip_row(figure: Figure) -> AnyView {
    let Figure { name, color, text, .. } = figure;
    let swatch =
        (!color.is_empty()).then(|| view! { <span class="swatch" style=format!("background:{color}")></span> });
    view! {
        <p class="flex items-center gap-2">
            {swatch}
            <span class="text-ink-2">{name}</span>
            <span class="ml-auto pl-4 font-medium">{text}</span>
        </p>
    }
    .into_any()
}

/// Back to the whole range, the data as a table, the data as a file.
#[component]
fn Tools(
    file: &'static str,
    columns: Signal<usize>,
    tell: Callback<usize, Told>,
    zoom: Zoom,
    as_table: RwSignal<bool>,
) -> impl IntoView {
    let clock = Clock::here();
    let save = move |_| {
        let told: Vec<Told> = (0..columns.get_untracked()).map(|column| tell.run(column)).collect();
        hand_over(&format!("{file}.csv"), &csv(&told, |at_ms| format::iso(at_ms, clock.zone_untracked())));
    };
    let whole = move || {
        zoom.is_on().then(|| view! { <button type="button" class="btn btn-sm" on:click=move |_| zoom.reset()>{t!(chart::whole)}</button> })
    };
    view! {
        <div class="plot-tools" class:plot-tools-shown=move || zoom.is_on()>
            {whole}
            <button type="button" class="btn btn-sm btn-icon" aria-label=t!(chart::as_table) title=t!(chart::as_table) aria-pressed=move || as_table.get().to_string() on:click=move |_| as_table.update(|shown| *shown = !*shown)><Icon name="table-2"/></button>
            <button type="button" class="btn btn-sm btn-icon" aria-label=t!(chart::as_csv) title=t!(chart::as_csv) on:click=save><Icon name="download"/></button>
        </div>
    }
    .into_any()
}

/// The data as text: a line of names, then a line for each column, times as ISO 8601, bare numbers.
fn csv(told: &[Told], time: impl Fn(i64) -> String) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let names = told.first().map(|first| first.figures.iter().map(|figure| quoted(figure.name)).collect::<Vec<_>>());
    let mut text = format!("time,{}\n", names.unwrap_or_default().join(","));
    for one in told {
        let figures: Vec<String> = one.figures.iter().map(|figure| figure.raw.to_string()).collect();
        text.push_str(&format!("{},{}\n", time(one.span_ms.0), figures.join(",")));
    }
    text
}

/// Gives the browser a text to keep as a file.
fn hand_over(name: &str, text: &str) {
    let Ok(link) = document().create_element("a") else { return };
    // The mark tells spreadsheets that it is UTF-8.
    let data: String = js_sys::encode_uri_component(&format!("\u{feff}{text}")).into();
    let _ = link.set_attribute("href", &format!("data:text/csv;charset=utf-8,{data}"));
    let _ = link.set_attribute("download", name);
    // Not an address of ours: the router leaves it alone.
    let _ = link.set_attribute("rel", "external");
    if let Some(link) = link.dyn_ref::<web_sys::HtmlElement>() {
        link.click();
    }
}

/// The data behind a chart.
fn table(name: String, columns: usize, tell: Callback<usize, Told>) -> AnyView {
    let told: Vec<Told> = (0..columns).map(|column| tell.run(column)).collect();
    let heads = told.first().map(|first| {
        first.figures.iter().map(|figure| view! { <th scope="col" class="num">{figure.name}</th> }).collect_view()
    });
    let row = |told: Told| {
        let cells = told.figures.into_iter().map(|figure| view! { <td class="num">{figure.text}</td> });
        view! { <tr><td>{told.time}</td>{cells.collect_view()}</tr> }
    };
    let caption = name.clone();
    view! {
        <div class="plot-table" tabindex="0" role="region" aria-label=name>
            <table class="table">
                <caption class="sr-only">{caption}</caption>
                <thead><tr><th scope="col">{t!(chart::time)}</th>{heads}</tr></thead>
                <tbody>{told.into_iter().map(row).collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_bare_numbers_under_quoted_names() {
        let figure = |name, raw| Figure { name, color: "", text: String::from("1,200 ms"), raw };
        let told = Told {
            time: "13:05".to_owned(),
            span_ms: (60_000, 120_000),
            figures: vec![figure("P50, ms", 1_200.5), figure("Say \"hi\"", 3.0)],
            notes: Vec::new(),
        };
        let text = csv(&[told], |at_ms| at_ms.to_string());
        assert_eq!(text, "time,\"P50, ms\",\"Say \"\"hi\"\"\"\n60000,1200.5,3\n");
    }
}
