//! A short list of words: Enter, comma or leaving the field adds one, backspace takes the last.

use leptos::prelude::*;

use super::field::{Field, note_id};
use crate::{
    model::problem::Issue,
    ui::{i18n::t, icon::Icon},
};

/// A list of words.
#[component]
pub fn TagsField(
    /// Path of the field.
    #[prop(into)]
    field: String,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What helps to fill it in.
    #[prop(into, optional)]
    hint: String,
    /// An example.
    #[prop(optional)]
    example: &'static str,
    /// The words.
    #[prop(into)]
    value: Signal<Vec<String>>,
    /// Takes the new list.
    set: Callback<Vec<String>>,
    /// What is wrong with one of them.
    #[prop(into, optional)]
    issue: Signal<Option<Issue>>,
) -> impl IntoView {
    let text = RwSignal::new(String::new());
    let add = move || {
        // Gone with its dialog: nothing to add to.
        let Some(entered) = text.try_get_untracked() else { return };
        let mut words = value.get_untracked();
        let new = entered.split([',', ' ', '\n']).map(str::trim).filter(|word| !word.is_empty());
        for word in new {
            if !words.iter().any(|there| there == word) {
                words.push(word.to_owned());
            }
        }
        text.set(String::new());
        if words != value.get_untracked() {
            set.run(words);
        }
    };
    let on_key = move |event: web_sys::KeyboardEvent| match event.key().as_str() {
        // An input method takes its own Enter.
        "Enter" | "," if !event.is_composing() => {
            event.prevent_default();
            add();
        }
        "Backspace" if text.with_untracked(String::is_empty) => {
            let mut words = value.get_untracked();
            if words.pop().is_some() {
                set.run(words);
            }
        }
        _ => {}
    };
    let drop_word =
        move |word: &str| set.run(value.get_untracked().into_iter().filter(|there| there != word).collect());
    let row = move |word: String| {
        let this = word.clone();
        let name = t!(form::remove_thing, &word);
        view! {
            <span class="tag">
                {word}
                <button type="button" class="tag-off" aria-label=name on:click=move |_| drop_word(&this)><Icon name="x"/></button>
            </span>
        }
    };
    let note = note_id(&field);
    view! {
        <Field id=field.clone() label hint issue optional=true>
            <div class="tags">
                {move || value.get().into_iter().map(row).collect_view()}
                <input
                    id=field
                    type="text"
                    autocomplete="off"
                    spellcheck="false"
                    aria-describedby=note
                    placeholder=move || if value.with(Vec::is_empty) { example } else { "" }
                    prop:value=move || text.get()
                    on:input=move |event| text.set(event_target_value(&event))
                    on:keydown=on_key
                    on:blur=move |_| add()
                />
            </div>
        </Field>
    }
    .into_any()
}
