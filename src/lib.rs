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

#[cfg(feature = "hydrate")]
pub mod hydrate;
