//! The session cookie: an opaque 256-bit number, of which the store knows only the hash.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, header};
use rand::Rng;

use crate::server::secret::token::HashedKey;

/// A signed-in browser's ticket, before it is hashed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Ticket(String);

impl Ticket {
    /// A new random ticket.
    pub(super) fn generate() -> Self {
        let mut bytes = [0_u8; 32];
        rand::rng().fill_bytes(&mut bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The ticket of a request, if its form is right.
    pub(super) fn of_request(headers: &HeaderMap, cookie: Cookie) -> Option<Self> {
        let pairs = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'));
        let value = pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == cookie.name())?.1;
        let plausible =
            value.len() == 43 && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        plausible.then(|| Self(value.to_owned()))
    }

    /// What the store keeps.
    pub(super) fn hash(&self) -> HashedKey {
        HashedKey::of(&self.0)
    }
}

/// How the cookie is named and marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cookie {
    /// `__Host-`: https only, this host only, every path (RFC 6265bis §4.1.3.2).
    Secure,
    /// A plain name, for plain http in a local network.
    Plain,
}

impl Cookie {
    /// The cookie's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Secure => "__Host-rondo",
            Self::Plain => "rondo_session",
        }
    }

    /// `Set-Cookie` that hands out a ticket.
    pub(super) fn set(self, ticket: &Ticket, max_age_s: i64) -> HeaderValue {
        self.header(&ticket.0, max_age_s)
    }

    /// `Set-Cookie` that takes it back.
    pub(super) fn clear(self) -> HeaderValue {
        self.header("", 0)
    }

    fn header(self, value: &str, max_age_s: i64) -> HeaderValue {
        let secure = if self == Self::Secure { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}", self.name());
        HeaderValue::from_str(&text).expect("name, base64 and numbers are header characters")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_comes_back_as_it_went_out() {
        for cookie in [Cookie::Secure, Cookie::Plain] {
            let ticket = Ticket::generate();
            let set = cookie.set(&ticket, 60);
            let pair = set.to_str().expect("text").split(';').next().expect("a pair").to_owned();
            let mut headers = HeaderMap::new();
            headers.append(header::COOKIE, HeaderValue::from_static("theme=dark; other=1"));
            headers.append(header::COOKIE, pair.parse().expect("a header"));
            let back = Ticket::of_request(&headers, cookie).expect("found");
            assert!(back == ticket && back.hash() == ticket.hash());
            assert_eq!(set.to_str().expect("text").contains("Secure"), cookie == Cookie::Secure);
        }
    }

    #[test]
    fn a_cookie_of_another_form_is_no_ticket() {
        for value in
            ["rondo_session=", "rondo_session=short", "__Host-rondo=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
        {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(value));
            assert!(Ticket::of_request(&headers, Cookie::Plain).is_none(), "{value}");
        }
    }
}
