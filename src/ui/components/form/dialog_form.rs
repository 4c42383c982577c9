//! The form of a dialog: one thing is edited, saved, and the dialog closes; or it says why not.
//!
//! What happens around a save is written once, and not generic: forms differ in their fields only.

use std::{future::Future, pin::Pin};

use leptos::{ev::SubmitEvent, prelude::*, task::spawn_local};

use super::{Editor, SubmitButton};
use crate::{
    model::{
        error::{ApiError, ApiResult},
        problem::Validate,
    },
    ui::{
        components::{feedback::Trouble, toast::Toasts},
        i18n::t,
    },
};

/// A save on its way; gives the name of what was saved.
type Saved = Pin<Box<dyn Future<Output = ApiResult<String>>>>;

/// What becomes of a dialog's save. Cheap to copy.
#[derive(Clone, Copy)]
pub struct DialogSave {
    failure: RwSignal<Option<ApiError>>,
    busy: RwSignal<bool>,
    toasts: Toasts,
    on_close: Callback<()>,
    changed: Callback<()>,
}

impl DialogSave {
    /// `changed` hears of a save, `on_close` closes the dialog after it.
    pub fn new(on_close: Callback<()>, changed: Callback<()>) -> Self {
        Self { failure: RwSignal::new(None), busy: RwSignal::new(false), toasts: Toasts::here(), on_close, changed }
    }

    /// Writes the draft if nothing is wrong with it; otherwise each problem shows at its field.
    pub fn save<T, Written>(self, editor: Editor<T>, write: impl FnOnce(T) -> Written)
    where
        T: Validate + Clone + PartialEq + Send + Sync + 'static,
        Written: Future<Output = ApiResult<String>> + 'static,
    {
        if self.busy.get_untracked() {
            return;
        }
        if let Some(draft) = editor.ready() {
            let refuse = Callback::new(move |error: ApiError| {
                editor.refuse(&error);
            });
            self.run(Box::pin(write(draft)), refuse);
        }
    }

    fn run(self, saved: Saved, refuse: Callback<ApiError>) {
        self.failure.set(None);
        self.busy.set(true);
        spawn_local(async move {
            let result = saved.await;
            // Who closed the dialog meanwhile still hears that it was saved; the form itself is gone.
            let _ = self.busy.try_set(false);
            match result {
                Ok(name) => {
                    self.toasts.done(t!(form::saved, &name));
                    let _ = self.changed.try_run(());
                    let _ = self.on_close.try_run(());
                }
                Err(error) => {
                    let _ = refuse.try_run(error.clone());
                    let _ = self.failure.try_set(Some(error));
                }
            }
        });
    }
}

/// Head, body and foot of such a dialog around the fields.
#[component]
pub fn DialogForm(
    /// Id of the form.
    id: &'static str,
    /// What is edited.
    title: String,
    /// What becomes of its save.
    save: DialogSave,
    /// Begins the save.
    on_submit: Callback<()>,
    /// What stands below the form and is not part of it.
    #[prop(optional, into)]
    below: Option<AnyView>,
    /// The fields.
    children: Children,
) -> impl IntoView {
    // Problems of fields stand at the fields.
    let trouble = move || {
        let failure = save.failure.get().filter(|error| !matches!(error, ApiError::Invalid { .. }));
        failure.map(|error| view! { <Trouble error/> })
    };
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        on_submit.run(());
    };
    view! {
        <div class="dialog-head"><h2 id="dialog-title">{title}</h2></div>
        <div class="dialog-body">
            {trouble}
            <form id=id class="form" on:submit=submit>{children()}</form>
            {below}
        </div>
        <div class="dialog-foot">
            <button type="button" class="btn btn-ghost" on:click=move |_| save.on_close.run(())>{t!(form::cancel)}</button>
            <SubmitButton form=id busy=save.busy>{t!(form::save)}</SubmitButton>
        </div>
    }
    .into_any()
}
