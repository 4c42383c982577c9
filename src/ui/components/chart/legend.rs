//! Legends that leave series out of their chart, and bring them back.

use leptos::prelude::*;

/// Which series of a chart are left out. Cheap to copy.
#[derive(Clone, Copy, Default)]
pub struct LeftOut(RwSignal<u8>);

impl LeftOut {
    /// Whether the series of this number, below 8, is left out.
    pub fn has(self, series: u8) -> bool {
        self.0.get() & (1 << series) != 0
    }

    pub(super) fn turn(self, series: u8) {
        self.0.update(|out| *out ^= 1 << series);
    }
}

/// The meaning of colours and strokes: of each series its number, the class of its swatch, and its name.
pub(super) fn legend<const N: usize>(left_out: LeftOut, entries: [(u8, &'static str, &'static str); N]) -> AnyView {
    let entry = |(series, swatch, word): (u8, &'static str, &'static str)| {
        let shown = move || (!left_out.has(series)).to_string();
        view! { <li><button type="button" class="legend-entry" aria-pressed=shown on:click=move |_| left_out.turn(series)><span class=swatch></span>{word}</button></li> }
            .into_any()
    };
    view! { <ul class="legend">{entries.into_iter().map(entry).collect_view()}</ul> }.into_any()
}
