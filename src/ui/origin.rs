//! Where clients reach the gateway, for addresses and ready lines on screen.
//!
//! The server knows it from `RONDO_PUBLIC_URL` or from the request and says so in context; the
//! document repeats it on `<html>`, so a line is whole before the client runs and the same after.

use leptos::prelude::*;

/// What the server knows; `serve` provides it before rendering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedAt(pub String);

/// Scheme, host and port as a browser writes an origin: `https://gate.example.com`.
#[derive(Clone, Copy)]
pub struct Origin(RwSignal<String>);

impl Origin {
    /// Provides the origin to everything below.
    pub fn provide() {
        let known = use_context::<ServedAt>().map(|served| served.0).or_else(of_document);
        let origin = RwSignal::new(known.unwrap_or_default());
        provide_context(Self(origin));
        // Behind a proxy that ends TLS the server saw http: the browser knows the scheme of its own host.
        Effect::new(move || {
            let here = window().location().origin().unwrap_or_default();
            if origin.with_untracked(|known| known.is_empty() || *known != here && host(known) == host(&here)) {
                origin.set(here);
            }
        });
    }

    /// The origin, for this page.
    pub fn here() -> Signal<String> {
        use_context::<Self>().expect("App provides the origin").0.into()
    }
}

fn host(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_, host)| host)
}

/// What the server wrote on `<html>`.
fn of_document() -> Option<String> {
    if !is_browser() {
        return None;
    }
    document().document_element()?.get_attribute("data-origin")
}
