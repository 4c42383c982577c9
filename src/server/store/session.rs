//! Signed-in browsers. Only the SHA-256 of a session's token is kept: a stolen database signs nobody in.

use crate::{
    model::{
        id::{SessionId, UserId},
        user::{Role, User},
    },
    server::secret::token::HashedKey,
};

use super::{
    Store, StoreError,
    column::Reader,
    sql::{Value, record, sql, statements},
};

/// A session to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// Its record's id, shown in the list of sessions.
    pub id: SessionId,
    /// SHA-256 of the token in the cookie.
    pub token: HashedKey,
    /// Who signed in.
    pub user: UserId,
    /// From where.
    pub address: String,
    /// With what.
    pub user_agent: String,
    /// When, unix milliseconds.
    pub created_at_ms: i64,
    /// Ends then unless it is used before.
    pub idle_expires_at_ms: i64,
    /// Ends then at the latest.
    pub expires_at_ms: i64,
}

/// A session that holds, with its person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// Which one.
    pub id: SessionId,
    /// Who.
    pub user: User,
    /// From where it was opened.
    pub address: String,
    /// With what.
    pub user_agent: String,
    /// Opened, unix milliseconds.
    pub created_at_ms: i64,
    /// Last used, as far as it was noted.
    pub seen_at_ms: i64,
    /// Ends then unless it is used before.
    pub idle_expires_at_ms: i64,
    /// Ends then at the latest.
    pub expires_at_ms: i64,
}

statements! {
    OPEN = "INSERT INTO sessions (id, token_hash, user_id, address, user_agent, created_at_ms, seen_at_ms, \
            idle_expires_at_ms, expires_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8)";
    SEEN_USER = "UPDATE users SET last_seen_at_ms = $2 WHERE id = $1";
    BY_TOKEN = "SELECT s.id, s.address, s.user_agent, s.created_at_ms, s.seen_at_ms, s.idle_expires_at_ms, s.expires_at_ms, \
                u.id AS user_id, u.username, u.display_name, u.role, u.enabled, u.created_at_ms AS user_created_at_ms, \
                u.last_seen_at_ms FROM sessions s JOIN users u ON u.id = s.user_id \
                WHERE s.token_hash = $1 AND s.expires_at_ms > $2 AND s.idle_expires_at_ms > $2 AND u.enabled";
    OF_USER = "SELECT s.id, s.address, s.user_agent, s.created_at_ms, s.seen_at_ms, s.idle_expires_at_ms, s.expires_at_ms, \
               u.id AS user_id, u.username, u.display_name, u.role, u.enabled, u.created_at_ms AS user_created_at_ms, \
               u.last_seen_at_ms FROM sessions s JOIN users u ON u.id = s.user_id \
               WHERE s.user_id = $1 AND s.expires_at_ms > $2 AND s.idle_expires_at_ms > $2 ORDER BY s.seen_at_ms DESC, s.id";
    TOUCH = "UPDATE sessions SET seen_at_ms = $2, idle_expires_at_ms = $3 WHERE id = $1 AND seen_at_ms <= $2";
    END = "DELETE FROM sessions WHERE id = $1";
    END_ALL = "DELETE FROM sessions WHERE user_id = $1 AND id <> $2";
    SWEEP = "DELETE FROM sessions WHERE expires_at_ms <= $1 OR idle_expires_at_ms <= $1";
}

record! {
    /// A session joined with its person.
    Row {
        id: String, address: String, user_agent: String, created_at_ms: i64, seen_at_ms: i64, idle_expires_at_ms: i64,
        expires_at_ms: i64, user_id: String, username: String, display_name: String, role: String, enabled: bool,
        user_created_at_ms: i64, last_seen_at_ms: Option<i64>,
    }
}

impl Store {
    /// Opens a session and notes the sign-in with the person.
    pub async fn open_session(&self, session: &NewSession) -> Result<(), StoreError> {
        let mut tx = self.config.write().await?;
        let seen = sql(SEEN_USER).bind(Value::text(session.user)).bind(session.created_at_ms);
        if tx.run(seen).await? == 0 {
            return Err(StoreError::NotFound { what: "user" });
        }
        let open = sql(OPEN)
            .bind(Value::text(session.id))
            .bind(session.token.to_hex())
            .bind(Value::text(session.user))
            .bind(session.address.as_str())
            .bind(session.user_agent.as_str())
            .bind(session.created_at_ms)
            .bind(session.idle_expires_at_ms)
            .bind(session.expires_at_ms);
        tx.run(open).await?;
        tx.commit().await
    }

    /// The session behind a token, if it holds at `now_ms` and its person may sign in.
    pub async fn session(&self, token: &HashedKey, now_ms: i64) -> Result<Option<StoredSession>, StoreError> {
        self.config.one(sql(BY_TOKEN).bind(token.to_hex()).bind(now_ms)).await?.map(assemble).transpose()
    }

    /// Sessions of one person that hold at `now_ms`, last used first.
    pub async fn sessions_of(&self, user: UserId, now_ms: i64) -> Result<Vec<StoredSession>, StoreError> {
        let rows: Vec<Row> = self.config.all(sql(OF_USER).bind(Value::text(user)).bind(now_ms)).await?;
        rows.into_iter().map(assemble).collect()
    }

    /// Notes a use and moves the idle end. Call it once a minute per session at most.
    pub async fn touch_session(
        &self,
        id: SessionId,
        seen_at_ms: i64,
        idle_expires_at_ms: i64,
    ) -> Result<(), StoreError> {
        let touch = sql(TOUCH).bind(Value::text(id)).bind(seen_at_ms).bind(idle_expires_at_ms);
        self.config.run(touch).await.map(drop)
    }

    /// Signs out one session. Ending one that is gone is no error.
    pub async fn end_session(&self, id: SessionId) -> Result<(), StoreError> {
        self.config.run(sql(END).bind(Value::text(id))).await.map(drop)
    }

    /// Signs a person out everywhere, or everywhere but here; returns how many sessions ended.
    pub async fn end_sessions(&self, user: UserId, but: Option<SessionId>) -> Result<u64, StoreError> {
        let but = but.map_or_else(String::new, |id| id.to_string());
        self.config.run(sql(END_ALL).bind(Value::text(user)).bind(but)).await
    }

    /// Deletes sessions that ended before `now_ms`; returns how many.
    pub async fn sweep_sessions(&self, now_ms: i64) -> Result<u64, StoreError> {
        self.config.run(sql(SWEEP).bind(now_ms)).await
    }
}

fn assemble(row: Row) -> Result<StoredSession, StoreError> {
    let read = Reader { what: "session", id: &row.id };
    Ok(StoredSession {
        id: read.parse(&row.id)?,
        user: User {
            id: read.parse(&row.user_id)?,
            role: read.parse::<Role>(&row.role)?,
            username: row.username,
            display_name: row.display_name,
            enabled: row.enabled,
            created_at_ms: row.user_created_at_ms,
            last_seen_at_ms: row.last_seen_at_ms,
        },
        address: row.address,
        user_agent: row.user_agent,
        created_at_ms: row.created_at_ms,
        seen_at_ms: row.seen_at_ms,
        idle_expires_at_ms: row.idle_expires_at_ms,
        expires_at_ms: row.expires_at_ms,
    })
}
