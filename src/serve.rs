//! Builds, wires, listens, drains.

mod answer;
pub mod command;
pub mod demo;
pub mod foundation;
pub mod listen;
mod plain;
mod refusal;
pub mod run;
pub mod site;
mod tasks;
pub mod upkeep;
