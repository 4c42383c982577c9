//! Groups and their members.

use std::collections::HashMap;

use crate::model::{
    group::{Group, Member},
    id::GroupId,
    name::Slug,
};

use super::{
    Store, StoreError, audit,
    audit::Entry,
    change::{Stamp, check_expected},
    column::{self, Reader, json, word},
    database::Tx,
    sql::{Value, record, sql, statements},
};

statements! {
    ALL_GROUPS = "SELECT id, name, slug, description, kind, strategy, enabled, path_policy, failover, anonymous, \
                  allowed_origins, hide_provider_headers, sticky, outcome_rules, websocket, stream_usage, log_bodies, revision, created_at_ms, updated_at_ms FROM groups \
                  ORDER BY created_at_ms, id";
    ONE_GROUP = "SELECT id, name, slug, description, kind, strategy, enabled, path_policy, failover, anonymous, \
                 allowed_origins, hide_provider_headers, sticky, outcome_rules, websocket, stream_usage, log_bodies, revision, created_at_ms, updated_at_ms FROM groups WHERE id = $1";
    ALL_MEMBERS = "SELECT group_id, provider_id, priority, tier FROM members ORDER BY group_id, position";
    ITS_MEMBERS = "SELECT group_id, provider_id, priority, tier FROM members WHERE group_id = $1 ORDER BY position";
    NAME_HOLDER = "SELECT id FROM groups WHERE name = $1";
    SLUG_HOLDER = "SELECT id FROM groups WHERE slug = $1";
    PUT = "INSERT INTO groups (id, name, slug, description, kind, strategy, enabled, path_policy, failover, anonymous, \
           allowed_origins, hide_provider_headers, sticky, outcome_rules, websocket, stream_usage, log_bodies, revision, created_at_ms, updated_at_ms) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) \
           ON CONFLICT (id) DO UPDATE SET name = $2, slug = $3, description = $4, kind = $5, strategy = $6, enabled = $7, \
           path_policy = $8, failover = $9, anonymous = $10, allowed_origins = $11, hide_provider_headers = $12, \
           sticky = $13, outcome_rules = $14, websocket = $15, stream_usage = $16, log_bodies = $17, revision = $18, updated_at_ms = $20";
    CLEAR_MEMBERS = "DELETE FROM members WHERE group_id = $1";
    PROVIDER_EXISTS = "SELECT id FROM providers WHERE id = $1";
    PUT_MEMBER = "INSERT INTO members (group_id, provider_id, position, priority, tier) VALUES ($1, $2, $3, $4, $5)";
    DELETE = "DELETE FROM groups WHERE id = $1";
}

record! {
    /// A row of `groups`.
    Row {
        id: String, name: String, slug: String, description: String, kind: String, strategy: String, enabled: bool,
        path_policy: String, failover: String, anonymous: String, allowed_origins: String,
        hide_provider_headers: bool, sticky: String, outcome_rules: String, websocket: bool, stream_usage: bool, log_bodies: bool, revision: i64, created_at_ms: i64, updated_at_ms: i64,
    }
}

record! {
    /// A row of `members`.
    MemberRow { group_id: String, provider_id: String, priority: i64, tier: i64 }
}

impl Store {
    /// All groups, oldest first.
    pub async fn groups(&self) -> Result<Vec<Group>, StoreError> {
        read_all(&mut self.config.read().await?).await
    }

    /// One group.
    pub async fn group(&self, id: GroupId) -> Result<Option<Group>, StoreError> {
        read_one(&mut self.config.read().await?, id).await
    }
}

pub(super) async fn read_all(tx: &mut Tx) -> Result<Vec<Group>, StoreError> {
    let rows: Vec<Row> = tx.all(sql(ALL_GROUPS)).await?;
    let mut members: HashMap<String, Vec<MemberRow>> = HashMap::new();
    for member in tx.all::<MemberRow>(sql(ALL_MEMBERS)).await? {
        members.entry(member.group_id.clone()).or_default().push(member);
    }
    rows.into_iter()
        .map(|row| {
            let own = members.remove(&row.id).unwrap_or_default();
            assemble(row, own)
        })
        .collect()
}

pub(super) async fn read_one(tx: &mut Tx, id: GroupId) -> Result<Option<Group>, StoreError> {
    let Some(row) = tx.one::<Row>(sql(ONE_GROUP).bind(Value::text(id))).await? else { return Ok(None) };
    let members = tx.all(sql(ITS_MEMBERS).bind(Value::text(id))).await?;
    assemble(row, members).map(Some)
}

