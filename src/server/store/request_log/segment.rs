//! One segment of the log: a SQLite file of its own, or three tables of PostgreSQL, dropped as a whole.
//!
//! A segment holds blocks by their last id, and marks: which values occur in which block, so that a filter
//! reads only blocks that have what it asks for. Nothing in it is ever changed, only added, until it is sealed.

use std::{
    borrow::Borrow,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use uuid::Uuid;

use super::{
    super::{
        StoreError,
        database::{Database, Tx},
        error::Trouble,
        sql::{Statement, Value, composed},
        sqlite,
    },
    block::Packed,
    segments::Family,
};
use crate::model::id::RequestId;

/// Heads of blocks read at once.
pub(super) const HEADS: usize = 128;
/// `user_version` of a file whose blocks were merged.
const WIDE: i64 = 1;
/// Marks per INSERT, largest first: few texts, so that each is prepared once.
const MARKS_AT_ONCE: [usize; 3] = [16, 4, 1];

/// What is known of a segment without asking it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// Nothing is added any more.
    pub(super) sealed: bool,
    /// Its oldest id, while it has any.
    pub(super) first: Option<Uuid>,
    /// Its newest id, while it has any.
    pub(super) last: Option<Uuid>,
    /// Its rows.
    pub(super) rows: u64,
    /// Its size on disk.
    pub(super) bytes: u64,
    /// Its blocks were merged and span more than one stretch of time.
    pub(super) wide: bool,
    /// Whether it needs to be merged was looked at since the start.
    pub(super) looked_at: bool,
}

/// A segment.
pub(super) struct Segment {
    /// The order in which segments were made.
    pub(super) number: i64,
    /// Day it was made on, `2026-11-23`, UTC.
    pub(super) day: String,
    /// Its file on SQLite.
    pub(super) file: Option<PathBuf>,
    pub(super) database: Database,
    blocks: String,
    marks: String,
    /// Touched by the writer and by readers for a copy; never held across an await.
    known: Mutex<Known>,
    /// Held by walks through its blocks, for as long as they need them to stay what they are.
    pub(super) walks: Arc<tokio::sync::RwLock<()>>,
}

/// Newest and oldest id and the number of rows.
type Bounds = (Option<Vec<u8>>, Option<Vec<u8>>, Option<i64>);

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) last: Uuid,
    pub(super) first: Uuid,
    /// Rows of the block, or those of them that have the mark it was found by.
    pub(super) rows: u32,
}

/// Which blocks to look for.
#[derive(Clone, Debug)]
pub(super) struct Range {
    /// Blocks whose last id is smaller.
    pub(super) last_below: Uuid,
    /// Blocks whose first id is smaller.
    pub(super) first_below: Uuid,
    /// Blocks whose last id is not smaller.
    pub(super) last_from: Uuid,
    /// Blocks that have all of these.
    pub(super) marks: Vec<i64>,
}

impl Segment {
    /// A segment in a file that is there, or will be.
    pub(super) fn in_file(number: i64, day: String, file: PathBuf, known: Known) -> Self {
        let database = sqlite::segment(&file);
        let (blocks, marks) = ("blocks".to_owned(), "marks".to_owned());
        Self { number, day, file: Some(file), database, blocks, marks, known: Mutex::new(known), walks: Arc::default() }
    }

    /// A segment in tables of its own.
    pub(super) fn in_tables(family: Family, number: i64, day: String, database: Database, known: Known) -> Self {
        let prefix = family.prefix();
        let (blocks, marks) = (format!("{prefix}_{number}_blocks"), format!("{prefix}_{number}_marks"));
        Self { number, day, file: None, database, blocks, marks, known: Mutex::new(known), walks: Arc::default() }
    }

    /// The same file with other tables.
    pub(super) fn with_tables(&self, blocks: String, marks: String) -> Self {
        let (number, day, file) = (self.number, self.day.clone(), self.file.clone());
        let (known, walks) = (Mutex::default(), Arc::default());
        Self { number, day, file, database: self.database.clone(), blocks, marks, known, walks }
    }

