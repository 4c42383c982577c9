//! The server's rooms. `serve` wires them; none of them wires itself.

pub mod admin;
pub mod alert;
pub mod balance;
pub mod bus;
pub mod config;
pub mod health;
pub mod limit;
pub mod live;
pub mod metrics;
pub mod proxy;
pub mod record;
pub mod rest;
pub mod routing;
pub mod secret;
pub mod session;
pub mod store;
pub mod upstream;
