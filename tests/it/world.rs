//! The test language: a whole Rondo on a free port, providers that do what a test scripts.

pub(crate) mod peer;
pub(crate) mod provider;

use std::{collections::BTreeMap, net::SocketAddr};

use rondo::{
    model::{
        api_key::{ApiKeyDraft, Scope},
        id::{GroupId, ProviderId},
        page::{ListQuery, PAGE_MAX},
        rate_limit::KeyLimits,
        request_log::{RequestDetail, RequestFilter},
    },
    serve::{foundation::Foundation, run::Running},
    server::{
        admin::{Admin, ApplyOptions, Principal},
        config::{Settings, Sources},
        store::Store,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A running Rondo on a data directory of its own.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) admin: Admin,
    pub(crate) who: Principal,
    /// An API key for every group.
    pub(crate) key: String,
    running: Running,
    settings: Settings,
    directory: tempfile::TempDir,
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as HTTP says it must.
    pub(crate) complete: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// `error.code` of an answer of the gateway itself.
    pub(crate) fn code(&self) -> String {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        json["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl World {
    /// Starts with this declarative file and one global key without limits.
    pub(crate) async fn start(file: &str) -> Self {
        Self::start_with(file, &[]).await
    }

    /// Starts with settings besides.
    pub(crate) async fn start_with(file: &str, settings: &[(&str, &str)]) -> Self {
        Self::start_changed(file, settings, |_| ()).await
    }

    /// The same, changed once more in a way that no variable offers.
    pub(crate) async fn start_changed(
        file: &str,
        settings: &[(&str, &str)],
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().to_path_buf();
        let mut environment: BTreeMap<String, String> = BTreeMap::from([
            ("RONDO_DATA_DIR".to_owned(), path.display().to_string()),
            ("RONDO_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
        ]);
        environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let sources = Sources { environment, flags: BTreeMap::new(), working_dir: path };
        let mut settings = Settings::load(&sources).expect("good settings");
        change(&mut settings);
        let admin = Foundation::open(&settings).await.expect("a foundation").admin();
        let who = Principal::system("test");
        let options = ApplyOptions::default();
        admin.transfer().apply(&who, file, options).await.expect("a good file");
        let limits = KeyLimits { rpm: Some(0), ..KeyLimits::default() };
        let draft = ApiKeyDraft { name: "test".into(), scope: Scope::Global, limits, ..ApiKeyDraft::default() };
        let key = admin.api_keys().create(&who, draft).await.expect("a key").secret;
        let running = Running::start(&settings).await.expect("a server");
        Self { address: running.address, admin, who, key, running, settings, directory }
    }

    /// Stops the server gracefully and starts it again on the same data, at another port.
    pub(crate) async fn restart(self) -> Self {
        let Self { admin, who, key, running, settings, directory, .. } = self;
        running.stop().await;
        let running = Running::start(&settings).await.expect("a server");
        Self { address: running.address, admin, who, key, running, settings, directory }
    }

    /// Another key.
    pub(crate) async fn new_key(&self, draft: ApiKeyDraft) -> String {
        let secret = self.admin.api_keys().create(&self.who, draft).await.expect("a key").secret;
        self.until_live(&secret).await;
        secret
    }

    /// Applies a declarative file; the running server has it within a second.
    pub(crate) async fn apply(&self, file: &str) {
        let applied = self.admin.transfer().apply(&self.who, file, ApplyOptions::default()).await;
        applied.expect("a good file");
    }

    /// Waits until the running server knows a key.
    async fn until_live(&self, key: &str) {
        for _ in 0..300 {
            let answer = self
                .raw(&format!(
                    "GET /api/proxy/none HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nconnection: close\r\n\r\n"
                ))
                .await;
            if answer.status != 401 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the key did not become live");
    }

    /// The group with this slug.
    pub(crate) async fn group(&self, slug: &str) -> GroupId {
        let groups = self.admin.groups().list(&self.who, Default::default()).await.expect("groups").rows;
        groups.into_iter().find(|group| group.slug.as_str() == slug).expect("the group").id
    }

    /// `POST` with the test's key.
    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        let key = &self.key;
        self.raw(&format!(
            "POST {path} HTTP/1.1\r\nhost: rondo\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ))
        .await
    }

    /// `GET` with the test's key.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let key = &self.key;
        self.raw(&format!(
            "GET {path} HTTP/1.1\r\nhost: rondo\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"
        ))
        .await
    }

    /// Sends these bytes on a connection of their own and reads to its end.
    pub(crate) async fn raw(&self, request: &str) -> Answer {
        self.raw_bytes(request.as_bytes()).await
    }

    /// The same for bytes that are no text.
    pub(crate) async fn raw_bytes(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        stream.write_all(request).await.expect("sent");
        read_answer(&mut stream).await
    }

    /// A connection to drive by hand.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// The newest `count` requests of the log, newest first, once they are all there. The server is asked: only the
    /// process that writes segments knows all of them.
    pub(crate) async fn log(&self, count: usize) -> Vec<RequestDetail> {
        for _ in 0..500 {
            let filter = RequestFilter { limit: 200, ..RequestFilter::default() };
            let rows = self.running.admin.requests().list(&self.who, filter).await.expect("the log").rows;
            if rows.len() >= count {
                let mut details = Vec::new();
                for row in rows.into_iter().take(count) {
                    details.push(self.running.admin.requests().get(&self.who, row.id).await.expect("a request"));
                }
                return details;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the log does not have {count} requests");
    }

    /// Outcomes of the log once this one is among them.
    pub(crate) async fn log_until(
        &self,
        wanted: rondo::model::request_log::Outcome,
    ) -> Vec<rondo::model::request_log::Outcome> {
        for _ in 0..500 {
            let filter = RequestFilter { limit: 200, ..RequestFilter::default() };
            let rows = self.running.admin.requests().list(&self.who, filter).await.expect("the log").rows;
            let outcomes: Vec<_> = rows.iter().map(|row| row.outcome).collect();
            if outcomes.contains(&wanted) {
                return outcomes;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the log has no request that was {wanted:?}");
    }

    /// The services of the running server, which also know what it sees.
    pub(crate) fn live(&self) -> &Admin {
        &self.running.admin
    }

    /// The store, opened once more.
    pub(crate) async fn store(&self) -> Store {
        Foundation::open_store(&self.settings).await.expect("the store")
    }

    /// Every provider's id by its name.
    pub(crate) async fn provider_ids(&self) -> BTreeMap<String, ProviderId> {
        let mut ids = BTreeMap::new();
        for page in 0.. {
            let query = ListQuery { page, per_page: PAGE_MAX, ..ListQuery::default() };
            let rows = self.admin.providers().list(&self.who, query).await.expect("providers").rows;
            if rows.is_empty() {
                break;
            }
            ids.extend(rows.into_iter().map(|row| (row.provider.name, row.provider.id)));
        }
        ids
    }

    /// Health of the provider with this name.
    pub(crate) async fn health_of(&self, name: &str) -> rondo::model::health::ProviderHealth {
        let id = self.provider_ids().await[name];
        let health = self.health().await;
        health.into_iter().find(|health| health.provider == id).expect("its health")
    }

    /// Health of every provider, as the running server sees it.
    pub(crate) async fn health(&self) -> Vec<rondo::model::health::ProviderHealth> {
        self.running.admin.health().all(&self.who).await.expect("health")
    }

    /// Where its files are.
    pub(crate) fn data_dir(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Changes of health so far, newest first.
    pub(crate) fn events(&self) -> Vec<rondo::model::health::HealthEvent> {
        self.running.admin.health().events(&self.who).expect("events")
    }

    /// Stops the server gracefully.
    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }
}

/// Reads one answer to its end; `complete` says whether the end was a clean one.
pub(crate) async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
    parse(&bytes)
}

/// An answer of these bytes.
pub(crate) fn parse(bytes: &[u8]) -> Answer {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Answer {
            status: 0,
            head: String::from_utf8_lossy(bytes).into_owned(),
            body: Vec::new(),
            complete: false,
        };
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let rest = &bytes[end + 4..];
    let lower = head.to_ascii_lowercase();
    let (body, complete) = if lower.contains("transfer-encoding: chunked") {
        dechunk(rest)
    } else {
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        (rest.to_vec(), length.is_none_or(|length| rest.len() == length))
    };
    Answer { status, head, body, complete }
}

fn dechunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(line) = rest.windows(2).position(|window| window == b"\r\n") else { return (body, false) };
        let size = std::str::from_utf8(&rest[..line]).ok().and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
        let Some(size) = size else { return (body, false) };
        rest = &rest[line + 2..];
        if size == 0 {
            return (body, true);
        }
        if rest.len() < size + 2 {
            body.extend_from_slice(&rest[..rest.len().min(size)]);
            return (body, false);
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}
