//! Builds, wires, listens, drains.

mod answer;
mod caps;
pub mod chaos;
pub mod command;
pub mod demo;
mod edge;
pub mod foundation;
mod link;
pub mod listen;
mod plain;
mod refusal;
pub mod run;
pub mod seed;
pub mod site;
mod stall;
mod statistics;
mod tasks;
pub mod upkeep;
