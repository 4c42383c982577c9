//! A page that does not exist says so by its status too.

use std::sync::Arc;

use leptos::prelude::use_context;

/// Makes the answer under way a 404. `serve` provides it before rendering; a browser has none.
#[derive(Clone)]
pub struct Lost(Arc<dyn Fn() + Send + Sync>);

impl Lost {
    /// What sets the status.
    pub fn new(tell: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }
}

/// Called by a page that finds nothing at its address. Pages are rendered whole before the head of
/// their answer goes out (`SsrMode::Async`), so this is never too late.
pub fn tell_lost() {
    if let Some(Lost(tell)) = use_context::<Lost>() {
        tell();
    }
}
