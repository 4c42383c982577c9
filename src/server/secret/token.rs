//! Keys for clients: made once, shown once, kept only as a hash.
//!
//! A key is `rd_`, 43 random characters of base 62 (256 bits) and six of a CRC-32. The checksum lets a typing
//! error, and a scanner of leaked secrets, be told apart from a key without asking anybody. 256 random bits
//! need no slow hash and no salt: SHA-256 of the text is stored and found by a map lookup.

use std::fmt;

use rand::RngExt;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::model::provider::hint;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_CHARS: usize = 43;
const CHECK_CHARS: usize = 6;

/// What a key is for; told by its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `rd_`: a client of the proxy. Never opens an administrative endpoint.
    Client,
    /// `rdadm_`: a person's access token for the admin API. Never opens the proxy.
    Admin,
}

impl Kind {
    /// The prefix that tells the kind.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Client => "rd_",
            Self::Admin => "rdadm_",
        }
    }
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not our prefix, length or alphabet.
    #[error("is not a key of this gateway")]
    Shape,
    /// The checksum is wrong: a typing or copying error.
    #[error("is a mistyped key: its checksum does not match")]
    Checksum,
}

/// A key in the clear. Wiped from memory when dropped; its `Debug` says only its name.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct PlainKey(String);

impl PlainKey {
    /// Makes a client's key.
    pub fn generate(rng: &mut impl rand::CryptoRng) -> Self {
        Self::generate_kind(Kind::Client, rng)
    }

    /// Makes a key of any kind.
    pub fn generate_kind(kind: Kind, rng: &mut impl rand::CryptoRng) -> Self {
        let prefix = kind.prefix();
        let mut text = String::with_capacity(prefix.len() + RANDOM_CHARS + CHECK_CHARS);
        text.push_str(prefix);
        for _ in 0..RANDOM_CHARS {
            text.push(char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]));
        }
        let check = checksum(&text);
        text.push_str(&check);
        Self(text)
    }

    /// Reads a client's key and checks its checksum.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        match Self::parse_any(text)? {
            (Kind::Client, key) => Ok(key),
            (Kind::Admin, _) => Err(TokenError::Shape),
        }
    }

    /// Reads a key of any kind and checks its checksum.
    pub fn parse_any(text: &str) -> Result<(Kind, Self), TokenError> {
        let kind = [Kind::Client, Kind::Admin].into_iter().find(|kind| text.starts_with(kind.prefix()));
        let kind = kind.ok_or(TokenError::Shape)?;
        let random = &text[kind.prefix().len()..];
        if random.len() != RANDOM_CHARS + CHECK_CHARS || !random.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(TokenError::Shape);
        }
        let (body, check) = text.split_at(text.len() - CHECK_CHARS);
        if checksum(body) == check { Ok((kind, Self(text.to_owned()))) } else { Err(TokenError::Checksum) }
    }

    /// The key itself, to be shown once.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Prefix and last four characters: what lists show.
    pub fn hint(&self) -> String {
        hint(&self.0)
    }

    /// What is stored of it.
    pub fn hash(&self) -> HashedKey {
        HashedKey::of(&self.0)
    }
}

impl fmt::Debug for PlainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainKey")
    }
}

fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = [0_u8; CHECK_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

/// SHA-256 of a key or of a session token: what the store and the routing table hold.
///
/// `Eq` is plain: whoever can choose the text cannot choose its hash, so a comparison of hashes that stops at
/// the first difference tells nothing about a key. [`matches`](Self::matches) compares in constant time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HashedKey(pub [u8; 32]);

impl HashedKey {
    /// Hashes the text of a key.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Whether this is the hash of `text`, in time that does not depend on where they differ.
    pub fn matches(&self, text: &str) -> bool {
        self.0.ct_eq(&Self::of(text).0).into()
    }

    /// 64 hex digits, as the store has it.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads 64 hex digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0_u8; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Debug for HashedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashedKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_no_two_are_alike() {
        let mut rng = rand::rng();
        let (one, two) = (PlainKey::generate(&mut rng), PlainKey::generate(&mut rng));
        assert_ne!(one, two);
        assert_eq!(one.expose().len(), 52);
        assert!(one.expose().starts_with("rd_"));
        assert_eq!(PlainKey::parse(one.expose()), Ok(one.clone()));
        assert!(one.hint().starts_with("rd_…") && one.expose().ends_with(&one.hint()["rd_…".len()..]));
    }

    #[test]
    fn a_mistyped_key_is_told_by_its_checksum() {
        let key = PlainKey::generate(&mut rand::rng());
        let (head, tail) = key.expose().split_at(10);
        let other = if tail.starts_with('x') { "y" } else { "x" };
        assert_eq!(PlainKey::parse(&format!("{head}{other}{}", &tail[1..])), Err(TokenError::Checksum));
        assert_eq!(PlainKey::parse("sk-something-else"), Err(TokenError::Shape));
        assert_eq!(PlainKey::parse("rd_é"), Err(TokenError::Shape));
        assert_eq!(PlainKey::parse(""), Err(TokenError::Shape));
    }

    #[test]
    fn an_admin_token_is_no_client_key() {
        let token = PlainKey::generate_kind(Kind::Admin, &mut rand::rng());
        assert!(token.expose().starts_with("rdadm_"));
        assert_eq!(PlainKey::parse(token.expose()), Err(TokenError::Shape));
        assert_eq!(PlainKey::parse_any(token.expose()).map(|(kind, _)| kind), Ok(Kind::Admin));
    }

    #[test]
    fn a_hash_survives_its_hex_form_and_hides_in_debug() {
        let hash = HashedKey::of("rd_x");
        assert_eq!(HashedKey::from_hex(&hash.to_hex()), Some(hash));
        assert!(hash.matches("rd_x") && !hash.matches("rd_y"));
        assert_eq!(HashedKey::from_hex("zz"), None);
        assert_eq!(format!("{hash:?} {:?}", PlainKey::generate(&mut rand::rng())), "HashedKey PlainKey");
    }
}
