//! The frame of every list: search and segments above, which the bar of a selection may replace,
//! the table, the face of a list in which nothing matches, and count and pages below.

use leptos::prelude::*;

use super::{EmptyFiltered, ListState, PER_PAGE, Pager, SearchBox};
use crate::ui::components::form::{Segments, choice::Segment};

/// A list in its card.
#[component]
pub fn ListFrame(
    /// State of the list.
    state: ListState,
    /// What can be found: `Name or address`.
    find: &'static str,
    /// Exclusive views with their counts; none where a list has no states.
    #[prop(into, optional)]
    segments: Option<Signal<Vec<Segment>>>,
    /// What replaces search and segments, while there is something.
    #[prop(into, optional)]
    instead: Option<Signal<bool>>,
    /// The bar of a selection.
    #[prop(into, optional)]
    bulk: ViewFn,
    /// The row of heads.
    head: AnyView,
    /// Rows in all.
    #[prop(into)]
    total: Signal<usize>,
    /// `12 providers`.
    #[prop(into)]
    count: Signal<String>,
    /// Whether other rows are on their way.
    #[prop(into, optional)]
    reading: Signal<bool>,
    /// `No provider matches`.
    none_match: &'static str,
    /// The rows.
    children: Children,
) -> impl IntoView {
    let bar = move || {
        let segments = segments.map(|segments| view! { <Segments state segments/> });
        view! { <div class="list-bar"><SearchBox state says=find/>{segments}</div> }
    };
    let bar = match instead {
        Some(instead) => view! { <Show when=move || instead.get() fallback=bar>{bulk.run()}</Show> }.into_any(),
        None => bar().into_any(),
    };
    view! {
        <section class="card">
            {bar}
            <table class="table rows" aria-busy=move || reading.get().then_some("true")>
                <thead>{head}</thead>
                <tbody>{children()}</tbody>
            </table>
            <Show when=move || total.get() == 0><EmptyFiltered title=none_match clear=Signal::derive(move || state.bare())/></Show>
            <div class="card-foot"><span>{count}</span><Pager state total per_page=PER_PAGE as usize/></div>
        </section>
    }
    .into_any()
}
