//! The share bar: parts of a whole in one line, always beside a table of figures.

use leptos::prelude::*;

/// Colour of a category, 1–8; everything else is grey.
pub fn category(color: u8) -> String {
    format!("var(--color-c{})", if (1..=8).contains(&color) { color } else { 8 })
}

/// Parts by colour, in the order given.
#[component]
pub fn ShareBar(
    /// Colour and amount.
    #[prop(into)]
    parts: Signal<Vec<(u8, u64)>>,
) -> impl IntoView {
    let bars = move || {
        let parts = parts.get();
        let all = parts.iter().map(|(_, amount)| amount).sum::<u64>().max(1) as f64;
        let bar = move |(color, amount): (u8, u64)| {
            let style = format!("width:{:.2}%;background:{}", amount as f64 / all * 100.0, category(color));
            view! { <span style=style></span> }
        };
        parts.into_iter().filter(|(_, amount)| *amount > 0).map(bar).collect_view()
    };
    view! { <div class="share" aria-hidden="true">{bars}</div> }.into_any()
}
