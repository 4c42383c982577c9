//! Language, theme, signing out: plain forms, so that they work before and without the client.

use leptos::prelude::*;

use crate::ui::{
    i18n::{language, t},
    icon::Icon,
    preferences::{Preferences, Theme, apply_theme},
};

/// Where a choice is posted; sets a cookie and comes back to the page.
const PREFERENCES: &str = "/rpc/preferences";

/// Loads the page again in the other language.
#[component]
pub fn LanguageSwitch(
    /// Whether to write the other language's name beside the icon.
    #[prop(optional)]
    wide: bool,
) -> impl IntoView {
    let class = if wide { "btn btn-ghost" } else { "btn btn-ghost btn-sm btn-icon" };
    let name = wide.then(|| view! { <span lang=language().other().tag()>{t!(shell::language_name)}</span> });
    view! {
        <form method="post" action=PREFERENCES>
            <input type="hidden" name="language" value=language().other().tag()/>
            <button class=class aria-label=t!(shell::switch_language) title=t!(shell::switch_language)>
                <Icon name="languages"/>
                {name}
            </button>
        </form>
    }
    .into_any()
}

/// Turns from the system's theme to light, dark and back; at once where the client runs.
#[component]
pub fn ThemeSwitch() -> impl IntoView {
    let theme = RwSignal::new(use_context::<Preferences>().unwrap_or_default().theme);
    let turn = move |event: leptos::ev::MouseEvent| {
        event.prevent_default();
        theme.update(|theme| *theme = theme.next());
        apply_theme(theme.get_untracked());
    };
    let name = move || match theme.get() {
        Theme::Auto => t!(shell::theme_auto),
        Theme::Light => t!(shell::theme_light),
        Theme::Dark => t!(shell::theme_dark),
    };
    let icon = move || match theme.get() {
        Theme::Auto => view! { <Icon name="sun-moon"/> },
        Theme::Light => view! { <Icon name="sun"/> },
        Theme::Dark => view! { <Icon name="moon"/> },
    };
    view! {
        <form method="post" action=PREFERENCES>
            <input type="hidden" name="theme" value=move || theme.get().next().as_str()/>
            <button class="btn btn-ghost btn-sm btn-icon" aria-label=name title=name on:click=turn>{icon}</button>
        </form>
    }
    .into_any()
}

/// Ends the session.
#[component]
pub fn SignOut() -> impl IntoView {
    view! {
        <form method="post" action="/rpc/session/logout">
            <button class="btn btn-ghost btn-sm btn-icon" aria-label=t!(shell::sign_out) title=t!(shell::sign_out)>
                <Icon name="log-out"/>
            </button>
        </form>
    }
    .into_any()
}
