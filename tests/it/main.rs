//! One integration binary: real listeners on port 0, real stores, upstreams in this process.

mod bus;
mod documents;
mod proxy;
mod store;
mod world;
