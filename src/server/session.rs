//! Who is at the door: cookie or access token to [`Principal`], sign-in, and the refusal of
//! mutations that another site started.
//!
//! The cookie is an opaque random ticket and the store knows only its hash: whoever reads the
//! database cannot sign in with what they find. A session ends twelve hours after its last use and
//! seven days after its start, and a new one is made at every sign-in.

mod cookie;
mod door;
mod flash;
mod origin;
mod returned;
mod throttle;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, header, request::Parts};
use uuid::Uuid;

pub use self::door::{create_administrator, login, logout, logout_everywhere, require, setup_state, signed_in, viewer};
pub use self::flash::{show_once, shown_once};
use self::{
    cookie::{Cookie, Ticket},
    throttle::Throttle,
};
pub use crate::server::admin::Principal;
use crate::{
    model::{
        error::{ApiError, ApiResult},
        id::SessionId,
        user::{LoginDraft, User, Viewer},
    },
    server::{
        admin::Admin,
        secret::token::{Kind, PlainKey},
        store::{NewSession, StoredSession},
    },
};

const HOUR_MS: i64 = 3_600_000;
/// A session nobody uses ends after this.
const IDLE_MS: i64 = 12 * HOUR_MS;
/// Every session ends after this.
const ABSOLUTE_MS: i64 = 7 * 24 * HOUR_MS;
/// A session's last use is written down at most this often.
const TOUCH_MS: i64 = 60_000;

/// Address of the client, put into a request's extensions by whoever accepted the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// How the site is reached: decides the cookie's name and which origin is our own.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Whether people reach it over https.
    pub https: bool,
    /// Its origin as a browser writes it, where that is known.
    pub origin: Option<String>,
}

/// Sessions of people at browsers.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

struct Inner {
    admin: Admin,
    site: Site,
    /// Held for a look at the map, never across an await.
    throttle: Mutex<Throttle>,
}

/// A sign-in that went well.
pub struct SignedIn {
    /// Who.
    pub viewer: Viewer,
    /// The `Set-Cookie` header of the answer.
    pub set_cookie: HeaderValue,
}

impl Sessions {
    /// Sessions of this site.
    pub fn new(admin: Admin, site: Site) -> Self {
        Self(Arc::new(Inner { admin, site, throttle: Mutex::default() }))
    }

    /// The person behind a request's cookie. Mutations must come from our own pages.
    pub async fn of_person(&self, parts: &Parts) -> ApiResult<Principal> {
        let (now, found) = (self.0.admin.now_ms(), self.find(parts).await?);
        if now - found.seen_at_ms > TOUCH_MS {
            self.0.admin.touch_session(found.id, now, now + IDLE_MS).await?;
        }
        Ok(Principal::person(shown(&found.user), found.id))
    }

