//! Path policies, compiled: which methods and paths of a provider a client key may reach.
//!
//! A raw tunnel exposes files, batches and account endpoints under the operator's credential, so
//! the default for language models lets only the known inference and model-list paths through.
//! Matching is on the raw path: an escaped spelling of an allowed path is simply not allowed.

use globset::{GlobBuilder, GlobMatcher};
use http::Method;

use crate::model::group::{PathPolicy, PathRule};

/// A compiled policy.
#[derive(Clone, Debug)]
pub enum PathMatcher {
    /// The known inference and model-list paths.
    Inference,
    /// GET and HEAD.
    ReadOnly,
    /// All.
    Everything,
    /// What is listed.
    Rules(Vec<(Option<Method>, GlobMatcher)>),
}

/// Paths of inference, each preceded by the root, a version, a known prefix or a deployment.
const POSTED: [&str; 26] = [
    "chat/completions",
    "completions",
    "responses",
    "embeddings",
    "messages",
    "messages/count_tokens",
    "complete",
    "rerank",
    "reranking",
    "moderations",
    "images/generations",
    "images/edits",
    "images/variations",
    "audio/transcriptions",
    "audio/translations",
    "audio/speech",
    "api/chat",
    "api/generate",
    "api/embed",
    "api/embeddings",
    "tokenize",
    "detokenize",
    "classify",
    "score",
    "pooling",
    "fim/completions",
];

/// Methods of Google's style, after the last colon of the last segment.
const GOOGLE: [&str; 8] = [
    "generateContent",
    "streamGenerateContent",
    "countTokens",
    "embedContent",
    "batchEmbedContents",
    "predict",
    "rawPredict",
    "streamRawPredict",
];

/// Segments that may stand before a known path, besides versions such as `v1` and `v1beta`.
const PREFIXES: [&str; 9] =
    ["api", "openai", "anthropic", "compatible-mode", "inference", "paas", "beta", "serverless", "compatibility"];

impl PathMatcher {
    /// Compiles a policy; a rule that is not a glob matches nothing (validation refuses it earlier).
    pub fn new(policy: &PathPolicy) -> Self {
        match policy {
            PathPolicy::Inference => Self::Inference,
            PathPolicy::ReadOnly => Self::ReadOnly,
            PathPolicy::Everything => Self::Everything,
            PathPolicy::Rules(rules) => Self::Rules(rules.iter().filter_map(compile_rule).collect()),
        }
    }

    /// Whether the method and path (after the slug, starting with `/`) are allowed.
    pub fn allows(&self, method: &Method, path: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::ReadOnly => is_read(method),
            Self::Inference => is_inference(method, path),
            Self::Rules(rules) => rules
                .iter()
                .any(|(wanted, glob)| wanted.as_ref().is_none_or(|wanted| wanted == method) && glob.is_match(path)),
        }
    }
}

fn compile_rule(rule: &PathRule) -> Option<(Option<Method>, GlobMatcher)> {
    let method = if rule.method == "*" { None } else { Some(rule.method.parse().ok()?) };
    let glob = GlobBuilder::new(&rule.path).literal_separator(true).backslash_escape(false).build().ok()?;
    Some((method, glob.compile_matcher()))
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn is_inference(method: &Method, path: &str) -> bool {
    let path = path.trim_start_matches('/');
    if is_read(method) {
        // OpenAI's realtime sessions begin as a GET that becomes a WebSocket.
        return is_model_list(path) || path.strip_suffix("realtime").is_some_and(is_prefix);
    }
    if *method != Method::POST {
        return false;
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    if last.rsplit_once(':').is_some_and(|(_, verb)| GOOGLE.contains(&verb)) {
        return true;
    }
    POSTED.iter().any(|known| path.strip_suffix(known).is_some_and(is_prefix))
}

/// `models`, `models/{id}` (ids may hold slashes: `models/meta/llama`), Ollama's `api/tags`.
fn is_model_list(path: &str) -> bool {
    let at_models = |at: usize| {
        let rest = &path[at + "models".len()..];
        (rest.is_empty() || rest.starts_with('/')) && is_prefix(&path[..at])
    };
    path == "api/tags" || path == "api/version" || path.match_indices("models").any(|(at, _)| at_models(at))
}

/// What may stand before a known path: nothing, versions, known words, `deployments/{name}`, `engines/{name}`.
fn is_prefix(prefix: &str) -> bool {
    let Some(prefix) = prefix.strip_suffix('/') else { return prefix.is_empty() };
    let mut segments = prefix.split('/');
    while let Some(segment) = segments.next() {
        let version = segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let named =
            matches!(segment, "deployments" | "engines") && segments.next().is_some_and(|name| !name.is_empty());
        if !version && !named && !PREFIXES.contains(&segment) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inference_reaches_models_and_nothing_of_the_account() {
        let policy = PathMatcher::Inference;
        for path in [
            "/v1/chat/completions",
            "/chat/completions",
            "/v1/messages",
            "/v1/messages/count_tokens",
            "/v1/embeddings",
            "/openai/deployments/gpt-4/chat/completions",
            "/compatible-mode/v1/chat/completions",
            "/v1/responses",
            "/v1beta/models/gemini-pro:generateContent",
            "/api/v1/chat/completions",
            "/api/paas/v4/chat/completions",
            "/v1/projects/p/locations/l/publishers/google/models/m:streamGenerateContent",
            "/api/chat",
        ] {
            assert!(policy.allows(&Method::POST, path), "{path}");
        }
        for path in
            ["/v1/models", "/models", "/v1/models/gpt-4", "/v1/models/meta/llama", "/v1beta/models", "/api/tags"]
        {
            assert!(policy.allows(&Method::GET, path), "{path}");
        }
        for path in [
            "/v1/files",
            "/v1/batches",
            "/v1/threads/t1/messages",
            "/v1/fine_tuning/jobs",
            "/v1/organization/users",
            "/v1/assistants",
            "/",
            "/v1/files/completions",
            "/v1//chat/completions",
            "/v1/%63hat/completions",
        ] {
            assert!(!policy.allows(&Method::POST, path), "{path}");
        }
        assert!(policy.allows(&Method::GET, "/v1/realtime"));
        assert!(!policy.allows(&Method::GET, "/v1/files"));
        assert!(!policy.allows(&Method::GET, "/v1/files/models"));
        assert!(!policy.allows(&Method::DELETE, "/v1/models/ft-1"));
    }

    #[test]
    fn a_list_of_rules_allows_what_it_names() {
        let rule = |method: &str, path: &str| PathRule { method: method.into(), path: path.into() };
        let policy = PathMatcher::new(&PathPolicy::Rules(vec![rule("POST", "/v1/**"), rule("*", "/status/*")]));
        assert!(policy.allows(&Method::POST, "/v1/a/b"));
        assert!(!policy.allows(&Method::GET, "/v1/a/b"));
        assert!(policy.allows(&Method::PUT, "/status/x"));
        assert!(!policy.allows(&Method::PUT, "/status/x/y"));
    }
}
