//! The audit trail: a chain of hashes, appended in the transaction of the change it tells of.
//!
//! The hash of a row covers everything in it and the hash before it. Altering, removing or reordering rows
//! breaks the chain from there on; cutting off its end contradicts the head kept with the revision.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::model::{audit::AuditRow, page::Stretch};

use super::{
    Store, StoreError,
    change::Stamp,
    database::Tx,
    sql::{record, sql, statements},
};

statements! {
    INSERT = "INSERT INTO audit (seq, at_ms, actor, action, object_id, object, revision, detail, hash) \
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    LIST = "SELECT seq, at_ms, actor, action, object_id, object, revision, detail, hash FROM audit \
            WHERE seq < $1 ORDER BY seq DESC LIMIT $2";
    CHAIN = "SELECT seq, at_ms, actor, action, object_id, object, revision, detail, hash FROM audit \
             WHERE seq > $1 ORDER BY seq LIMIT $2";
    LAST_OF_OBJECT = "SELECT actor, at_ms FROM audit WHERE object_id = $1 ORDER BY seq DESC LIMIT 1";
    // Touches the row so that PostgreSQL locks it; the revision stays.
    TAKE_CHAIN = "UPDATE configuration SET revision = revision WHERE id = 1 RETURNING audit_seq, audit_hash, revision";
    HEAD = "SELECT audit_seq, audit_hash FROM configuration WHERE id = 1";
}

record! {
    /// A row of the trail.
    Row {
        seq: i64, at_ms: i64, actor: String, action: String, object_id: String, object: String, revision: i64,
        detail: String, hash: String,
    }
}

/// What a change says about itself.
pub(super) struct Entry {
    pub(super) action: String,
    pub(super) object_id: String,
    pub(super) object: String,
    pub(super) detail: String,
}

/// The end of the chain while a change appends to it.
pub(super) struct Chain {
    seq: i64,
    hash: String,
}

impl Chain {
    pub(super) fn new(seq: i64, hash: String) -> Self {
        Self { seq, hash }
    }

    pub(super) fn seq(&self) -> i64 {
        self.seq
    }

    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    pub(super) async fn append(
        &mut self,
        tx: &mut Tx,
        actor: &str,
        stamp: Stamp,
        entry: Entry,
    ) -> Result<(), StoreError> {
        let mut row = Row {
            seq: self.seq + 1,
            at_ms: stamp.at_ms,
            actor: storable(actor),
            action: storable(&entry.action),
            object_id: storable(&entry.object_id),
            object: storable(&entry.object),
            revision: stamp.revision,
            detail: storable(&entry.detail),
            hash: String::new(),
        };
        row.hash = row.chained(&self.hash);
        let insert = sql(INSERT).bind(row.seq).bind(row.at_ms).bind(row.actor).bind(row.action).bind(row.object_id);
        tx.run(insert.bind(row.object).bind(row.revision).bind(row.detail).bind(row.hash.clone())).await?;
        (self.seq, self.hash) = (row.seq, row.hash);
        Ok(())
    }
}

/// What is hashed must be what is stored, and a NUL is not storable.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

