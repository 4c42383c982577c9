//! Entry of the WASM client: takes over the page that the server rendered.

use leptos::prelude::{document, location};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::ui::{app::App, pieces};

/// Called once by the page's module script.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    js_sys::futures::spawn_local(async {
        // The page's own piece may still be on its way.
        leptos::mount::hydrate_from_async(leptos::tachys::dom::body(), App).await.forget();
        // From here on the page answers to events: tests wait for this mark.
        if let Some(root) = document().document_element() {
            let _ = root.set_attribute("data-hydrated", "");
        }
        if location().pathname().is_ok_and(|path| path.starts_with("/admin")) {
            pieces::fetch_all().await;
        }
    });
}
