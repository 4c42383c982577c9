//! The bar of a page with unsaved changes: what changes, what follows from it, and the way back.

use leptos::prelude::*;

use super::SubmitButton;
use crate::ui::{i18n::t, live::Live};

/// Shown while there is something to save. Sits in the form it saves.
#[component]
pub fn SaveBar(
    /// Whether there is something to save.
    #[prop(into)]
    dirty: Signal<bool>,
    /// What changes and what follows.
    #[prop(into)]
    says: Signal<String>,
    /// Whether saving is under way.
    #[prop(into)]
    busy: Signal<bool>,
    /// Throws the changes away.
    on_discard: Callback<()>,
) -> impl IntoView {
    // Every change of the configuration counts up the one revision of it all.
    let live = use_context::<Live>();
    let next = Memo::new(move |_| live?.revision.get().map(|revision| revision + 1));
    view! {
        <Show when=move || dirty.get()>
            <div class="save-bar" role="region" aria-label=t!(form::unsaved)>
                <p>{move || says.get()}</p>
                <button type="button" class="btn btn-ghost" on:click=move |_| on_discard.run(())>{t!(form::discard)}</button>
                <SubmitButton busy>
                    {t!(form::save)}
                    {move || next.get().map(|revision| view! { <span class="font-normal opacity-70 desk-only">{t!(form::revision_word, revision)}</span> })}
                </SubmitButton>
            </div>
        </Show>
    }
    .into_any()
}
