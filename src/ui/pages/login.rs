//! Signing in: one plain form, which works before and without the client.

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::{
    api::session::Login,
    model::error::ApiError,
    ui::{
        components::{
            feedback::explain,
            form::{Field, PasswordField, SubmitButton},
            layout::{
                navigation::BrandMark,
                switches::{LanguageSwitch, ThemeSwitch},
            },
        },
        i18n::t,
        icon::{Glyph, Icon, Mark},
        origin::Origin,
        returned::returned_to,
    },
};

/// `/login`
#[component]
pub fn LoginPage() -> impl IntoView {
    let query = use_query_map();
    let next = query.with_untracked(|query| query.get("next").unwrap_or_default());
    let returned = returned_to(Login::url());
    let busy = RwSignal::new(false);
    let username = returned.as_ref().and_then(|returned| returned.typed("username")).unwrap_or_default().to_owned();
    let failure = returned.map(|returned| view! { <Refused error=returned.error/> });
    let origin = Origin::here();
    let host = move || origin.with(|origin| origin.split_once("://").map(|(_, host)| t!(door::to_host, host)));
    let plain = RwSignal::new(false);
    Effect::new(move |_| {
        let place = window().location();
        let name = place.hostname().unwrap_or_default();
        plain.set(
            place.protocol().is_ok_and(|protocol| protocol == "http:")
                && !matches!(name.as_str(), "localhost" | "127.0.0.1" | "[::1]"),
        );
    });
    view! {
        <Title text=t!(door::sign_in)/>
        <div class="door">
            <Rounds/>
            <DoorBar says=""/>
            <main class="relative flex-1 flex items-center px-6 lg:pl-42 pb-12">
                <div class="w-full max-w-88 flex flex-col gap-6">
                    <div>
                        <h1 class="text-3xl font-semibold tracking-tight">{t!(door::sign_in)}</h1>
                        <p class="text-base text-ink-2 min-h-6">{host}</p>
                    </div>
                    {failure}
                    <Show when=move || plain.get()><div class="notice notice-warn"><Mark glyph=Glyph::Warn/><p>{t!(door::plain_http)}</p></div></Show>
                    // Sent by the browser itself, not by the client: the page after it is rendered for
                    // the person who has just signed in.
                    <form method="post" action=Login::url() class="form door-form" on:submit=move |_| busy.set(true)>
                            <input type="hidden" name="next" value=next/>
                            <Field id="username" label=t!(door::username)>
                                <input id="username" name="username" class="input" required autofocus autocomplete="username" autocapitalize="none" spellcheck="false" value=username/>
                            </Field>
                            <PasswordField id="password" name="password" label=t!(door::password)/>
                            <SubmitButton class="btn btn-primary h-10! w-full" busy>{t!(door::sign_in)}</SubmitButton>
                    </form>
                    <p class="caption flex gap-2"><Icon name="shield-check"/><span>{t!(door::forgot)}" "<code class="whitespace-nowrap">"rondo user reset-password"</code></span></p>
                </div>
            </main>
            <footer class="relative caption px-6 py-5">{format!("Rondo {}", env!("CARGO_PKG_VERSION"))}<span class="pl-4">{t!(door::slowed)}</span></footer>
        </div>
    }
    .into_any()
}

/// Mark, name, and the choices that need no account.
#[component]
pub(crate) fn DoorBar(
    /// What this is, beside the name.
    says: &'static str,
) -> impl IntoView {
    view! {
        <header class="door-bar">
            <BrandMark/><span class="text-lg font-semibold tracking-tight">"Rondo"</span><span class="text-ink-3">{says}</span>
            <span class="ml-auto flex items-center gap-1"><LanguageSwitch wide=true/><ThemeSwitch/></span>
        </header>
    }
    .into_any()
}

#[component]
fn Refused(error: ApiError) -> impl IntoView {
    let (title, hint) = match &error {
        ApiError::BadCredentials => (t!(door::wrong).to_owned(), t!(door::wrong_hint).to_owned()),
        ApiError::TooManyTries { retry_after_s } => (t!(door::too_many, *retry_after_s), String::new()),
        error => explain(error),
    };
    view! { <div class="notice notice-bad" role="alert"><Mark glyph=Glyph::Bad/><div><p class="font-medium">{title}</p><p class="text-ink-2">{hint}</p></div></div> }.into_any()
}

/// The motif: rounds, each with the part it has gone and the point that is next.
#[component]
fn Rounds() -> impl IntoView {
    const ROUNDS: [(f64, f64, f64, f64); 5] = [
        (120.0, -6.0, 55.0, 1.0),
        (190.0, 50.0, 107.0, 0.85),
        (260.0, 107.0, 159.0, 0.7),
        (330.0, 164.0, 210.0, 0.55),
        (400.0, 221.0, 262.0, 0.4),
    ];
    let at = |radius: f64, degrees: f64| {
        let angle = degrees.to_radians();
        (430.0 + radius * angle.sin(), 430.0 - radius * angle.cos())
    };
    let round = |(radius, from, to, strength): (f64, f64, f64, f64)| {
        let ((x1, y1), (x2, y2)) = (at(radius, from), at(radius, to));
        view! {
            <circle cx="430" cy="430" r=radius.to_string() stroke="var(--color-line)"></circle>
            <g opacity=strength.to_string()>
                <path d=format!("M{x1:.1} {y1:.1}A{radius} {radius} 0 0 1 {x2:.1} {y2:.1}") stroke="var(--color-accent)" stroke-width="1.5"></path>
                <circle cx=format!("{x2:.1}") cy=format!("{y2:.1}") r=format!("{:.1}", 3.0 + strength * 2.5) fill="var(--color-accent)"></circle>
            </g>
        }
    };
    view! { <svg class="door-rounds" viewBox="0 0 860 860" fill="none" aria-hidden="true">{ROUNDS.map(round).collect_view()}</svg> }.into_any()
}
