//! The back office, in Leptos: rendered by the server first, then hydrated.

pub mod app;
pub mod clock;
pub mod components;
pub mod format;
pub mod i18n;
pub mod icon;
pub mod live;
pub mod lost;
pub mod origin;
pub mod pages;
pub mod pieces;
pub mod preferences;
pub mod recent;
pub mod returned;
pub mod session;
pub mod suspended;
