//! Sealing: AES-256-GCM envelopes for the secrets the gateway must be able to read again.
//!
//! An envelope is text, `v1.<key id>.<nonce>.<ciphertext>`, its parts in base64url. The key id names the
//! master key without revealing it, so a wrong key is recognised before anything is decrypted and a store
//! may hold envelopes of two keys while one replaces the other. What an envelope belongs to (table, row,
//! column, host of the provider) is authenticated with it: a row copied onto another provider, or a base
//! address changed behind our back, does not open, and so no key is ever sent to a foreign host.

use std::fmt;

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::model::id::{ChannelId, CredentialId};

/// Shortest passphrase that is stretched into a key, in characters.
pub const PASSPHRASE_MIN: usize = 32;

const NONCE_BYTES: usize = 12;
const CHECK_PLAIN: &str = "rondo";
const CHECK_AAD: &str = "settings,master_key_check,value";

/// Why a master key or an envelope could not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The text is neither 32 bytes nor a long passphrase.
    #[error(
        "the encryption key must be 32 bytes in base64 or hex, or a passphrase of at least {PASSPHRASE_MIN} characters; \
         make one with `openssl rand -base64 32`"
    )]
    UnusableKey,
    /// The envelope was sealed under another master key.
    #[error(
        "this encryption key ({given}) is not the one the stored credentials were sealed with ({expected}); \
         start with the key that was used before (ENCRYPTION_KEY, ENCRYPTION_KEY_FILE or the key file of the data directory)"
    )]
    WrongKey {
        /// Id of the key the envelope names.
        expected: String,
        /// Id of the key at hand.
        given: String,
    },
    /// The envelope was altered, or belongs to another row or host.
    #[error("a sealed value does not belong to this record or was altered; enter the secret again")]
    Foreign,
    /// The text is no envelope of a version known here.
    #[error("a sealed value cannot be read; it was written by a newer version or damaged")]
    Malformed,
}

/// The key that seals every other secret. Wiped from memory when dropped.
#[derive(Clone)]
pub struct MasterKey {
    cipher: Aes256Gcm,
    id: String,
}

