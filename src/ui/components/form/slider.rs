//! A weight from 0 to 1000: a slider for the eye, a number for the hand, a tick where it was.

use leptos::prelude::*;

use super::editor::digits;
use crate::model::provider::WEIGHT_MAX;

/// Slider and number over the same value. Arrows move by 1, with shift by 10.
#[component]
pub fn Slider(
    /// What it weighs, for screen readers.
    #[prop(into)]
    label: String,
    /// The value.
    #[prop(into)]
    value: Signal<u32>,
    /// The stored value.
    #[prop(into)]
    stored: Signal<u32>,
    /// Takes a new value.
    set: Callback<u32>,
) -> impl IntoView {
    let most = WEIGHT_MAX as u32;
    let take = move |text: String| set.run(digits(&text).map_or(0, |number| number.min(u64::from(most)) as u32));
    let step = move |event: web_sys::KeyboardEvent| {
        let by = if event.shift_key() { 10 } else { 1 };
        let now = value.get_untracked();
        let next = match event.key().as_str() {
            "ArrowUp" | "ArrowRight" => (now + by).min(most),
            "ArrowDown" | "ArrowLeft" => now.saturating_sub(by),
            _ => return,
        };
        event.prevent_default();
        set.run(next);
    };
    let step_number = move |event: web_sys::KeyboardEvent| {
        if matches!(event.key().as_str(), "ArrowUp" | "ArrowDown") {
            step(event);
        }
    };
    let changed = move || stored.get() != value.get();
    let at = move |value: u32| format!("{:.1}%", f64::from(value) / f64::from(most) * 100.0);
    view! {
        <span class="slider-box">
            <input
                type="range"
                class="slider"
                min="0"
                max=most.to_string()
                step="1"
                aria-label=label.clone()
                style=move || format!("--at: {}", at(value.get()))
                value=value.get_untracked().to_string()
                prop:value=move || value.get().to_string()
                on:input=move |event| take(event_target_value(&event))
                on:keydown=step
            />
            <Show when=changed><span class="slider-tick" style=move || format!("left: calc({} * 0.87 + 6.5%)", at(stored.get()))></span></Show>
        </span>
        <input
            type="text"
            inputmode="numeric"
            class="input number"
            aria-label=label
            autocomplete="off"
            value=value.get_untracked().to_string()
            prop:value=move || value.get().to_string()
            on:input=move |event| take(event_target_value(&event))
            on:keydown=step_number
        />
    }
    .into_any()
}