impl Row {
    /// SHA-256 in hex over the hash before and every field. Each field is preceded by its length, so that no
    /// two rows read the same.
    fn chained(&self, before: &str) -> String {
        let (seq, at_ms, revision) = (self.seq.to_string(), self.at_ms.to_string(), self.revision.to_string());
        let fields =
            [before, &seq, &at_ms, &self.actor, &self.action, &self.object_id, &self.object, &revision, &self.detail];
        let mut hasher = Sha256::new();
        for field in fields {
            hasher.update((field.len() as u64).to_be_bytes());
            hasher.update(field.as_bytes());
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl From<Row> for AuditRow {
    fn from(row: Row) -> Self {
        Self {
            seq: row.seq,
            at_ms: row.at_ms,
            actor: row.actor,
            action: row.action,
            object: row.object,
            revision: row.revision,
            detail: row.detail,
            hash: row.hash,
        }
    }
}

impl Store {
    /// The trail, newest first: rows before `before` (a `seq`), at most `limit`.
    pub async fn audit(&self, before: Option<i64>, limit: u32) -> Result<Stretch<AuditRow>, StoreError> {
        let limit = limit.clamp(1, 500);
        let wanted = sql(LIST).bind(before.unwrap_or(i64::MAX)).bind(limit + 1);
        let mut rows: Vec<AuditRow> = self.config.all::<Row>(wanted).await?.into_iter().map(AuditRow::from).collect();
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let older = if more { rows.last().map(|row| row.seq.to_string()) } else { None };
        Ok(Stretch { rows, older })
    }

    /// Walks the whole chain. `None` when it holds, otherwise the `seq` of the first row that does not.
    pub async fn verify_audit(&self) -> Result<Option<i64>, StoreError> {
        const STEP: u32 = 1_000;
        let mut tx = self.config.read().await?;
        let (mut seq, mut hash) = (0_i64, String::new());
        loop {
            let rows: Vec<Row> = tx.all(sql(CHAIN).bind(seq).bind(STEP)).await?;
            let last = rows.len() < STEP as usize;
            for row in rows {
                if row.seq != seq + 1 || row.hash != row.chained(&hash) {
                    return Ok(Some(seq + 1));
                }
                (seq, hash) = (row.seq, row.hash);
            }
            if last {
                let head: Option<(i64, String)> = tx.one(sql(HEAD)).await?;
                return Ok(if head == Some((seq, hash)) { None } else { Some(seq + 1) });
            }
        }
    }
}

pub(super) async fn take_chain(tx: &mut Tx) -> Result<(i64, String, i64), StoreError> {
    let taken = tx.one(sql(TAKE_CHAIN)).await?;
    taken.ok_or_else(|| StoreError::Damaged {
        what: "configuration",
        id: "1".into(),
        reason: "its only row is missing".into(),
    })
}

/// Who changed the thing last, and when.
pub(super) async fn last_change(tx: &mut Tx, object_id: &str) -> Result<(String, i64), StoreError> {
    let found: Option<(String, i64)> = tx.one(sql(LAST_OF_OBJECT).bind(object_id)).await?;
    Ok(found.unwrap_or_else(|| ("somebody".to_owned(), 0)))
}

/// What changed between two records, as `{"field": [old, new]}`; for a new record `{"field": new}`.
///
/// The records are wire types and hold no secret by construction, but two of their fields may carry one that
/// a person typed: values of static headers and a custom credential template. Both are told by name only.
pub(super) fn difference(old: Option<&Value>, new: &Value, secrets: &[String]) -> String {
    const OWN: [&str; 5] = ["id", "revision", "created_at_ms", "updated_at_ms", "last_used_at_ms"];
    let mut fields = Map::new();
    let empty = Map::new();
    let before = old.and_then(Value::as_object).unwrap_or(&empty);
    for (field, value) in new.as_object().unwrap_or(&empty) {
        if OWN.contains(&field.as_str()) || before.get(field) == Some(value) {
            continue;
        }
        let shown = |value: &Value| masked(field, value);
        let entry = match before.get(field) {
            Some(old) => json!([shown(old), shown(value)]),
            None => shown(value),
        };
        fields.insert(field.clone(), entry);
    }
    if !secrets.is_empty() {
        fields.insert("new_secrets".to_owned(), json!(secrets));
    }
    Value::Object(fields).to_string()
}

fn masked(field: &str, value: &Value) -> Value {
    let mut value = value.clone();
    if let (true, Some(set)) = (field == "headers", value.pointer_mut("/set").and_then(Value::as_object_mut)) {
        set.values_mut().for_each(|value| *value = json!("…"));
    }
    if let (true, Some(template)) = (field == "auth", value.pointer_mut("/template")) {
        *template = json!("…");
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_what_changed_and_no_secret() {
        let old = json!({"id": "1", "name": "a", "headers": {"set": {"X": "old-secret"}}, "revision": 1});
        let new = json!({"id": "1", "name": "b", "headers": {"set": {"X": "new-secret"}}, "revision": 2});
        let told = difference(Some(&old), &new, &["main".to_owned()]);
        let expected =
            json!({"name": ["a", "b"], "headers": [{"set": {"X": "…"}}, {"set": {"X": "…"}}], "new_secrets": ["main"]});
        assert_eq!(serde_json::from_str::<Value>(&told).expect("JSON"), expected);
        assert_eq!(difference(None, &json!({"id": "1", "name": "a"}), &[]), r#"{"name":"a"}"#);
    }

    #[test]
    fn the_hash_covers_every_field_and_the_row_before() {
        let row = |actor: &str, action: &str| Row {
            seq: 1,
            at_ms: 2,
            actor: actor.into(),
            action: action.into(),
            object_id: String::new(),
            object: String::new(),
            revision: 1,
            detail: String::new(),
            hash: String::new(),
        };
        assert_ne!(row("ab", "c").chained(""), row("a", "bc").chained(""));
        assert_ne!(row("a", "b").chained(""), row("a", "b").chained("x"));
        assert_eq!(row("a", "b").chained("").len(), 64);
    }
}
