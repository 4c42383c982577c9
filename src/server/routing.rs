//! The routing table: everything a request needs, resolved before it comes.
//!
//! Rows of the store are compiled into one immutable [`table::Table`] behind an atomic pointer. A
//! request loads it once and finds keys, groups, providers, opened credentials, connection pools
//! and live states by following references: no query, no lock, no parsing on its way.

pub mod budget;
pub mod check;
pub mod compile;
pub mod policy;
pub mod prices;
pub mod table;
pub mod watch;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use table::Table;

/// The table in force. Cheap to clone; all clones see a swap at once.
#[derive(Clone)]
pub struct Routing {
    current: Arc<ArcSwap<Table>>,
}

impl Routing {
    /// Starts with this table.
    pub fn new(table: Table) -> Self {
        Self { current: Arc::new(ArcSwap::from_pointee(table)) }
    }

    /// The table for one whole request.
    pub fn load(&self) -> Arc<Table> {
        self.current.load_full()
    }

    /// Puts a newer table in force; requests under way keep the one they began with.
    pub fn swap(&self, table: Table) {
        self.current.store(Arc::new(table));
    }
}
