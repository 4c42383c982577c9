//! Toasts: what just happened, with the way back. Errors of fields never come here.
//!
//! Success leaves after six seconds, an error stays until it is read. The newest is at the bottom,
//! four at most.

use std::time::Duration;

use leptos::prelude::*;

use super::{feedback::explain, shortcut::Shortcuts};
use crate::{
    model::error::ApiError,
    ui::{
        i18n::t,
        icon::{Glyph, Icon, Mark},
    },
};

const STAYS: Duration = Duration::from_secs(6);
const MOST: usize = 4;

/// One message.
#[derive(Clone)]
struct Toast {
    id: u32,
    glyph: Glyph,
    title: String,
    hint: String,
    undo: Option<Callback<()>>,
}

/// The messages of this page. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Toasts {
    list: RwSignal<Vec<Toast>>,
    last: StoredValue<u32>,
}

impl Toasts {
    /// Provides them to everything below.
    pub fn provide() -> Self {
        let toasts = Self { list: RwSignal::default(), last: StoredValue::new(0) };
        provide_context(toasts);
        toasts
    }

    /// The messages of this page.
    pub fn here() -> Self {
        use_context().expect("App provides the toasts")
    }

    /// It worked.
    pub fn done(self, title: String) {
        self.show(Glyph::Ok, title, String::new(), None);
    }

    /// It worked, and can be taken back.
    pub fn done_with_undo(self, title: String, undo: Callback<()>) {
        self.show(Glyph::Ok, title, String::new(), Some(undo));
    }

    /// It did not work.
    pub fn failed(self, error: &ApiError) {
        let (title, hint) = explain(error);
        self.show(Glyph::Bad, title, hint, None);
    }

    /// It was done, and found what is wrong: `hint` says what.
    pub fn found(self, title: String, hint: String) {
        self.show(Glyph::Bad, title, hint, None);
    }

    fn show(self, glyph: Glyph, title: String, hint: String, undo: Option<Callback<()>>) {
        let id = self.last.get_value().wrapping_add(1);
        self.last.set_value(id);
        self.list.update(|list| {
            list.push(Toast { id, glyph, title, hint, undo });
            let surplus = list.len().saturating_sub(MOST);
            list.drain(..surplus);
        });
        if glyph == Glyph::Ok {
            set_timeout(move || self.close(id), STAYS);
        }
    }

    fn close(self, id: u32) {
        // The page may be gone when the time is over.
        let _ = self.list.try_update(|list| list.retain(|toast| toast.id != id));
    }
}

/// Where the messages appear.
#[component]
pub fn ToastHost() -> impl IntoView {
    let toasts = Toasts::here();
    let row = move |Toast { id, glyph, title, hint, undo }: Toast| {
        let role = if glyph == Glyph::Ok { "status" } else { "alert" };
        let undo = undo.map(|undo| {
            view! {
                <button type="button" class="btn btn-sm" on:click=move |_| { toasts.close(id); undo.run(()); }>{t!(form::undo)}</button>
            }
        });
        view! {
            <div class="toast" role=role>
                <Mark glyph/>
                <div class="min-w-0 flex-1">
                    <p class="font-medium">{title}</p>
                    {(!hint.is_empty()).then(|| view! { <p class="caption">{hint}</p> })}
                </div>
                {undo}
                <button type="button" class="copy" aria-label=t!(shell::close) on:click=move |_| toasts.close(id)><Icon name="x"/></button>
                {(glyph == Glyph::Ok).then(|| view! { <span class="toast-time" aria-hidden="true"></span> })}
            </div>
        }
    };
    view! { <Shortcuts/><div class="toasts" aria-live="polite"><For each=move || toasts.list.get() key=|toast| toast.id children=row/></div> }.into_any()
}
