//! The server's rooms. `serve` wires them; none of them wires itself.

pub mod config;
pub mod secret;
