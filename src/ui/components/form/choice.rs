//! One of several, or yes and no.

use leptos::prelude::*;

use super::{
    editor::{Bound, Flag},
    field::{Field, FieldNote, note_id},
};
use crate::ui::{
    components::table::ListState,
    icon::{Glyph, Mark},
};

/// A box to tick.
#[component]
pub fn Check(
    /// The field.
    flag: Flag,
    /// Its label.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    let Flag { field: id, value, set } = flag;
    view! {
        <label class="check">
            <input id=id type="checkbox" class="check-box" prop:checked=move || value.get() checked=value.get_untracked() on:change=move |event| set.run(event_target_checked(&event))/>
            {label}
        </label>
    }
    .into_any()
}

/// A switch: what it turns takes effect with the form.
#[component]
pub fn Switch(
    /// The field.
    flag: Flag,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What it means.
    #[prop(into, optional)]
    hint: String,
) -> impl IntoView {
    let Flag { field: id, value, set } = flag;
    view! {
        <div>
            <label class="check">
                <input id=id type="checkbox" role="switch" class="switch" prop:checked=move || value.get() checked=value.get_untracked() on:change=move |event| set.run(event_target_checked(&event))/>
                <span class="font-medium">{label}</span>
            </label>
            {(!hint.is_empty()).then(|| view! { <p class="caption mt-1 ml-9">{hint}</p> })}
        </div>
    }
    .into_any()
}

/// A drop-down list.
#[component]
pub fn Picker(
    /// The field; its text is the chosen word.
    bound: Bound,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What may be chosen.
    #[prop(into)]
    options: Vec<(String, String)>,
    /// What helps to choose.
    #[prop(into, optional)]
    hint: String,
    /// Name in a plain form, if it is sent by one.
    #[prop(into, optional)]
    name: Option<String>,
) -> impl IntoView {
    let Bound { field: id, value, set, issue, .. } = bound;
    let note = note_id(&id);
    let rows = options
        .into_iter()
        .map(|(word, text)| {
            let this = word.clone();
            view! { <option value=word selected=move || value.with(|value| *value == this)>{text}</option> }
        })
        .collect_view();
    view! {
        <Field id=id.clone() label hint issue>
            <select id=id name=name class="input" aria-describedby=note on:change=move |event| set.run(event_target_value(&event))>
                {rows}
            </select>
        </Field>
    }
    .into_any()
}

/// A few exclusive words, all in sight, each with what it means.
#[component]
pub fn Choice(
    /// The field; its text is the chosen word.
    bound: Bound,
    /// Its label.
    #[prop(into)]
    label: String,
    /// Word, title, meaning.
    options: Vec<(&'static str, String, String)>,
) -> impl IntoView {
    let Bound { field, value, set, issue, .. } = bound;
    let (note, described) = (note_id(&field), note_id(&field));
    let rows = options
        .into_iter()
        .map(|(word, title, meaning)| {
            let name = field.clone();
            view! {
                <label class="option">
                    <input type="radio" class="check-box" name=name value=word prop:checked=move || value.with(|value| value == word) checked=value.with_untracked(|value| value == word) on:change=move |_| set.run(word.to_owned())/>
                    <span><b>{title}</b><span class="caption">{meaning}</span></span>
                </label>
            }
        })
        .collect_view();
    view! {
        <fieldset class="field" aria-describedby=described>
            <legend class="field-label mb-1.5">{label}</legend>
            <div class="grid gap-2 lg:grid-cols-2">{rows}</div>
            <FieldNote id=note issue/>
        </fieldset>
    }
    .into_any()
}

/// One view of a list: its word in the address, its title, its glyph, how many rows it has.
pub type Segment = (&'static str, &'static str, Option<Glyph>, usize);

/// Exclusive views of a list, each with its count; links, so the choice is in the address.
#[component]
pub fn Segments(
    /// State of the list.
    state: ListState,
    /// The views, in order.
    #[prop(into)]
    segments: Signal<Vec<Segment>>,
) -> impl IntoView {
    let rows = move || {
        let chosen = state.segment();
        segments
            .get()
            .into_iter()
            .map(|(word, title, glyph, count)| {
                let current = (chosen == word).then_some("true");
                view! { <a href=state.href(&[("state", word)]) aria-current=current>{glyph.map(|glyph| view! { <Mark glyph/> })}{title}<b>{count}</b></a> }
            })
            .collect_view()
    };
    view! { <div class="seg" role="group">{rows}</div> }.into_any()
}
