//! Label, control, and below it the hint or, in its place, the problem.

use leptos::prelude::*;

use crate::{
    model::problem::Issue,
    ui::{
        i18n::{problem::say, t},
        icon::{Glyph, Mark},
    },
};

/// A labelled place for one control with the id `id`.
#[component]
pub fn Field(
    /// Id of the control.
    #[prop(into)]
    id: String,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What helps to fill it in.
    #[prop(into, optional)]
    hint: String,
    /// Marked as optional; required is the rule.
    #[prop(optional)]
    optional: bool,
    /// What is wrong with it.
    #[prop(into, optional)]
    issue: Signal<Option<Issue>>,
    /// The control.
    children: Children,
) -> impl IntoView {
    let note = note_id(&id);
    view! {
        <div class="field">
            <label class="field-label" for=id>
                {label}
                {optional.then(|| view! { <i>{t!(form::optional)}</i> })}
            </label>
            {children()}
            <FieldNote id=note hint issue/>
        </div>
    }
}

/// The line below a control: hint, or problem.
#[component]
pub fn FieldNote(
    /// Id that the control names in `aria-describedby`.
    id: String,
    /// What helps to fill it in.
    #[prop(into, optional)]
    hint: String,
    /// What is wrong.
    #[prop(into, optional)]
    issue: Signal<Option<Issue>>,
) -> impl IntoView {
    let empty = hint.is_empty();
    let line = move || match issue.get() {
        Some(issue) => {
            view! { <span class="field-error"><Mark glyph=Glyph::Bad/><span>{say(&issue)}</span></span> }.into_any()
        }
        None => hint.clone().into_any(),
    };
    view! { <div class="field-note" id=id aria-live="polite" hidden=move || empty && issue.with(Option::is_none)>{line}</div> }
}

/// Id of the line below the control `id`.
pub fn note_id(id: &str) -> String {
    format!("{id}-note")
}

/// Tells that a control was left. A control that goes away while it has the focus, as in a dialog
/// closed by Esc, is left too late: nobody listens any more.
pub(super) fn tell_left(left: Callback<()>) {
    let _gone = left.try_run(());
}
