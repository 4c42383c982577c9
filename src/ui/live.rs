//! The live connection of a browser tab: one `EventSource`, turned into signals.
//!
//! It closes while the tab is hidden, opens again when it shows, and otherwise retries for ever
//! with growing pauses. What it last said stays on screen; [`Connection`] says whether it is still
//! true. Pages read [`Live`] from context and never open connections of their own.

use leptos::prelude::*;
use wasm_bindgen::{JsCast, closure::Closure};

use super::clock::Clock;
use crate::model::event::{LiveEvent, Snapshot};

/// Where the server sends [`LiveEvent`]s.
pub const LIVE_PATH: &str = "/admin/live";
const RETRY_FIRST_MS: i64 = 1_000;
const RETRY_LONGEST_MS: i64 = 15_000;
/// Names of the events; also the tags in their data.
const EVENTS: [&str; 6] = ["message", "snapshot", "changed", "alerted", "resync", "signed_out"];

/// Whether what is on screen is true now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Not open yet.
    Connecting,
    /// Messages come.
    Live,
    /// Lost: nothing since then, next try at then (unix milliseconds of the server's clock).
    Lost {
        /// Last message or loss.
        since_ms: i64,
        /// Next try.
        retry_ms: i64,
    },
}

/// What the live connection says; all signals, cheap to copy.
#[derive(Clone, Copy)]
pub struct Live {
    /// Whether it is open.
    pub connection: RwSignal<Connection>,
    /// The newest snapshot.
    pub snapshot: RwSignal<Option<Snapshot>>,
    /// Newest revision of the configuration, once known.
    pub revision: RwSignal<Option<i64>>,
    /// Grows when the configuration changed: lists refetch.
    pub configuration: RwSignal<u32>,
    /// Grows when an alert opened or ended: what shows alerts refetches.
    pub alerts: RwSignal<u32>,
    /// Grows when messages were lost: everything refetches.
    pub resync: RwSignal<u32>,
    /// Whether the server ended the session.
    pub signed_out: RwSignal<bool>,
}

/// The wire behind [`Live`]; exists in the browser only.
#[derive(Clone, Copy)]
struct Wire {
    live: Live,
    clock: Clock,
    /// Failed tries in a row.
    failures: StoredValue<u32>,
    source: StoredValue<Option<web_sys::EventSource>, LocalStorage>,
}

impl Live {
    /// Provides the signals to everything below and, in the browser, connects.
    pub fn provide() -> Self {
        let live = Self {
            connection: RwSignal::new(Connection::Connecting),
            snapshot: RwSignal::new(None),
            revision: RwSignal::new(None),
            configuration: RwSignal::new(0),
            alerts: RwSignal::new(0),
            resync: RwSignal::new(0),
            signed_out: RwSignal::new(false),
        };
        provide_context(live);
        let clock = Clock::here();
        Effect::new(move || {
            let wire = Wire { live, clock, failures: StoredValue::new(0), source: StoredValue::new_local(None) };
            wire.open();
            let showing = window_event_listener_untyped("visibilitychange", move |_| wire.follow_visibility());
            on_cleanup(move || {
                showing.remove();
                wire.close();
            });
        });
        live
    }

    /// A snapshot may have been made before a change that was told already.
    fn saw(self, revision: i64) {
        if self.revision.with_untracked(|newest| newest.is_none_or(|newest| newest < revision)) {
            self.revision.set(Some(revision));
        }
    }

    /// The live connection of this page.
    pub fn here() -> Self {
        use_context().expect("the frame provides the live connection")
    }
}

impl Wire {
    fn follow_visibility(self) {
        if document().hidden() {
            self.close();
        } else {
            self.failures.set_value(0);
            self.open();
        }
    }

    fn close(self) {
        self.source.try_update_value(|source| {
            if let Some(source) = source.take() {
                source.close();
            }
        });
    }

    fn open(self) {
        self.close();
        if self.live.signed_out.get_untracked() {
            return;
        }
        let Ok(source) = web_sys::EventSource::new(LIVE_PATH) else { return };
        let message = Closure::<dyn Fn(web_sys::MessageEvent)>::new(move |event: web_sys::MessageEvent| {
            if let Some(event) = event.data().as_string().and_then(|text| serde_json::from_str(&text).ok()) {
                self.take(event);
            }
        });
        for name in EVENTS {
            let _ = source.add_event_listener_with_callback(name, message.as_ref().unchecked_ref());
        }
        message.forget();
        let opened = Closure::<dyn Fn()>::new(move || {
            self.failures.set_value(0);
            self.live.connection.set(Connection::Live);
        });
        source.set_onopen(Some(opened.as_ref().unchecked_ref()));
        opened.forget();
        let failed = Closure::<dyn Fn()>::new(move || self.retry_later());
        source.set_onerror(Some(failed.as_ref().unchecked_ref()));
        failed.forget();
        self.source.set_value(Some(source));
    }

    fn take(self, event: LiveEvent) {
        let live = self.live;
        match event {
            LiveEvent::Snapshot(snapshot) => {
                self.clock.correct(snapshot.at_ms);
                live.connection.set(Connection::Live);
                live.saw(snapshot.revision);
                live.snapshot.set(Some(*snapshot));
            }
            LiveEvent::Changed { revision } => {
                live.saw(revision);
                live.configuration.update(|version| *version += 1);
            }
            LiveEvent::Alerted => live.alerts.update(|version| *version += 1),
            LiveEvent::Resync => {
                live.alerts.update(|version| *version += 1);
                live.resync.update(|version| *version += 1);
                live.configuration.update(|version| *version += 1);
            }
            LiveEvent::SignedOut => {
                self.close();
                live.signed_out.set(true);
            }
        }
    }

    fn retry_later(self) {
        self.close();
        let failures = self.failures.get_value();
        let pause_ms = (RETRY_FIRST_MS << failures.min(4)).min(RETRY_LONGEST_MS);
        self.failures.set_value(failures + 1);
        let now_ms = self.clock.now_untracked_ms();
        self.live.connection.update(|connection| {
            let since_ms = if let Connection::Lost { since_ms, .. } = connection { *since_ms } else { now_ms };
            *connection = Connection::Lost { since_ms, retry_ms: now_ms + pause_ms };
        });
        let again = move || {
            // The frame may be gone by now; then so is the place for the source.
            let waiting = self.source.try_with_value(Option::is_none).unwrap_or(false);
            if waiting && !document().hidden() {
                self.open();
            }
        };
        set_timeout(again, std::time::Duration::from_millis(pause_ms as u64));
    }
}
