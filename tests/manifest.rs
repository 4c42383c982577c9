//! Leptos.toml and Cargo.toml say the same.
//!
//! cargo-leptos builds from the one, the running server is compiled with the other: a key that
//! differs would put the files in one place and look for them in another.

use toml::{Table, Value};

fn site_options(text: &str) -> Table {
    let document: Table = text.parse().expect("valid TOML");
    ["package", "metadata", "leptos"]
        .iter()
        .try_fold(Value::Table(document), |value, key| value.get(key).cloned())
        .and_then(|value| value.as_table().cloned())
        .expect("a table [package.metadata.leptos]")
}

/// Keys that the running server reads, by leptos_config.
const READ_BY_THE_SERVER: [&str; 9] = [
    "output-name",
    "site-root",
    "site-pkg-dir",
    "env",
    "site-addr",
    "reload-port",
    "not-found-path",
    "hash-file",
    "hash-files",
];

#[test]
fn both_manifests_agree_on_every_site_option() {
    let server = site_options(include_str!("../Leptos.toml"));
    let build = site_options(include_str!("../Cargo.toml"));
    for (key, value) in &server {
        assert_eq!(Some(value), build.get(key), "`{key}` of Leptos.toml must equal Cargo.toml's");
        assert!(READ_BY_THE_SERVER.contains(&key.as_str()), "`{key}` in Leptos.toml is read by nobody");
    }
    for key in READ_BY_THE_SERVER.iter().filter(|key| build.contains_key(**key)) {
        assert!(server.contains_key(*key), "`{key}` of Cargo.toml is missing in Leptos.toml");
    }
}

#[test]
fn tailwind_is_configured_in_the_style_sheet_and_nowhere_else() {
    let build = site_options(include_str!("../Cargo.toml"));
    assert!(build.get("tailwind-config-file").is_none(), "Tailwind 4 ignores --config without a word");
    assert!(build.get("style-file").is_none(), "cargo-leptos would put the source in front of what Tailwind makes");
}
