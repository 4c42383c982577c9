//! Builds, wires, listens, drains.

pub mod demo;
pub mod site;
