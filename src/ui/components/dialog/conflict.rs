//! Somebody saved the same record meanwhile: nothing was overwritten, here is what differs.

use leptos::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    model::{error::ApiError, problem::Validate},
    ui::{
        components::form::{
            Editor,
            merge::{Clash, merge},
        },
        i18n::t,
        icon::{Glyph, Mark},
    },
};

/// A conflict and its merge. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Conflict {
    with: RwSignal<Option<(String, i64)>>,
    clashes: RwSignal<Vec<Clash>>,
}

impl Default for Conflict {
    fn default() -> Self {
        Self { with: RwSignal::new(None), clashes: RwSignal::default() }
    }
}

impl Conflict {
    /// Merges what is stored now into the draft, after a save was refused with `error`.
    pub fn merge<T>(self, editor: Editor<T>, stored_now: T, error: &ApiError)
    where
        T: Validate + Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let json = |draft: &T| serde_json::to_value(draft).unwrap_or_default();
        let before = editor.stored.with_untracked(json);
        let mine = editor.draft.with_untracked(json);
        let (merged, clashes) = merge(&before, &json(&stored_now), &mine);
        editor.stored.set(stored_now);
        if let Ok(merged) = serde_json::from_value(merged) {
            editor.draft.set(merged);
        }
        self.clashes.set(clashes);
        // Last, for the card says that everything is merged.
        if let ApiError::Conflict { revision, by, .. } = error {
            self.with.set(Some((by.clone(), *revision)));
        }
    }

    /// It is over.
    pub fn clear(self) {
        self.with.set(None);
        self.clashes.update(Vec::clear);
    }
}

/// The card with the choice per field that both changed.
#[component]
pub fn ConflictCard<T>(
    /// The conflict.
    conflict: Conflict,
    /// The draft it is about.
    editor: Editor<T>,
) -> impl IntoView
where
    T: Validate + Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let take = Callback::new(move |(pointer, value): (String, Value)| {
        let mut json = editor.draft.with_untracked(|draft| serde_json::to_value(draft).unwrap_or_default());
        if let Some(place) = json.pointer_mut(&pointer) {
            *place = value;
        }
        if let Ok(draft) = serde_json::from_value(json) {
            editor.draft.set(draft);
        }
    });
    view! { <Card conflict take/> }.into_any()
}

#[component]
fn Card(conflict: Conflict, take: Callback<(String, Value)>) -> impl IntoView {
    let head = move |by: &str, revision: i64| {
        let count = conflict.clashes.with(Vec::len);
        let rest = if count == 0 { t!(form::all_merged).to_owned() } else { t!(form::fields_differ, count) };
        view! { <p class="font-semibold">{t!(form::conflict, by, revision)}</p><p class="caption">{rest}</p> }
    };
    move || {
        conflict.with.get().map(|(by, revision)| {
            let column = by.clone();
            let table = move || conflict.clashes.with(|clashes| (!clashes.is_empty()).then(|| view! { <Clashes clashes=clashes.clone() by=column.clone() take/> }));
            view! {
                <section class="card" role="alert">
                    <div class="flex gap-2.5 p-4"><Mark glyph=Glyph::Warn/><div>{move || head(&by, revision)}</div></div>
                    {table}
                </section>
            }
        })
    }
}

#[component]
fn Clashes(clashes: Vec<Clash>, by: String, take: Callback<(String, Value)>) -> impl IntoView {
    // On a phone a row is a block, and each value says whose it is.
    let whose = |who: &str| view! { <span class="md:hidden caption mr-2">{who.to_owned()}</span> };
    let other = by.clone();
    let rows = clashes
        .into_iter()
        .map(move |Clash { path, pointer, before, theirs, mine }| {
            let (at_theirs, at_mine) = (pointer.clone(), pointer.clone());
            let (show_theirs, show_mine) = (plain(&theirs), plain(&mine));
            view! {
                <tr>
                    <td class="mono whole">{path}</td>
                    <td class="text-ink-3 whole">{whose(t!(form::before))}{plain(&before)}</td>
                    <td class="whole"><label class="check"><input type="radio" class="check-box" name=pointer.clone() on:change=move |_| take.run((at_theirs.clone(), theirs.clone()))/>{whose(&other)}<span class="wrap-anywhere">{show_theirs}</span></label></td>
                    <td class="whole"><label class="check"><input type="radio" class="check-box" name=pointer checked on:change=move |_| take.run((at_mine.clone(), mine.clone()))/>{whose(t!(form::you))}<span class="wrap-anywhere">{show_mine}</span></label></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="overflow-x-auto">
            <table class="table rows">
                <thead><tr><th>{t!(form::field)}</th><th>{t!(form::before)}</th><th>{by}</th><th>{t!(form::you)}</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// A value as a person reads it: text without quotes, a dash for none, a long one shortened.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::Null => "–".to_owned(),
        Value::String(text) if text.is_empty() => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() > 60 { text.chars().take(57).chain("…".chars()).collect() } else { text }
}
