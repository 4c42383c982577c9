//! Dialogs on the native `<dialog>`: focus trap, Esc and inertness come from the browser.
//!
//! The server renders an open one as open, so a dialog that the address asks for also shows before
//! the client has loaded; the client then turns it into a modal one.

pub mod confirm;
pub mod conflict;

pub use confirm::{ConfirmDialog, Doomed};
pub use conflict::{Conflict, ConflictCard};

use leptos::{html, prelude::*};

/// How much room a dialog takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// 480 px: a question.
    Narrow,
    /// 604 px: a form. A bottom sheet on phones.
    #[default]
    Wide,
    /// 600 px at the right edge; the whole screen on phones.
    Drawer,
    /// 600 px near the top: the command palette.
    Palette,
}

impl Shape {
    fn class(self) -> &'static str {
        match self {
            Self::Narrow => "dialog dialog-narrow",
            Self::Wide => "dialog",
            Self::Drawer => "dialog drawer",
            Self::Palette => "dialog palette",
        }
    }
}

/// A modal dialog. Its content exists only while it is open.
#[component]
pub fn Dialog(
    /// Whether it is open.
    #[prop(into)]
    open: Signal<bool>,
    /// Called when the person leaves it by Esc or a click beside it.
    on_close: Callback<()>,
    /// How much room it takes.
    #[prop(optional)]
    shape: Shape,
    /// Esc and a click beside it do nothing: what it shows is shown once.
    #[prop(optional)]
    stays: bool,
    /// Id of its title.
    #[prop(default = "dialog-title")]
    labelled_by: &'static str,
    /// What is in it.
    children: ChildrenFn,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let Some(dialog) = node.get() else { return };
        match (open.get(), dialog.matches(":modal").unwrap_or(false)) {
            (true, false) => {
                dialog.close();
                // Refused only for a dialog that left the document meanwhile.
                let _ = dialog.show_modal();
            }
            (false, _) => dialog.close(),
            (true, true) => {}
        }
    });
    let leave = move || {
        if !stays {
            on_close.run(());
        }
    };
    view! {
        <dialog
            node_ref=node
            class=shape.class()
            open=open.get_untracked()
            aria-labelledby=labelled_by
            on:cancel=move |event: leptos::ev::Event| {
                event.prevent_default();
                leave();
            }
            on:mousedown=move |event| {
                let beside = node.get_untracked().is_some_and(|dialog| event.target().as_ref() == Some(dialog.as_ref()));
                if beside {
                    leave();
                }
            }
        >
            {move || open.get().then(|| children())}
        </dialog>
    }
    .into_any()
}
