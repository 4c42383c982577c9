//! Copying: the button says when it is done, and what it copies is always the whole text.

use leptos::prelude::*;

use crate::ui::{i18n::t, icon::Icon};

fn copy(text: &str, done: RwSignal<bool>) {
    // Without https there is no clipboard; the text stays selectable.
    let clipboard = window().navigator().clipboard();
    drop(clipboard.write_text(text));
    done.set(true);
    set_timeout(move || done.set(false), std::time::Duration::from_millis(1600));
}

/// A small square button beside the text it copies.
#[component]
pub fn CopyIcon(
    /// What is copied.
    #[prop(into)]
    text: Signal<String>,
) -> impl IntoView {
    let done = RwSignal::new(false);
    let name = move || if done.get() { t!(shell::copied) } else { t!(shell::copy) };
    view! {
        <button type="button" class="copy" aria-label=name title=name on:click=move |_| copy(&text.get_untracked(), done)>
            {move || if done.get() { view! { <Icon name="check"/> } } else { view! { <Icon name="copy"/> } }}
        </button>
    }
    .into_any()
}

/// A button with the word.
#[component]
pub fn CopyButton(
    /// What is copied.
    #[prop(into)]
    text: Signal<String>,
    /// Classes.
    #[prop(default = "btn btn-primary")]
    class: &'static str,
) -> impl IntoView {
    let done = RwSignal::new(false);
    view! {
        <button type="button" class=class on:click=move |_| copy(&text.get_untracked(), done)>
            {move || if done.get() { view! { <Icon name="check"/> } } else { view! { <Icon name="copy"/> } }}
            <span aria-live="polite">{move || if done.get() { t!(shell::copied) } else { t!(shell::copy) }}</span>
        </button>
    }
    .into_any()
}

/// Code to take along.
#[component]
pub fn CodeBlock(
    /// The code.
    #[prop(into)]
    text: Signal<String>,
) -> impl IntoView {
    view! { <pre class="code" tabindex="0">{move || text.get()}</pre> }.into_any()
}
