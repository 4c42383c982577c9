//! Before something is gone for ever: the name must be typed.

use leptos::prelude::*;

use crate::ui::{
    components::form::{Field, SubmitButton},
    i18n::t,
};

/// Title, consequence, the name to type, and the two verbs; sits in the form that does it.
///
/// Works without the client too: the browser itself checks what was typed against the pattern.
#[component]
pub fn ConfirmName(
    /// The question: `Revoke “partner-acme”?`
    #[prop(into)]
    title: String,
    /// What follows.
    #[prop(into)]
    consequence: String,
    /// What must be typed.
    #[prop(into)]
    expected: String,
    /// The verb that does it.
    verb: &'static str,
    /// The verb that does not.
    keep: &'static str,
    /// Whether it is under way.
    #[prop(into)]
    busy: Signal<bool>,
    /// Leaves the dialog.
    on_close: Callback<()>,
    /// What went wrong, shown inside.
    #[prop(into)]
    failure: Signal<Option<String>>,
) -> impl IntoView {
    let typed = RwSignal::new(String::new());
    let alive = RwSignal::new(false);
    Effect::new(move |_| alive.set(true));
    let pattern = literal_pattern(&expected);
    let hint = expected.clone();
    let off = move || alive.get() && typed.with(|typed| *typed != expected);
    view! {
        <div class="dialog-head"><h2 id="dialog-title">{title}</h2></div>
        <div class="dialog-body">
            <p>{consequence}</p>
            <Field id="confirm-name" label=t!(form::type_name) hint=hint>
                <input
                    id="confirm-name"
                    class="input"
                    type="text"
                    required
                    autofocus
                    autocomplete="off"
                    spellcheck="false"
                    pattern=pattern
                    prop:value=move || typed.get()
                    on:input=move |event| typed.set(event_target_value(&event))
                />
            </Field>
            {move || failure.get().map(|text| view! { <p class="field-error" role="alert">{text}</p> })}
        </div>
        <div class="dialog-foot">
            <button type="button" class="btn btn-ghost" on:click=move |_| on_close.run(())>{keep}</button>
            <SubmitButton class="btn btn-solid-danger" busy off=Signal::derive(off)>{verb}</SubmitButton>
        </div>
    }
    .into_any()
}

/// A pattern (HTML `pattern`, with its `v` flag) that matches this text only.
fn literal_pattern(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        if c.is_ascii_punctuation() && c != '_' {
            pattern.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        } else {
            pattern.push(c);
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_signs_becomes_a_pattern_that_means_itself() {
        assert_eq!(literal_pattern("a.b_c 1"), "a\\u{2e}b_c 1");
    }
}
