//! One call, read: parameters, body and revision, and the answer it gets.

use std::str::FromStr;

use axum::{
    body::Body,
    extract::RawPathParams,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    model::{
        error::{ApiError, ApiResult},
        problem::Issue,
    },
    server::{admin::Admin, session::Principal},
};

/// Largest body: a declarative file of some thousand providers, or a request of 4 MiB as a text in JSON.
const BODY_MAX: usize = 10 << 20;

/// Everything an endpoint may need.
pub(super) struct Call {
    pub(super) admin: Admin,
    pub(super) who: Principal,
    params: Vec<(String, String)>,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Call {
    /// Reads a request whose sender is known and allowed.
    pub(super) async fn read(
        admin: Admin,
        who: Principal,
        params: &RawPathParams,
        parts: &Parts,
        body: Body,
    ) -> ApiResult<Self> {
        let body = axum::body::to_bytes(body, BODY_MAX)
            .await
            .map_err(|_| unreadable("body", "it is larger than 10 MiB or broke off"))?;
        Ok(Self {
            admin,
            who,
            params: params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers.clone(),
            body,
        })
    }

    /// The `{id}` of the path; one that cannot be an id names nothing.
    pub(super) fn id<T: FromStr>(&self, what: &str) -> ApiResult<T> {
        let text = self.params.iter().find(|(name, _)| name == "id").map(|(_, value)| value.as_str());
        text.and_then(|text| text.parse().ok()).ok_or_else(|| ApiError::NotFound { what: what.to_owned() })
    }

    /// The query, by its field names.
    pub(super) fn query<T: DeserializeOwned>(&self) -> ApiResult<T> {
        let uri: http::Uri =
            format!("/?{}", self.query).parse().map_err(|_| unreadable("query", "it is not a query"))?;
        let parsed = axum::extract::Query::<T>::try_from_uri(&uri);
        parsed.map(|query| query.0).map_err(|error| unreadable("query", &error.body_text()))
    }

    /// The body as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> ApiResult<T> {
        let kind = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind.split(';').next().map(str::trim) != Some("application/json") {
            return Err(unreadable("Content-Type", "send application/json"));
        }
        serde_json::from_slice(&self.body).map_err(|error| unreadable("body", &error.to_string()))
    }

    /// The body as JSON; no body is the default.
    pub(super) fn json_or_default<T: DeserializeOwned + Default>(&self) -> ApiResult<T> {
        if self.body.is_empty() { Ok(T::default()) } else { self.json() }
    }

    /// The body as text.
    pub(super) fn text(&self) -> ApiResult<&str> {
        std::str::from_utf8(&self.body).map_err(|_| unreadable("body", "it is not UTF-8"))
    }

    /// The revision in `If-Match`, which every change of a record must carry.
    pub(super) fn revision(&self) -> ApiResult<i64> {
        let tag = self.headers.get(header::IF_MATCH).ok_or_else(|| ApiError::invalid("If-Match", Issue::Required))?;
        let text = tag.to_str().unwrap_or_default().trim().trim_start_matches("W/").trim_matches('"');
        text.parse()
            .map_err(|_| unreadable("If-Match", "send the ETag of the record as it was answered, such as \"12\""))
    }
}

fn unreadable(field: &str, message: &str) -> ApiError {
    ApiError::invalid(field, Issue::Unreadable { message: message.to_owned() })
}

/// An answer.
pub(super) struct Reply {
    status: StatusCode,
    kind: &'static str,
    body: Body,
    revision: Option<i64>,
    file: Option<&'static str>,
}

impl Reply {
    /// 200 with a value.
    pub(super) fn ok(value: &impl Serialize) -> Self {
        let body = serde_json::to_string(value).expect("model types are JSON");
        Self { status: StatusCode::OK, kind: "application/json", body: body.into(), revision: None, file: None }
    }

    /// 201 with the new value.
    pub(super) fn created(value: &impl Serialize) -> Self {
        Self { status: StatusCode::CREATED, ..Self::ok(value) }
    }

    /// 204.
    pub(super) fn done() -> Self {
        Self { status: StatusCode::NO_CONTENT, kind: "", body: Body::empty(), revision: None, file: None }
    }

    /// 200 with a declarative file.
    pub(super) fn yaml(text: String) -> Self {
        let kind = "application/yaml; charset=utf-8";
        Self { status: StatusCode::OK, kind, body: text.into(), revision: None, file: None }
    }

    /// 200 with a file to be saved, sent while it is made.
    pub(super) fn file(body: Body, kind: &'static str, name: &'static str) -> Self {
        Self { status: StatusCode::OK, kind, body, revision: None, file: Some(name) }
    }

    /// Adds the record's revision as `ETag`.
    pub(super) fn at(self, revision: i64) -> Self {
        Self { revision: Some(revision), ..self }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if !self.kind.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(name) = self.file {
            let told = format!("attachment; filename=\"{name}\"");
            let told = HeaderValue::from_str(&told).expect("names of files here are plain");
            headers.insert(header::CONTENT_DISPOSITION, told);
        }
        if let Some(revision) = self.revision {
            let tag = HeaderValue::from_str(&format!("\"{revision}\"")).expect("digits in quotes");
            headers.insert(header::ETAG, tag);
        }
        response
    }
}
