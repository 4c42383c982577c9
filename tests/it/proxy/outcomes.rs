//! The outcome table of the gateway, cell by cell, through real sockets: what the client saw, what
//! each provider got, and what health remembers.

use std::net::SocketAddr;

use rondo::model::health::{CredentialState, ProviderHealth};
use tokio::{io::AsyncWriteExt, net::TcpListener};

use crate::world::{
    Answer, World,
    provider::{Act, Provider, json, with_headers},
};

/// How a request is sent, and to which kind of group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Llm,
    GenericPost,
    GenericKeyed,
    GenericGet,
}

impl Ask {
    const ALL: [Self; 4] = [Self::Llm, Self::GenericPost, Self::GenericKeyed, Self::GenericGet];

    fn kind(self) -> &'static str {
        if self == Self::Llm { "llm" } else { "generic" }
    }

    async fn send(self, world: &World, slug: &str) -> Answer {
        let path = format!("/api/proxy/{slug}/v1/x");
        let body = r#"{"model":"m"}"#;
        match self {
            Self::GenericGet => world.get(&path).await,
            Self::GenericKeyed => {
                let key = &world.key;
                let length = body.len();
                world.raw(&format!("POST {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nidempotency-key: 1\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")).await
            }
            Self::Llm | Self::GenericPost => world.post(&path, body).await,
        }
    }

    /// Whether what may have been done may be done again.
    fn is_safe(self) -> bool {
        self != Self::GenericPost
    }
}

/// Who is asked after the faulty provider.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Another provider, always.
    Another,
    /// Another provider, where repeating is harmless.
    IfSafe,
    /// Nobody.
    Nobody,
}

/// Where the fault is.
enum At {
    /// A provider that does this with every request.
    Plain(Act),
    /// It is spoken to with TLS and answers in another tongue.
    NotTls,
    /// It accepts the connection and says nothing to a TLS greeting.
    Mute,
    /// Nobody listens there.
    Nowhere,
    /// An address that is never allowed.
    Metadata,
}

