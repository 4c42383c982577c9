//! Secrets where they are met, truncated anywhere, and text that has none.

use proptest::prelude::*;

use super::*;

fn hidden(text: &str) -> String {
    redact(text).0
}

#[test]
fn a_value_is_hidden_by_its_name_however_it_is_written() {
    for (text, wanted) in [
        (r#"{"api_key": "abc","x":1}"#, r#"{"api_key": "(redacted)","x":1}"#),
        (r#"{"API-Key":"abc"}"#, r#"{"API-Key":"(redacted)"}"#),
        (r#"{"accessToken" : "a\"b\\","x":"y"}"#, r#"{"accessToken" : "(redacted)","x":"y"}"#),
        (r#"{"password":12345,"x":1}"#, r#"{"password":(redacted),"x":1}"#),
        (r#"{"Authorization": ["Bearer a]b", "c"], "x": 1}"#, r#"{"Authorization": (redacted), "x": 1}"#),
        (r#"{"credentials": {"a": {"b": "}"}}, "x": 1}"#, r#"{"credentials": (redacted), "x": 1}"#),
        (
            r#"{"arguments":"{\"api_key\":\"a\\\"b\",\"x\":1}"}"#,
            r#"{"arguments":"{\"api_key\":\"(redacted)\",\"x\":1}"}"#,
        ),
        (r#"{"text":"a\napi_key=abc\nb"}"#, r#"{"text":"a\napi_key=(redacted)\nb"}"#),
        (r#"{"text":"\u0022api_key\u0022: abc, b"}"#, r#"{"text":"\u0022api_key\u0022: (redacted), b"}"#),
        ("OPENAI_API_KEY=abc OTHER=1", "OPENAI_API_KEY=(redacted) OTHER=1"),
        ("name=a&client_secret=b%20c&x=1", "name=a&client_secret=(redacted)&x=1"),
        ("user[password]=abc&x=1", "user[password]=(redacted)&x=1"),
        ("X-Auth-Token: abc\r\nAccept: b", "X-Auth-Token: (redacted)\r\nAccept: b"),
        ("Authorization: Basic dTpw next", "Authorization: (redacted) next"),
        ("{'db_password': 'a b'}", "{'db_password': '(redacted)'}"),
        ("%7B%22api_key%22%3A%22abc%22%7D", "%7B%22api_key%22%3A(redacted)"),
        ("DATABASE_URL=postgres://me:pw@host/db", "DATABASE_URL=postgres://(redacted)@host/db"),
        (r#"{"x":"postgres:\/\/me:pw@host"}"#, r#"{"x":"postgres:\/\/(redacted)@host"}"#),
        ("Authorization: ApiKey 7f3a9c", "Authorization: (redacted)"),
        ("Cookie: theme=dark; session=abcdef\r\nAccept: b", "Cookie: (redacted)\r\nAccept: b"),
        (r#"os.environ["OPENAI_API_KEY"] = "7f3a""#, r#"os.environ["OPENAI_API_KEY"] = "(redacted)""#),
        ("<password>hunter2</password>", "<password>(redacted)</password>"),
        ("name=\"password\"\r\n\r\nhunter2\r\n--x", "name=\"password\"\r\n\r\n(redacted)\r\n--x"),
        ("deploy --password hunter2 now", "deploy --password (redacted) now"),
        ("AccountName=a;AccountKey=b64;x=1", "AccountName=a;AccountKey=(redacted);x=1"),
        ("webhook_signing_key: abc", "webhook_signing_key: (redacted)"),
    ] {
        assert_eq!(hidden(text), wanted, "{text}");
    }
}

#[test]
fn what_looks_like_a_key_is_hidden_wherever_it_stands() {
    for (text, wanted) in [
        ("Incorrect API key provided: sk-proj-AbCdEfGhIjKlMnOp.", "Incorrect API key provided: (redacted)."),
        (r#"{"x":"a\nsk-AbCdEfGhIjKlMnOpQr"}"#, r#"{"x":"a\n(redacted)"}"#),
        ("curl -H 'Authorization: Bearer abcdefgh.ijk/lm='", "curl -H 'Authorization: (redacted)'"),
        ("send Bearer abcdefgh12 to it", "send Bearer (redacted) to it"),
        ("send Bearer%20abcdefgh12&x", "send Bearer%20(redacted)&x"),
        ("Basic dXNlcjpwYXNz now", "Basic (redacted) now"),
        ("?key=AIzaSyA0123456789abcdefghijklmnop&x=1", "?key=(redacted)&x=1"),
        ("token is eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSM ok", "token is (redacted) ok"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN(redacted)-----END RSA PRIVATE KEY-----",
        ),
    ] {
        assert_eq!(hidden(text), wanted, "{text}");
    }
    let own = format!("rd_{}", "aB3".repeat(17));
    assert_eq!(hidden(&format!("with {own}, please")), "with (redacted), please");
}

#[test]
fn text_without_secrets_stays_byte_for_byte() {
    for text in [
        "",
        r#"{"model":"gpt-4o","max_tokens":100,"messages":[{"role":"user","content":"Basic questions about risk-taking"}]}"#,
        r#"{"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7},"api_key":null,"token":""}"#,
        "data: {\"choices\":[{\"delta\":{\"content\":\"你好，世界\"}}]}\n\ndata: [DONE]\n\n",
        "the bearer of bad news, https://example.com/a@b and me@example.com",
        "-----BEGIN CERTIFICATE-----\nMIIEabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\n-----END CERTIFICATE-----",
    ] {
        assert_eq!(redact(text), (text.to_owned(), 0));
    }
}

/// Where a secret may stand: what is before it, what behind, and the letters it is made of.
fn planted() -> impl Strategy<Value = (String, String, String)> {
    let letters = "[A-Za-z0-9]{24,60}";
    let word = "[A-Za-z0-9_\\-]{24,60}";
    let named = prop_oneof![
        Just("{\"api_key\":\"".to_owned()),
        Just("{\"x\":{\"Client-Secret\" : \"".to_owned()),
        Just("{\"arguments\":\"{\\\"password\\\": \\\"".to_owned()),
        Just("a=1&access_token=".to_owned()),
        Just("Proxy-Authorization: Bearer ".to_owned()),
        Just("Authorization: ApiKey ".to_owned()),
        Just("{\"headers\":{\"authorization\":\"Bearer ".to_owned()),
        Just("{\"headers\":{\"x-api-key\":[\"".to_owned()),
    ];
    let shaped = (
        prop_oneof![
            Just(""),
            Just("{\"a\":\""),
            Just("text "),
            Just("\\n"),
            Just("\\\\n"),
            Just("\\u0022"),
            Just("%22")
        ],
        prop_oneof![
            Just("sk-"),
            Just("sk-ant-api03-"),
            Just("rk-"),
            Just("AIza"),
            Just("rd_"),
            Just("rdadm_"),
            Just("ghp_"),
            Just("Bearer "),
            Just("eyJ0.eyJ1."),
            Just("ya29.a0"),
        ],
    )
        .prop_map(|(before, begin)| format!("{before}{begin}"));
    let after = prop_oneof![Just("\"}"), Just("\\\"}\"}"), Just(" and more"), Just("&b=2"), Just("\\n…"), Just("")];
    prop_oneof![(named, letters, after.clone()), (shaped, word, after)]
        .prop_map(|(before, secret, after)| (before, secret, after.to_owned()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes);
        let (out, _) = redact(&text);
        prop_assert!(out.len() <= text.len() * 3 + MARK.len());
    }

    #[test]
    fn no_mix_of_what_it_looks_for_makes_it_panic(parts in proptest::collection::vec(prop_oneof![
        Just("\""), Just("\\"), Just("'"), Just(":"), Just("="), Just("{"), Just("["), Just("]"), Just("}"), Just(" "),
        Just("api_key"), Just("token"), Just("Bearer"), Just("basic"), Just("sk-"), Just("-----BEGIN"), Just("PRIVATE"),
        Just("://"), Just("@"), Just("."), Just("%22"), Just("u0022"), Just("é"), Just("x"), Just("\n"), Just("&"),
    ], 0..60)) {
        let text: String = parts.concat();
        let (out, _) = redact(&text);
        prop_assert!(out.len() <= text.len() * 3 + MARK.len());
    }

    /// Wherever the text is cut, no more of a secret is left than what would be nothing in itself.
    #[test]
    fn no_planted_secret_gets_through_however_the_text_is_cut(
        (before, secret, after) in planted(), noise in "[ a-z,.{}\"]{0,30}", cut in 0_usize..200,
    ) {
        let text = format!("{noise} {before}{secret}{after}");
        let end = text.len() - cut.min(after.len() + secret.len());
        let end = (end..=text.len()).find(|at| text.is_char_boundary(*at)).expect("the end is one");
        let (out, found) = redact(&text[..end]);
        let left = (1..=secret.len()).rev().find(|length| out.contains(&secret[..*length]));
        prop_assert!(left.is_none_or(|length| length < 5), "{} letters in {out}", left.unwrap_or(0));
        let whole = end >= noise.len() + 1 + before.len() + secret.len();
        prop_assert!(found > 0 || !whole, "{out}");
    }
}