fn assemble(row: Row, members: Vec<MemberRow>) -> Result<Group, StoreError> {
    let read = Reader { what: "group", id: &row.id };
    let member = |member: MemberRow| {
        Ok(Member {
            provider: read.parse(&member.provider_id)?,
            priority: read.number(member.priority)?,
            tier: read.number(member.tier)?,
        })
    };
    Ok(Group {
        id: read.parse(&row.id)?,
        slug: Slug::parse(&row.slug).map_err(|issue| read.damaged(issue))?,
        kind: read.word(&row.kind)?,
        strategy: read.word(&row.strategy)?,
        path_policy: read.json(&row.path_policy)?,
        failover: read.json(&row.failover)?,
        anonymous: read.json(&row.anonymous)?,
        allowed_origins: read.json(&row.allowed_origins)?,
        sticky: read.json(&row.sticky)?,
        outcome_rules: read.json(&row.outcome_rules)?,
        members: members.into_iter().map(member).collect::<Result<_, StoreError>>()?,
        name: row.name,
        description: row.description,
        enabled: row.enabled,
        hide_provider_headers: row.hide_provider_headers,
        websocket: row.websocket,
        stream_usage: row.stream_usage,
        log_bodies: row.log_bodies,
        revision: row.revision,
        created_at_ms: row.created_at_ms,
        updated_at_ms: row.updated_at_ms,
    })
}

pub(super) async fn put(tx: &mut Tx, mut group: Group, expect: Option<i64>, stamp: Stamp) -> Result<Entry, StoreError> {
    let id = group.id.to_string();
    let stored = read_one(tx, group.id).await?;
    check_expected(tx, "group", &id, stored.as_ref().map(|stored| stored.revision), expect).await?;
    for (field, statement, text) in
        [("name", NAME_HOLDER, group.name.as_str()), ("slug", SLUG_HOLDER, group.slug.as_str())]
    {
        let holder: Option<(String,)> = tx.one(sql(statement).bind(text)).await?;
        if holder.is_some_and(|(holder,)| holder != id) {
            return Err(StoreError::Taken { field });
        }
    }
    group.revision = stamp.revision;
    group.created_at_ms = stamp.created(stored.as_ref().map(|stored| stored.created_at_ms), group.created_at_ms);
    group.updated_at_ms = stamp.at_ms;
    write(tx, &group).await?;
    write_members(tx, &group).await?;
    Ok(Entry {
        action: if stored.is_some() { "group.update" } else { "group.create" }.to_owned(),
        object_id: id,
        detail: audit::difference(stored.as_ref().map(column::value).as_ref(), &column::value(&group), &[]),
        object: group.name,
    })
}

async fn write(tx: &mut Tx, group: &Group) -> Result<(), StoreError> {
    let put = sql(PUT)
        .bind(Value::text(group.id))
        .bind(group.name.as_str())
        .bind(group.slug.as_str())
        .bind(group.description.as_str())
        .bind(word(&group.kind))
        .bind(word(&group.strategy))
        .bind(group.enabled)
        .bind(json(&group.path_policy))
        .bind(json(&group.failover))
        .bind(json(&group.anonymous))
        .bind(json(&group.allowed_origins))
        .bind(group.hide_provider_headers)
        .bind(json(&group.sticky))
        .bind(json(&group.outcome_rules))
        .bind(group.websocket)
        .bind(group.stream_usage)
        .bind(group.log_bodies)
        .bind(group.revision)
        .bind(group.created_at_ms)
        .bind(group.updated_at_ms);
    tx.run(put).await.map(drop)
}

async fn write_members(tx: &mut Tx, group: &Group) -> Result<(), StoreError> {
    tx.run(sql(CLEAR_MEMBERS).bind(Value::text(group.id))).await?;
    for (position, member) in (0_i64..).zip(&group.members) {
        let provider: Option<(String,)> = tx.one(sql(PROVIDER_EXISTS).bind(Value::text(member.provider))).await?;
        if provider.is_none() {
            return Err(StoreError::NotFound { what: "provider" });
        }
        let put = sql(PUT_MEMBER)
            .bind(Value::text(group.id))
            .bind(Value::text(member.provider))
            .bind(position)
            .bind(member.priority)
            .bind(member.tier);
        tx.run(put).await?;
    }
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx, id: GroupId, expect: Option<i64>) -> Result<Entry, StoreError> {
    let stored = read_one(tx, id).await?.ok_or(StoreError::NotFound { what: "group" })?;
    check_expected(tx, "group", &id.to_string(), Some(stored.revision), expect).await?;
    tx.run(sql(DELETE).bind(Value::text(id))).await?;
    Ok(Entry {
        action: "group.delete".to_owned(),
        object_id: id.to_string(),
        object: stored.name,
        detail: "{}".to_owned(),
    })
}
