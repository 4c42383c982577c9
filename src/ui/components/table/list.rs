//! The state of a list lives in the address: search, segment, sort, page. So a link shows the same
//! list to somebody else, Back undoes a filter, and every control is a link that works without the
//! client.

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate, use_query_map},
    params::ParamsMap,
};

use crate::{
    model::page::ListQuery,
    ui::{i18n::t, icon::Icon},
};

/// Reads and writes the address of a list. Cheap to copy.
#[derive(Clone, Copy)]
pub struct ListState {
    query: Memo<ParamsMap>,
    path: Memo<String>,
}

impl ListState {
    /// The state of the list on this page.
    pub fn here() -> Self {
        Self { query: use_query_map(), path: use_location().pathname }
    }

    /// A word of the address; empty if it is not there.
    pub fn word(self, name: &str) -> String {
        self.query.with(|query| query.get(name).unwrap_or_default())
    }

    /// What is searched for.
    pub fn search(self) -> String {
        self.word("q")
    }

    /// The chosen segment.
    pub fn segment(self) -> String {
        self.word("state")
    }

    /// Column and direction; the list's own order without one.
    pub fn sort(self) -> (String, bool) {
        let sort = self.word("sort");
        match sort.strip_prefix('-') {
            Some(column) => (column.to_owned(), true),
            None => (sort, false),
        }
    }

    /// Page from 0.
    pub fn page(self) -> u32 {
        self.word("page").parse::<u32>().map_or(0, |page| page.saturating_sub(1))
    }

    /// What the address asks the server for.
    pub fn query(self, per_page: u32) -> ListQuery {
        let (sort, descending) = self.sort();
        let search = self.search().trim().to_owned();
        ListQuery { search, state: self.segment(), sort, descending, page: self.page(), per_page }
    }

    /// The address with some words changed; an empty one is left out. A new filter starts at page 1.
    pub fn href(self, changes: &[(&str, &str)]) -> String {
        let mut params = self.query.get();
        if !changes.iter().any(|(name, _)| *name == "page") {
            params.remove("page");
        }
        for (name, value) in changes {
            params.remove(name);
            if !value.is_empty() {
                params.insert((*name).to_owned(), (*value).to_owned());
            }
        }
        // The router escapes hyphens too, which needs no escaping (RFC 3986 §2.3) and reads badly.
        format!("{}{}", self.path.get(), params.to_query_string().replace("%2D", "-"))
    }

    /// A dialog that a word of the address opens, and what closes it.
    pub fn dialog(self, word: &'static str) -> (Signal<bool>, Callback<()>) {
        let navigate = use_navigate();
        let open = Signal::derive(move || !self.word(word).is_empty());
        let close = Callback::new(move |()| {
            let href = untrack(|| self.href(&[(word, "")]));
            navigate(&href, NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
        });
        (open, close)
    }

    /// The address without any filter.
    pub fn bare(self) -> String {
        self.path.get()
    }

    /// Whether anything narrows the list.
    pub fn filtered(self) -> bool {
        !self.search().is_empty() || !self.segment().is_empty()
    }
}

/// The search field of a list. Typing changes the address; without the client Enter does.
#[component]
pub fn SearchBox(
    /// State of the list.
    state: ListState,
    /// What can be found: `Name or address`.
    says: &'static str,
) -> impl IntoView {
    let navigate = use_navigate();
    let hidden = move || {
        let kept =
            ["state", "sort"].map(|name| (name, state.word(name))).into_iter().filter(|(_, value)| !value.is_empty());
        kept.map(|(name, value)| view! { <input type="hidden" name=name value=value/> }).collect_view()
    };
    let first = untrack(|| state.search());
    view! {
        <form method="get" class="find" role="search" on:submit=|event| event.prevent_default()>
            <Icon name="search"/>
            {hidden}
            <input
                class="input"
                type="search"
                name="q"
                aria-label=says
                placeholder=says
                value=first
                autocomplete="off"
                data-shortcut="/"
                on:input=move |event| {
                    let href = untrack(|| state.href(&[("q", &event_target_value(&event))]));
                    navigate(&href, NavigateOptions { replace: true, scroll: false, ..Default::default() });
                }
            />
            <kbd class="kbd">"/"</kbd>
        </form>
    }
    .into_any()
}

/// A head that sorts; pressing it again turns the order round.
#[component]
pub fn SortHead(
    /// State of the list.
    state: ListState,
    /// Column, as the address names it.
    column: &'static str,
    /// Its title.
    #[prop(into)]
    title: String,
    /// Classes.
    #[prop(optional)]
    class: &'static str,
    /// Figures start with the largest.
    #[prop(optional)]
    figures: bool,
) -> impl IntoView {
    // No memo: an effect that reads a memo of the address before the address itself misses a change
    // of the address that leaves the memo as it is, and the link would lose search and state.
    let now = move || {
        let (sorted, descending) = state.sort();
        (sorted == column).then_some(descending)
    };
    let href = move || {
        let descending = now().map_or(figures, |descending| !descending);
        let sort = if descending { format!("-{column}") } else { column.to_owned() };
        state.href(&[("sort", &sort)])
    };
    let order = move || now().map(|descending| if descending { "descending" } else { "ascending" });
    let arrow = move || {
        now().map(|descending| {
            if descending {
                view! { <Icon name="arrow-down"/> }
            } else {
                view! { <Icon name="arrow-up"/> }
            }
        })
    };
    view! { <th class=class scope="col" aria-sort=order><a class="sort" href=href>{title}{arrow}</a></th> }.into_any()
}

/// Pages of a list.
#[component]
pub fn Pager(
    /// State of the list.
    state: ListState,
    /// Rows in all.
    #[prop(into)]
    total: Signal<usize>,
    /// Rows on a page.
    per_page: usize,
) -> impl IntoView {
    let first = move || (state.page() as usize * per_page).min(total.get());
    let last = move || (first() + per_page).min(total.get());
    let to = move |page: u32| state.href(&[("page", &if page == 0 { String::new() } else { (page + 1).to_string() })]);
    let before = move || (state.page() > 0).then(|| to(state.page() - 1));
    let after = move || (last() < total.get()).then(|| to(state.page() + 1));
    view! {
        <span class="ml-auto">{move || t!(form::rows_of, first() + usize::from(total.get() > 0), last(), total.get())}</span>
        <nav class="flex gap-1" aria-label=t!(form::pages)>
            <a role="link" class="btn btn-sm btn-icon btn-ghost" href=before aria-disabled=move || before().is_none().then_some("true") aria-label=t!(form::page_before)><Icon name="chevron-left"/></a>
            <a role="link" class="btn btn-sm btn-icon btn-ghost" href=after aria-disabled=move || after().is_none().then_some("true") aria-label=t!(form::page_after)><Icon name="chevron-right"/></a>
        </nav>
    }
    .into_any()
}
