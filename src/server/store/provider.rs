//! Providers and their credentials.

use std::collections::HashMap;

use crate::{
    model::{
        id::{CredentialId, ProviderId},
        name::BaseUrl,
        provider::{Credential, GroupRef, Provider},
    },
    server::secret::seal::Sealed,
};

use super::{
    Store, StoreError, audit,
    audit::Entry,
    change::{Stamp, check_expected},
    column::{self, Reader, json},
    database::Tx,
    sql::{Value, record, sql, statements},
};

/// A provider with the envelopes of its credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredProvider {
    /// The record, without secrets.
    pub provider: Provider,
    /// Envelopes by credential; a credential that needs no secret has none.
    pub sealed: Vec<(CredentialId, Sealed)>,
}

statements! {
    ALL_PROVIDERS = "SELECT id, name, website, base_url, auth, enabled, headers, models, timeouts, limits, tls, connection, color, \
                     revision, created_at_ms, updated_at_ms FROM providers ORDER BY created_at_ms, id";
    ONE_PROVIDER = "SELECT id, name, website, base_url, auth, enabled, headers, models, timeouts, limits, tls, connection, color, \
                    revision, created_at_ms, updated_at_ms FROM providers WHERE id = $1";
    ALL_CREDENTIALS = "SELECT id, provider_id, label, hint, weight, enabled, limits, sealed FROM credentials \
                       ORDER BY provider_id, position";
    ITS_CREDENTIALS = "SELECT id, provider_id, label, hint, weight, enabled, limits, sealed FROM credentials \
                       WHERE provider_id = $1 ORDER BY position";
    NAME_HOLDER = "SELECT id FROM providers WHERE name = $1";
    PUT = "INSERT INTO providers (id, name, website, base_url, auth, enabled, headers, models, timeouts, limits, tls, \
           connection, color, revision, created_at_ms, updated_at_ms) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
           ON CONFLICT (id) DO UPDATE SET name = $2, website = $3, base_url = $4, auth = $5, enabled = $6, headers = $7, \
           models = $8, timeouts = $9, limits = $10, tls = $11, connection = $12, color = $13, revision = $14, \
           updated_at_ms = $16";
    CLEAR_CREDENTIALS = "DELETE FROM credentials WHERE provider_id = $1";
    PUT_CREDENTIAL = "INSERT INTO credentials (id, provider_id, position, label, hint, weight, enabled, limits, sealed) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    CREDENTIAL_OWNER = "SELECT provider_id FROM credentials WHERE id = $1";
    USED_BY = "SELECT g.id, g.slug, m.priority, m.tier FROM members m JOIN groups g ON g.id = m.group_id \
               WHERE m.provider_id = $1 ORDER BY g.slug";
    LEAVE_GROUPS = "DELETE FROM members WHERE provider_id = $1";
    TOUCH_GROUPS = "UPDATE groups SET revision = $2, updated_at_ms = $3 \
                    WHERE id IN (SELECT group_id FROM members WHERE provider_id = $1)";
    DELETE = "DELETE FROM providers WHERE id = $1";
}

record! {
    /// A row of `providers`.
    Row {
        id: String, name: String, website: String, base_url: String, auth: String, enabled: bool, headers: String,
        models: String, timeouts: String, limits: String, tls: String, connection: String, color: i64, revision: i64,
        created_at_ms: i64, updated_at_ms: i64,
    }
}

record! {
    /// A row of `credentials`.
    CredentialRow {
        id: String, provider_id: String, label: String, hint: String, weight: i64, enabled: bool, limits: String,
        sealed: Option<String>,
    }
}

impl Store {
    /// All providers, oldest first.
    pub async fn providers(&self) -> Result<Vec<StoredProvider>, StoreError> {
        read_all(&mut self.config.read().await?).await
    }

    /// One provider.
    pub async fn provider(&self, id: ProviderId) -> Result<Option<StoredProvider>, StoreError> {
        read_one(&mut self.config.read().await?, id).await
    }

    /// Groups a provider is in: what to show before it is deleted.
    pub async fn groups_of_provider(&self, id: ProviderId) -> Result<Vec<GroupRef>, StoreError> {
        used_by(&mut self.config.read().await?, id).await
    }
}

