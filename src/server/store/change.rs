//! A change of the configuration, and the one transaction that makes it.
//!
//! Rows, audit rows and `revision += 1` are committed together or not at all. The revision's row is taken
//! first: it serialises writers on both databases, so every check made afterwards (is the name free, is the
//! record as the editor saw it, is there another owner) still holds when the rows are written.

use crate::{
    model::{
        alert::{Channel, Rule, Silence},
        api_key::ApiKey,
        group::Group,
        id::{AlertId, ApiKeyId, ChannelId, CredentialId, GroupId, ProviderId, RuleId, UserId},
        price::PriceDraft,
        provider::Provider,
        user::User,
    },
    server::secret::{seal::Sealed, token::HashedKey},
};

use super::{
    Store, StoreError,
    alert::ChannelSecrets,
    audit,
    audit::Entry,
    database::Tx,
    sql::{sql, statements},
};

/// One change. `expect` is the revision the editor saw; `None` overwrites whatever is there.
///
/// `revision`, `created_at_ms` and `updated_at_ms` inside a record are the store's to write: what the caller
/// puts there does not matter, except that a record which is new keeps its `created_at_ms` if that is not 0.
#[derive(Clone, Debug)]
pub enum Change {
    /// Creates or replaces a provider with its credentials.
    PutProvider {
        /// The record; credentials missing from it are deleted.
        provider: Provider,
        /// Secrets that are new. A credential without one here keeps the envelope that is stored.
        sealed: Vec<(CredentialId, Sealed)>,
        /// Revision the editor saw; `None` for a new record.
        expect: Option<i64>,
    },
    /// Deletes a provider and its credentials.
    DeleteProvider {
        /// Which one.
        id: ProviderId,
        /// Revision the editor saw.
        expect: Option<i64>,
        /// Whether it may leave the groups it is in; otherwise being in one is [`StoreError::InUse`].
        leave_groups: bool,
    },
    /// Creates or replaces a group with its members.
    PutGroup {
        /// The record.
        group: Group,
        /// Revision the editor saw; `None` for a new record.
        expect: Option<i64>,
    },
    /// Deletes a group. Keys scoped to it lose it and never become global by that.
    DeleteGroup {
        /// Which one.
        id: GroupId,
        /// Revision the editor saw.
        expect: Option<i64>,
    },
    /// Creates or replaces a client's key.
    PutApiKey {
        /// The record.
        key: ApiKey,
        /// Its hash: needed for a new one, and to rotate; `None` keeps the stored one.
        hash: Option<HashedKey>,
        /// Revision the editor saw; `None` for a new record.
        expect: Option<i64>,
    },
    /// Revokes a key for good.
    DeleteApiKey {
        /// Which one.
        id: ApiKeyId,
        /// Revision the editor saw.
        expect: Option<i64>,
    },
    /// Replaces the price table.
    PutPrices {
        /// The whole table.
        draft: PriceDraft,
        /// Revision the editor saw.
        expect: Option<i64>,
    },
    /// Creates the first administrator; [`StoreError::AlreadySetUp`] when there is anybody.
    PutFirstUser {
        /// The person.
        user: User,
        /// PHC string of their password.
        password_hash: String,
    },
    /// Creates or replaces a person. Their sessions end when the role or the password changes, or when they
    /// may no longer sign in.
    PutUser {
        /// The person.
        user: User,
        /// PHC string of a new password; `None` keeps the stored one.
        password_hash: Option<String>,
    },
    /// Removes a person and their sessions.
    DeleteUser {
        /// Who.
        id: UserId,
    },
    /// Creates or replaces a channel of alerts.
    PutChannel {
        /// The record, without its address and secret.
        channel: Channel,
        /// Its address and secret, as far as they are new.
        secrets: ChannelSecrets,
        /// Revision the editor saw; `None` for a new record.
        expect: Option<i64>,
    },
    /// Deletes a channel of alerts. Rules that told it are the caller's to change.
    DeleteChannel {
        /// Which one.
        id: ChannelId,
    },
    /// Creates or replaces a rule of alerts.
    PutRule {
        /// The record.
        rule: Rule,
        /// Revision the editor saw; `None` for a new record.
        expect: Option<i64>,
    },
    /// Deletes a rule of alerts and its silences.
    DeleteRule {
        /// Which one.
        id: RuleId,
    },
    /// Silences a rule or a subject of it; one whose time is not after now ends the silence.
    PutSilence {
        /// What, and until when.
        silence: Silence,
    },
    /// Somebody takes an open alert in hand.
    Acknowledge {
        /// Which one.
        alert: AlertId,
        /// What it says, for the audit trail.
        title: String,
        /// Who.
        by: String,
    },
    /// Sets a setting of the system.
    PutSetting {
        /// Its key.
        key: String,
        /// Its value; the audit row names the key only.
        value: String,
    },
    /// Removes a setting.
    DeleteSetting {
        /// Its key.
        key: String,
    },
}

statements! {
    TAKE_REVISION = "UPDATE configuration SET revision = revision + 1 WHERE id = 1 RETURNING revision, audit_seq, audit_hash";
    KEEP_CHAIN = "UPDATE configuration SET audit_seq = $1, audit_hash = $2 WHERE id = 1";
    REVISION = "SELECT revision FROM configuration WHERE id = 1";
}

/// When and as what the rows of one change are written.
#[derive(Clone, Copy)]
pub(super) struct Stamp {
    pub(super) revision: i64,
    pub(super) at_ms: i64,
}