    /// The same, and for how long the session lasts if nothing is done with it. Not a use by itself: what
    /// a page does without its person keeps nobody signed in.
    pub async fn lasting(&self, parts: &Parts) -> ApiResult<(Principal, Duration)> {
        let found = self.find(parts).await?;
        let left_ms = found.idle_expires_at_ms.min(found.expires_at_ms) - self.0.admin.now_ms();
        let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0));
        Ok((Principal::person(shown(&found.user), found.id), left))
    }

    async fn find(&self, parts: &Parts) -> ApiResult<StoredSession> {
        self.check_origin(parts)?;
        let ticket = Ticket::of_request(&parts.headers, self.cookie()).ok_or(ApiError::Unauthenticated)?;
        self.0.admin.session(ticket.hash()).await?.ok_or(ApiError::Unauthenticated)
    }

    /// The person behind a cookie, or the program behind an access token.
    pub async fn of_program_or_person(&self, parts: &Parts) -> ApiResult<Principal> {
        match bearer(&parts.headers) {
            None => self.of_person(parts).await,
            Some(text) => {
                let Ok((Kind::Admin, token)) = PlainKey::parse_any(text) else { return Err(ApiError::Unauthenticated) };
                let user = self.0.admin.tokens().owner(token.hash()).await?.ok_or(ApiError::Unauthenticated)?;
                Ok(Principal::program(shown(&user)))
            }
        }
    }

    /// Checks name and password and begins a session. A wrong name takes as long as a wrong password.
    pub async fn login(&self, draft: LoginDraft, parts: &Parts) -> ApiResult<SignedIn> {
        self.check_origin(parts)?;
        let (admin, address) = (&self.0.admin, address(parts));
        self.throttle(|throttle| throttle.begin(&draft.username, address, admin.now_ms()))
            .map_err(|retry_after_s| ApiError::TooManyTries { retry_after_s })?;
        let found = admin.user_by_name(&draft.username).await?;
        let hash = found.as_ref().map(|stored| stored.password_hash.clone());
        let right = admin.passwords().verify(draft.password, hash).await?;
        let found = found.filter(|stored| right && stored.user.enabled).ok_or(ApiError::BadCredentials)?;
        self.throttle(|throttle| throttle.succeeded(&draft.username, address));
        self.begin(&found.user, parts).await
    }

    /// Begins a session for somebody who has just proved who they are; the one they came with ends.
    pub async fn begin(&self, user: &User, parts: &Parts) -> ApiResult<SignedIn> {
        let (ticket, now) = (Ticket::generate(), self.0.admin.now_ms());
        let session = NewSession {
            id: SessionId(Uuid::now_v7()),
            token: ticket.hash(),
            user: user.id,
            address: address(parts).map(|ip| ip.to_string()).unwrap_or_default(),
            user_agent: user_agent(&parts.headers),
            created_at_ms: now,
            idle_expires_at_ms: now + IDLE_MS,
            expires_at_ms: now + ABSOLUTE_MS,
        };
        self.0.admin.open_session(&session, user).await?;
        self.end_presented(parts).await?;
        let set_cookie = self.cookie().set(&ticket, ABSOLUTE_MS / 1000);
        Ok(SignedIn { viewer: shown(user), set_cookie })
    }

    /// Ends the session a request came with, if any; the answer's `Set-Cookie` forgets the ticket.
    pub async fn logout(&self, parts: &Parts) -> ApiResult<HeaderValue> {
        self.check_origin(parts)?;
        self.end_presented(parts).await?;
        Ok(self.cookie().clear())
    }

    /// Ends every session of a person.
    pub async fn logout_everywhere(&self, who: &Principal) -> ApiResult<HeaderValue> {
        let viewer = who.viewer().ok_or(ApiError::Unauthenticated)?;
        self.0.admin.end_sessions(viewer.id).await?;
        Ok(self.cookie().clear())
    }

    /// Changes whenever sessions end on this node: time to look again whether one's own still lasts.
    pub fn ended(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.admin.sessions_ended()
    }

    /// Where clients reach us, as a browser writes an origin: `https://gate.example.com`.
    pub fn origin(&self, parts: &Parts) -> String {
        let host = || {
            let header = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
            header.or_else(|| parts.uri.authority().map(|authority| authority.as_str())).unwrap_or_default().to_owned()
        };
        let site = &self.0.site;
        site.origin.clone().unwrap_or_else(|| format!("{}://{}", if site.https { "https" } else { "http" }, host()))
    }

    /// Refuses a mutation that another site started.
    pub fn check_origin(&self, parts: &Parts) -> ApiResult<()> {
        origin::check(parts, self.0.site.origin.as_deref())
    }

    async fn end_presented(&self, parts: &Parts) -> ApiResult<()> {
        let Some(ticket) = Ticket::of_request(&parts.headers, self.cookie()) else { return Ok(()) };
        match self.0.admin.session(ticket.hash()).await? {
            Some(session) => self.0.admin.end_session(session.id).await,
            None => Ok(()),
        }
    }

    fn cookie(&self) -> Cookie {
        if self.0.site.https { Cookie::Secure } else { Cookie::Plain }
    }

    fn throttle<T>(&self, use_it: impl FnOnce(&mut Throttle) -> T) -> T {
        use_it(&mut self.0.throttle.lock().expect("no panic while it is held"))
    }
}

fn shown(user: &User) -> Viewer {
    Viewer { id: user.id, username: user.username.clone(), display_name: user.display_name.clone(), role: user.role }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().unwrap_or_default();
    Some(
        value
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map_or("", |(_, token)| token.trim()),
    )
}

fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ClientAddress>().map(|address| address.0)
}

fn user_agent(headers: &HeaderMap) -> String {
    let text = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.chars().take(200).collect()
}
