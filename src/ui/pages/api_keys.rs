//! API keys: the list with its dialogs, and the one moment a secret is shown.

pub mod created;
pub mod form;
pub mod list;
pub mod snippets;

pub use list::KeyList;
