//! The way into the command palette. What is in it comes with a piece of the client, see [`pieces`].

use leptos::{ev, prelude::*};

use crate::ui::{
    components::dialog::{Dialog, Shape},
    i18n::t,
    icon::Icon,
    pieces,
    suspended::suspended,
};

/// Whether the palette is open. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Palette {
    open: RwSignal<bool>,
}

impl Palette {
    /// Provides it to everything below.
    pub fn provide() {
        provide_context(Self { open: RwSignal::new(false) });
    }

    /// The palette of this page; none outside of the back office.
    pub fn here() -> Option<Self> {
        use_context()
    }

    /// Closes it.
    pub fn close(self) {
        self.open.set(false);
    }
}

/// The field of the sidebar that opens it, or an entry of a menu. Unseen until the client answers.
#[component]
pub fn PaletteButton(
    /// An entry of a menu.
    #[prop(optional)]
    in_menu: bool,
) -> impl IntoView {
    let palette = Palette::here();
    let open = move |_| {
        if let Some(palette) = palette {
            palette.open.set(true);
        }
    };
    let (class, words) = if in_menu {
        ("menu-item palette-open", view! { <span>{t!(palette::open)}</span> }.into_any())
    } else {
        let field = view! { <span class="wide-only flex-1 text-left">{t!(palette::open)}</span><span class="wide-only"><kbd class="kbd" aria-hidden="true">"Ctrl K"</kbd></span> };
        ("palette-field palette-open", field.into_any())
    };
    view! {
        <button type="button" class=class title=t!(palette::open) aria-keyshortcuts="Control+K Meta+K" aria-haspopup="dialog" on:click=open>
            <Icon name="search"/>
            {words}
        </button>
    }
    .into_any()
}

/// The dialog, and the key that opens and closes it.
#[component]
pub fn PaletteHost() -> impl IntoView {
    let Some(palette) = Palette::here() else { return ().into_any() };
    Effect::new(move |_| {
        let keys = window_event_listener(ev::keydown, move |event| {
            let held = (event.ctrl_key() || event.meta_key()) && !event.alt_key() && !event.shift_key();
            if !held || !event.key().eq_ignore_ascii_case("k") {
                return;
            }
            event.prevent_default();
            // Never a dialog on a dialog.
            let busy = matches!(document().query_selector("dialog:modal"), Ok(Some(_)));
            palette.open.update(|open| *open = !*open && !busy);
        });
        on_cleanup(move || keys.remove());
    });
    let content = || suspended(pieces::palette_view());
    view! {
        <Dialog open=palette.open on_close=Callback::new(move |()| palette.close()) shape=Shape::Palette labelled_by="palette-title">{content}</Dialog>
    }
    .into_any()
}
