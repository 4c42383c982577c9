//! A plain form that was refused and brought back: its page shows what was typed and what is wrong.
//!
//! The server hands it over in context ([`Brought`]); the document repeats it on `<html>`, so
//! hydration starts from the very same form. It is gone with the first step to another page.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::model::{error::ApiError, plain_form::Returned, problem::Issue};

/// The form that came back with this request; `serve` provides it before rendering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought(pub Returned);

impl Brought {
    /// The attribute of `<html>` that carries it to the browser.
    pub fn attribute(&self) -> Option<String> {
        serde_json::to_string(&self.0).ok()
    }

    fn of_document() -> Option<Self> {
        if !is_browser() {
            return None;
        }
        let text = document().document_element()?.get_attribute("data-returned")?;
        serde_json::from_str(&text).ok().map(Self)
    }
}

#[derive(Clone, Copy)]
struct Waiting(RwSignal<Option<Returned>>);

/// Provides the form that came back, if any, to everything below.
pub fn provide_returned() {
    let brought = use_context::<Brought>().or_else(Brought::of_document);
    provide_context(Waiting(RwSignal::new(brought.map(|brought| brought.0))));
}

/// The form that was sent to this address and came back.
pub fn returned_to(address: &str) -> Option<Returned> {
    let waiting = use_context::<Waiting>()?;
    waiting.0.with_untracked(|returned| returned.clone().filter(|returned| returned.sent_to == address))
}

/// Why an action was refused: by its last run here, or before the page was loaded.
pub fn refusal<T>(
    result: impl Fn() -> Option<Result<T, ApiError>> + Send + Sync + 'static,
    address: &str,
) -> Signal<Option<ApiError>>
where
    T: 'static,
{
    let before = returned_to(address).map(|returned| returned.error);
    Signal::derive(move || match result() {
        Some(result) => result.err(),
        None => before.clone(),
    })
}

/// What a refusal says of one field.
pub fn issue_of(error: Option<&ApiError>, field: &str) -> Option<Issue> {
    let Some(ApiError::Invalid { problems }) = error else { return None };
    problems.iter().find(|problem| problem.field == field).map(|problem| problem.issue.clone())
}

/// Lets go of the form once the person goes to another page; draws nothing.
#[component]
pub fn Forget() -> impl IntoView {
    let path = use_location().pathname;
    let waiting = use_context::<Waiting>();
    Effect::new(move |before: Option<String>| {
        let path = path.get();
        if before.is_some_and(|before| before != path)
            && let Some(Waiting(waiting)) = waiting
        {
            waiting.set(None);
        }
        path
    });
}
