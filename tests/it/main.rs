//! One integration binary: real listeners on port 0, real stores, upstreams in this process.

mod admin;
mod bus;
mod chaos;
mod cli;
mod documents;
mod proxy;
mod rest;
mod server_functions;
mod session;
mod stand;
mod store;
mod transfer;
mod upkeep;
mod world;
