//! The map of the crate, and its only feature gates.
//!
//! One package, two builds: `ssr` is the server binary, `hydrate` the WASM client of the back
//! office. The path of a file says on which side it lives: [`model`], [`api`] and [`ui`] are
//! compiled twice, everything else belongs to the server.

pub mod api;
pub mod model;
pub mod ui;

#[cfg(feature = "ssr")]
pub mod serve;
#[cfg(feature = "ssr")]
pub mod server;

// What the server needs of it is the same either way: without the feature, a stand-in says that it is missing.
#[cfg(feature = "ssr")]
#[cfg_attr(not(feature = "otel"), path = "otel/absent.rs")]
pub mod otel;

#[cfg(feature = "hydrate")]
pub mod hydrate;
