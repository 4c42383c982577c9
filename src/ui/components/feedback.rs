//! What a screen says when there is nothing to show yet, nothing at all, or something went wrong.

use leptos::prelude::*;

use crate::{
    model::error::ApiError,
    ui::{
        i18n::{problem::say, t},
        icon::{Glyph, Mark},
    },
};

/// An empty place: a fact, why, and the next step as children.
#[component]
pub fn Empty(
    /// The fact, as a title.
    #[prop(into)]
    title: String,
    /// Why, or what follows.
    #[prop(into)]
    hint: String,
    /// The next step.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="flex flex-col items-center gap-1 px-6 py-14 text-center">
            <p class="font-semibold">{title}</p>
            <p class="text-ink-3 max-w-[48ch]">{hint}</p>
            <div class="flex flex-wrap justify-center gap-2 pt-3">{children.map(|children| children())}</div>
        </div>
    }
    .into_any()
}

/// An error as a page part: what happened, why, what now.
#[component]
pub fn Failure(
    /// What was refused.
    error: ApiError,
    /// The way on, if there is one beside trying again.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let (title, hint) = explain(&error);
    let code = error_code(&error);
    view! {
        <div class="flex gap-3 p-4" role="alert">
            <span class="pt-0.5"><Mark glyph=Glyph::Bad/></span>
            <div class="min-w-0">
                <p class="font-semibold">{title}</p>
                <p class="text-ink-2">{hint}</p>
                <div class="flex flex-wrap items-center gap-3 pt-3">
                    {children.map(|children| children())}
                    <code class="text-ink-3">{code}</code>
                </div>
            </div>
        </div>
    }
    .into_any()
}

/// The stable word of an error.
fn error_code(error: &ApiError) -> &'static str {
    match error {
        ApiError::Unauthenticated => "unauthenticated",
        ApiError::BadCredentials => "bad_credentials",
        ApiError::TooManyTries { .. } => "too_many_tries",
        ApiError::Forbidden { .. } => "forbidden",
        ApiError::CrossSite => "cross_site",
        ApiError::NotFound { .. } => "not_found",
        ApiError::Invalid { .. } => "invalid",
        ApiError::Conflict { .. } => "conflict",
        ApiError::StoreUnavailable { .. } => "store_unavailable",
        ApiError::Internal { .. } => "internal",
        ApiError::Transport { .. } => "transport",
    }
}

/// What happened and what now, for people.
pub fn explain(error: &ApiError) -> (String, String) {
    let (title, hint) = match error {
        ApiError::Unauthenticated => (t!(shell::signed_out), t!(shell::signed_out_hint).to_owned()),
        ApiError::Forbidden { .. } => (t!(shell::no_permission), t!(shell::no_permission_hint).to_owned()),
        ApiError::NotFound { .. } => (t!(shell::thing_gone), t!(shell::thing_gone_hint).to_owned()),
        ApiError::StoreUnavailable { reason } => (t!(shell::store_unavailable), reason.clone()),
        ApiError::Internal { id } => (t!(shell::internal), t!(shell::internal_hint, id)),
        ApiError::Transport { .. } => (t!(shell::unreachable), t!(shell::unreachable_hint).to_owned()),
        other => (t!(shell::failed), other.to_string()),
    };
    (title.to_owned(), hint)
}

/// What happened and what now, in one line.
pub fn in_words(error: &ApiError) -> String {
    match error {
        ApiError::Invalid { problems } => problems.iter().map(|one| say(&one.issue)).collect::<Vec<_>>().join(" "),
        error => {
            let (title, hint) = explain(error);
            format!("{title}. {hint}")
        }
    }
}

/// What stands above a form whose save was refused.
#[component]
pub fn Trouble(
    /// Why.
    error: ApiError,
) -> impl IntoView {
    let (title, hint) = match &error {
        ApiError::Invalid { problems } => {
            let lines = problems.iter().map(|problem| format!("{}: {}", problem.field, say(&problem.issue)));
            (t!(form::check_fields).to_owned(), lines.collect::<Vec<_>>().join(" · "))
        }
        error => explain(error),
    };
    view! { <div class="notice notice-bad" role="alert"><Mark glyph=Glyph::Bad/><div><p class="font-medium">{title}</p><p class="text-ink-2">{hint}</p></div></div> }.into_any()
}

/// The shape of rows to come; shows only when they take longer than 300 ms.
#[component]
pub fn SkeletonRows(
    /// How many.
    #[prop(default = 6)]
    rows: usize,
) -> impl IntoView {
    let row = |index: usize| {
        let width = format!("width:{}px", 120 + index * 37 % 90);
        view! {
            <div class="flex items-center gap-3 h-10 px-4 border-b last:border-b-0">
                <span class="bone w-3.5 h-3.5 rounded-full"></span>
                <span class="bone h-2.5" style=width></span>
                <span class="bone h-2.5 w-16 ml-auto"></span>
                <span class="bone h-2.5 w-12"></span>
            </div>
        }
    };
    view! { <div class="card" role="status" aria-busy="true" aria-label=t!(shell::loading)>{(0..rows).map(row).collect_view()}</div> }
        .into_any()
}
