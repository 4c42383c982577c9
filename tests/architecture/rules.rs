//! The dependency rule of docs/ARCHITECTURE.md, as data.
//!
//! A room is a top-level module, or a module directly under `server`. Everything a room does not
//! list it may not import; a crate in [`OWNED`] may only be named where the list says so.

/// What one room may import of the house, beside `model` where that is listed, and itself.
pub(crate) struct Room {
    /// `model`, or `server::store`.
    pub(crate) name: &'static str,
    /// Rooms it may import from.
    pub(crate) imports: &'static [&'static str],
}

const fn room(name: &'static str, imports: &'static [&'static str]) -> Room {
    Room { name, imports }
}

/// Who may import whom. `serve` wires everything; nothing imports `serve` but the program.
pub(crate) const ROOMS: &[Room] = &[
    room("model", &[]),
    room("server::config", &["model", "server::secret"]),
    room("server::secret", &["model"]),
    room("server::store", &["model", "server::secret"]),
    room("server::bus", &["model"]),
    room("server::upstream", &["model"]),
    room("server::balance", &["model"]),
    room("server::health", &["model", "server::balance", "server::upstream", "server::bus"]),
    room("server::limit", &["model"]),
    // The table holds live states and connections, so that a request follows references and looks nothing up.
    room(
        "server::routing",
        &[
            "model",
            "server::secret",
            "server::store",
            "server::bus",
            "server::balance",
            "server::health",
            "server::upstream",
        ],
    ),
    // Days of statistics are the days of caps.
    room("server::record", &["model", "server::store", "server::limit"]),
    // The data plane: never store, bus or admin, so that it cannot wait for them.
    room(
        "server::proxy",
        &[
            "model",
            "server::secret",
            "server::balance",
            "server::health",
            "server::limit",
            "server::routing",
            "server::record",
            "server::upstream",
        ],
    ),
    // Looks at everything, changes nothing but its own log; no request comes here.
    room(
        "server::alert",
        &[
            "model",
            "server::secret",
            "server::store",
            "server::health",
            "server::limit",
            "server::routing",
            "server::record",
            "server::upstream",
        ],
    ),
    room(
        "server::admin",
        &[
            "model",
            "server::alert",
            "server::secret",
            "server::store",
            "server::bus",
            "server::balance",
            "server::health",
            "server::routing",
            "server::record",
            "server::upstream",
            "server::proxy",
            "server::session",
        ],
    ),
    // `admin` takes the Principal that `session` proves; `session::require` hands out `Admin`.
    room("server::session", &["model", "server::store", "server::secret", "server::admin"]),
    room("server::rest", &["model", "server::admin", "server::session", "server::bus", "server::record"]),
    // Snapshots come from memory, not from the store: names from the table, health from the board.
    room("server::live", &["model", "server::session", "server::record", "server::routing", "server::health"]),
    // Read from memory, like the live snapshots.
    room("server::metrics", &["model", "server::session", "server::record", "server::routing", "server::health"]),
    // Told of requests that ended; nothing waits for it.
    room("otel", &["model", "server::config", "server::record", "server::upstream"]),
    room("api", &["model", "server::admin", "server::session"]),
    room("ui", &["model", "api"]),
    room("hydrate", &["ui"]),
    room("serve", &["*"]),
    room("main", &["serve"]),
];

/// Crates with an owner: naming one anywhere else is a wire laid around the house.
pub(crate) const OWNED: &[(&str, &[&str])] = &[
    ("sqlx", &["server::store"]),
    ("fred", &["server::bus", "server::limit"]),
    ("aes_gcm", &["server::secret"]),
    ("argon2", &["server::secret"]),
    ("hkdf", &["server::secret"]),
    ("hmac", &["server::alert"]),
    ("lettre", &["server::alert"]),
    ("arc_swap", &["server::routing"]),
    ("hyper_rustls", &["server::upstream"]),
    ("rustls", &["server::upstream", "serve"]),
    ("h2", &["server::upstream"]),
    ("hyper", &["server::upstream", "server::proxy", "serve"]),
    ("hyper_util", &["server::upstream", "server::proxy", "serve"]),
    ("axum", &["server::proxy", "server::rest", "server::live", "server::metrics", "server::session", "serve"]),
    ("leptos_axum", &["api", "server::session", "serve"]),
    // `model` names leptos once: the error of server functions crosses the wire.
    ("leptos", &["model", "api", "ui", "hydrate", "server::session", "serve"]),
    ("leptos_meta", &["ui", "serve"]),
    ("leptos_router", &["ui", "serve"]),
    ("web_sys", &["ui", "hydrate"]),
    ("js_sys", &["ui", "hydrate"]),
    ("wasm_bindgen", &["ui", "hydrate"]),
    ("clap", &["server::config", "serve", "main"]),
    ("toml", &["server::config"]),
    ("serde_saphyr", &["server::admin"]),
    ("rust_embed", &["serve"]),
    ("opentelemetry_proto", &["otel"]),
    ("prost", &["otel"]),
    ("tracing_subscriber", &["server::config", "serve"]),
];

/// Rooms and files that compute only: they take `now` and `rng`, and touch neither clock nor network.
pub(crate) const PURE: &[&str] = &[
    "src/server/balance",
    "src/server/health/breaker",
    "src/server/limit/gcra",
    "src/server/limit/calendar",
    "src/server/proxy/hold",
    "src/server/alert/rules",
    "src/server/alert/throttle",
    "src/server/alert/channel",
];

/// Words that break purity.
pub(crate) const IMPURE: &[&str] = &["Instant", "SystemTime", "tokio", "async_std", "reqwest"];

/// Where the process environment may be read: settings alone; the command hands `secret_env` on from there.
pub(crate) const ENVIRONMENT: &[&str] = &["server::config"];

/// Where a file says nothing about its content.
pub(crate) const NAMELESS: &[&str] = &["utils", "util", "types", "common", "helpers", "helper", "state", "misc", "mod"];

/// Words that tie a value to the thread that made it. The server drops a page's owner on whatever thread
/// ends the stream: such a value panics there and cuts the connection.
pub(crate) const LOCAL: &[&str] = &["new_local", "LocalStorage"];

/// Where that is safe, because it happens inside of an effect, which only the browser runs.
pub(crate) const LOCAL_IS_SAFE: &[&str] = &["src/ui/live.rs"];
