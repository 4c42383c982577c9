//! People and their password hashes.

use crate::model::{
    id::UserId,
    user::{Role, User},
};

use super::{
    Store, StoreError, audit,
    audit::Entry,
    change::Stamp,
    column::{self, Reader},
    database::Tx,
    sql::{Value, record, sql, statements},
};

/// A person with the hash of their password.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredUser {
    /// The person.
    pub user: User,
    /// PHC string.
    pub password_hash: String,
}

impl std::fmt::Debug for StoredUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredUser").field("user", &self.user).finish_non_exhaustive()
    }
}

statements! {
    ALL_USERS = "SELECT id, username, display_name, role, enabled, password_hash, created_at_ms, last_seen_at_ms \
                 FROM users ORDER BY created_at_ms, id";
    ONE_USER = "SELECT id, username, display_name, role, enabled, password_hash, created_at_ms, last_seen_at_ms \
                FROM users WHERE id = $1";
    BY_NAME = "SELECT id, username, display_name, role, enabled, password_hash, created_at_ms, last_seen_at_ms \
               FROM users WHERE username_key = $1";
    COUNT = "SELECT COUNT(*) FROM users";
    OWNERS = "SELECT COUNT(*) FROM users WHERE role = 'owner' AND enabled";
    PUT = "INSERT INTO users (id, username, username_key, display_name, role, enabled, password_hash, created_at_ms, \
           last_seen_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL) \
           ON CONFLICT (id) DO UPDATE SET username = $2, username_key = $3, display_name = $4, role = $5, enabled = $6, \
           password_hash = $7";
    END_SESSIONS = "DELETE FROM sessions WHERE user_id = $1";
    DELETE = "DELETE FROM users WHERE id = $1";
}

record! {
    /// A row of `users`.
    Row {
        id: String, username: String, display_name: String, role: String, enabled: bool, password_hash: String,
        created_at_ms: i64, last_seen_at_ms: Option<i64>,
    }
}

impl Store {
    /// Everybody, oldest first.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let rows: Vec<Row> = self.config.all(sql(ALL_USERS)).await?;
        rows.into_iter().map(|row| assemble(row).map(|stored| stored.user)).collect()
    }

    /// One person.
    pub async fn user(&self, id: UserId) -> Result<Option<StoredUser>, StoreError> {
        self.config.one(sql(ONE_USER).bind(Value::text(id))).await?.map(assemble).transpose()
    }

    /// The person with this sign-in name, whatever its case.
    pub async fn user_by_name(&self, username: &str) -> Result<Option<StoredUser>, StoreError> {
        self.config.one(sql(BY_NAME).bind(username.to_lowercase())).await?.map(assemble).transpose()
    }

    /// How many people there are; 0 is a first run.
    pub async fn user_count(&self) -> Result<u64, StoreError> {
        let count: Option<(i64,)> = self.config.one(sql(COUNT)).await?;
        Ok(count.map_or(0, |(count,)| count.unsigned_abs()))
    }
}

fn assemble(row: Row) -> Result<StoredUser, StoreError> {
    let read = Reader { what: "user", id: &row.id };
    let user = User {
        id: read.parse(&row.id)?,
        role: read.parse::<Role>(&row.role)?,
        username: row.username,
        display_name: row.display_name,
        enabled: row.enabled,
        created_at_ms: row.created_at_ms,
        last_seen_at_ms: row.last_seen_at_ms,
    };
    Ok(StoredUser { user, password_hash: row.password_hash })
}

async fn read_one(tx: &mut Tx, id: UserId) -> Result<Option<StoredUser>, StoreError> {
    tx.one(sql(ONE_USER).bind(Value::text(id))).await?.map(assemble).transpose()
}

pub(super) async fn put_first(
    tx: &mut Tx,
    user: User,
    password_hash: String,
    stamp: Stamp,
) -> Result<Entry, StoreError> {
    let count: Option<(i64,)> = tx.one(sql(COUNT)).await?;
    if count != Some((0,)) {
        return Err(StoreError::AlreadySetUp);
    }
    put(tx, user, Some(password_hash), stamp).await
}

pub(super) async fn put(
    tx: &mut Tx,
    mut user: User,
    password_hash: Option<String>,
    stamp: Stamp,
) -> Result<Entry, StoreError> {
    let stored = read_one(tx, user.id).await?;
    let holder: Option<Row> = tx.one(sql(BY_NAME).bind(user.username.to_lowercase())).await?;
    if holder.is_some_and(|holder| holder.id != user.id.to_string()) {
        return Err(StoreError::Taken { field: "username" });
    }
    let new_password = password_hash.is_some();
    let hash = password_hash.or_else(|| stored.as_ref().map(|stored| stored.password_hash.clone()));
    let hash = hash.ok_or(StoreError::NotFound { what: "user" })?;
    user.created_at_ms = stamp.created(stored.as_ref().map(|stored| stored.user.created_at_ms), user.created_at_ms);
    user.last_seen_at_ms = stored.as_ref().and_then(|stored| stored.user.last_seen_at_ms);
    write(tx, &user, hash).await?;
    if let Some(stored) = &stored {
        if stored.user.role != user.role || new_password || !user.enabled {
            tx.run(sql(END_SESSIONS).bind(Value::text(user.id))).await?;
        }
        check_owner_left(tx, &stored.user).await?;
    }
    let renewed = if new_password && stored.is_some() { vec!["password".to_owned()] } else { Vec::new() };
    Ok(Entry {
        action: if stored.is_some() { "user.update" } else { "user.create" }.to_owned(),
        object_id: user.id.to_string(),
        detail: audit::difference(
            stored.as_ref().map(|stored| column::value(&stored.user)).as_ref(),
            &column::value(&user),
            &renewed,
        ),
        object: user.username,
    })
}

async fn write(tx: &mut Tx, user: &User, password_hash: String) -> Result<(), StoreError> {
    let put = sql(PUT)
        .bind(Value::text(user.id))
        .bind(user.username.as_str())
        .bind(user.username.to_lowercase())
        .bind(user.display_name.as_str())
        .bind(user.role.as_str())
        .bind(user.enabled)
        .bind(password_hash)
        .bind(user.created_at_ms);
    tx.run(put).await.map(drop)
}

/// Refuses a change after which nobody could manage people, if `before` could.
async fn check_owner_left(tx: &mut Tx, before: &User) -> Result<(), StoreError> {
    let owners: Option<(i64,)> = tx.one(sql(OWNERS)).await?;
    let was_owner = before.role == Role::Owner && before.enabled;
    if was_owner && owners == Some((0,)) { Err(StoreError::LastOwner) } else { Ok(()) }
}

pub(super) async fn delete(tx: &mut Tx, id: UserId) -> Result<Entry, StoreError> {
    let stored = read_one(tx, id).await?.ok_or(StoreError::NotFound { what: "user" })?;
    tx.run(sql(DELETE).bind(Value::text(id))).await?;
    check_owner_left(tx, &stored.user).await?;
    let object = stored.user.username;
    Ok(Entry { action: "user.delete".to_owned(), object_id: id.to_string(), object, detail: "{}".to_owned() })
}
