//! The frame: who is here, where one can go, and the page between.

use leptos::prelude::*;
use leptos_router::{
    components::{Outlet, Redirect},
    hooks::use_location,
};

use super::{
    help::ShortcutHelp,
    navigation::{BrandMark, SideNavigation, TabBar},
    palette::{Palette, PaletteButton, PaletteHost},
    switches::{LanguageSwitch, SignOut, ThemeSwitch},
};
use crate::{
    model::user::Viewer,
    ui::{
        components::feedback::Trouble,
        format,
        i18n::t,
        live::Live,
        returned::returned_to,
        session::{Known, Session, leave_for_sign_in, role_name, sign_in_address},
    },
};

/// The back office around the page that the address names; who has no session is sent to sign in.
#[component]
pub fn Frame() -> impl IntoView {
    if use_context::<Known>() == Some(Known(None)) {
        return view! { <ToSignIn/> }.into_any();
    }
    Session::here().ask();
    let live = Live::provide();
    Palette::provide();
    Effect::new(move || {
        if live.signed_out.get() {
            leave_for_sign_in();
        }
    });
    view! { <Rooms/> }.into_any()
}

/// To the sign-in page, and from there back here.
#[component]
fn ToSignIn() -> impl IntoView {
    let place = use_location();
    let search = place.search.get_untracked();
    let mark = if search.is_empty() || search.starts_with('?') { "" } else { "?" };
    let here = place.pathname.get_untracked() + mark + &search;
    view! { <Redirect path=sign_in_address(&here)/> }
}

/// Sidebar, page, tab bar.
#[component]
fn Rooms() -> impl IntoView {
    view! {
        <a class="btn skip" href="#content">{t!(shell::skip)}</a>
        <div class="shell">
            <aside class="side">
                <div class="flex items-center flex-none">
                    <a href="/admin" aria-label="Rondo" class="flex flex-1 items-center gap-2.5 h-bar px-2.5 max-xl:justify-center no-underline">
                        <BrandMark/>
                        <span class="wide-only text-[0.9375rem] font-semibold tracking-tight">"Rondo"</span>
                    </a>
                    <span class="wide-only"><ShortcutHelp/></span>
                </div>
                <PaletteButton/>
                <SideNavigation/>
                <div class="mt-auto pt-4"><RevisionLine/></div>
                <PersonLine/>
            </aside>
            <main id="content" class="min-w-0"><PlainRefusal/><Outlet/></main>
        </div>
        <TabBar/>
        <PaletteHost/>
    }
    .into_any()
}

/// Why a switch in a list was not turned, where no script was there to say it.
#[component]
fn PlainRefusal() -> impl IntoView {
    let switches = ["/rpc/providers/set_enabled", "/rpc/groups/set_enabled", "/rpc/api_keys/set_enabled"];
    let refused = switches.into_iter().find_map(returned_to);
    refused.map(|returned| view! { <div class="px-4 pt-4 lg:px-6"><Trouble error=returned.error/></div> })
}

/// Which configuration the gateway serves with.
#[component]
fn RevisionLine() -> impl IntoView {
    let live = Live::here();
    let line = move || {
        live.revision.get().map(|revision| {
            view! {
                <p class="caption px-2.5 pb-1.5">{t!(shell::revision, revision)}</p>
                <div class="h-[3px] mx-2.5 mb-3 rounded-full bg-ok"></div>
            }
        })
    };
    view! { <div class="wide-only">{line}</div> }.into_any()
}

/// Name and role, and the choices that belong to a person.
#[component]
fn PersonLine() -> impl IntoView {
    let session = Session::here();
    let who = move || session.viewer().map(|viewer| view! { <Person viewer/> });
    view! {
        <div class="flex items-center gap-1 border-t pt-3 max-xl:flex-col">
            {who}
            <div class="flex items-center xl:ml-auto max-xl:flex-col">
                <LanguageSwitch/>
                <ThemeSwitch/>
                <SignOut/>
            </div>
        </div>
    }
    .into_any()
}

#[component]
fn Person(viewer: Viewer) -> impl IntoView {
    let name = if viewer.display_name.is_empty() { viewer.username } else { viewer.display_name };
    view! {
        <span class="avatar" title=name.clone()>{format::initials(&name)}</span>
        <span class="wide-only min-w-0 pl-1.5 leading-4.5">
            <span class="block font-medium truncate">{name}</span>
            <span class="block caption">{role_name(viewer.role)}</span>
        </span>
    }
    .into_any()
}