pub(super) async fn read_all(tx: &mut Tx) -> Result<Vec<StoredProvider>, StoreError> {
    let rows: Vec<Row> = tx.all(sql(ALL_PROVIDERS)).await?;
    let mut credentials: HashMap<String, Vec<CredentialRow>> = HashMap::new();
    for credential in tx.all::<CredentialRow>(sql(ALL_CREDENTIALS)).await? {
        credentials.entry(credential.provider_id.clone()).or_default().push(credential);
    }
    rows.into_iter()
        .map(|row| {
            let own = credentials.remove(&row.id).unwrap_or_default();
            assemble(row, own)
        })
        .collect()
}

pub(super) async fn read_one(tx: &mut Tx, id: ProviderId) -> Result<Option<StoredProvider>, StoreError> {
    let Some(row) = tx.one::<Row>(sql(ONE_PROVIDER).bind(Value::text(id))).await? else { return Ok(None) };
    let credentials = tx.all(sql(ITS_CREDENTIALS).bind(Value::text(id))).await?;
    assemble(row, credentials).map(Some)
}

fn assemble(row: Row, credentials: Vec<CredentialRow>) -> Result<StoredProvider, StoreError> {
    let read = Reader { what: "provider", id: &row.id };
    let mut sealed = Vec::new();
    let mut own = Vec::with_capacity(credentials.len());
    for credential in credentials {
        let (credential, envelope) = assemble_credential(credential)?;
        sealed.extend(envelope.map(|envelope| (credential.id, envelope)));
        own.push(credential);
    }
    let provider = Provider {
        id: read.parse(&row.id)?,
        base_url: BaseUrl::parse(&row.base_url).map_err(|issue| read.damaged(issue))?,
        auth: read.json(&row.auth)?,
        headers: read.json(&row.headers)?,
        models: read.json(&row.models)?,
        timeouts: read.json(&row.timeouts)?,
        limits: read.json(&row.limits)?,
        tls: read.json(&row.tls)?,
        connection: read.json(&row.connection)?,
        color: read.number(row.color)?,
        name: row.name,
        website: row.website,
        enabled: row.enabled,
        credentials: own,
        revision: row.revision,
        created_at_ms: row.created_at_ms,
        updated_at_ms: row.updated_at_ms,
    };
    Ok(StoredProvider { provider, sealed })
}

fn assemble_credential(row: CredentialRow) -> Result<(Credential, Option<Sealed>), StoreError> {
    let read = Reader { what: "credential", id: &row.id };
    let credential = Credential {
        id: read.parse(&row.id)?,
        weight: read.number(row.weight)?,
        limits: read.json(&row.limits)?,
        label: row.label,
        hint: row.hint,
        enabled: row.enabled,
    };
    Ok((credential, row.sealed.map(Sealed)))
}

async fn used_by(tx: &mut Tx, id: ProviderId) -> Result<Vec<GroupRef>, StoreError> {
    let rows: Vec<(String, String, i64, i64)> = tx.all(sql(USED_BY).bind(Value::text(id))).await?;
    rows.into_iter()
        .map(|(id, slug, priority, tier)| {
            let read = Reader { what: "group", id: &id };
            Ok(GroupRef { id: read.parse(&id)?, slug, priority: read.number(priority)?, tier: read.number(tier)? })
        })
        .collect()
}

pub(super) async fn put(
    tx: &mut Tx,
    mut provider: Provider,
    sealed: Vec<(CredentialId, Sealed)>,
    expect: Option<i64>,
    stamp: Stamp,
) -> Result<Entry, StoreError> {
    let id = provider.id.to_string();
    let stored = read_one(tx, provider.id).await?;
    check_expected(tx, "provider", &id, stored.as_ref().map(|stored| stored.provider.revision), expect).await?;
    let holder: Option<(String,)> = tx.one(sql(NAME_HOLDER).bind(provider.name.as_str())).await?;
    if holder.is_some_and(|(holder,)| holder != id) {
        return Err(StoreError::Taken { field: "name" });
    }
    provider.revision = stamp.revision;
    provider.created_at_ms =
        stamp.created(stored.as_ref().map(|stored| stored.provider.created_at_ms), provider.created_at_ms);
    provider.updated_at_ms = stamp.at_ms;
    write(tx, &provider).await?;
    let renewed = write_credentials(tx, &provider, sealed, stored.as_ref()).await?;
    let before = stored.as_ref().map(|stored| column::value(&stored.provider));
    Ok(Entry {
        action: if stored.is_some() { "provider.update" } else { "provider.create" }.to_owned(),
        object_id: id,
        detail: audit::difference(before.as_ref(), &column::value(&provider), &renewed),
        object: provider.name,
    })
}

