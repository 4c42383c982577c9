//! Server functions: signatures the browser shares, bodies that only the server runs.
#![expect(
    missing_docs,
    reason = "#[server] makes the arguments fields of a struct; they are told in the function's own text"
)]

pub mod alerts;
pub mod api_keys;
pub mod audit;
pub mod browser;
pub mod bulk;
pub mod groups;
pub mod health;
pub mod preferences;
pub mod prices;
pub mod providers;
pub mod requests;
pub mod search;
pub mod session;
pub mod settings;
pub mod setup;
pub mod stats;
pub mod users;
