//! The request log: one small row per request, its attempts, and why each candidate was chosen or skipped.

use serde::{Deserialize, Serialize};

use super::{
    body::BodyNote,
    id::{ApiKeyId, CredentialId, DrillId, GroupId, ProviderId, RequestId},
    usage::Usage,
};

/// How a request ended, from the client's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The first provider answered.
    Served,
    /// Another provider answered after one failed.
    Saved,
    /// The client saw an error of ours or of a provider.
    Failed,
    /// The answer broke after content had gone out.
    Interrupted,
    /// The client went away.
    ClientLeft,
    /// Refused by a limit of ours.
    RateLimited,
    /// The client's own mistake: refused by us or passed through as the provider's 4xx.
    ClientError,
}

impl Outcome {
    /// All outcomes, in the order of the filter.
    pub const ALL: [Self; 7] = [
        Self::Served,
        Self::Saved,
        Self::Failed,
        Self::Interrupted,
        Self::ClientLeft,
        Self::RateLimited,
        Self::ClientError,
    ];

    /// The word stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Saved => "saved",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::ClientLeft => "client_left",
            Self::RateLimited => "rate_limited",
            Self::ClientError => "client_error",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// An answer that counts as success.
    Answered,
    /// DNS found nothing.
    Dns,
    /// The address is not allowed.
    AddressRefused,
    /// TCP refused or unreachable.
    Connect,
    /// No connection in time.
    ConnectTimeout,
    /// TLS failed.
    Tls,
    /// Reset or end before a response byte.
    Reset,
    /// No response head in time.
    FirstByteTimeout,
    /// What came was not HTTP.
    InvalidResponse,
    /// 429.
    RateLimited,
    /// 402 or an exhausted quota.
    QuotaExhausted,
    /// 401 or 403 on our credential.
    CredentialRefused,
    /// 503 or 529.
    Overloaded,
    /// 500, 502, 504, 520–526, 408, 425.
    ServerError,
    /// This provider does not know the model.
    ModelNotFound,
    /// Any other 4xx: the client's.
    ClientError,
    /// An error event before any content.
    StreamError,
    /// A stream that ended without content.
    EmptyStream,
    /// The body broke after content.
    BodyBroken,
    /// No chunk in time.
    IdleTimeout,
    /// The whole exchange took too long.
    TotalTimeout,
    /// The client left meanwhile.
    ClientLeft,
}

impl AttemptOutcome {
    /// The word stored and sent (the serde name).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Dns => "dns",
            Self::AddressRefused => "address_refused",
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls => "tls",
            Self::Reset => "reset",
            Self::FirstByteTimeout => "first_byte_timeout",
            Self::InvalidResponse => "invalid_response",
            Self::RateLimited => "rate_limited",
            Self::QuotaExhausted => "quota_exhausted",
            Self::CredentialRefused => "credential_refused",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server_error",
            Self::ModelNotFound => "model_not_found",
            Self::ClientError => "client_error",
            Self::StreamError => "stream_error",
            Self::EmptyStream => "empty_stream",
            Self::BodyBroken => "body_broken",
            Self::IdleTimeout => "idle_timeout",
            Self::TotalTimeout => "total_timeout",
            Self::ClientLeft => "client_left",
        }
    }

    /// What it says about the provider: `Some(true)` is a success, `Some(false)` a failure, `None`
    /// nothing (a limit, a refused credential, an unknown model, a client that left).
    pub fn success(self) -> Option<bool> {
        match self {
            Self::Answered | Self::ClientError => Some(true),
            Self::RateLimited
            | Self::QuotaExhausted
            | Self::CredentialRefused
            | Self::ModelNotFound
            | Self::ClientLeft => None,
            Self::Dns
            | Self::AddressRefused
            | Self::Connect
            | Self::ConnectTimeout
            | Self::Tls
            | Self::Reset
            | Self::FirstByteTimeout
            | Self::InvalidResponse
            | Self::Overloaded
            | Self::ServerError
            | Self::StreamError
            | Self::EmptyStream
            | Self::BodyBroken
            | Self::IdleTimeout
            | Self::TotalTimeout => Some(false),
        }
    }
}

/// Why a candidate was not drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The provider is switched off.
    Disabled,
    /// Priority 0.
    Drained,
    /// The breaker is open.
    Unhealthy,
    /// A trial is already in flight.
    TrialInFlight,
    /// Its credentials wait.
    Cooling,
    /// Its credentials are refused or missing.
    NoCredential,
    /// Its own limit is reached.
    Full,
    /// It does not serve the model.
    Model,
    /// A lower tier was not needed.
    TierNotNeeded,
    /// Already tried in this request.
    Tried,
}

/// One candidate that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Which provider.
    pub provider: String,
    /// Why.
    pub reason: SkipReason,
    /// For how much longer from then on, milliseconds, where that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// Why a candidate was the one drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choice {
    /// Its tier.
    pub tier: u32,
    /// Its effective weight: priority × health.
    pub weight: u32,
    /// Health factor on its priority, percent.
    pub factor_percent: u8,
    /// What it was owed after the draw, where the strategy keeps credits.
    pub credit: Option<i32>,
    /// Requests in flight there before it.
    pub in_flight: u32,
    /// It was the trial of a provider that had been taken out.
    pub trial: bool,
    /// Members of its tier, where the tier is so large that only some were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_of: Option<u32>,
}

