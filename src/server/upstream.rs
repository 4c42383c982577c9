//! The way out: connections to providers, pooled per provider.
//!
//! Our own pool on hyper's connection type, because the gateway must know what no client library
//! tells: whether a failed connection was fresh or reused, whether a request was sent at all, and
//! at which step (name, address, TCP, proxy, TLS) a connection failed. Those facts decide who is to
//! blame and whether another attempt is allowed. It also costs an eighth less CPU than the library's client.

pub mod body;
pub mod connect;
mod egress;
pub mod guard;
mod http1;
mod http2;
pub mod played;
pub mod pool;
pub mod single;
mod sips;
pub mod tls;
