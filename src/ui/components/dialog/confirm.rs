//! Before something is gone for ever: the name must be typed.

use leptos::{ev::SubmitEvent, prelude::*};

use super::{Dialog, Shape};
use crate::{
    model::error::ApiResult,
    ui::{
        components::{
            feedback::in_words,
            form::{Field, SubmitButton},
        },
        i18n::t,
        icon::{Glyph, Mark},
        returned::refusal,
    },
};

/// What is to go, in the words of its dialog.
#[derive(Clone)]
pub struct Doomed {
    /// The question: `Revoke “partner-acme”?`
    pub title: String,
    /// What follows.
    pub consequence: String,
    /// What must be typed.
    pub expected: String,
    /// The verb that does it.
    pub verb: &'static str,
    /// Where a plain form posts to.
    pub url: &'static str,
    /// Which thing, as the plain form sends it.
    pub id: String,
}

/// The dialog: title, consequence, the name to type, and the two verbs.
///
/// Works without the client too: the browser itself checks what was typed against the pattern.
#[component]
pub fn ConfirmDialog(
    /// Whether it is open.
    #[prop(into)]
    open: Signal<bool>,
    /// Leaves it.
    on_close: Callback<()>,
    /// What is to go.
    #[prop(into)]
    doomed: Signal<Doomed>,
    /// Does it.
    action: Action<(), ApiResult<()>>,
    /// What is to be typed, if it is not a name.
    #[prop(optional)]
    asks: Option<&'static str>,
) -> impl IntoView {
    let asks = asks.unwrap_or_else(|| t!(form::type_name));
    let content = move || view! { <Content doomed=doomed.get() on_close action asks/> };
    view! { <Dialog open on_close shape=Shape::Narrow>{content}</Dialog> }.into_any()
}

#[component]
fn Content(
    doomed: Doomed,
    on_close: Callback<()>,
    action: Action<(), ApiResult<()>>,
    asks: &'static str,
) -> impl IntoView {
    let Doomed { title, consequence, expected, verb, url, id } = doomed;
    let typed = RwSignal::new(String::new());
    let alive = RwSignal::new(false);
    Effect::new(move |_| alive.set(true));
    let (pattern, hint) = (literal_pattern(&expected), expected.clone());
    let matches = Memo::new(move |_| typed.with(|typed| *typed == expected));
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if matches.get_untracked() {
            action.dispatch(());
        }
    };
    let refused = refusal(move || action.value().get(), url);
    let failure = move || {
        let text = in_words(&refused.get()?);
        Some(view! { <p class="field-error" role="alert"><Mark glyph=Glyph::Bad/>{text}</p> })
    };
    view! {
        <form method="post" action=url on:submit=submit>
            <input type="hidden" name="id" value=id/>
            <div class="dialog-head"><h2 id="dialog-title">{title}</h2></div>
            <div class="dialog-body">
                <p>{consequence}</p>
                <Field id="confirm-name" label=asks hint=hint>
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
                {failure}
            </div>
            <div class="dialog-foot">
                <button type="button" class="btn btn-ghost" on:click=move |_| on_close.run(())>{t!(form::keep)}</button>
                <SubmitButton class="btn btn-solid-danger" busy=action.pending() off=Signal::derive(move || alive.get() && !matches.get())>{verb}</SubmitButton>
            </div>
        </form>
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