/// What the client sees when nobody else is asked.
enum Last {
    /// The provider's own answer.
    Passed(u16),
    /// An error of the gateway's.
    Own(u16, &'static str),
    /// An error of the gateway's, of another code where the request may have been done.
    Ambiguous(u16, &'static str),
    /// The provider's answer, cut.
    Cut,
}

/// A row of the table.
struct Row {
    name: &'static str,
    at: At,
    next: Next,
    /// Failures in a row, samples, successes.
    health: (u32, u32, u32),
    /// Seconds that the credential cools.
    cooling_s: Option<i64>,
    last: Last,
}

const GOOD: &str = r#"{"from":"good"}"#;
const OWN_WORDS: &str = r#"{"error":"of the provider"}"#;
const FAILED: (u32, u32, u32) = (1, 1, 0);
const FINE: (u32, u32, u32) = (0, 1, 1);
const UNTOUCHED: (u32, u32, u32) = (0, 0, 0);

fn row(
    name: &'static str,
    at: At,
    next: Next,
    health: (u32, u32, u32),
    cooling_s: impl Into<Option<i64>>,
    last: Last,
) -> Row {
    Row { name, at, next, health, cooling_s: cooling_s.into(), last }
}

fn table() -> Vec<Row> {
    use Last::{Ambiguous, Cut, Own, Passed};
    use Next::{Another, IfSafe, Nobody};
    let status = |status| At::Plain(json(status, OWN_WORDS));
    let wait =
        |status, seconds: &str| At::Plain(with_headers(status, &format!("retry-after: {seconds}\r\n"), OWN_WORDS));
    let quota = json(429, r#"{"error":{"code":"insufficient_quota","message":"of the provider"}}"#);
    let no_model =
        |status| At::Plain(json(status, r#"{"error":{"code":"model_not_found","message":"of the provider"}}"#));
    let short = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf of it".to_vec();
    let mut rows = vec![
        row("connection refused", At::Nowhere, Another, FAILED, None, Own(502, "upstream_connect")),
        row("address not allowed", At::Metadata, Another, FAILED, None, Own(502, "upstream_connect")),
        row("TLS error", At::NotTls, Another, FAILED, None, Own(502, "upstream_tls")),
        row("connect timeout", At::Mute, Another, FAILED, None, Own(504, "upstream_timeout")),
        row("closed before a byte", At::Plain(Act::Close), IfSafe, FAILED, None, Ambiguous(502, "upstream_reset")),
        row("reset before a byte", At::Plain(Act::Reset), IfSafe, FAILED, None, Ambiguous(502, "upstream_reset")),
        row("no first byte in time", At::Plain(Act::Hang), IfSafe, FAILED, None, Ambiguous(504, "upstream_timeout")),
        row(
            "not HTTP",
            At::Plain(Act::SendAndClose(b"SSH-2.0-x\r\n".to_vec())),
            IfSafe,
            FAILED,
            None,
            Own(502, "upstream_invalid_response"),
        ),
        row("429", status(429), Another, UNTOUCHED, 60, Passed(429)),
        row("429 with a wait", wait(429, "7"), Another, UNTOUCHED, 7, Passed(429)),
        row("429 with a wait beyond a day", wait(429, "999999"), Another, UNTOUCHED, 86_400, Passed(429)),
        row("402", status(402), Another, UNTOUCHED, 600, Own(429, "upstream_quota_exhausted")),
        row("402 with a wait", wait(402, "7"), Another, UNTOUCHED, 600, Own(429, "upstream_quota_exhausted")),
        row("insufficient quota", At::Plain(quota), Another, UNTOUCHED, 600, Own(429, "upstream_quota_exhausted")),
        row("401", status(401), Another, UNTOUCHED, None, Own(502, "upstream_credentials_exhausted")),
        row("403", status(403), Another, UNTOUCHED, None, Passed(403)),
        row("503", status(503), Another, FAILED, 5, Passed(503)),
        row("529 with a wait", wait(529, "9"), Another, FAILED, 9, Passed(529)),
        row("404, model not found", no_model(404), Another, UNTOUCHED, None, Passed(404)),
        row("400, model not found", no_model(400), Another, UNTOUCHED, None, Passed(400)),
        row("200", status(200), Nobody, FINE, None, Passed(200)),
        row("302", status(302), Nobody, FINE, None, Passed(302)),
        row("body broken after content", At::Plain(Act::SendAndClose(short)), Nobody, FAILED, None, Cut),
    ];
    let failed = [500, 502, 504, 520, 521, 522, 523, 524, 525, 526, 408, 425].map(|code| (code, "server error"));
    rows.extend(failed.map(|(code, name)| row(name, status(code), IfSafe, FAILED, None, Passed(code))));
    let refused = [400, 404, 405, 409, 413, 422, 451].map(|code| (code, "other 4xx"));
    rows.extend(refused.map(|(code, name)| row(name, status(code), Nobody, FINE, None, Passed(code))));
    rows
}

/// Where the requests of a row go; the cells are told apart by their base paths.
struct Stage {
    base: String,
    bad: Option<Provider>,
}

impl Stage {
    async fn set(at: &At) -> Self {
        let (base, bad) = match at {
            At::Plain(act) => {
                let bad = Provider::start(act.clone()).await;
                (format!("http://{}", bad.address), Some(bad))
            }
            At::Mute => {
                let bad = Provider::start(Act::Hang).await;
                (format!("https://{}", bad.address), Some(bad))
            }
            At::NotTls => (format!("https://{}", babbler().await), None),
            // Nobody listens on the first port.
            At::Nowhere => ("http://127.0.0.1:1".to_owned(), None),
            At::Metadata => ("http://169.254.169.254".to_owned(), None),
        };
        Self { base, bad }
    }
}

/// One cell: a row, a way of asking, and whether somebody else could be asked.
struct Cell {
    row: usize,
    ask: Ask,
    alone: bool,
    slug: String,
}

impl Cell {
    fn new(row: usize, ask: Ask, alone: bool) -> Self {
        let place = if alone { "alone" } else { "two" };
        Self { row, ask, alone, slug: format!("{row}-{ask:?}-{place}").to_lowercase() }
    }

    /// Requests of this cell that came to a provider.
    fn count(&self, provider: &Provider) -> usize {
        let path = format!(" /{}/v1/x ", self.slug);
        provider.seen().iter().filter(|request| request.contains(&path)).count()
    }

    fn providers(&self, stage: &Stage, good: &Provider) -> String {
        let one = |name: &str, base: &str| {
            let slug = &self.slug;
            format!(
                "  - name: {name}-{slug}\n    base_url: {base}/{slug}\n    credentials: [{{ label: main, secret: sk-secret-secret }}]\n    timeouts: {{ connect_ms: 300, first_byte_ms: 300, idle_ms: 300 }}\n"
            )
        };
        one("bad", &stage.base) + &one("good", &format!("http://{}", good.address))
    }

    fn group(&self) -> String {
        let (slug, kind) = (&self.slug, self.ask.kind());
        let good = if self.alone { String::new() } else { format!(", {{ provider: good-{slug}, priority: 1 }}") };
        format!(
            "  - name: {slug}\n    slug: {slug}\n    kind: {kind}\n    path_policy: everything\n    strategy: priority\n    providers: [{{ provider: bad-{slug}, priority: 900 }}{good}]\n"
        )
    }

    /// Everything about this cell that is not as the table has it.
    fn faults(
        &self,
        row: &Row,
        (bad, good): (Option<&Provider>, &Provider),
        answer: &Answer,
        health: &ProviderHealth,
    ) -> Vec<String> {
        let saved = match row.next {
            Next::Another => !self.alone,
            Next::IfSafe => !self.alone && self.ask.is_safe(),
            Next::Nobody => false,
        };
        let mut faults = Vec::new();
        let mut expect = |what: &str, seen: String, wanted: String| {
            if seen != wanted {
                faults.push(format!("{} ({}): {what} is {seen}, not {wanted}", row.name, self.slug));
            }
        };
        let reached = matches!(row.at, At::Plain(_));
        let bad = bad.map_or(0, |bad| self.count(bad));
        expect("requests to the faulty one", bad.to_string(), usize::from(reached).to_string());
        expect("requests to the good one", self.count(good).to_string(), usize::from(saved).to_string());
        let (status, code) = match (&row.last, saved) {
            (_, true) | (Last::Cut, _) => (200, ""),
            (Last::Passed(status), _) => (*status, ""),
            (Last::Own(status, code), _) => (*status, *code),
            (Last::Ambiguous(status, _), _) if !self.ask.is_safe() => (*status, "upstream_ambiguous"),
            (Last::Ambiguous(status, code), _) => (*status, *code),
        };
        expect("the status", answer.status.to_string(), status.to_string());
        if !code.is_empty() {
            expect("the code", answer.code(), code.to_owned());
            let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            expect("error.attempts", json["error"]["attempts"].to_string(), "1".to_owned());
        } else {
            let attempts = if saved { "2" } else { "1" };
            expect(
                "x-proxy-attempts",
                answer.header("x-proxy-attempts").unwrap_or("-").to_owned(),
                attempts.to_owned(),
            );
        }
        match (&row.last, saved) {
            (_, true) => expect("the body", answer.text(), GOOD.to_owned()),
            (Last::Passed(_), _) => {
                expect("the body", answer.text().contains("of the provider").to_string(), "true".into())
            }
            (Last::Cut, _) => expect("the end", answer.complete.to_string(), "false".into()),
            _ => {}
        }
        if let (Some(seconds), false) = (row.cooling_s, saved) {
            let told = answer.header("retry-after").and_then(|wait| wait.parse::<i64>().ok());
            expect("retry-after", format!("{told:?}"), format!("{:?}", Some(seconds)));
        }
        let seen = (health.consecutive_failures, health.samples, health.successes);
        expect("health", format!("{seen:?}"), format!("{:?}", row.health));
        let cooling = health.credentials.iter().find_map(|credential| match credential.state {
            CredentialState::Cooling { until_ms } => Some(until_ms - now_ms()),
            _ => None,
        });
        let cools = match (cooling, row.cooling_s) {
            (Some(left_ms), Some(seconds)) => (seconds * 1_000 - 5_000..=seconds * 1_000).contains(&left_ms),
            (left, wanted) => left.is_none() && wanted.is_none(),
        };
        expect("cooling as told", format!("{cools} ({cooling:?})"), format!("true ({cooling:?})"));
        faults
    }
}

/// A listener that greets everybody with what is neither TLS nor HTTP.
async fn babbler() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"220 good day\r\n").await;
        }
    });
    address
}

fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("before the year 292 million")
}

#[tokio::test]
async fn every_cell_of_the_outcome_table_is_as_it_says() {
    let rows = table();
    let good = Provider::start(json(200, GOOD)).await;
    let (mut stages, mut cells) = (Vec::new(), Vec::new());
    let (mut providers, mut groups) = (String::new(), String::new());
    for (number, row) in rows.iter().enumerate() {
        let stage = Stage::set(&row.at).await;
        for ask in Ask::ALL {
            for alone in [false, true] {
                let cell = Cell::new(number, ask, alone);
                providers.push_str(&cell.providers(&stage, &good));
                groups.push_str(&cell.group());
                cells.push(cell);
            }
        }
        stages.push(stage);
    }
    let world = World::start(&format!("providers:\n{providers}groups:\n{groups}")).await;
    let ids = world.provider_ids().await;
    let mut faults = Vec::new();
    for of_row in cells.chunk_by(|left, right| left.row == right.row) {
        let asked = of_row.iter().map(|cell| cell.ask.send(&world, &cell.slug));
        let answers = futures_util::future::join_all(asked).await;
        let health = world.health().await;
        for (cell, answer) in of_row.iter().zip(&answers) {
            let name = format!("bad-{}", cell.slug);
            let health = health.iter().find(|health| health.provider == ids[&name]).expect("its health");
            let asked = (stages[cell.row].bad.as_ref(), &good);
            faults.extend(cell.faults(&rows[cell.row], asked, answer, health));
        }
    }
    assert!(faults.is_empty(), "{} of {} cells differ:\n{}", faults.len(), cells.len(), faults.join("\n"));
}
