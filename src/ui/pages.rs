//! Pages: one per address.

pub mod dashboard;
pub mod not_found;
