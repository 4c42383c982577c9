//! The last rows in memory, and the live tail of those to come.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::broadcast;

use crate::model::request_log::RequestDetail;

/// Rows kept.
pub const ROWS: usize = 500;
/// Rows a slow listener may lag behind.
const CHANNEL: usize = 512;

/// The end of the log. Fed by the writer's task, so that requests never wait for it.
#[derive(Debug)]
pub(super) struct Tail {
    sender: broadcast::Sender<Arc<RequestDetail>>,
    /// Written by one task, read by screens; never held across an await.
    kept: Mutex<VecDeque<Arc<RequestDetail>>>,
}

impl Default for Tail {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(CHANNEL), kept: Mutex::default() }
    }
}

impl Tail {
    pub(super) fn push(&self, row: Arc<RequestDetail>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == ROWS {
            kept.pop_front();
        }
        kept.push_back(Arc::clone(&row));
        drop(kept);
        // Nobody listening is the usual case.
        let _ = self.sender.send(row);
    }

    pub(super) fn recent(&self, most: usize) -> Vec<Arc<RequestDetail>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().take(most).cloned().collect()
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Arc<RequestDetail>> {
        self.sender.subscribe()
    }
}
