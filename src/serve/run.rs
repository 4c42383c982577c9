//! The server from start to stop: opens everything, wires it, listens, drains.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use leptos::prelude::provide_context;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use super::{
    foundation::{Foundation, StartError},
    listen::{self, Services},
    site,
    tasks::Tasks,
};
use crate::server::{
    admin::{Admin, Live},
    config::Settings,
    health::{board::Board, clock::Clock},
    limit::local::Limiter,
    live,
    proxy::{Proxy, ProxySettings},
    record::{QUEUE, Recorder},
    rest,
    routing::{compile::Compiler, watch::Watch},
    session::{Sessions, Site},
    upstream::guard::AddressPolicy,
};

/// A server that listens.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// The one-time setup link's token, while nobody may sign in.
    pub setup_token: Option<String>,
    /// The services, as the screens use them.
    pub admin: Admin,
    drain: CancellationToken,
    abort: CancellationToken,
    ready: watch::Sender<bool>,
    accepting: tokio::task::JoinHandle<()>,
    tasks: Tasks,
    drain_time: Duration,
}

impl Running {
    /// Opens everything and listens.
    pub async fn start(settings: &Settings) -> Result<Self, StartError> {
        Self::start_with(settings, |_| Router::new()).await
    }

    /// The same with more routes.
    pub async fn start_with(settings: &Settings, more: impl FnOnce(Sessions) -> Router) -> Result<Self, StartError> {
        let wanted = settings.web.listen;
        let listener = listen::bind(wanted).map_err(|source| StartError::Listen { address: wanted, source })?;
        let address = listener.local_addr().map_err(|source| StartError::Listen { address: wanted, source })?;
        let foundation = Foundation::open(settings).await?;
        Self::wire(settings, foundation, listener, address, more).await
    }

    async fn wire(
        settings: &Settings,
        foundation: Foundation,
        listener: TcpListener,
        address: SocketAddr,
        more: impl FnOnce(Sessions) -> Router,
    ) -> Result<Self, StartError> {
        let (drain, abort) = (CancellationToken::new(), CancellationToken::new());
        let clock = Clock::start();
        let board = Board::new(clock.epoch_unix_ms());
        let limiter = Limiter::new();
        let (recorder, writer) = Recorder::new(QUEUE);
        let writer = writer.keeping(settings.storage.data_dir.join("statistics.json"));
        let policy = AddressPolicy { own_listeners: vec![address], ..(*foundation.addresses).clone() };
        let compiler = Compiler::new(foundation.master.clone(), board.clone(), policy);
        let (watch, routing) = Watch::start(foundation.store.clone(), foundation.bus.clone(), compiler, clock).await?;
        let proxy = Proxy::new(
            routing.clone(),
            limiter.clone(),
            recorder.clone(),
            clock,
            proxy_settings(settings),
            abort.clone(),
        );
        let sources = live::Sources { routing, board: board.clone(), recorder: recorder.clone(), clock };
        let hub = live::Hub::new(sources, drain.clone());
        let known = Live { board: board.clone(), recorder: recorder.clone(), clock, proxy: proxy.clone() };
        let admin = foundation.admin_with(Some(known));
        let sessions = Sessions::new(
            admin.clone(),
            Site {
                https: settings.web.is_https(),
                origin: settings.web.public_url.as_ref().map(|_| settings.web.site()),
            },
        );
        let setup_token = admin.setup().open().await.unwrap_or_default();
        let (ready, readiness) = watch::channel(true);
        let context = {
            let (admin, sessions) = (admin.clone(), sessions.clone());
            move || {
                provide_context(admin.clone());
                provide_context(sessions.clone());
            }
        };
        let know_viewer = axum::middleware::from_fn_with_state(sessions.clone(), site::know_viewer);
        let router = site::pages(&site::leptos_options(), context)
            .layer(know_viewer)
            .merge(rest::router(admin.clone(), sessions.clone()))
            .merge(live::router(hub.clone(), sessions.clone()))
            .merge(more(sessions))
            .merge(site::probes(readiness));
        let mut tasks = Tasks::new();
        tasks.spawn({
            let (hub, revision, stop) = (hub, watch.revision(), tasks.stop());
            hub.run(revision, stop)
        });
        tasks.spawn({
            let stop = tasks.stop();
            watch.run(stop)
        });
        tasks.spawn({
            let (bus, stop) = (foundation.bus.clone(), tasks.stop());
            async move {
                tokio::select! { () = stop.cancelled() => {}, () = bus.run() => {} }
            }
        });
        tasks.keep_house(&foundation.store, &recorder, &settings.log);
        tasks.watch_health(board, recorder, limiter, clock);
        tasks.write_log(writer, foundation.store);
        let services = Arc::new(Services { proxy, site: router, trusted: settings.web.trusted_proxies.clone() });
        let connections = usize::try_from(settings.gateway.max_in_flight).unwrap_or(usize::MAX).saturating_add(1024);
        let accepting = tokio::spawn(listen::accept(listener, services, connections, drain.clone(), abort.clone()));
        let drain_time = settings.web.drain;
        Ok(Self { address, setup_token, admin, drain, abort, ready, accepting, tasks, drain_time })
    }

    /// Stops gracefully: not ready, no new connections, open exchanges end, streams still open at the
    /// deadline get an error event, the log queue is written.
    pub async fn stop(mut self) {
        self.ready.send_replace(false);
        self.drain.cancel();
        if tokio::time::timeout(self.drain_time, &mut self.accepting).await.is_err() {
            tracing::warn!("exchanges still open after {} s are ended now", self.drain_time.as_secs());
            self.abort.cancel();
            let _ = tokio::time::timeout(Duration::from_secs(2), &mut self.accepting).await;
        }
        self.tasks.finish().await;
    }
}

fn proxy_settings(settings: &Settings) -> ProxySettings {
    ProxySettings {
        default_rpm: settings.gateway.default_rpm,
        body_limit: settings.gateway.body_limit,
        replay_limit: settings.gateway.replay_limit,
        replay_budget: settings.gateway.replay_budget,
        max_in_flight: settings.gateway.max_in_flight,
        trusted_proxies: settings.web.trusted_proxies.clone(),
    }
}

/// Serves until told to stop; the second signal exits at once.
pub async fn until_stopped(running: Running) -> Result<(), StartError> {
    wait_for_signal().await.map_err(|source| StartError::Io { what: "waiting for signals", source })?;
    tracing::info!("stopping: open exchanges may end; a second signal exits at once");
    tokio::select! {
        () = running.stop() => {}
        _ = wait_for_signal() => tracing::warn!("stopped at once"),
    }
    Ok(())
}

#[cfg(unix)]
async fn wait_for_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}

#[cfg(not(unix))]
async fn wait_for_signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
