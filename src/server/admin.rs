//! The control plane: everything a person or a program may do to the configuration.
//!
//! Screens, REST and the command line call the same services. Each takes the [`Principal`] and asks
//! it for the permission itself, validates with the model's own checks, seals secrets, makes ONE
//! change of the store (rows, audit row, revision) and then tells the bus. Nothing here is on the
//! way of a proxied request.

mod alerts;
mod api_keys;
mod bulk;
mod connection;
mod drills;
mod groups;
mod insight;
mod layout;
mod paging;
mod passwords;
mod plain;
mod prices;
mod principal;
mod providers;
mod refusal;
mod replays;
mod requests;
mod sessions;
mod setup;
mod tokens;
pub mod transfer;
mod users;

use std::{sync::Arc, time::SystemTime};

pub use self::{
    alerts::Alerts,
    api_keys::ApiKeys,
    bulk::Bulk,
    drills::DrillBook,
    groups::Groups,
    insight::{Audit, Health, Stats},
    passwords::Passwords,
    prices::Prices,
    principal::Principal,
    providers::Providers,
    requests::{Export, ExportBroken, Requests},
    setup::Setup,
    tokens::{AccessToken, Tokens},
    transfer::{ApplyOptions, Transfer},
    users::Users,
};
use crate::{
    model::error::ApiResult,
    server::{
        alert::Messenger,
        bus::{self, Bus},
        health::{board::Board, clock::Clock},
        proxy::Proxy,
        record::Recorder,
        secret::seal::MasterKey,
        store::{Change, Snapshot, Store},
        upstream::guard::AddressPolicy,
    },
};

/// The services. Cheap to clone.
#[derive(Clone)]
pub struct Admin(Arc<Inner>);

/// What the services work with.
pub struct Tools {
    /// Where everything is kept.
    pub store: Store,
    /// Where changes are told.
    pub bus: Bus,
    /// What seals secrets.
    pub master: MasterKey,
    /// Which addresses a connection test may reach.
    pub addresses: Arc<AddressPolicy>,
    /// What carries the test of a channel.
    pub messenger: Messenger,
    /// What a running gateway knows beside the store; a command has none.
    pub live: Option<Live>,
}

/// What a running gateway sees of its own traffic.
#[derive(Clone)]
pub struct Live {
    /// Health of providers.
    pub board: Board,
    /// Statistics.
    pub recorder: Recorder,
    /// The clock the board is read with.
    pub clock: Clock,
    /// The data plane, to ask what it would do.
    pub proxy: Proxy,
}

struct Inner {
    tools: Tools,
    passwords: Passwords,
    setup_token: setup::Token,
    exports: requests::Exports,
    /// Grows whenever sessions end here, so that what they opened can end too.
    sessions_ended: tokio::sync::watch::Sender<u64>,
}

impl Admin {
    /// The services.
    pub fn new(tools: Tools) -> Self {
        let (passwords, setup_token) = (Passwords::default(), setup::Token::default());
        let (exports, sessions_ended) = (requests::Exports::default(), tokio::sync::watch::Sender::default());
        Self(Arc::new(Inner { tools, passwords, setup_token, exports, sessions_ended }))
    }

    /// Exports of the log under way.
    fn exports(&self) -> &requests::Exports {
        &self.0.exports
    }

    /// Providers and their credentials.
    pub fn providers(&self) -> Providers<'_> {
        Providers(self)
    }

    /// Groups and their members.
    pub fn groups(&self) -> Groups<'_> {
        Groups(self)
    }

    /// API keys of clients.
    pub fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys(self)
    }

    /// Several providers, groups or API keys at once.
    pub fn bulk(&self) -> Bulk<'_> {
        Bulk(self)
    }

    /// People who may sign in.
    pub fn users(&self) -> Users<'_> {
        Users(self)
    }

    /// Access tokens of programs.
    pub fn tokens(&self) -> Tokens<'_> {
        Tokens(self)
    }

    /// The request log.
    pub fn requests(&self) -> Requests<'_> {
        Requests(self)
    }

    /// Rules, channels and what was alerted.
    pub fn alerts(&self) -> Alerts<'_> {
        Alerts(self)
    }

    /// Statistics.
    pub fn stats(&self) -> Stats<'_> {
        Stats(self)
    }

    /// Health of providers.
    pub fn health(&self) -> Health<'_> {
        Health(self)
    }

    /// Failover drills.
    pub fn drills(&self) -> DrillBook<'_> {
        DrillBook(self)
    }

    /// What tokens cost.
    pub fn prices(&self) -> Prices<'_> {
        Prices(self)
    }

    /// The audit trail.
    pub fn audit(&self) -> Audit<'_> {
        Audit(self)
    }

    /// The first run.
    pub fn setup(&self) -> Setup<'_> {
        Setup(self)
    }

    /// The configuration as a file.
    pub fn transfer(&self) -> Transfer<'_> {
        Transfer(self)
    }

    /// Passwords, hashed and checked off the async threads.
    pub fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// Now, unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn store(&self) -> &Store {
        &self.0.tools.store
    }

    fn master(&self) -> &MasterKey {
        &self.0.tools.master
    }

    fn addresses(&self) -> &Arc<AddressPolicy> {
        &self.0.tools.addresses
    }

    fn messenger(&self) -> &Messenger {
        &self.0.tools.messenger
    }

    fn live(&self) -> Option<&Live> {
        self.0.tools.live.as_ref()
    }

    fn setup_token(&self) -> &setup::Token {
        &self.0.setup_token
    }

    async fn snapshot(&self) -> ApiResult<Snapshot> {
        self.store().snapshot().await.map_err(refusal::of_store)
    }

    /// One transaction, then the news of it. Other instances also poll, so a lost message costs a second.
    async fn change(&self, who: &Principal, changes: Vec<Change>) -> ApiResult<i64> {
        let revision = self.store().change(who.name(), self.now_ms(), changes).await.map_err(refusal::of_store)?;
        self.0.tools.bus.publish(bus::Change { revision });
        Ok(revision)
    }
}
