//! The server from start to stop: opens everything, wires it, listens, drains.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use leptos::prelude::provide_context;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use super::{
    caps,
    foundation::{Foundation, StartError},
    listen::{self, Services},
    site, statistics,
    tasks::Tasks,
};
use crate::otel;
use crate::server::{
    admin::{Admin, Live},
    alert::{Desk, Messenger, Views},
    config::{Log, Settings},
    health::{board::Board, clock::Clock},
    limit::{calendar::Calendar, caps::Caps, local::Limiter},
    live, metrics,
    proxy::{Proxy, ProxySettings},
    record::{
        QUEUE, Recorder,
        bodies::BodyWriter,
        keep::Keeper,
        writer::{Unkept, Writer},
    },
    rest,
    routing::{Routing, compile::Compiler, watch::Watch},
    session::{Sessions, Site},
    store::Store,
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
        let plane = DataPlane::wire(settings, &foundation, address, &abort).await?;
        let office = BackOffice::wire(settings, &foundation, &plane, &drain);
        let setup_token = office.admin.setup().open().await.unwrap_or_default();
        let (ready, readiness) = watch::channel(true);
        let admin = office.admin.clone();
        let services = Arc::new(Services {
            proxy: plane.proxy.clone(),
            site: office.routes().merge(more(office.sessions.clone())).merge(site::probes(readiness)),
            trusted: settings.web.trusted_proxies.clone(),
            patience: settings.web.patience,
        });
        let tasks = start_tasks(settings, foundation, plane, office.hub);
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

/// What answers requests, and what is known of them.
struct DataPlane {
    proxy: Proxy,
    routing: Routing,
    watch: Watch,
    board: Board,
    limiter: Limiter,
    recorder: Recorder,
    writer: Writer,
    keeper: Keeper,
    clock: Clock,
    /// Where messages of alerts may go: where requests may.
    addresses: Arc<AddressPolicy>,
}

impl DataPlane {
    async fn wire(
        settings: &Settings,
        foundation: &Foundation,
        address: SocketAddr,
        abort: &CancellationToken,
    ) -> Result<Self, StartError> {
        let clock = Clock::start();
        let board = Board::new(clock.epoch_unix_ms());
        let calendar = Calendar::new(settings.gateway.time_zone.clone());
        let limiter = Limiter::counting(Caps::new(calendar.clone(), clock.epoch_unix_ms()));
        if let Err(error) = caps::restore(&foundation.store, limiter.caps(), clock).await {
            tracing::warn!(%error, "what was used of daily and monthly caps is not known yet");
        }
        let (recorder, writer) = Recorder::counting(QUEUE, calendar);
        let keeper = recorder.keeper(foundation.store.clone(), clock.epoch_unix_ms()).on(host_name());
        statistics::restore(keeper.clone(), clock).await;
        let policy = AddressPolicy { own_listeners: vec![address], ..(*foundation.addresses).clone() };
        let addresses = Arc::new(policy.clone());
        let compiler = Compiler::new(foundation.master.clone(), board.clone(), policy);
        let (watch, routing) = Watch::start(foundation.store.clone(), foundation.bus.clone(), compiler, clock).await?;
        let (table, limits, records) = (routing.clone(), limiter.clone(), recorder.clone());
        let proxy = Proxy::new(table, limits, records, clock, proxy_settings(settings), abort.clone());
        Ok(Self { proxy, routing, watch, board, limiter, recorder, writer, keeper, clock, addresses })
    }
}

/// The name of this machine, where the system tells one: by it others know which node is lost.
fn host_name() -> String {
    let told =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    told.map(|name| name.trim().chars().take(100).collect()).unwrap_or_default()
}

/// What people and machines administer with.
struct BackOffice {
    admin: Admin,
    sessions: Sessions,
    hub: live::Hub,
    metrics: metrics::Sources,
}

impl BackOffice {
    fn wire(settings: &Settings, foundation: &Foundation, plane: &DataPlane, drain: &CancellationToken) -> Self {
        let (board, recorder, clock) = (plane.board.clone(), plane.recorder.clone(), plane.clock);
        let sources =
            live::Sources { routing: plane.routing.clone(), board: board.clone(), recorder: recorder.clone(), clock };
        let hub = live::Hub::new(sources, drain.clone());
        let (routing, numbers) = (plane.routing.clone(), recorder.clone());
        let metrics = metrics::Sources { routing, board: board.clone(), recorder: numbers, clock };
        let admin = foundation.admin_with(Some(Live { board, recorder, clock, proxy: plane.proxy.clone() }));
        let origin = settings.web.public_url.as_ref().map(|_| settings.web.site());
        let sessions = Sessions::new(admin.clone(), Site { https: settings.web.is_https(), origin });
        Self { admin, sessions, hub, metrics }
    }

    /// Screens, REST and live events.
    fn routes(&self) -> Router {
        let (admin, sessions) = (self.admin.clone(), self.sessions.clone());
        let context = move || {
            provide_context(admin.clone());
            provide_context(sessions.clone());
        };
        site::around(site::pages(&site::leptos_options(), context), &self.sessions)
            .merge(rest::router(self.admin.clone(), self.sessions.clone()))
            .merge(live::router(self.hub.clone(), self.sessions.clone()))
            .merge(metrics::router(self.metrics.clone(), self.sessions.clone()))
    }
}

/// Everything that runs beside requests.
fn start_tasks(settings: &Settings, foundation: Foundation, plane: DataPlane, hub: live::Hub) -> Tasks {
    let mut tasks = Tasks::new();
    let (stop, bodies) = (tasks.stop(), plane.recorder.body_writer());
    tasks.spawn(desk(&foundation, &plane, hub.clone()).run(stop.clone()));
    tasks.spawn(hub.run(plane.watch.revision(), stop.clone()));
    tasks.spawn(plane.watch.run(stop.clone()));
    tasks.spawn({
        let bus = foundation.bus.clone();
        async move {
            tokio::select! { () = stop.cancelled() => {}, () = bus.run() => {} }
        }
    });
    tasks.keep_house(&foundation.store, &plane.recorder, &settings.log);
    tasks.keep_caps(foundation.store.clone(), plane.limiter.caps().clone(), plane.clock);
    tasks.keep_statistics(
        plane.keeper,
        plane.recorder.clone(),
        plane.board.clone(),
        plane.routing.clone(),
        plane.clock,
    );
    let telling = settings.telemetry.as_ref();
    if let Some(exporter) = telling.and_then(|settings| otel::exporter(settings, &plane.recorder)) {
        let stop = tasks.stop();
        tasks.spawn(exporter.run(stop));
    }
    let drills = tasks.note_drills(foundation.store.clone(), plane.recorder.clone(), plane.routing.clone());
    tasks.watch_health(plane.board, plane.routing, plane.recorder, plane.limiter, plane.clock, drills);
    write_down(&mut tasks, plane.writer, bodies, foundation.store, &settings.log);
    tasks
}

/// Rows of the log and bodies, to the store or, where no log is kept, nowhere.
fn write_down(tasks: &mut Tasks, rows: Writer, bodies: Option<BodyWriter>, store: Store, log: &Log) {
    match (bodies, log.request_days) {
        (Some(bodies), 0) => tasks.write_bodies(bodies, Unkept),
        (Some(bodies), _) => tasks.write_bodies(bodies, store.clone()),
        (None, _) => {}
    }
    match log.request_days {
        0 => tasks.write_log(rows, Unkept),
        _ => tasks.write_log(rows, store),
    }
}

/// What alerts.
fn desk(foundation: &Foundation, plane: &DataPlane, hub: live::Hub) -> Desk {
    let views = Views {
        routing: plane.routing.clone(),
        board: plane.board.clone(),
        recorder: plane.recorder.clone(),
        caps: plane.limiter.caps().clone(),
        clock: plane.clock,
    };
    Desk {
        store: foundation.store.clone(),
        master: foundation.master.clone(),
        views,
        messenger: Messenger::new(Arc::clone(&plane.addresses), foundation.postmark.clone()),
        revision: plane.watch.revision(),
        announce: Box::new(move || hub.alerted()),
    }
}

fn proxy_settings(settings: &Settings) -> ProxySettings {
    ProxySettings {
        default_rpm: settings.gateway.default_rpm,
        body_limit: settings.gateway.body_limit,
        replay_limit: settings.gateway.replay_limit,
        replay_budget: settings.gateway.replay_budget,
        max_in_flight: settings.gateway.max_in_flight,
        log_body_limit: settings.log.body_limit,
        trusted_proxies: settings.web.trusted_proxies.clone(),
        body_patience: settings.web.patience.body,
        sampler: settings.telemetry.as_ref().filter(|_| otel::BUILT).map(|telemetry| telemetry.sampler),
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