impl MasterKey {
    /// Takes 32 raw bytes.
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        let mut id = [0_u8; 6];
        Hkdf::<Sha256>::new(None, &bytes).expand(b"rondo key id", &mut id).expect("6 bytes are within HKDF's reach");
        let cipher = Aes256Gcm::new(&bytes.into());
        bytes.zeroize();
        Self { cipher, id: URL_SAFE_NO_PAD.encode(id) }
    }

    /// Makes a new key.
    pub fn generate(rng: &mut impl rand::CryptoRng) -> Zeroizing<[u8; 32]> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        rng.fill_bytes(bytes.as_mut());
        bytes
    }

    /// Reads the text of a key: 32 bytes as hex or base64 (either alphabet), or a passphrase.
    ///
    /// A passphrase of at least [`PASSPHRASE_MIN`] characters is turned into a key with HKDF-SHA256. HKDF does
    /// not slow guessing down, therefore short passphrases are refused rather than stretched.
    pub fn from_text(text: &str) -> Result<Self, SealError> {
        let text = text.trim();
        if let Some(bytes) = decode_key(text) {
            return Ok(Self::from_bytes(bytes));
        }
        if text.chars().count() < PASSPHRASE_MIN {
            return Err(SealError::UnusableKey);
        }
        let mut bytes = [0_u8; 32];
        Hkdf::<Sha256>::new(Some(b"rondo master key"), text.as_bytes())
            .expand(b"passphrase", &mut bytes)
            .expect("32 bytes are within HKDF's reach");
        Ok(Self::from_bytes(bytes))
    }

    /// Names the key without revealing it: eight characters derived from it.
    pub fn key_id(&self) -> &str {
        &self.id
    }

    /// Seals `plain` for the place named by `aad`. Every call draws a fresh nonce.
    pub fn seal(&self, plain: &str, aad: &str) -> Sealed {
        let mut nonce = [0_u8; NONCE_BYTES];
        rand::Rng::fill_bytes(&mut rand::rng(), &mut nonce);
        let payload = Payload { msg: plain.as_bytes(), aad: aad.as_bytes() };
        let bytes = self.cipher.encrypt(&Nonce::from(nonce), payload).expect("a secret is far below AES-GCM's limit");
        Sealed(format!("v1.{}.{}.{}", self.id, URL_SAFE_NO_PAD.encode(nonce), URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Opens an envelope; `aad` must be what it was sealed with.
    pub fn open(&self, sealed: &Sealed, aad: &str) -> Result<Secret, SealError> {
        let (key_id, nonce, bytes) = sealed.parts().ok_or(SealError::Malformed)?;
        if key_id != self.id {
            return Err(SealError::WrongKey { expected: key_id.to_owned(), given: self.id.clone() });
        }
        let payload = Payload { msg: &bytes, aad: aad.as_bytes() };
        let plain = self.cipher.decrypt(&Nonce::from(nonce), payload).map_err(|_| SealError::Foreign)?;
        String::from_utf8(plain).map(Secret).map_err(|_| SealError::Malformed)
    }

    /// A value to keep in the store, by which a later start recognises this key.
    pub fn check_value(&self) -> Sealed {
        self.seal(CHECK_PLAIN, CHECK_AAD)
    }

    /// Whether this is the key that made `check`.
    pub fn verify(&self, check: &Sealed) -> Result<(), SealError> {
        self.open(check, CHECK_AAD).map(drop)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

fn decode_key(text: &str) -> Option<[u8; 32]> {
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        let mut bytes = [0_u8; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        return Some(bytes);
    }
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
        .iter()
        .filter_map(|engine| engine.decode(text).ok())
        .find_map(|bytes| Zeroizing::new(bytes).as_slice().try_into().ok())
}

/// A sealed secret, as the store keeps it. Harmless to whoever lacks the master key, still not printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sealed(pub String);

impl Sealed {
    /// Id of the master key this was sealed with, if it is an envelope at all.
    pub fn key_id(&self) -> Option<&str> {
        self.parts().map(|(key_id, _, _)| key_id)
    }

    fn parts(&self) -> Option<(&str, [u8; NONCE_BYTES], Vec<u8>)> {
        let mut parts = self.0.split('.');
        let (version, key_id, nonce, bytes) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if version != "v1" || parts.next().is_some() {
            return None;
        }
        let nonce = URL_SAFE_NO_PAD.decode(nonce).ok()?.try_into().ok()?;
        Some((key_id, nonce, URL_SAFE_NO_PAD.decode(bytes).ok()?))
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed")
    }
}

/// An opened secret. Wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret that came from outside: an environment variable, a form.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What a credential's envelope is bound to: table, row, column and the provider's host, without port, as
/// [`BaseUrl::host`](crate::model::name::BaseUrl::host) has it. When the host of a provider changes, its
/// credentials must be entered again.
pub fn credential_aad(id: CredentialId, host: &str) -> String {
    format!("credentials,{id},sealed,{host}")
}

/// What the address of a channel of alerts is bound to.
pub fn channel_url_aad(id: ChannelId) -> String {
    format!("alert_channels,{id},sealed_url")
}

/// What the secret of a channel of alerts is bound to: whoever points the channel at another host must know it.
pub fn channel_secret_aad(id: ChannelId, host: &str) -> String {
    format!("alert_channels,{id},sealed_secret,{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(fill: u8) -> MasterKey {
        MasterKey::from_bytes([fill; 32])
    }

    fn id() -> CredentialId {
        CredentialId(uuid::Uuid::from_u128(7))
    }

    #[test]
    fn what_was_sealed_opens_again_and_never_looks_the_same_twice() {
        let aad = credential_aad(id(), "api.example.com");
        let (one, two) = (key(1).seal("sk-secret", &aad), key(1).seal("sk-secret", &aad));
        assert_ne!(one, two);
        assert!(!one.0.contains("secret"));
        assert_eq!(key(1).open(&one, &aad).expect("own envelope").expose(), "sk-secret");
        assert_eq!(one.key_id(), Some(key(1).key_id()));
    }

    #[test]
    fn an_envelope_opens_only_for_its_own_row_and_host() {
        let sealed = key(1).seal("sk-secret", &credential_aad(id(), "api.example.com"));
        let elsewhere = credential_aad(id(), "evil.example.com");
        assert_eq!(key(1).open(&sealed, &elsewhere), Err(SealError::Foreign));
        let other_row = credential_aad(CredentialId(uuid::Uuid::from_u128(8)), "api.example.com");
        assert_eq!(key(1).open(&sealed, &other_row), Err(SealError::Foreign));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let sealed = key(1).seal("sk-secret", "a");
        for at in 0..sealed.0.len() {
            let mut bytes = sealed.0.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let altered = Sealed(String::from_utf8(bytes).expect("ascii"));
            assert!(key(1).open(&altered, "a").is_err(), "position {at}");
        }
    }

    #[test]
    fn a_wrong_key_is_named_before_anything_is_decrypted() {
        let check = key(1).check_value();
        assert_eq!(key(1).verify(&check), Ok(()));
        let expected = SealError::WrongKey { expected: key(1).key_id().to_owned(), given: key(2).key_id().to_owned() };
        assert_eq!(key(2).verify(&check), Err(expected));
        assert_eq!(key(1).verify(&Sealed("v2.x.y.z".into())), Err(SealError::Malformed));
    }

    #[test]
    fn a_key_is_read_from_hex_base64_or_a_long_passphrase() {
        let hex = "01".repeat(32);
        assert_eq!(MasterKey::from_text(&hex).expect("hex").key_id(), key(1).key_id());
        let base64 = STANDARD.encode([1_u8; 32]);
        assert_eq!(MasterKey::from_text(&format!(" {base64}\n")).expect("base64").key_id(), key(1).key_id());
        assert_eq!(MasterKey::from_text(base64.trim_end_matches('=')).expect("unpadded").key_id(), key(1).key_id());
        let phrase = "correct horse battery staple and more";
        let (one, two) = (MasterKey::from_text(phrase), MasterKey::from_text(phrase));
        assert_eq!(one.expect("a passphrase").key_id(), two.expect("the same").key_id());
        assert_eq!(MasterKey::from_text("changeme").map(drop), Err(SealError::UnusableKey));
        assert_eq!(MasterKey::from_text("").map(drop), Err(SealError::UnusableKey));
    }

    #[test]
    fn debug_says_the_name_only() {
        assert_eq!(
            format!("{:?} {:?} {:?}", key(1), Secret::new("x"), Sealed("v1.a.b.c".into())),
            "MasterKey Secret Sealed"
        );
    }
}
