//! One integration binary: real listeners on port 0, real stores, upstreams in this process.

mod admin;
mod alerts;
mod bus;
mod chaos;
mod cli;
mod documents;
mod faults;
mod insight;
mod live;
#[cfg(feature = "otel")]
mod otel;
mod pages;
#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets see it as a crate")]
mod properties;
mod proxy;
mod rest;
mod seeds;
mod server_functions;
mod session;
mod stand;
mod store;
mod transfer;
mod upkeep;
mod world;
