//! The back office, in Leptos: rendered by the server first, then hydrated.

pub mod app;