    /// Statements that put the tables of `new` in the place of its own, in a file.
    pub(super) fn take_over(&self, new: &Self) -> [String; 7] {
        let (blocks, marks) = (&self.blocks, &self.marks);
        [
            format!("DROP TABLE {blocks}"),
            format!("DROP TABLE {marks}"),
            format!("ALTER TABLE {} RENAME TO {blocks}", new.blocks),
            format!("ALTER TABLE {} RENAME TO {marks}", new.marks),
            format!("DROP INDEX {}_by_id", new.blocks),
            format!("CREATE UNIQUE INDEX {blocks}_by_id ON {blocks} (last_id, first_id, rows)"),
            format!("PRAGMA user_version = {WIDE}"),
        ]
    }

    /// Blocks and rows.
    pub(super) fn select_density(&self) -> Statement {
        composed(format!("SELECT count(*), COALESCE(CAST(sum(rows) AS BIGINT), 0) FROM {}", self.blocks))
    }

    /// Last ids and bodies of blocks behind this id, oldest first.
    pub(super) fn select_bodies(&self, after: Uuid, most: u32) -> Statement {
        let text =
            format!("SELECT last_id, body FROM {} WHERE last_id > $1 ORDER BY last_id LIMIT {most}", self.blocks);
        composed(text).bind(after)
    }

    /// A name for messages.
    pub(super) fn name(&self) -> String {
        match &self.file {
            Some(file) => file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            None => self.blocks.trim_end_matches("_blocks").to_owned(),
        }
    }

    /// Whether its file is not where it was made.
    pub(super) fn is_missing(&self) -> bool {
        self.file.as_deref().is_some_and(|file| !file.exists())
    }

