//! Where one can go: the sidebar's entries, and the same on a phone's tab bar.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::{
    palette::PaletteButton,
    switches::{LanguageSwitch, SignOut, ThemeSwitch},
};
use crate::{
    model::{health::HealthState, user::Permission},
    ui::{
        components::status::state_glyph,
        i18n::t,
        icon::{Icon, Mark},
        live::Live,
        session::Session,
    },
};

/// A place in the navigation.
#[derive(Clone, Copy)]
pub struct Place {
    /// Its address.
    pub href: &'static str,
    /// Lucide name.
    pub icon: &'static str,
    /// Its name.
    pub label: &'static str,
}

/// Every place that the person may see, in the order of the sidebar.
pub fn places() -> Vec<Place> {
    let mut places = vec![dashboard(), requests(), health(), providers()];
    places.extend(routing());
    places.extend(operations());
    places
}

fn dashboard() -> Place {
    Place { href: "/admin", icon: "layout-dashboard", label: t!(shell::dashboard) }
}

fn requests() -> Place {
    Place { href: "/admin/requests", icon: "scroll-text", label: t!(shell::requests) }
}

fn health() -> Place {
    Place { href: "/admin/health", icon: "heart-pulse", label: t!(shell::health) }
}

fn providers() -> Place {
    Place { href: "/admin/providers", icon: "server", label: t!(shell::providers) }
}

fn routing() -> [Place; 2] {
    [
        Place { href: "/admin/groups", icon: "boxes", label: t!(shell::groups) },
        Place { href: "/admin/api-keys", icon: "key-round", label: t!(shell::api_keys) },
    ]
}

/// Places of the operations; who may not read them does not see them.
fn operations() -> Vec<Place> {
    let session = Session::here();
    let mut places = vec![Place { href: "/admin/alerts", icon: "bell", label: t!(shell::alerts) }];
    if session.allows(Permission::ReadAudit) {
        places.push(Place { href: "/admin/audit", icon: "history", label: t!(shell::audit) });
    }
    if session.allows(Permission::ManageUsers) {
        places.push(Place { href: "/admin/users", icon: "users", label: t!(shell::users) });
    }
    places.push(Place { href: "/admin/settings", icon: "settings", label: t!(shell::settings) });
    places
}

/// `page` where the address is the place or lies below it.
fn current(href: &'static str) -> impl Fn() -> Option<&'static str> + Copy + Send + Sync + 'static {
    let pathname = use_location().pathname;
    move || {
        pathname.with(|path| {
            let below = href != "/admin" && path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/'));
            (path.trim_end_matches('/') == href || below).then_some("page")
        })
    }
}

/// The entries of the sidebar.
#[component]
pub fn SideNavigation() -> impl IntoView {
    view! {
        <nav aria-label=t!(shell::navigation) class="flex flex-col">
            {[dashboard(), requests(), health()].map(entry).collect_view()}
            <p class="nav-label">{t!(shell::routing)}</p>
            {entry_with(providers(), view! { <ProviderCounts/> }.into_any())}
            {routing().map(entry).collect_view()}
            <p class="nav-label">{t!(shell::operations)}</p>
            {move || operations().into_iter().map(entry).collect_view()}
        </nav>
    }
    .into_any()
}

fn entry(place: Place) -> AnyView {
    entry_with(place, ().into_any())
}

fn entry_with(place: Place, end: AnyView) -> AnyView {
    view! {
        <a class="nav-item" href=place.href aria-current=current(place.href) title=place.label>
            <Icon name=place.icon/>
            <span class="wide-only">{place.label}</span>
            {end}
        </a>
    }
    .into_any()
}

/// How many providers are taken out, under the worst state's glyph, then how many there are.
#[component]
fn ProviderCounts() -> impl IntoView {
    let Some(live) = use_context::<Live>() else { return ().into_any() };
    let trouble = Memo::new(move |_| {
        live.snapshot.with(|snapshot| {
            let health = snapshot.as_ref().map(|snapshot| snapshot.health.as_slice()).unwrap_or_default();
            let out = health.iter().filter(|one| is_out(one.state)).map(|one| one.state);
            (out.clone().next(), out.count(), health.len())
        })
    });
    let face = move || {
        let (worst, out, all) = trouble.get();
        let alarm = worst.map(|state| {
            view! {
                <span class="inline-flex items-center gap-1 word-bad">
                    <Mark glyph=state_glyph(state)/>
                    <span class="wide-only">{out}</span>
                </span>
            }
        });
        view! {
            {alarm}
            <span class="wide-only">{(all > 0).then_some(all)}</span>
        }
    };
    view! { <span class="nav-end">{face}</span> }.into_any()
}

/// Taken out against the operator's will.
fn is_out(state: HealthState) -> bool {
    matches!(state, HealthState::Unhealthy | HealthState::CredentialFailed)
}

/// The tab bar of a phone: four places and the rest behind "More".
#[component]
pub fn TabBar() -> impl IntoView {
    let tab = |place: Place, label: &'static str, badge: AnyView| {
        view! {
            <a href=place.href aria-current=current(place.href)>
                <Icon name=place.icon/>
                <span>{label}</span>
                {badge}
            </a>
        }
        .into_any()
    };
    view! {
        <nav class="tabbar" aria-label=t!(shell::navigation)>
            {tab(dashboard(), t!(shell::dashboard), ().into_any())}
            {tab(providers(), t!(shell::providers), view! { <OutBadge/> }.into_any())}
            {tab(requests(), t!(shell::requests_short), ().into_any())}
            {tab(health(), t!(shell::health_short), ().into_any())}
            <button type="button" popovertarget="more">
                <Icon name="menu"/>
                <span>{t!(shell::more)}</span>
            </button>
        </nav>
        <div id="more" popover="auto" class="sheet menu phone-only">
            <PaletteButton in_menu=true/>
            {routing().map(sheet_entry).collect_view()}
            {move || operations().into_iter().map(sheet_entry).collect_view()}
            <div class="flex items-center gap-1 border-t mt-1 pt-1">
                <LanguageSwitch wide=true/>
                <ThemeSwitch/>
                <span class="ml-auto"><SignOut/></span>
            </div>
        </div>
    }
    .into_any()
}

fn sheet_entry(place: Place) -> AnyView {
    view! {
        <a class="menu-item" href=place.href>
            <Icon name=place.icon/>
            <span>{place.label}</span>
        </a>
    }
    .into_any()
}

#[component]
fn OutBadge() -> impl IntoView {
    let Some(live) = use_context::<Live>() else { return ().into_any() };
    let out = Memo::new(move |_| {
        let count =
            |health: &[crate::model::health::ProviderHealth]| health.iter().filter(|one| is_out(one.state)).count();
        live.snapshot.with(|snapshot| snapshot.as_ref().map_or(0, |snapshot| count(&snapshot.health)))
    });
    view! { {move || (out.get() > 0).then(|| view! { <span class="tabbar-badge">{out.get()}</span> })} }.into_any()
}

/// The mark: a round, its centre, and the point that is next.
#[component]
pub fn BrandMark() -> impl IntoView {
    view! {
        <svg class="w-[22px] h-[22px] flex-none" viewBox="0 0 24 24" fill="none" aria-hidden="true">
            <path d="M17.7 5.05A9 9 0 1 0 20.95 11" stroke="currentColor" stroke-width="3" stroke-linecap="round"></path>
            <circle cx="12" cy="12" r="2.6" fill="currentColor"></circle>
            <circle cx="20.3" cy="6.6" r="2.3" fill="var(--color-accent)"></circle>
        </svg>
    }
    .into_any()
}
