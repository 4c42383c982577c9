//! Signatures as each service asks for them: HMAC-SHA256 every time, over something else every time.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// Of a webhook: `v1=` and, in hex, the HMAC of `{seconds}.{body}` under the channel's secret.
pub fn webhook_signature(secret: &str, seconds: i64, body: &str) -> String {
    let mac = hmac(secret.as_bytes(), format!("{seconds}.{body}").as_bytes());
    let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v1={hex}")
}

/// Of DingTalk: the HMAC of `{milliseconds}\n{secret}` under the secret, base64, escaped for a query.
/// (DingTalk, “custom robot security settings”.)
pub(super) fn dingtalk(secret: &str, ms: i64) -> String {
    let encoded = STANDARD.encode(hmac(secret.as_bytes(), format!("{ms}\n{secret}").as_bytes()));
    encoded.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

/// Of Feishu: the HMAC of nothing under the key `{seconds}\n{secret}`, base64. (Feishu, “custom bot”.)
pub(super) fn feishu(secret: &str, seconds: i64) -> String {
    STANDARD.encode(hmac(format!("{seconds}\n{secret}").as_bytes(), b""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        let mac = hmac(b"Jefe", b"what do ya want for nothing?");
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn a_signature_depends_on_secret_time_and_body() {
        let signature = webhook_signature("s", 1, "{}");
        assert_eq!(signature.len(), "v1=".len() + 64);
        for other in [webhook_signature("t", 1, "{}"), webhook_signature("s", 2, "{}"), webhook_signature("s", 1, "[]")]
        {
            assert_ne!(signature, other);
        }
    }

    #[test]
    fn a_signature_in_a_query_holds_nothing_that_ends_it() {
        for ms in 0..200 {
            let sign = dingtalk("SEC-secret", ms);
            assert!(sign.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'%'), "{sign}");
        }
    }
}
