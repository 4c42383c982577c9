//! Builds, wires, listens, drains.

pub mod command;
pub mod demo;
pub mod foundation;
pub mod site;
