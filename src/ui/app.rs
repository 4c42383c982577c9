//! The document and its routes.

use leptos::prelude::*;

/// The whole application, as the browser hydrates it.
#[component]
pub fn App() -> impl IntoView {
    let (count, set_count) = signal(0);
    view! { <button on:click=move |_| set_count.update(|n| *n += 1)>{count}</button> }
}
