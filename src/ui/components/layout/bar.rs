//! The sticky bar of a page: where one is, whether it is live, and what one can do.

use leptos::prelude::*;
use leptos_meta::Title;

use super::navigation::BrandMark;
use crate::ui::{
    clock::Clock,
    format,
    i18n::{language, t},
    icon::Icon,
    live::{Connection, Live},
};

/// The page above this one.
#[derive(Clone, Debug)]
pub struct Crumb {
    /// Its address.
    pub href: String,
    /// Its name.
    pub label: String,
}

impl Crumb {
    /// A way up.
    pub fn new(href: &str, label: &str) -> Self {
        Self { href: href.to_owned(), label: label.to_owned() }
    }
}

/// The bar: title (also the document's), the pill of the object, live dot, then the actions as children.
#[component]
pub fn PageBar(
    /// The page's `h1`.
    #[prop(into)]
    title: Signal<String>,
    /// The page above, if any.
    #[prop(optional, into)]
    crumb: Option<Crumb>,
    /// State of the object that the page is about.
    #[prop(optional, into)]
    pill: Option<AnyView>,
    /// At most two buttons and the primary one, or range controls.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let lead = match &crumb {
        Some(up) => view! {
            <a class="btn btn-ghost btn-icon phone-only -ml-2" href=up.href.clone() aria-label=t!(shell::back)>
                <Icon name="arrow-left"/>
            </a>
        }
        .into_any(),
        None => view! { <a class="phone-only flex" href="/admin" aria-label="Rondo"><BrandMark/></a> }.into_any(),
    };
    let crumb = crumb.map(|up| {
        view! {
            <a class="bar-crumb desk-only" href=up.href>{up.label}</a>
            <span class="desk-only text-ink-4" aria-hidden="true">"/"</span>
        }
    });
    view! {
        <DocumentTitle title/>
        <header class="bar">
            {lead}
            {crumb}
            <h1>{title}</h1>
            {pill}
            <LiveDot/>
            <div class="ml-auto flex items-center gap-2">{children.map(|children| children())}</div>
        </header>
    }
    .into_any()
}

/// What the tab of the browser is called.
///
/// `leptos_meta` reads a title until the next page has told its own, which is after this one is gone
/// and its signals with it: the text it gets to read belongs to nobody.
#[component]
fn DocumentTitle(title: Signal<String>) -> impl IntoView {
    let text = ArcRwSignal::new(title.get_untracked());
    let told = text.clone();
    Effect::new(move |_| told.set(title.get()));
    view! { <Title text=move || text.get() formatter=|title: String| format!("{title} · Rondo")/> }.into_any()
}

/// A green dot while messages come; a pill that says what happens next when they do not.
#[component]
fn LiveDot() -> impl IntoView {
    let Some(live) = use_context::<Live>() else { return ().into_any() };
    let clock = Clock::here();
    let face = move || match live.connection.get() {
        Connection::Connecting => ().into_any(),
        Connection::Live => view! {
            <span class="flex items-center gap-2.5 pl-1" role="status">
                <span class="live-dot"></span>
                <span class="caption max-md:sr-only">{t!(shell::live)}</span>
            </span>
        }
        .into_any(),
        Connection::Lost { since_ms, retry_ms } => {
            let now_ms = clock.now_ms();
            let left = (retry_ms - now_ms + 999) / 1000;
            let says = if left > 0 { t!(shell::offline, left) } else { t!(shell::reconnecting).to_owned() };
            let age = t!(shell::stale, &format::span(now_ms - since_ms, language()));
            let hover = age.clone();
            view! {
                <span class="pill pill-warn" role="status" title=hover>
                    <Icon name="unplug"/>
                    <span class="max-md:sr-only">{says}</span>
                    <span class="md:hidden">{age}</span>
                </span>
            }
            .into_any()
        }
    };
    view! { {face} }.into_any()
}

/// A warning beside what was live: how old it is by now. Nothing while messages come.
#[component]
pub fn StalePill() -> impl IntoView {
    let Some(live) = use_context::<Live>() else { return ().into_any() };
    let clock = Clock::here();
    let face = move || {
        let Connection::Lost { since_ms, .. } = live.connection.get() else { return ().into_any() };
        let age = format::span(clock.now_ms() - since_ms, language());
        view! { <span class="pill pill-warn"><Icon name="unplug"/>{t!(shell::stale, &age)}</span> }.into_any()
    };
    view! { {face} }.into_any()
}
