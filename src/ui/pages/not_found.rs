//! The page for an address that names nothing.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

use crate::ui::{components::feedback::Empty, i18n::t};

/// Says so, and offers the way back.
#[component]
pub fn NotFound() -> impl IntoView {
    let path = use_location().pathname.get_untracked();
    view! {
        <Title text=t!(shell::not_found)/>
        <main class="min-h-dvh grid place-items-center">
            <Empty title=t!(shell::not_found) hint=t!(shell::not_found_hint, &path)>
                <a class="btn btn-primary" href="/admin">{t!(shell::to_dashboard)}</a>
            </Empty>
        </main>
    }
    .into_any()
}
