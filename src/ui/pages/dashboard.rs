//! The dashboard.

use leptos::prelude::*;

use crate::ui::{components::layout::PageBar, i18n::t};

/// The dashboard.
#[component]
pub fn Dashboard() -> impl IntoView {
    view! { <PageBar title=t!(shell::dashboard).to_owned()/> }.into_any()
}