async fn write(tx: &mut Tx, provider: &Provider) -> Result<(), StoreError> {
    let put = sql(PUT)
        .bind(Value::text(provider.id))
        .bind(provider.name.as_str())
        .bind(provider.website.as_str())
        .bind(provider.base_url.to_string())
        .bind(json(&provider.auth))
        .bind(provider.enabled)
        .bind(json(&provider.headers))
        .bind(json(&provider.models))
        .bind(json(&provider.timeouts))
        .bind(json(&provider.limits))
        .bind(json(&provider.tls))
        .bind(json(&provider.connection))
        .bind(i64::from(provider.color))
        .bind(provider.revision)
        .bind(provider.created_at_ms)
        .bind(provider.updated_at_ms);
    tx.run(put).await.map(drop)
}

/// Writes the credentials anew, carrying over the envelopes that were not replaced. Returns the labels of
/// those whose secret is new.
async fn write_credentials(
    tx: &mut Tx,
    provider: &Provider,
    sealed: Vec<(CredentialId, Sealed)>,
    stored: Option<&StoredProvider>,
) -> Result<Vec<String>, StoreError> {
    let fresh: HashMap<CredentialId, Sealed> = sealed.into_iter().collect();
    let kept: HashMap<CredentialId, &Sealed> =
        stored.into_iter().flat_map(|stored| &stored.sealed).map(|(id, sealed)| (*id, sealed)).collect();
    let mut renewed = Vec::new();
    tx.run(sql(CLEAR_CREDENTIALS).bind(Value::text(provider.id))).await?;
    for (position, credential) in (0_i64..).zip(&provider.credentials) {
        let elsewhere: Option<(String,)> = tx.one(sql(CREDENTIAL_OWNER).bind(Value::text(credential.id))).await?;
        if elsewhere.is_some() {
            return Err(StoreError::NotFound { what: "credential" });
        }
        if fresh.contains_key(&credential.id) {
            renewed.push(credential.label.clone());
        }
        let envelope = fresh.get(&credential.id).or_else(|| kept.get(&credential.id).copied());
        let put = sql(PUT_CREDENTIAL)
            .bind(Value::text(credential.id))
            .bind(Value::text(provider.id))
            .bind(position)
            .bind(credential.label.as_str())
            .bind(credential.hint.as_str())
            .bind(credential.weight)
            .bind(credential.enabled)
            .bind(json(&credential.limits))
            .bind(envelope.map(|envelope| envelope.0.clone()));
        tx.run(put).await?;
    }
    Ok(renewed)
}

pub(super) async fn delete(
    tx: &mut Tx,
    id: ProviderId,
    expect: Option<i64>,
    leave_groups: bool,
    stamp: Stamp,
) -> Result<Entry, StoreError> {
    let stored = read_one(tx, id).await?.ok_or(StoreError::NotFound { what: "provider" })?;
    check_expected(tx, "provider", &id.to_string(), Some(stored.provider.revision), expect).await?;
    let groups = used_by(tx, id).await?;
    if !groups.is_empty() && !leave_groups {
        return Err(StoreError::InUse { groups });
    }
    tx.run(sql(TOUCH_GROUPS).bind(Value::text(id)).bind(stamp.revision).bind(stamp.at_ms)).await?;
    tx.run(sql(LEAVE_GROUPS).bind(Value::text(id))).await?;
    tx.run(sql(DELETE).bind(Value::text(id))).await?;
    let left: Vec<String> = groups.into_iter().map(|group| group.slug).collect();
    let detail = if left.is_empty() { "{}".to_owned() } else { serde_json::json!({ "left_groups": left }).to_string() };
    Ok(Entry { action: "provider.delete".to_owned(), object_id: id.to_string(), object: stored.provider.name, detail })
}
