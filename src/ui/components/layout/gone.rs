//! The page of a thing that cannot be shown: gone, never there, or not readable now.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::bar::{Crumb, PageBar};
use crate::{
    model::error::ApiError,
    ui::{components::feedback::Failure, i18n::t, lost::tell_lost, recent::forget},
};

/// Says why, and leads to the list the thing would be in. Its status is 404 where it does not exist.
#[component]
pub fn Gone(
    /// Why it cannot be shown.
    error: ApiError,
    /// The list.
    up: Crumb,
) -> impl IntoView {
    if matches!(error, ApiError::NotFound { .. }) {
        tell_lost();
        forget(use_location().pathname.get_untracked());
    }
    let href = up.href.clone();
    view! {
        <PageBar title=t!(shell::thing_gone) crumb=up/>
        <div class="page"><section class="card"><Failure error><a class="btn" href=href>{t!(shell::back)}</a></Failure></section></div>
    }
    .into_any()
}
