//! The document and its routes.

use leptos::prelude::*;
use leptos_meta::{MetaTags, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{ParentRoute, Redirect, Route, Router, Routes},
    location::RequestUrl,
    path,
};

use super::{
    clock::Clock,
    components::{
        layout::Frame,
        toast::{ToastHost, Toasts},
    },
    icon::SPRITE,
    origin::{Origin, ServedAt},
    pages::{login::LoginPage, not_found::NotFound},
    pieces::{self, Manifest},
    preferences::{Preferences, Theme},
    returned::{Brought, Forget, provide_returned},
    session::{Known, Session},
};

/// The HTML document around [`App`]; server only.
///
/// The server provides [`Preferences`] as context before rendering. The hydration links are
/// written here by hand: Leptos' own carry the nonce in `crossorigin`, which Firefox refuses.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let preferences = use_context::<Preferences>().unwrap_or_default();
    let (pkg, name) = (options.site_pkg_dir.clone(), options.output_name.clone());
    let file = |ending: &str| format!("/{pkg}/{name}.{ending}");
    let start = format!(
        "import init, {{ hydrate }} from \"{}\"; await init({{ module_or_path: \"{}\" }}); hydrate();",
        file("js"),
        file("wasm")
    );
    let theme = (preferences.theme != Theme::Auto).then(|| preferences.theme.as_str());
    let viewer = use_context::<Known>().and_then(|known| known.attribute());
    let origin = use_context::<ServedAt>().map(|served| served.0);
    let returned = use_context::<Brought>().and_then(|brought| brought.attribute());
    let url = use_context::<RequestUrl>().and_then(|url| url.parse().ok());
    let files = url.zip(use_context::<Manifest>()).map(|(url, manifest)| manifest.files_of(url.path()));
    let preload = |piece: String| {
        let href = format!("/{pkg}/{piece}.wasm");
        view! { <link rel="preload" href=href r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/> }
    };
    let pieces = files.unwrap_or_default().into_iter().map(preload).collect_view();
    view! {
        <!DOCTYPE html>
        <html
            lang=preferences.language.tag()
            data-theme=theme
            data-zone=preferences.zone_minutes.to_string()
            data-now=preferences.now_ms.to_string()
            data-viewer=viewer
            data-origin=origin
            data-returned=returned
        >
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="preload" href="/fonts/geist.woff2" r#as="font" r#type="font/woff2" crossorigin="anonymous"/>
                <link rel="stylesheet" href=file("css")/>
                <link rel="modulepreload" href=file("js") nonce=leptos::nonce::use_nonce()/>
                <link rel="preload" href=file("wasm") r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/>
                {pieces}
                <script r#type="module" nonce=leptos::nonce::use_nonce()>{start}</script>
                <AutoReload options/>
                <MetaTags/>
            </head>
            <body>
                <App/>
                <div hidden inner_html=SPRITE></div>
            </body>
        </html>
    }
}

/// The whole application, as the browser hydrates it.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let preferences = use_context::<Preferences>().unwrap_or_else(Preferences::of_document);
    provide_context(preferences);
    Clock::provide(preferences);
    Session::provide();
    Origin::provide();
    provide_returned();
    Toasts::provide();
    view! {
        <Router>
            <Routes fallback=NotFound>
                <Route path=path!("/") view=ToDashboard ssr=SsrMode::Async/>
                <Route path=path!("/login") view=LoginPage ssr=SsrMode::Async/>
                <Route path=path!("/setup") view=pieces::setup() ssr=SsrMode::Async/>
                <ParentRoute path=path!("/admin") view=Frame ssr=SsrMode::Async>
                    <Route path=path!("") view=pieces::dashboard() ssr=SsrMode::Async/>
                    <Route path=path!("requests/:id?") view=pieces::requests() ssr=SsrMode::Async/>
                    <Route path=path!("health") view=pieces::health() ssr=SsrMode::Async/>
                    <Route path=path!("providers") view=pieces::providers() ssr=SsrMode::Async/>
                    <Route path=path!("providers/new") view=pieces::provider_new() ssr=SsrMode::Async/>
                    <Route path=path!("providers/:id") view=pieces::provider() ssr=SsrMode::Async/>
                    <Route path=path!("providers/:id/edit") view=pieces::provider_edit() ssr=SsrMode::Async/>
                    <Route path=path!("groups") view=pieces::groups() ssr=SsrMode::Async/>
                    <Route path=path!("groups/new") view=pieces::group_new() ssr=SsrMode::Async/>
                    <Route path=path!("groups/:id") view=pieces::group() ssr=SsrMode::Async/>
                    <Route path=path!("api-keys") view=pieces::api_keys() ssr=SsrMode::Async/>
                    <Route path=path!("alerts") view=pieces::alerts() ssr=SsrMode::Async/>
                    <Route path=path!("users") view=pieces::users() ssr=SsrMode::Async/>
                    <Route path=path!("audit") view=pieces::audit() ssr=SsrMode::Async/>
                    <Route path=path!("settings") view=pieces::settings() ssr=SsrMode::Async/>
                </ParentRoute>
            </Routes>
            <ToastHost/>
            <Forget/>
        </Router>
    }
}

/// The bare address leads to the dashboard.
#[component]
fn ToDashboard() -> impl IntoView {
    view! { <Redirect path="/admin"/> }
}