    pub(super) fn known(&self) -> Known {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn learn(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Makes its tables.
    pub(super) async fn make(&self) -> Result<(), StoreError> {
        let mut tx = self.database.write().await?;
        self.make_in(&mut tx).await?;
        tx.commit().await?;
        if let Some(file) = &self.file {
            sqlite::restrict(file);
        }
        Ok(())
    }

    /// Makes its tables in a transaction.
    pub(super) async fn make_in(&self, tx: &mut Tx) -> Result<(), StoreError> {
        for text in self.schema() {
            tx.run(composed(text)).await?;
        }
        Ok(())
    }

    fn schema(&self) -> Vec<String> {
        let (blocks, marks) = (&self.blocks, &self.marks);
        if self.file.is_some() {
            return vec![
                format!(
                    "CREATE TABLE {blocks} (last_id BLOB NOT NULL, first_id BLOB NOT NULL, rows INTEGER NOT NULL, \
                     body BLOB NOT NULL) STRICT"
                ),
                format!("CREATE UNIQUE INDEX {blocks}_by_id ON {blocks} (last_id, first_id, rows)"),
                format!(
                    "CREATE TABLE {marks} (mark INTEGER NOT NULL, last_id BLOB NOT NULL, first_id BLOB NOT NULL, \
                     rows INTEGER NOT NULL, PRIMARY KEY (mark, last_id)) STRICT, WITHOUT ROWID"
                ),
            ];
        }
        vec![
            format!(
                "CREATE TABLE {blocks} (last_id BYTEA NOT NULL, first_id BYTEA NOT NULL, rows BIGINT NOT NULL, \
                 body BYTEA NOT NULL)"
            ),
            // Packed already: compressing it again costs more than it saves.
            format!("ALTER TABLE {blocks} ALTER COLUMN body SET STORAGE EXTERNAL"),
            format!("CREATE UNIQUE INDEX {blocks}_by_id ON {blocks} (last_id, first_id, rows)"),
            format!(
                "CREATE TABLE {marks} (mark BIGINT NOT NULL, last_id BYTEA NOT NULL, first_id BYTEA NOT NULL, \
                 rows BIGINT NOT NULL)"
            ),
            format!("CREATE UNIQUE INDEX {marks}_by_mark ON {marks} (mark, last_id) INCLUDE (first_id, rows)"),
        ]
    }

    /// Writes blocks in a transaction; a block that is there already stays as it is.
    pub(super) async fn put(&self, tx: &mut Tx, blocks: &[impl Borrow<Packed> + Sync]) -> Result<(), StoreError> {
        for block in blocks.iter().map(Borrow::borrow) {
            let insert = format!(
                "INSERT INTO {} (last_id, first_id, rows, body) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                self.blocks
            );
            let insert = composed(insert).bind(block.last_id.0).bind(block.first_id.0);
            tx.run(insert.bind(i64::from(block.rows)).bind(Value::Bytes(block.body.clone()))).await?;
            let mut marks = block.marks.as_slice();
            for at_once in MARKS_AT_ONCE {
                let mut chunks = marks.chunks_exact(at_once);
                for chunk in &mut chunks {
                    tx.run(self.put_marks(block, chunk)).await?;
                }
                marks = chunks.remainder();
            }
        }
        Ok(())
    }

    fn put_marks(&self, block: &Packed, marks: &[(i64, u32)]) -> Statement {
        let mut text = format!("INSERT INTO {} (mark, last_id, first_id, rows) VALUES ", self.marks);
        for row in 0..marks.len() {
            // Both ids are bound once for all.
            let (comma, at) = (if row == 0 { "" } else { ", " }, row * 2 + 3);
            text.push_str(&format!("{comma}(${at}, $1, $2, ${})", at + 1));
        }
        text.push_str(" ON CONFLICT DO NOTHING");
        let statement = composed(text).bind(block.last_id.0).bind(block.first_id.0);
        marks.iter().fold(statement, |statement, (mark, rows)| statement.bind(*mark).bind(i64::from(*rows)))
    }

    /// Heads of blocks, newest first, at most [`HEADS`].
    pub(super) async fn heads(&self, range: &Range) -> Result<Vec<Head>, StoreError> {
        let rows: Vec<(Vec<u8>, Vec<u8>, i64)> = self.database.all(self.select_heads(range)).await?;
        rows.into_iter().map(|(last, first, rows)| self.head(&last, &first, rows)).collect()
    }

    fn select_heads(&self, range: &Range) -> Statement {
        let mut text = "SELECT last_id, first_id, rows FROM ".to_owned();
        let mut values: Vec<Value> = vec![range.last_below.into(), range.first_below.into(), range.last_from.into()];
        match range.marks.split_first() {
            None => text.push_str(&format!("{} AS head WHERE ", self.blocks)),
            Some((first, more)) => {
                values.push((*first).into());
                text.push_str(&format!("{} AS head WHERE mark = $4 AND ", self.marks));
                for mark in more {
                    values.push((*mark).into());
                    text.push_str(&format!(
                        "EXISTS (SELECT 1 FROM {} AS other WHERE other.mark = ${} AND other.last_id = head.last_id) AND ",
                        self.marks,
                        values.len()
                    ));
                }
            }
        }
        text.push_str("last_id < $1 AND first_id < $2 AND last_id >= $3 ORDER BY last_id DESC LIMIT ");
        text.push_str(&HEADS.to_string());
        composed(text).bind_all(values)
    }

    fn head(&self, last: &[u8], first: &[u8], rows: i64) -> Result<Head, StoreError> {
        let id = |bytes: &[u8]| Uuid::from_slice(bytes).map_err(|error| self.damaged(error.to_string()));
        Ok(Head { last: id(last)?, first: id(first)?, rows: u32::try_from(rows).unwrap_or(u32::MAX) })
    }

    /// Bytes of a block; `None` if it is gone.
    pub(super) async fn body(&self, last: Uuid) -> Result<Option<Vec<u8>>, StoreError> {
        let text = format!("SELECT body FROM {} WHERE last_id = $1", self.blocks);
        let found: Option<(Vec<u8>,)> = self.database.one(composed(text).bind(last)).await?;
        Ok(found.map(|(body,)| body))
    }

    /// Reads its bounds and rows from its blocks.
    pub(super) async fn measure(&self) -> Result<Known, StoreError> {
        let known = self.measured(self.database.one(self.select_bounds()).await?)?;
        if self.file.is_none() {
            return Ok(known);
        }
        let told: Option<(i64,)> = self.database.one(composed("PRAGMA user_version".to_owned())).await?;
        Ok(Known { wide: told.is_some_and(|(version,)| version >= WIDE), ..known })
    }

    /// The same in a transaction.
    pub(super) async fn measure_in(&self, tx: &mut Tx) -> Result<Known, StoreError> {
        self.measured(tx.one(self.select_bounds()).await?)
    }

    fn select_bounds(&self) -> Statement {
        // PostgreSQL has no max() of bytes before version 18.
        let blocks = &self.blocks;
        composed(format!(
            "SELECT (SELECT last_id FROM {blocks} ORDER BY last_id DESC LIMIT 1), \
             (SELECT first_id FROM {blocks} ORDER BY first_id LIMIT 1), (SELECT CAST(sum(rows) AS BIGINT) FROM {blocks})"
        ))
    }

    fn measured(&self, found: Option<Bounds>) -> Result<Known, StoreError> {
        let (last, first, rows) = found.unwrap_or_default();
        let id = |bytes: Option<Vec<u8>>| {
            bytes.map(|bytes| Uuid::from_slice(&bytes).map_err(|error| self.damaged(error.to_string()))).transpose()
        };
        let bytes = self.file.as_deref().map_or(0, size_of);
        let rows = rows.unwrap_or(0).unsigned_abs();
        Ok(Known { first: id(first)?, last: id(last)?, rows, bytes, ..Known::default() })
    }

    /// What PostgreSQL keeps of it on disk, indexes included.
    pub(super) async fn table_bytes(&self) -> Result<u64, StoreError> {
        let text = format!(
            "SELECT pg_total_relation_size('{}'::regclass) + pg_total_relation_size('{}'::regclass)",
            self.blocks, self.marks
        );
        let found: Option<(i64,)> = self.database.one(composed(text)).await?;
        Ok(found.map_or(0, |(bytes,)| bytes.unsigned_abs()))
    }

    /// The statement that drops its tables.
    pub(super) fn drop_tables(&self) -> Statement {
        composed(format!("DROP TABLE IF EXISTS {}, {}", self.blocks, self.marks))
    }

    /// Folds the write-ahead log into the file, which from now on is all there is.
    pub(super) async fn fold(&self) -> Result<(), StoreError> {
        self.database.run(composed("PRAGMA wal_checkpoint(TRUNCATE)".to_owned())).await.map(drop)
    }

    pub(super) fn damaged(&self, reason: String) -> StoreError {
        StoreError::Damaged { what: "segment of the request log", id: self.name(), reason }
    }

    /// Every form of its statements, for the test that prepares all.
    pub(super) fn texts(&self) -> Vec<String> {
        let range = |marks: Vec<i64>| Range {
            last_below: Uuid::max(),
            first_below: Uuid::max(),
            last_from: Uuid::nil(),
            marks,
        };
        let mut texts: Vec<String> =
            [vec![], vec![1], vec![1, 2, 3]].map(|marks| self.select_heads(&range(marks)).into_text()).into();
        let block = Packed {
            first_id: RequestId(Uuid::nil()),
            last_id: RequestId(Uuid::nil()),
            rows: 0,
            body: vec![],
            marks: vec![],
        };
        texts.extend([self.select_density(), self.select_bodies(Uuid::nil(), 1)].map(Statement::into_text));
        texts.extend(MARKS_AT_ONCE.map(|count| self.put_marks(&block, &vec![(0, 0); count]).into_text()));
        texts
    }
}

/// Bytes of a file of SQLite with its write-ahead log.
pub(super) fn size_of(file: &Path) -> u64 {
    [file.to_owned(), beside(file, "-wal")]
        .iter()
        .filter_map(|file| fs::metadata(file).ok())
        .map(|told| told.len())
        .sum()
}

/// The file with something at the end of its name.
pub(super) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Whether the segment's file contradicts itself: it is of no use any more.
pub(super) fn is_damage(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Unusable(Trouble::Corrupt { .. } | Trouble::NotADatabase { .. }) | StoreError::Damaged { .. }
    )
}

/// Whether its tables are not there: another node dropped them meanwhile.
pub(super) fn is_gone(error: &StoreError) -> bool {
    matches!(error, StoreError::Unusable(Trouble::NotMigrated { .. }))
}
