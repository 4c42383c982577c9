//! Rows that the server searches, filters, sorts and cuts into pages, as the address asks.
//!
//! The first page is part of the document. After that the browser asks again whenever the address
//! or the configuration changes; one question at a time, and a newer one waits for the answer
//! under way, so typing asks no more often than the server answers and the last word wins.

use std::future::Future;

use leptos::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use super::{ListSkeleton, ListState};
use crate::{
    model::{
        error::{ApiError, ApiResult},
        page::{ListQuery, Page},
    },
    ui::{components::feedback::Failure, i18n::t, suspended::suspended},
};

/// Rows on a page.
pub const PER_PAGE: u32 = 50;

/// One page, and what it answers. Cheap to copy.
pub struct Paged<T: Send + Sync + 'static> {
    /// The page on screen.
    pub page: RwSignal<Page<T>>,
    /// Whether another one is on its way.
    pub reading: RwSignal<bool>,
    failure: RwSignal<Option<ApiError>>,
    /// Whether the page answers a question without any filter.
    whole: RwSignal<bool>,
}

impl<T: Send + Sync + 'static> Clone for Paged<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Paged<T> {}

impl<T: Clone + Send + Sync + 'static> Paged<T> {
    /// The rows on screen.
    pub fn rows(self) -> Vec<T> {
        self.page.with(|page| page.rows.clone())
    }

    /// How many rows there are in all.
    pub fn total(self) -> Signal<usize> {
        Signal::derive(move || self.page.with(|page| usize::try_from(page.total).unwrap_or(usize::MAX)))
    }

    /// How many rows are in a state; the empty state is all of them.
    pub fn count(self, state: &str) -> usize {
        self.page.with(|page| usize::try_from(page.count(state)).unwrap_or(usize::MAX))
    }

    fn new(page: Page<T>, asked: &ListQuery) -> Self {
        Self {
            page: RwSignal::new(page),
            reading: RwSignal::new(false),
            failure: RwSignal::new(None),
            whole: RwSignal::new(is_whole(asked)),
        }
    }

    /// `None`: the list is gone from the screen.
    fn take(self, answer: ApiResult<Page<T>>, asked: &ListQuery) -> Option<()> {
        match answer {
            Ok(page) => {
                self.whole.try_set(is_whole(asked)).is_none().then_some(())?;
                self.failure.set(None);
                self.page.set(page);
            }
            Err(error) => self.failure.try_set(Some(error)).is_none().then_some(())?,
        }
        Some(())
    }
}

fn is_whole(asked: &ListQuery) -> bool {
    asked.search.is_empty() && asked.state.is_empty() && asked.page == 0
}

/// The body of a page that is a list: its skeleton, what stands where nothing exists at all, why it
/// cannot be read, and the list.
pub fn paged<T, Answer>(
    state: ListState,
    // Grows when the rows may have changed.
    version: impl Fn() -> u32 + Copy + Send + Sync + 'static,
    read: impl Fn(ListQuery) -> Answer + Copy + Send + Sync + 'static,
    face: impl Fn(Paged<T>) -> AnyView + Copy + Send + Sync + 'static,
    nothing: impl Fn() -> AnyView + Copy + Send + Sync + 'static,
) -> AnyView
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    Answer: Future<Output = ApiResult<Page<T>>> + Send + 'static,
{
    let asked = Memo::new(move |_| state.query(PER_PAGE));
    let first = Resource::new(|| (), move |()| read(asked.get_untracked()));
    let body = move || {
        suspended(async move {
            match first.await {
                Err(error) => broken(error),
                Ok(page) => {
                    let paged = Paged::new(page, &asked.get_untracked());
                    follow(paged, asked, version, read);
                    let empty = Memo::new(move |_| paged.whole.get() && paged.page.with(|page| page.total == 0));
                    let list = move || if empty.get() { nothing() } else { face(paged) };
                    view! { {move || paged.failure.get().map(broken)}{list} }.into_any()
                }
            }
        })
    };
    view! { <div class="page"><Transition fallback=|| view! { <section class="card"><ListSkeleton/></section> }>{body}</Transition></div> }
        .into_any()
}

fn broken(error: ApiError) -> AnyView {
    view! { <section class="card"><Failure error><a class="btn" href="" rel="external">{t!(shell::try_again)}</a></Failure></section> }
        .into_any()
}

/// Asks again when the address or the version changes.
fn follow<T, Answer>(
    paged: Paged<T>,
    asked: Memo<ListQuery>,
    version: impl Fn() -> u32 + Copy + Send + Sync + 'static,
    read: impl Fn(ListQuery) -> Answer + Copy + Send + Sync + 'static,
) where
    T: Clone + Send + Sync + 'static,
    Answer: Future<Output = ApiResult<Page<T>>> + Send + 'static,
{
    let wanted = Memo::new(move |_| (asked.get(), version()));
    Effect::new(move |before: Option<(ListQuery, u32)>| {
        let now = wanted.get();
        let news = before.is_some_and(|before| before != now);
        if news && !paged.reading.get_untracked() {
            paged.reading.set(true);
            leptos::task::spawn_local(async move {
                while let Some(question) = wanted.try_get_untracked() {
                    let answer = read(question.0.clone()).await;
                    if paged.take(answer, &question.0).is_none() || wanted.try_get_untracked() == Some(question) {
                        break;
                    }
                }
                let _ = paged.reading.try_set(false);
            });
        }
        now
    });
}
