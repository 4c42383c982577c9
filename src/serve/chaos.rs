//! A provider that does what it is told, and above all what a provider must not do.
//!
//! Failover can only be trusted where it was seen to work, and real providers do not fail on request.
//! This one hangs, resets, stalls, lies about lengths and breaks streams, byte by byte, because it
//! speaks HTTP/1.1 by hand: no library stands between the script and the wire. The fault table of the
//! tests, the figures of `benches/`, `rondo demo` and `rondo chaos` all stand in front of it.
//!
//! What it does with a request is a [`Script`]: the one that the request carries in `x-chaos`, else the
//! one that was set for all (`PUT /_chaos`, or a list that is played round and round), else the answer
//! of the API that the path names. What came and what became of it stands at `GET /_chaos`.

mod api;
mod connection;
mod control;
mod door;
mod perform;
mod received;
mod script;

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::ServerConfig;
use serde::Serialize;
use tokio::{sync::watch, task::JoinHandle};

pub use self::{
    door::Door,
    received::{Received, Seen},
    script::{Content, Cut, CutBy, Events, Form, Framing, Script, Words},
};

/// Requests that are remembered with their heads; older ones are only counted.
const REMEMBERED: usize = 1_000;

/// Decides what to do with a request that brings no script of its own.
pub type Director = dyn Fn(&Received) -> Script + Send + Sync;

/// A scripted provider that listens until it is dropped; its connections end with it.
pub struct Chaos {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<io::Result<()>>,
}

/// What it is, beside its address.
#[derive(Clone, Default)]
pub struct Options {
    /// A name that scripts may ask for (`on`).
    pub name: String,
    /// Speaks TLS with this certificate.
    pub tls: Option<Arc<ServerConfig>>,
    /// Decides instead of the script for all; `PUT /_chaos` is then refused.
    pub director: Option<Arc<Director>>,
}

/// What came, and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Connections accepted.
    pub connections: u64,
    /// Connections open now.
    pub open: u64,
    /// TLS handshakes that failed.
    pub failed_handshakes: u64,
    /// Bytes received, after TLS.
    pub received_bytes: u64,
    /// Requests read whole.
    pub requests: u64,
    /// Answers given whole.
    pub answered: u64,
    /// Answers cut by their script.
    pub cut: u64,
    /// Answers that their client did not wait for.
    pub left: u64,
}

/// What connections share.
struct Shared {
    options: Options,
    /// Scripts for all, played round and round. Held to take the next one.
    score: Mutex<Score>,
    /// Held to add one request or to copy them.
    seen: Mutex<VecDeque<Seen>>,
    counters: watch::Sender<Counters>,
    /// The door as it was asked for, and as it is.
    door: (watch::Sender<Door>, watch::Sender<Door>),
}

#[derive(Default)]
struct Score {
    scripts: Vec<Script>,
    next: usize,
}

impl Chaos {
    /// Listens on `address`; port 0 takes a free one.
    pub async fn start(address: SocketAddr, options: Options) -> io::Result<Self> {
        let listener = door::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            options,
            score: Mutex::default(),
            seen: Mutex::default(),
            counters: watch::Sender::new(Counters::default()),
            door: (watch::Sender::new(Door::Open), watch::Sender::new(Door::Open)),
        });
        let accepting = tokio::spawn(door::keep(listener, address, shared.clone()));
        Ok(Self { address, shared, accepting })
    }

    /// Does this with every request from now on.
    pub fn play(&self, script: Script) {
        self.play_round(vec![script]);
    }

    /// Does one after another, from the first again after the last; none: back to answers.
    pub fn play_round(&self, scripts: Vec<Script>) {
        self.shared.play(scripts);
    }

    /// Opens, closes or blocks the way to it. Connections that are open stay.
    pub async fn set_door(&self, door: Door) {
        let (wanted, is) = &self.shared.door;
        wanted.send_replace(door);
        let mut settled = is.subscribe();
        let _it_ended_meanwhile = settled.wait_for(|is| *is == door).await.map(drop);
    }

    /// What came so far.
    pub fn counters(&self) -> Counters {
        *self.shared.counters.borrow()
    }

    /// Waits until the counters are so.
    pub async fn until(&self, so: impl FnMut(&Counters) -> bool) -> Counters {
        let mut counters = self.shared.counters.subscribe();
        let so = counters.wait_for(so).await.map(|counters| *counters);
        so.unwrap_or_else(|_| self.counters())
    }

    /// The last requests, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen().iter().cloned().collect()
    }

    /// Ends when it cannot listen any more: another program took its port while it refused connections.
    pub async fn ended(mut self) -> io::Result<()> {
        (&mut self.accepting).await.unwrap_or(Ok(()))
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn play(&self, scripts: Vec<Script>) {
        *self.score.lock().unwrap_or_else(PoisonError::into_inner) = Score { scripts, next: 0 };
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, VecDeque<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, change: impl FnOnce(&mut Counters)) {
        self.counters.send_modify(change);
    }

    /// Remembers a request, then counts it: whoever waits for the count finds the request.
    fn remember(&self, request: &Received) {
        {
            let mut seen = self.seen();
            if seen.len() == REMEMBERED {
                seen.pop_front();
            }
            seen.push_back(request.seen());
        }
        self.count(|counters| counters.requests += 1);
    }

    /// The script of this request; an error is told to whoever wrote `x-chaos`.
    fn script_for(&self, request: &Received) -> Result<Script, serde_json::Error> {
        if let Some(own) = request.header("x-chaos") {
            let own: Script = serde_json::from_str(own)?;
            if own.on.as_deref().is_none_or(|name| name == self.options.name) {
                return Ok(own);
            }
        }
        if let Some(director) = &self.options.director {
            return Ok(director(request));
        }
        let mut score = self.score.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(script) = score.scripts.get(score.next).cloned() else { return Ok(Script::default()) };
        score.next = (score.next + 1) % score.scripts.len();
        Ok(script)
    }
}
