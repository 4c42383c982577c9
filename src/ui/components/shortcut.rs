//! Keys of a page (look.md §9), and menus that close when the person turns elsewhere.
//!
//! A control names its key in `data-shortcut`; pressing the key presses the control, or focuses it
//! if it is a field. `g` and a letter go to a place. Keys rest while a field has the focus, while a
//! dialog is open, and with Ctrl, Alt or Meta held.

use leptos::{ev, prelude::*};
use leptos_router::hooks::use_navigate;
use wasm_bindgen::JsCast;

/// Keys, the second of which is the letter after `g`, and where they lead.
const PLACES: [(&[&str; 2], &str); 9] = [
    (&["g", "d"], "/admin"),
    (&["g", "r"], "/admin/requests"),
    (&["g", "h"], "/admin/health"),
    (&["g", "a"], "/admin/alerts"),
    (&["g", "p"], "/admin/providers"),
    (&["g", "g"], "/admin/groups"),
    (&["g", "k"], "/admin/api-keys"),
    (&["g", "u"], "/admin/users"),
    (&["g", "s"], "/admin/settings"),
];

/// The keys that lead to an address; none for most.
pub fn keys_to(href: &str) -> &'static [&'static str] {
    PLACES.iter().find(|(_, place)| *place == href).map_or(&[], |(keys, _)| keys.as_slice())
}

/// Listens for the whole page; draws nothing.
#[component]
pub fn Shortcuts() -> impl IntoView {
    let going = StoredValue::new(false);
    // Not in the arena: what is local to a thread must not be dropped by another one, as the server does.
    let navigate = use_navigate();
    Effect::new(move |_| {
        let navigate = navigate.clone();
        let keys = window_event_listener(ev::keydown, move |event| {
            if event.ctrl_key() || event.meta_key() || event.alt_key() || busy_elsewhere(&event) {
                return;
            }
            let key = event.key();
            let place = PLACES.iter().find(|(keys, _)| going.get_value() && keys[1] == key);
            going.set_value(key == "g" && place.is_none());
            if let Some((_, href)) = place {
                event.prevent_default();
                navigate(href, Default::default());
            } else if key.len() == 1 && press(&key) {
                event.prevent_default();
            }
        });
        let clicks = window_event_listener(ev::click, |event| close_menus(event.target()));
        on_cleanup(move || {
            keys.remove();
            clicks.remove();
        });
    });
}

/// Whether the key belongs to a field or to an open dialog.
fn busy_elsewhere(event: &web_sys::KeyboardEvent) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let typing = target.is_some_and(|element| {
        element
            .matches("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]")
            .unwrap_or(false)
    });
    typing || matches!(document().query_selector("dialog:modal"), Ok(Some(_)))
}

/// Presses the control of this key; answers whether there is one.
fn press(key: &str) -> bool {
    if !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'/' || byte == b'?') {
        return false;
    }
    let Ok(Some(element)) = document().query_selector(&format!("[data-shortcut=\"{key}\"]")) else { return false };
    let Some(element) = element.dyn_ref::<web_sys::HtmlElement>() else { return false };
    if element.tag_name() == "INPUT" {
        let _ = element.focus();
    } else {
        element.click();
    }
    true
}

/// Closes every open menu but the one the click opened.
fn close_menus(target: Option<web_sys::EventTarget>) {
    let Ok(open) = document().query_selector_all("details.more[open]") else { return };
    let target = target.and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    for index in 0..open.length() {
        let Some(menu) = open.item(index).and_then(|node| node.dyn_into::<web_sys::Element>().ok()) else { continue };
        let on_summary = target
            .as_ref()
            .and_then(|target| target.closest("summary").ok().flatten())
            .is_some_and(|summary| menu.contains(Some(&summary)));
        if !on_summary {
            let _ = menu.remove_attribute("open");
        }
    }
}
