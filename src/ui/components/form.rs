//! Form controls. Each is labelled, shows its problem in place of its hint, and is an ordinary
//! HTML control underneath, so that a form also works before the client has loaded.

pub mod choice;
pub mod copy;
pub mod dialog_form;
pub mod editor;
pub mod field;
pub mod input;
pub mod merge;
pub mod save_bar;
pub mod slider;
pub mod tags;

pub use choice::{Check, Choice, Picker, Segments, Switch};
pub use copy::{CodeBlock, CopyButton, CopyIcon};
pub use dialog_form::{DialogForm, DialogSave};
pub use editor::{Bound, Editor, Flag};
pub use field::{Field, FieldNote};
pub use input::{NumberField, PasswordField, SecretField, TextArea, TextField};
pub use save_bar::SaveBar;
pub use slider::Slider;
pub use tags::TagsField;

use leptos::prelude::*;

/// A button that shows when its action is under way and cannot be pressed twice.
#[component]
pub fn SubmitButton(
    /// Classes: `btn btn-primary` and so on.
    #[prop(default = "btn btn-primary")]
    class: &'static str,
    /// Whether the action is under way.
    #[prop(into)]
    busy: Signal<bool>,
    /// Whether it may not be pressed; the reason must stand beside it.
    #[prop(into, optional)]
    off: Signal<bool>,
    /// Id of the form it submits, where it stands outside of it.
    #[prop(optional)]
    form: Option<&'static str>,
    /// The words.
    children: Children,
) -> impl IntoView {
    view! {
        <button
            type="submit"
            form=form
            class=class
            disabled=move || off.get()
            aria-busy=move || busy.get().then_some("true")
            aria-disabled=move || busy.get().then_some("true")
            on:click=move |event| {
                if busy.get_untracked() {
                    event.prevent_default();
                }
            }
        >
            <Show when=move || busy.get()><span class="turning" aria-hidden="true"></span></Show>
            {children()}
        </button>
    }
}
