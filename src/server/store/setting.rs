//! Settings of the system that live in the store: keys and values as text.

use crate::server::secret::seal::{MasterKey, Sealed};

use super::{
    Store, StoreError,
    audit::Entry,
    database::Tx,
    sql::{sql, statements},
};

/// Setting under which the master key's check value lies.
const KEY_CHECK: &str = "master_key_check";
/// What the keys of access tokens begin with; the rest is the hash of the token.
pub const ACCESS_TOKEN: &str = "access_token.";

statements! {
    GET = "SELECT value FROM settings WHERE key = $1";
    LIST = "SELECT key, value FROM settings ORDER BY key";
    INIT = "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
    PUT = "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2";
    DELETE = "DELETE FROM settings WHERE key = $1";
}

impl Store {
    /// The value of a setting.
    pub async fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        let found: Option<(String,)> = self.config.one(sql(GET).bind(key)).await?;
        Ok(found.map(|(value,)| value))
    }

    /// All settings by key.
    pub async fn settings(&self) -> Result<Vec<(String, String)>, StoreError> {
        let all: Vec<(String, String)> = self.config.all(sql(LIST)).await?;
        Ok(all.into_iter().filter(|(key, _)| key != KEY_CHECK).collect())
    }

    /// Sets a setting unless it is set, and returns what is set now: of two processes that start at once, both
    /// get the value of the first. No revision, no audit row.
    pub async fn init_setting(&self, key: &str, value: &str) -> Result<String, StoreError> {
        if let Some(value) = self.setting(key).await? {
            return Ok(value);
        }
        self.config.run(sql(INIT).bind(key).bind(value)).await?;
        Ok(self.setting(key).await?.unwrap_or_else(|| value.to_owned()))
    }

    /// Whether `master` is the key this store's credentials were sealed with; the first start decides.
    /// A wrong key is [`StoreError::Key`] and must stop the start.
    pub async fn check_master_key(&self, master: &MasterKey) -> Result<(), StoreError> {
        let check = self.init_setting(KEY_CHECK, &master.check_value().0).await?;
        Ok(master.verify(&Sealed(check))?)
    }
}

pub(super) async fn put(tx: &mut Tx, key: String, value: String) -> Result<Entry, StoreError> {
    let entry = told(&key, &value, ("setting.update", "token.create"));
    tx.run(sql(PUT).bind(key).bind(value)).await?;
    Ok(entry)
}

pub(super) async fn delete(tx: &mut Tx, key: String) -> Result<Entry, StoreError> {
    let found: Option<(String,)> = tx.one(sql(GET).bind(key.as_str())).await?;
    let (value,) = found.ok_or(StoreError::NotFound { what: "setting" })?;
    let entry = told(&key, &value, ("setting.delete", "token.revoke"));
    tx.run(sql(DELETE).bind(key)).await?;
    Ok(entry)
}

/// How the audit trail tells of a setting. The key of an access token is a hash: the trail tells its name.
fn told(key: &str, value: &str, (of_setting, of_token): (&str, &str)) -> Entry {
    let token = key.strip_prefix(ACCESS_TOKEN).map(|_| serde_json::from_str::<serde_json::Value>(value));
    let name = token.and_then(Result::ok).and_then(|token| token["name"].as_str().map(str::to_owned));
    Entry {
        action: if name.is_some() { of_token } else { of_setting }.to_owned(),
        object_id: format!("setting:{key}"),
        object: name.unwrap_or_else(|| key.to_owned()),
        detail: "{}".to_owned(),
    }
}
