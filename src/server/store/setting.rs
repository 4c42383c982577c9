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
    tx.run(sql(PUT).bind(key.as_str()).bind(value)).await?;
    Ok(Entry {
        action: "setting.update".to_owned(),
        object_id: format!("setting:{key}"),
        object: key,
        detail: "{}".to_owned(),
    })
}

pub(super) async fn delete(tx: &mut Tx, key: String) -> Result<Entry, StoreError> {
    if tx.run(sql(DELETE).bind(key.as_str())).await? == 0 {
        return Err(StoreError::NotFound { what: "setting" });
    }
    Ok(Entry {
        action: "setting.delete".to_owned(),
        object_id: format!("setting:{key}"),
        object: key,
        detail: "{}".to_owned(),
    })
}
