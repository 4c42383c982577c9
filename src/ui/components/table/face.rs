//! What a list shows when it has no rows: the next step, the way back, or the shape of what comes.

use leptos::prelude::*;

use crate::ui::i18n::t;

/// Nothing there yet: says what it is and what to do next.
#[component]
pub fn EmptyFirst(
    /// `No providers yet`.
    #[prop(into)]
    title: String,
    /// What such a thing is, and the next step.
    #[prop(into)]
    says: String,
    /// Buttons.
    children: Children,
) -> impl IntoView {
    view! {
        <section class="card relative overflow-hidden p-8">
            <svg class="absolute -right-24 -top-40 w-[420px] h-[420px] text-line pointer-events-none" viewBox="0 0 420 420" fill="none" stroke="currentColor" aria-hidden="true">
                <circle cx="210" cy="210" r="60"/><circle cx="210" cy="210" r="110"/><circle cx="210" cy="210" r="160"/><circle cx="210" cy="210" r="209"/>
                <path d="M49 210a161 161 0 0 0 80 139" stroke="var(--color-accent-line)"/><circle cx="129" cy="349" r="3" fill="var(--color-accent)" stroke="none"/>
            </svg>
            <div class="relative max-w-md flex flex-col gap-2">
                <h2 class="text-lg font-semibold">{title}</h2>
                <p class="text-ink-2">{says}</p>
                <div class="flex flex-wrap gap-2 pt-3">{children()}</div>
            </div>
        </section>
    }
    .into_any()
}

/// Nothing matches: says so and offers the way back.
#[component]
pub fn EmptyFiltered(
    /// `No provider matches`.
    #[prop(into)]
    title: String,
    /// The address without filters.
    #[prop(into)]
    clear: Signal<String>,
) -> impl IntoView {
    view! {
        <div class="flex flex-col items-center gap-3 px-4 py-14 text-center">
            <p class="font-semibold">{title}</p>
            <a class="btn" href=move || clear.get()>{t!(form::clear_filters)}</a>
        </div>
    }
    .into_any()
}

/// Rows to come; shows after 300 ms only.
#[component]
pub fn ListSkeleton(
    /// How many rows.
    #[prop(default = 6)]
    rows: u8,
) -> impl IntoView {
    let row = |index: u8| {
        let width = ["w-28", "w-36", "w-24", "w-32"][usize::from(index) % 4];
        view! { <div class="flex items-center gap-4 h-[54px] px-4 border-b border-line last:border-0"><span class="bone w-4 h-4"></span><span class=format!("bone h-3 {width}")></span><span class="bone h-3 w-20 ml-auto"></span><span class="bone h-3 w-14"></span></div> }
    };
    view! { <div role="status" aria-busy="true" aria-label=t!(shell::loading)>{(0..rows).map(row).collect_view()}</div> }.into_any()
}
