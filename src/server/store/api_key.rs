//! Clients' API keys: their records and hashes, never the keys.

use std::collections::HashMap;

use crate::{
    model::{
        api_key::{ApiKey, Scope},
        id::{ApiKeyId, GroupId},
    },
    server::secret::token::HashedKey,
};

use super::{
    Store, StoreError, audit,
    audit::Entry,
    change::{Stamp, check_expected},
    column::{self, Reader, json},
    database::Tx,
    sql::{Value, record, sql, statements},
};

const GLOBAL: &str = "global";
const GROUPS: &str = "groups";

/// A key with the hash it is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredApiKey {
    /// The record.
    pub key: ApiKey,
    /// SHA-256 of the key.
    pub hash: HashedKey,
}

statements! {
    ALL_KEYS = "SELECT id, name, hint, hash, scope, enabled, expires_at_ms, limits, allowed_ips, path_policy, models, log_bodies, \
                last_used_at_ms, revision, created_at_ms, updated_at_ms FROM api_keys ORDER BY created_at_ms, id";
    ONE_KEY = "SELECT id, name, hint, hash, scope, enabled, expires_at_ms, limits, allowed_ips, path_policy, models, log_bodies, \
               last_used_at_ms, revision, created_at_ms, updated_at_ms FROM api_keys WHERE id = $1";
    ALL_SCOPES = "SELECT api_key_id, group_id FROM api_key_groups ORDER BY api_key_id, group_id";
    ITS_SCOPE = "SELECT api_key_id, group_id FROM api_key_groups WHERE api_key_id = $1 ORDER BY group_id";
    NAME_HOLDER = "SELECT id FROM api_keys WHERE name = $1";
    HASH_HOLDER = "SELECT id FROM api_keys WHERE hash = $1";
    PUT = "INSERT INTO api_keys (id, name, hint, hash, scope, enabled, expires_at_ms, limits, allowed_ips, path_policy, \
           models, log_bodies, last_used_at_ms, revision, created_at_ms, updated_at_ms) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, NULL, $13, $14, $15) \
           ON CONFLICT (id) DO UPDATE SET name = $2, hint = $3, hash = $4, scope = $5, enabled = $6, expires_at_ms = $7, \
           limits = $8, allowed_ips = $9, path_policy = $10, models = $11, log_bodies = $12, revision = $13, updated_at_ms = $15";
    CLEAR_SCOPE = "DELETE FROM api_key_groups WHERE api_key_id = $1";
    GROUP_EXISTS = "SELECT id FROM groups WHERE id = $1";
    PUT_SCOPE = "INSERT INTO api_key_groups (api_key_id, group_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    DELETE = "DELETE FROM api_keys WHERE id = $1";
    TOUCH = "UPDATE api_keys SET last_used_at_ms = $2 WHERE id = $1 AND (last_used_at_ms IS NULL OR last_used_at_ms < $2)";
}

record! {
    /// A row of `api_keys`.
    Row {
        id: String, name: String, hint: String, hash: String, scope: String, enabled: bool, expires_at_ms: Option<i64>,
        limits: String, allowed_ips: String, path_policy: Option<String>, models: String,
        log_bodies: bool, last_used_at_ms: Option<i64>, revision: i64, created_at_ms: i64, updated_at_ms: i64,
    }
}

impl Store {
    /// All keys, oldest first.
    pub async fn api_keys(&self) -> Result<Vec<StoredApiKey>, StoreError> {
        read_all(&mut self.config.read().await?).await
    }

    /// One key.
    pub async fn api_key(&self, id: ApiKeyId) -> Result<Option<StoredApiKey>, StoreError> {
        read_one(&mut self.config.read().await?, id).await
    }

    /// Notes when keys were last used, unix milliseconds. Not a change of the configuration: no revision, no
    /// audit row. An older time never replaces a newer one, so several nodes may report the same key.
    pub async fn touch_api_keys(&self, used: &[(ApiKeyId, i64)]) -> Result<(), StoreError> {
        if used.is_empty() {
            return Ok(());
        }
        // In one order on every node, so that two of them never wait for each other's row.
        let mut used = used.to_vec();
        used.sort_unstable();
        let mut tx = self.config.write().await?;
        for (id, at_ms) in used {
            tx.run(sql(TOUCH).bind(Value::text(id)).bind(at_ms)).await?;
        }
        tx.commit().await
    }
}

pub(super) async fn read_all(tx: &mut Tx) -> Result<Vec<StoredApiKey>, StoreError> {
    let rows: Vec<Row> = tx.all(sql(ALL_KEYS)).await?;
    let mut scopes: HashMap<String, Vec<String>> = HashMap::new();
    for (key, group) in tx.all::<(String, String)>(sql(ALL_SCOPES)).await? {
        scopes.entry(key).or_default().push(group);
    }
    rows.into_iter()
        .map(|row| {
            let own = scopes.remove(&row.id).unwrap_or_default();
            assemble(row, &own)
        })
        .collect()
}

