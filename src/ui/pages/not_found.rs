//! The page for an address that names nothing.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

use super::login::DoorBar;
use crate::ui::{i18n::t, lost::tell_lost};

/// Says so, and offers the way back.
#[component]
pub fn NotFound() -> impl IntoView {
    let path = use_location().pathname.get_untracked();
    // An address of development builds only: as a route of its own it would be in every release.
    #[cfg(debug_assertions)]
    if path == super::gallery::PATH {
        return view! { <super::gallery::Gallery/> }.into_any();
    }
    tell_lost();
    view! {
        <Title text=t!(shell::not_found)/>
        <div class="door">
            <DoorBar says=""/>
            <main class="flex-1 grid place-items-center px-6 pb-24">
                <div class="flex flex-col gap-3 w-full max-w-lg">
                    <h1 class="text-xl font-semibold tracking-tight">{t!(shell::not_found)}</h1>
                    <p class="text-base text-ink-2 wrap-anywhere">{t!(shell::not_found_hint, &path)}</p>
                    <p class="pt-2"><a class="btn btn-primary" href="/admin">{t!(shell::to_dashboard)}</a></p>
                </div>
            </main>
        </div>
    }
    .into_any()
}
