//! `rondo.toml`: flat keys named as the settings are, without `RONDO_` and in small letters.

use std::{collections::BTreeMap, path::Path};

use toml::Spanned;

use super::{source::ConfigError, table::SETTINGS};

/// Every key of the file as (setting, text, line).
pub(super) fn read(path: &Path, text: &str) -> Result<Vec<(&'static str, String, usize)>, ConfigError> {
    let malformed =
        |at: usize, message: String| ConfigError::Malformed { path: path.into(), line: line_of(text, at), message };
    let keys: BTreeMap<Spanned<String>, Spanned<toml::Value>> = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        malformed(at, error.message().lines().next().unwrap_or("not TOML").to_owned())
    })?;
    let mut values = Vec::with_capacity(keys.len());
    for (key, value) in keys {
        let line = line_of(text, key.span().start);
        let known = SETTINGS.iter().find(|setting| setting.key() == *key.get_ref() && setting.name != "RONDO_CONFIG");
        let Some(setting) = known else {
            return Err(ConfigError::UnknownKey { path: path.into(), line, key: key.into_inner() });
        };
        let at = value.span().start;
        let text = plain(value.into_inner()).ok_or_else(|| {
            malformed(at, format!("{} takes a text, a number, true, false or a list of texts", setting.key()))
        })?;
        values.push((setting.name, text, line));
    }
    Ok(values)
}

/// A value as the environment would hold it.
fn plain(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(items) => {
            let items: Option<Vec<String>> = items.into_iter().map(|item| item.as_str().map(str::to_owned)).collect();
            items.map(|items| items.join(","))
        }
        _ => None,
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}