impl Stamp {
    /// When a record was made: as stored, or as the caller says of a new one, or now.
    pub(super) fn created(self, stored: Option<i64>, given: i64) -> i64 {
        stored.unwrap_or(if given == 0 { self.at_ms } else { given })
    }
}

impl Store {
    /// Makes all `changes` or none, in order, as one new revision. `actor` is who did it: a sign-in name, `cli`,
    /// `setup`. `at_ms` is now. Returns the new revision, to be published on the bus.
    pub async fn change(&self, actor: &str, at_ms: i64, changes: Vec<Change>) -> Result<i64, StoreError> {
        let mut tx = self.config.write().await?;
        let (revision, seq, hash) = take_revision(&mut tx).await?;
        let stamp = Stamp { revision, at_ms };
        let mut chain = audit::Chain::new(seq, hash);
        for change in changes {
            let entry = apply(&mut tx, change, stamp).await?;
            chain.append(&mut tx, actor, stamp, entry).await?;
        }
        tx.run(sql(KEEP_CHAIN).bind(chain.seq()).bind(chain.hash())).await?;
        tx.commit().await?;
        Ok(revision)
    }

    /// Writes an audit row about something that changes no configuration: a sign-in, an export, a drill.
    pub async fn note(
        &self,
        actor: &str,
        at_ms: i64,
        action: &str,
        object: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.config.write().await?;
        let (seq, hash, revision) = audit::take_chain(&mut tx).await?;
        let mut chain = audit::Chain::new(seq, hash);
        let entry = Entry {
            action: action.to_owned(),
            object_id: String::new(),
            object: object.to_owned(),
            detail: detail.to_owned(),
        };
        chain.append(&mut tx, actor, Stamp { revision, at_ms }, entry).await?;
        tx.run(sql(KEEP_CHAIN).bind(chain.seq()).bind(chain.hash())).await?;
        tx.commit().await
    }

    /// The newest revision: what every node polls in case a notification was lost.
    pub async fn revision(&self) -> Result<i64, StoreError> {
        let found: Option<(i64,)> = self.config.one(sql(REVISION)).await?;
        Ok(found.map_or(0, |(revision,)| revision))
    }
}

pub(super) async fn read_revision(tx: &mut Tx) -> Result<i64, StoreError> {
    let found: Option<(i64,)> = tx.one(sql(REVISION)).await?;
    Ok(found.map_or(0, |(revision,)| revision))
}

async fn take_revision(tx: &mut Tx) -> Result<(i64, i64, String), StoreError> {
    let taken = tx.one(sql(TAKE_REVISION)).await?;
    taken.ok_or_else(|| StoreError::Damaged {
        what: "configuration",
        id: "1".into(),
        reason: "its only row is missing".into(),
    })
}

async fn apply(tx: &mut Tx, change: Change, stamp: Stamp) -> Result<Entry, StoreError> {
    match change {
        Change::PutProvider { provider, sealed, expect } => {
            super::provider::put(tx, provider, sealed, expect, stamp).await
        }
        Change::DeleteProvider { id, expect, leave_groups } => {
            super::provider::delete(tx, id, expect, leave_groups, stamp).await
        }
        Change::PutGroup { group, expect } => super::group::put(tx, group, expect, stamp).await,
        Change::DeleteGroup { id, expect } => super::group::delete(tx, id, expect).await,
        Change::PutApiKey { key, hash, expect } => super::api_key::put(tx, key, hash, expect, stamp).await,
        Change::DeleteApiKey { id, expect } => super::api_key::delete(tx, id, expect).await,
        Change::PutPrices { draft, expect } => super::price::put(tx, draft, expect, stamp).await,
        Change::PutFirstUser { user, password_hash } => super::user::put_first(tx, user, password_hash, stamp).await,
        Change::PutUser { user, password_hash } => super::user::put(tx, user, password_hash, stamp).await,
        Change::DeleteUser { id } => super::user::delete(tx, id).await,
        Change::PutChannel { channel, secrets, expect } => {
            super::alert::put_channel(tx, channel, secrets, expect, stamp).await
        }
        Change::DeleteChannel { id } => super::alert::delete_channel(tx, id).await,
        Change::PutRule { rule, expect } => super::alert::put_rule(tx, rule, expect, stamp).await,
        Change::DeleteRule { id } => super::alert::delete_rule(tx, id).await,
        Change::PutSilence { silence } => super::alert::put_silence(tx, silence, stamp).await,
        Change::Acknowledge { alert, title, by } => super::alert::acknowledge(tx, alert, title, &by, stamp).await,
        Change::PutSetting { key, value } => super::setting::put(tx, key, value).await,
        Change::DeleteSetting { key } => super::setting::delete(tx, key).await,
    }
}

/// Compares the stored revision of a record with the one its editor saw.
pub(super) async fn check_expected(
    tx: &mut Tx,
    what: &'static str,
    id: &str,
    stored: Option<i64>,
    expect: Option<i64>,
) -> Result<(), StoreError> {
    match (stored, expect) {
        (None, Some(_)) => Err(StoreError::NotFound { what }),
        (Some(stored), Some(expect)) if stored != expect => {
            let (by, at_ms) = audit::last_change(tx, id).await?;
            Err(StoreError::Conflict { revision: stored, by, at_ms })
        }
        _ => Ok(()),
    }
}
