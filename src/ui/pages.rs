//! Pages: one per address.

pub mod alerts;
pub mod api_keys;
pub mod audit;
pub mod dashboard;
#[cfg(debug_assertions)]
pub mod gallery;
pub mod groups;
pub mod health;
pub mod login;
pub mod not_found;
pub mod providers;
pub mod requests;
pub mod settings;
pub mod setup;
pub mod users;

use leptos::prelude::*;
use serde::Serialize;
use serde_json::Value;

use super::components::form::Editor;
use crate::model::problem::Validate;

/// The top-level fields of a draft that differ from what is stored, as the file names them.
fn changed<T>(editor: Editor<T>) -> Vec<String>
where
    T: Validate + Clone + PartialEq + Serialize + Send + Sync + 'static,
{
    let json = |draft: &T| serde_json::to_value(draft).unwrap_or_default();
    let (Value::Object(draft), Value::Object(stored)) = (editor.draft.with(json), editor.stored.with(json)) else {
        return Vec::new();
    };
    draft.into_iter().filter(|(name, value)| stored.get(name) != Some(value)).map(|(name, _)| name).collect()
}