/// One attempt at one provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which provider.
    pub provider: ProviderId,
    /// Its name at the time.
    pub provider_name: String,
    /// Which credential, if one was needed.
    pub credential: Option<CredentialId>,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Status it answered, if it did.
    pub status: Option<u16>,
    /// Start after the request's own start, microseconds.
    pub started_us: u64,
    /// Response head after the attempt's start, microseconds.
    pub first_byte_us: Option<u64>,
    /// First output of its event stream after the attempt's start, microseconds.
    #[serde(default)]
    pub first_output_us: Option<u64>,
    /// Its end after its start, microseconds.
    pub ended_us: u64,
    /// Why it was the one drawn.
    #[serde(default)]
    pub choice: Option<Choice>,
    /// The same in words, where there is no draw to tell of; rows of older versions have only these.
    pub chosen: String,
    /// One line about a failure, without secrets.
    pub detail: String,
    /// The failover drill whose fault it met: then its failure was pretended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillId>,
    /// Candidates passed over before this attempt.
    pub skipped: Vec<Skipped>,
}

/// A row of the log as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRow {
    /// Which request; also `X-Request-Id`.
    pub id: RequestId,
    /// Start, unix milliseconds.
    pub at_ms: i64,
    /// Group, if known.
    pub group: Option<GroupId>,
    /// Its slug, or what the client wrote for one.
    pub group_slug: String,
    /// Key, if known.
    pub api_key: Option<ApiKeyId>,
    /// Its name at the time.
    pub api_key_name: String,
    /// Method.
    pub method: String,
    /// Path after the slug, without query.
    pub path: String,
    /// Model asked for, if the body named one.
    pub model: Option<String>,
    /// Status the client saw.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// Provider that answered last.
    pub provider: Option<ProviderId>,
    /// Its name at the time.
    pub provider_name: String,
    /// Attempts made.
    pub attempts: u32,
    /// Time to the upstream's response head, microseconds from the request's start.
    pub first_byte_us: Option<u64>,
    /// Time to the end, microseconds.
    pub total_us: u64,
    /// Request body bytes.
    pub request_bytes: u64,
    /// Response body bytes.
    pub response_bytes: u64,
    /// Stable code of our own error, if any.
    pub error_code: Option<String>,
    /// Client address.
    pub client_ip: String,
    /// Whether the answer was an event stream.
    pub streamed: bool,
    /// Tokens; `None` where nothing is known of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Estimate of what it cost, billionths of the price table's currency unit; `None` without a price or tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_nanos: Option<i64>,
}

/// A request in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestDetail {
    /// The row.
    pub row: RequestRow,
    /// `User-Agent`.
    pub user_agent: String,
    /// Every attempt, in order.
    pub attempts: Vec<Attempt>,
    /// What became of its bodies; `None` where nobody asked to keep them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bodies: Option<BodyNote>,
}

/// What to show of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestFilter {
    /// Not before, unix milliseconds.
    pub from_ms: Option<i64>,
    /// Before, unix milliseconds.
    pub to_ms: Option<i64>,
    /// Group.
    pub group: Option<GroupId>,
    /// Provider that answered.
    pub provider: Option<ProviderId>,
    /// Key.
    pub api_key: Option<ApiKeyId>,
    /// Outcome.
    pub outcome: Option<Outcome>,
    /// Status, exactly.
    pub status: Option<u16>,
    /// Model, exactly.
    pub model: Option<String>,
    /// This request alone.
    pub id: Option<RequestId>,
    /// Text that the path, the model, a name, the client or a line about a failure holds, whatever its letters'
    /// case. Nothing in it has a meaning of its own: `%` and `_` are what they look like.
    pub text: Option<String>,
    /// Rows older than this request id.
    pub before: Option<RequestId>,
    /// Rows at most, 1–200; 0 is 50.
    pub limit: u32,
}

/// The most rows a filter's count tells of.
pub const COUNT_MAX: u64 = 10_000;

/// How many rows a filter finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestCount {
    /// Rows counted.
    pub rows: u64,
    /// There are, or may be, more than were counted.
    pub more: bool,
}

/// A page of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage<T> {
    /// The rows, newest first.
    pub rows: Vec<T>,
    /// Pass it back as `before` for older rows; `None` at the end.
    pub older: Option<String>,
    /// Until when the log was read, unix milliseconds, where the search stopped before the page was full: a filter
    /// that finds little is asked again from `older`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached_ms: Option<i64>,
    /// Requests of this stretch whose rows were lost.
    #[serde(default)]
    pub lost: u64,
    /// Parts of the log that were damaged and set aside, by name.
    #[serde(default)]
    pub damaged: Vec<String>,
}

impl<T> LogPage<T> {
    /// The same page with other rows.
    pub fn map<U>(self, row: impl FnMut(T) -> U) -> LogPage<U> {
        let Self { rows, older, reached_ms, lost, damaged } = self;
        LogPage { rows: rows.into_iter().map(row).collect(), older, reached_ms, lost, damaged }
    }
}

/// How far an export is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportProgress {
    /// Rows sent so far.
    pub rows: u64,
    /// Whether it is over.
    pub ended: bool,
}

/// A row of the log with the way its request took, as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The row.
    pub row: RequestRow,
    /// Providers tried, in order; empty where the row's own provider is all there is to say.
    pub tried: Vec<Tried>,
}

/// A provider on the way of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Its name at the time.
    pub provider: String,
    /// How its attempt ended.
    pub outcome: AttemptOutcome,
    /// Status it answered, if it did.
    pub status: Option<u16>,
}

impl LogLine {
    /// Whether the row alone does not tell the way.
    pub fn needs_attempts(row: &RequestRow) -> bool {
        row.attempts > 1 || (row.attempts == 1 && matches!(row.outcome, Outcome::Failed | Outcome::Interrupted))
    }

    /// A row and its attempts.
    pub fn new(row: RequestRow, attempts: &[Attempt]) -> Self {
        let step =
            |one: &Attempt| Tried { provider: one.provider_name.clone(), outcome: one.outcome, status: one.status };
        Self { row, tried: attempts.iter().map(step).collect() }
    }
}
