//! Builds, wires, listens, drains.

pub mod site;
