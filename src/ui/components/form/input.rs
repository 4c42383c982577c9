//! Text in its kinds: a line, a number, a password, a secret, a paragraph.

use leptos::prelude::*;

use super::{
    editor::Bound,
    field::{Field, note_id, tell_left},
};
use crate::{
    model::problem::Issue,
    ui::{i18n::t, icon::Icon},
};

/// A labelled line of text, bound to a draft.
#[component]
pub fn TextField(
    /// The field.
    bound: Bound,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What helps to fill it in.
    #[prop(into, optional)]
    hint: String,
    /// Marked as optional.
    #[prop(optional)]
    optional: bool,
    /// Shown in the typewriter face: addresses, names of headers.
    #[prop(optional)]
    mono: bool,
    /// An example, never the label.
    #[prop(into, optional)]
    example: String,
    /// Name in a plain form, if it is sent by one.
    #[prop(into, optional)]
    name: Option<String>,
    /// `type` of the control.
    #[prop(default = "text")]
    kind: &'static str,
) -> impl IntoView {
    let Bound { field: id, value, set, left, issue } = bound;
    let note = note_id(&id);
    let first = value.get_untracked();
    view! {
        <Field id=id.clone() label hint optional issue>
            <input
                id=id
                name=name
                type=kind
                class="input"
                class:mono=mono
                autocomplete="off"
                spellcheck="false"
                placeholder=example
                aria-describedby=note
                aria-invalid=move || issue.with(Option::is_some).then_some("true")
                value=first
                prop:value=move || value.get()
                on:input=move |event| set.run(event_target_value(&event))
                on:blur=move |_| tell_left(left)
            />
        </Field>
    }
    .into_any()
}

/// A labelled whole number with its unit, bound to a draft.
#[component]
pub fn NumberField(
    /// The field.
    bound: Bound,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What helps to fill it in.
    #[prop(into, optional)]
    hint: String,
    /// Its unit: `ms`, `rpm`.
    #[prop(optional)]
    unit: &'static str,
    /// What an empty field means.
    #[prop(into, optional)]
    example: String,
    /// Name in a plain form, if it is sent by one.
    #[prop(into, optional)]
    name: Option<String>,
) -> impl IntoView {
    let Bound { field: id, value, set, left, issue } = bound;
    let note = note_id(&id);
    let first = value.get_untracked();
    view! {
        <Field id=id.clone() label hint issue>
            <span class="input-unit">
                <input
                    id=id
                    name=name
                    type="text"
                    inputmode="numeric"
                    class="input"
                    autocomplete="off"
                    placeholder=example
                    aria-describedby=note
                    aria-invalid=move || issue.with(Option::is_some).then_some("true")
                    value=first
                    prop:value=move || value.get()
                    on:input=move |event| set.run(event_target_value(&event))
                    on:blur=move |_| tell_left(left)
                />
                {(!unit.is_empty()).then(|| view! { <span>{unit}</span> })}
            </span>
        </Field>
    }
    .into_any()
}

/// A paragraph of text, bound to a draft.
#[component]
pub fn TextArea(
    /// The field.
    bound: Bound,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What helps to fill it in.
    #[prop(into, optional)]
    hint: String,
    /// Marked as optional.
    #[prop(optional)]
    optional: bool,
    /// Shown in the typewriter face.
    #[prop(optional)]
    mono: bool,
    /// Lines shown.
    #[prop(default = 3)]
    rows: u8,
) -> impl IntoView {
    let Bound { field: id, value, set, left, issue } = bound;
    let note = note_id(&id);
    // The text goes in as a property: children of <textarea> are rendered unescaped by Leptos.
    view! {
        <Field id=id.clone() label hint optional issue>
            <textarea
                id=id
                class="input"
                class:mono=mono
                rows=rows.to_string()
                spellcheck="false"
                aria-describedby=note
                aria-invalid=move || issue.with(Option::is_some).then_some("true")
                prop:value=move || value.get()
                on:input=move |event| set.run(event_target_value(&event))
                on:blur=move |_| tell_left(left)
            ></textarea>
        </Field>
    }
    .into_any()
}

/// A password with a button that shows it. Not bound: the form sends it, no signal keeps it.
#[component]
pub fn PasswordField(
    /// Id of the control.
    id: &'static str,
    /// Name in the form.
    name: &'static str,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What helps to fill it in.
    #[prop(into, optional)]
    hint: String,
    /// `current-password` or `new-password`.
    #[prop(default = "current-password")]
    autocomplete: &'static str,
    /// What is wrong with it.
    #[prop(into, optional)]
    issue: Signal<Option<Issue>>,
    /// Hears each key and the leaving of the field.
    #[prop(optional)]
    on_text: Option<Callback<String>>,
) -> impl IntoView {
    let shown = RwSignal::new(false);
    view! {
        <Field id=id label hint issue>
            <span class="input-wrap">
                <input
                    id=id
                    name=name
                    class="input"
                    type=move || if shown.get() { "text" } else { "password" }
                    required
                    autocomplete=autocomplete
                    aria-describedby=note_id(id)
                    aria-invalid=move || issue.with(Option::is_some).then_some("true")
                    on:input=move |event| {
                        if let Some(on_text) = on_text {
                            on_text.run(event_target_value(&event));
                        }
                    }
                />
                <RevealButton shown/>
            </span>
        </Field>
    }
    .into_any()
}

/// A secret on its way in: write-only, shown as typed only on request.
#[component]
pub fn SecretField(
    /// The field.
    bound: Bound,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What helps to fill it in.
    #[prop(into, optional)]
    hint: String,
    /// What stands there: prefix … last four.
    #[prop(into, optional)]
    example: String,
    /// Name in a plain form, if it is sent by one.
    #[prop(into, optional)]
    name: Option<String>,
    /// Marked as optional.
    #[prop(optional)]
    optional: bool,
) -> impl IntoView {
    let Bound { field: id, value, set, left, issue } = bound;
    let shown = RwSignal::new(false);
    let note = note_id(&id);
    view! {
        <Field id=id.clone() label hint issue optional>
            <span class="input-wrap">
                <input
                    id=id
                    name=name
                    class="input mono"
                    type=move || if shown.get() { "text" } else { "password" }
                    autocomplete="new-password"
                    spellcheck="false"
                    placeholder=example
                    aria-describedby=note
                    aria-invalid=move || issue.with(Option::is_some).then_some("true")
                    prop:value=move || value.get()
                    on:input=move |event| set.run(event_target_value(&event))
                    on:blur=move |_| tell_left(left)
                />
                <RevealButton shown/>
            </span>
        </Field>
    }
    .into_any()
}

#[component]
fn RevealButton(shown: RwSignal<bool>) -> impl IntoView {
    let name = move || if shown.get() { t!(form::hide) } else { t!(form::show) };
    view! {
        <button type="button" aria-label=name title=name aria-pressed=move || shown.get().to_string() on:click=move |_| shown.update(|shown| *shown = !*shown)>
            {move || if shown.get() { view! { <Icon name="eye-off"/> } } else { view! { <Icon name="eye"/> } }}
        </button>
    }
}
