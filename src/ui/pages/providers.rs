//! Providers: the list, one of them, and its form.

pub mod connection;
pub mod credentials;
pub mod delete;
pub mod detail;
pub mod drill;
pub mod form;
pub mod list;
pub mod settings;
pub mod test_panel;
pub mod why;

pub use detail::ProviderDetail;
pub use form::{ProviderEdit, ProviderNew};
pub use list::ProviderList;
