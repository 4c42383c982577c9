//! Builds, wires, listens, drains.

mod answer;
pub mod chaos;
pub mod command;
pub mod demo;
pub mod foundation;
pub mod listen;
pub mod run;
pub mod site;
mod tasks;
pub mod upkeep;