pub(super) async fn read_one(tx: &mut Tx, id: ApiKeyId) -> Result<Option<StoredApiKey>, StoreError> {
    let Some(row) = tx.one::<Row>(sql(ONE_KEY).bind(Value::text(id))).await? else { return Ok(None) };
    let scope: Vec<(String, String)> = tx.all(sql(ITS_SCOPE).bind(Value::text(id))).await?;
    let groups: Vec<String> = scope.into_iter().map(|(_, group)| group).collect();
    assemble(row, &groups).map(Some)
}

fn assemble(row: Row, groups: &[String]) -> Result<StoredApiKey, StoreError> {
    let read = Reader { what: "api key", id: &row.id };
    let scope = match row.scope.as_str() {
        GLOBAL => Scope::Global,
        // A key whose groups are all gone reaches nothing.
        GROUPS => Scope::Groups(groups.iter().map(|group| read.parse(group)).collect::<Result<Vec<GroupId>, _>>()?),
        other => return Err(read.damaged(format!("unknown scope `{other}`"))),
    };
    let hash = HashedKey::from_hex(&row.hash).ok_or_else(|| read.damaged("its hash is not 64 hex digits"))?;
    let key = ApiKey {
        id: read.parse(&row.id)?,
        limits: read.json(&row.limits)?,
        allowed_ips: read.json(&row.allowed_ips)?,
        path_policy: row.path_policy.as_deref().map(|text| read.json(text)).transpose()?,
        models: read.json(&row.models)?,
        log_bodies: row.log_bodies,
        scope,
        name: row.name,
        hint: row.hint,
        enabled: row.enabled,
        expires_at_ms: row.expires_at_ms,
        last_used_at_ms: row.last_used_at_ms,
        used: None,
        revision: row.revision,
        created_at_ms: row.created_at_ms,
        updated_at_ms: row.updated_at_ms,
    };
    Ok(StoredApiKey { key, hash })
}

pub(super) async fn put(
    tx: &mut Tx,
    mut key: ApiKey,
    hash: Option<HashedKey>,
    expect: Option<i64>,
    stamp: Stamp,
) -> Result<Entry, StoreError> {
    let id = key.id.to_string();
    let stored = read_one(tx, key.id).await?;
    check_expected(tx, "api key", &id, stored.as_ref().map(|stored| stored.key.revision), expect).await?;
    let rotated = hash.is_some() && stored.is_some();
    let hash = hash.or(stored.as_ref().map(|stored| stored.hash)).ok_or(StoreError::NotFound { what: "api key" })?;
    for (field, statement, text) in [("name", NAME_HOLDER, key.name.clone()), ("secret", HASH_HOLDER, hash.to_hex())] {
        let holder: Option<(String,)> = tx.one(sql(statement).bind(text)).await?;
        if holder.is_some_and(|(holder,)| holder != id) {
            return Err(StoreError::Taken { field });
        }
    }
    key.revision = stamp.revision;
    key.created_at_ms = stamp.created(stored.as_ref().map(|stored| stored.key.created_at_ms), key.created_at_ms);
    key.updated_at_ms = stamp.at_ms;
    write(tx, &key, hash).await?;
    let renewed = if rotated { vec![key.hint.clone()] } else { Vec::new() };
    let before = stored.as_ref().map(|stored| column::value(&stored.key));
    Ok(Entry {
        action: if stored.is_some() { "api_key.update" } else { "api_key.create" }.to_owned(),
        object_id: id,
        detail: audit::difference(before.as_ref(), &column::value(&key), &renewed),
        object: key.name,
    })
}

async fn write(tx: &mut Tx, key: &ApiKey, hash: HashedKey) -> Result<(), StoreError> {
    let (scope, groups): (&str, &[GroupId]) = match &key.scope {
        Scope::Global => (GLOBAL, &[]),
        Scope::Groups(groups) => (GROUPS, groups),
    };
    let put = sql(PUT)
        .bind(Value::text(key.id))
        .bind(key.name.as_str())
        .bind(key.hint.as_str())
        .bind(hash.to_hex())
        .bind(scope)
        .bind(key.enabled)
        .bind(key.expires_at_ms)
        .bind(json(&key.limits))
        .bind(json(&key.allowed_ips))
        .bind(key.path_policy.as_ref().map(json))
        .bind(json(&key.models))
        .bind(key.log_bodies)
        .bind(key.revision)
        .bind(key.created_at_ms)
        .bind(key.updated_at_ms);
    tx.run(put).await?;
    tx.run(sql(CLEAR_SCOPE).bind(Value::text(key.id))).await?;
    for group in groups {
        let there: Option<(String,)> = tx.one(sql(GROUP_EXISTS).bind(Value::text(group))).await?;
        if there.is_none() {
            return Err(StoreError::NotFound { what: "group" });
        }
        tx.run(sql(PUT_SCOPE).bind(Value::text(key.id)).bind(Value::text(group))).await?;
    }
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx, id: ApiKeyId, expect: Option<i64>) -> Result<Entry, StoreError> {
    let stored = read_one(tx, id).await?.ok_or(StoreError::NotFound { what: "api key" })?;
    check_expected(tx, "api key", &id.to_string(), Some(stored.key.revision), expect).await?;
    tx.run(sql(DELETE).bind(Value::text(id))).await?;
    Ok(Entry {
        action: "api_key.revoke".to_owned(),
        object_id: id.to_string(),
        object: stored.key.name,
        detail: "{}".to_owned(),
    })
}
