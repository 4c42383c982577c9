//! The segments of the log: one is written, the others are read until they are dropped whole, oldest first.
//!
//! A segment is cut when its day is over or when it has its share of the size the log may reach, so that
//! keeping within days and bytes is dropping a file or two tables, whatever is in them. On SQLite this process
//! alone writes and knows every segment; on PostgreSQL several nodes write into one segment, and a table says
//! which segments there are.
//!
//! A file that contradicts itself is renamed and named in a warning and on the screen; the log goes on without it.

use std::{
    borrow::Borrow,
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use uuid::Uuid;

use super::{
    super::{
        StoreError,
        database::Database,
        error::Place,
        sql::{Statement, Value, composed, sql, statements},
        sqlite,
    },
    block::Packed,
    segment::{Known, Segment, beside, is_damage, size_of},
};

/// Segments within the size the log may reach: it is exceeded by no more than one of so many parts.
const PARTS: u64 = 16;
/// Smallest and largest segment, bytes.
const SEGMENT_BYTES: (u64, u64) = (1 << 20, 256 << 20);
/// How often within one segment PostgreSQL is asked for its size.
const LOOKS: u64 = 32;
/// How long a search reads without being told otherwise.
const PATIENCE_MS: u64 = 150;
/// What the name of a file that was set aside ends with.
const SET_ASIDE: &str = ".damaged";

statements! {
    SEGMENTS = "SELECT number, day, sealed, first_id, last_id, rows FROM log_segments ORDER BY number";
    OPEN_SEGMENT = "SELECT number, day FROM log_segments WHERE NOT sealed AND NOT apart ORDER BY number DESC LIMIT 1";
    HOLD_SEGMENT = "SELECT number FROM log_segments WHERE number = $1 AND NOT sealed";
    NEW_SEGMENT = "INSERT INTO log_segments (day, sealed, apart, rows) VALUES ($1, $2, $3, 0) RETURNING number";
    SEAL_SEGMENT = "UPDATE log_segments SET sealed = $2, last_id = $3, first_id = $4, rows = $5 WHERE number = $1";
    DROP_SEGMENT = "DELETE FROM log_segments WHERE number = $1";
}

/// Not in `ALL`: words only PostgreSQL knows. Whoever writes holds on to the segment's row, so that it is not
/// sealed under the writer's hands; whoever cuts waits for the writers.
const SHARE: &str = " FOR SHARE";
const ALONE: &str = " FOR UPDATE";
/// Sizes of these and all newer ones at once; a segment that is being dropped has none.
const TABLE_SIZES: &str = "SELECT number, COALESCE(pg_total_relation_size(to_regclass('log_' || number || '_blocks')), 0) \
                           + COALESCE(pg_total_relation_size(to_regclass('log_' || number || '_marks')), 0) \
                           FROM log_segments WHERE number >= $1";
/// One node at a time makes a segment.
const MAKE_LOCK: &str = "SELECT pg_advisory_xact_lock(7223054138276412)::text";

/// How much of the log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Days after which a segment goes.
    pub days: u32,
    /// Bytes all segments may have together.
    pub bytes: u64,
}

impl Default for LogLimits {
    /// As the settings have it: 30 days, 2 GiB.
    fn default() -> Self {
        Self { days: 30, bytes: 2 << 30 }
    }
}

impl LogLimits {
    fn segment_bytes(self) -> u64 {
        (self.bytes / PARTS).clamp(SEGMENT_BYTES.0, SEGMENT_BYTES.1)
    }
}

/// A segment that cannot be read and was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Its file.
    pub name: String,
    /// Day it was begun, `2026-11-23`.
    pub day: String,
}

/// What segments hold. The two have lists, tables and files of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Family {
    /// Rows of the log.
    Rows,
    /// Bodies of requests.
    Bodies,
}

impl Family {
    /// What names of its tables begin with.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Rows => "log",
            Self::Bodies => "bodies",
        }
    }

    /// Its directory beside `log.db`: `log` or `log.bodies`.
    fn directory(self, file: &Path) -> PathBuf {
        file.with_extension(match self {
            Self::Rows => "",
            Self::Bodies => "bodies",
        })
    }

    /// A statement about segments of the log, said about its own.
    pub(in super::super) fn text(self, text: &str) -> String {
        match self {
            Self::Rows => text.to_owned(),
            Self::Bodies => text.replace("log_segments", "body_segments").replace("'log_'", "'bodies_'"),
        }
    }

    fn sql(self, text: &'static str) -> Statement {
        match self {
            Self::Rows => sql(text),
            Self::Bodies => composed(self.text(text)),
        }
    }
}

/// All segments of one log.
pub(in super::super) struct Segments {
    home: Home,
    family: Family,
    limits: Mutex<LogLimits>,
    /// How long a search may read, milliseconds.
    patience_ms: AtomicU64,
    /// The segment that is written. Held while a batch is written: only the writer and whoever drops come here.
    open: tokio::sync::Mutex<Option<Arc<Segment>>>,
    /// Bytes written since PostgreSQL was asked how large the segment is.
    unmeasured: AtomicU64,
    /// Sizes of sealed tables by number, once they were asked for: they stay, and to tell them PostgreSQL has to
    /// open every table with its indexes. Held for a look, never across an await.
    told: Mutex<HashMap<i64, u64>>,
}

/// Where segments are.
enum Home {
    /// Files in a directory, which this process alone writes.
    Files { directory: PathBuf, index: tokio::sync::OnceCell<Mutex<Index>> },
    /// Tables of a shared database.
    Tables(Database),
}

/// The files there are.
#[derive(Default)]
struct Index {
    /// In the order they were made.
    segments: Vec<Arc<Segment>>,
    set_aside: Vec<SetAside>,
    /// Number of the newest, damaged ones included.
    newest: i64,
}

impl Segments {
    /// Segments beside this file: `log.db` has them in `log/`. Nothing is read or made before it is needed.
    pub(in super::super) fn beside(file: &Path, family: Family) -> Self {
        let directory = family.directory(file);
        Self::at(Home::Files { directory, index: tokio::sync::OnceCell::new() }, family)
    }

    /// Segments in a database.
    pub(in super::super) fn within(database: Database, family: Family) -> Self {
        Self::at(Home::Tables(database), family)
    }

    fn at(home: Home, family: Family) -> Self {
        Self {
            home,
            family,
            limits: Mutex::default(),
            patience_ms: AtomicU64::new(PATIENCE_MS),
            open: tokio::sync::Mutex::new(None),
            unmeasured: AtomicU64::new(0),
            told: Mutex::default(),
        }
    }

    pub(super) fn limits(&self) -> LogLimits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn limit(&self, limits: LogLimits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    pub(super) fn patience(&self) -> Duration {
        Duration::from_millis(self.patience_ms.load(Relaxed))
    }

    pub(super) fn limit_search(&self, patience: Duration) {
        self.patience_ms.store(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Every segment, in the order they were made.
    pub(super) async fn all(&self) -> Result<Vec<Arc<Segment>>, StoreError> {
        match &self.home {
            Home::Files { directory, index } => Ok(lock(self.index(directory, index).await?).segments.clone()),
            Home::Tables(database) => tables(database, self.family).await,
        }
    }

    /// Segments that may have a block which ends with this id, newest first.
    pub(super) async fn covering(&self, id: Uuid) -> Result<Vec<Arc<Segment>>, StoreError> {
        let mut segments = self.all().await?;
        segments.reverse();
        segments.retain(|segment| {
            let known = segment.known();
            // On PostgreSQL other nodes may be writing into what is not sealed.
            let is_open = !known.sealed && segment.file.is_none();
            is_open || known.first.zip(known.last).is_some_and(|(first, last)| first <= id && id <= last)
        });
        Ok(segments)
    }

    /// Segments that were set aside because they are damaged.
    pub(super) async fn set_aside(&self) -> Result<Vec<SetAside>, StoreError> {
        match &self.home {
            Home::Files { directory, index } => Ok(lock(self.index(directory, index).await?).set_aside.clone()),
            Home::Tables(_) => Ok(Vec::new()),
        }
    }

    /// Writes blocks into the open segment, then cuts it when it has its size, and drops what is then too much.
    pub(super) async fn append(&self, blocks: &[impl Borrow<Packed> + Sync], today: &str) -> Result<(), StoreError> {
        let mut open = self.open.lock().await;
        self.append_to(&mut open, blocks, today, Cut::Live).await
    }

    /// Writes blocks into segments of their own, for rows that are older than the log's end: `open` is the one
    /// under way, `None` at first. Call [`Self::finish`] with it at the end.
    pub(super) async fn append_apart(
        &self,
        open: &mut Option<Arc<Segment>>,
        blocks: &[Packed],
        day: &str,
    ) -> Result<(), StoreError> {
        self.append_to(open, blocks, day, Cut::Apart).await
    }

    async fn append_to(
        &self,
        open: &mut Option<Arc<Segment>>,
        blocks: &[impl Borrow<Packed> + Sync],
        today: &str,
        cut: Cut,
    ) -> Result<(), StoreError> {
        // A file that somebody removed, or a reader set aside, takes no rows any more.
        if open.as_ref().is_some_and(|segment| segment.is_missing()) {
            *open = None;
        }
        // A clock that went back writes on in the open segment: only a later day is another one.
        if open.as_ref().is_some_and(|segment| segment.day.as_str() < today)
            && let Some(segment) = open.take()
        {
            self.seal(&segment).await?;
        }
        for last_try in [false, true] {
            let segment = match &*open {
                Some(segment) => Arc::clone(segment),
                None => Arc::clone(open.insert(self.begin(today, cut).await?)),
            };
            match self.write(&segment, blocks).await {
                Ok(true) => return self.measure(open, segment).await,
                // Another node sealed it: go on in the next one.
                Ok(false) if !last_try => *open = None,
                Err(error) if !last_try && is_damage(&error) && segment.file.is_some() => {
                    self.put_aside(&segment, &error).await;
                    *open = None;
                }
                Ok(false) => return Err(segment.damaged("it is sealed again and again".to_owned())),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// `false`: it is sealed, and nothing was written.
    async fn write(&self, segment: &Segment, blocks: &[impl Borrow<Packed> + Sync]) -> Result<bool, StoreError> {
        let mut tx = segment.database.write().await?;
        if segment.file.is_none() {
            let hold = composed(self.family.text(&format!("{HOLD_SEGMENT}{SHARE}"))).bind(segment.number);
            if tx.one::<(i64,)>(hold).await?.is_none() {
                return Ok(false);
            }
        }
        segment.put(&mut tx, blocks).await?;
        tx.commit().await?;
        segment.learn(|known| {
            for block in blocks.iter().map(Borrow::borrow) {
                known.first = Some(known.first.map_or(block.first_id.0, |first| first.min(block.first_id.0)));
                known.last = Some(known.last.map_or(block.last_id.0, |last| last.max(block.last_id.0)));
                known.rows += u64::from(block.rows);
            }
        });
        let bytes: usize = blocks.iter().map(|block| block.borrow().body.len()).sum();
        self.unmeasured.fetch_add(bytes as u64, Relaxed);
        Ok(true)
    }

    /// Looks how large the segment has become; cuts it and makes room when it has its size.
    async fn measure(&self, open: &mut Option<Arc<Segment>>, segment: Arc<Segment>) -> Result<(), StoreError> {
        let wanted = self.limits().segment_bytes();
        let bytes = match &segment.file {
            Some(file) => size_of(file),
            None if self.unmeasured.load(Relaxed) < wanted / LOOKS => return Ok(()),
            None => {
                self.unmeasured.store(0, Relaxed);
                segment.table_bytes().await?
            }
        };
        segment.learn(|known| known.bytes = bytes);
        if bytes >= wanted {
            *open = None;
            // The rows are written: what goes wrong now is told, and tried again with the next segment.
            if let Err(error) = self.make_room(&segment).await {
                tracing::warn!(%error, "the request log was not cut to its size");
            }
        }
        Ok(())
    }

    async fn make_room(&self, full: &Segment) -> Result<(), StoreError> {
        self.seal(full).await?;
        self.drop_beyond_bytes(self.limits().segment_bytes()).await.map(drop)
    }

    /// The segment to write into: the one that is open already, else a new one.
    async fn begin(&self, today: &str, cut: Cut) -> Result<Arc<Segment>, StoreError> {
        match &self.home {
            Home::Files { directory, index } => {
                let index = self.index(directory, index).await?;
                if let (Cut::Live, Some(open)) = (cut, self.unsealed(index, today).await?) {
                    return Ok(open);
                }
                begin_file(directory, index, today).await
            }
            Home::Tables(database) => begin_tables(database, self.family, today, cut).await,
        }
    }

    /// The newest file, when it is of this day and has room: the process was started again.
    async fn unsealed(&self, index: &Mutex<Index>, today: &str) -> Result<Option<Arc<Segment>>, StoreError> {
        lock(index).segments.retain(|segment| !segment.is_missing());
        let Some(newest) = lock(index).segments.last().cloned().filter(|segment| !segment.known().sealed) else {
            return Ok(None);
        };
        if newest.day.as_str() >= today && newest.known().bytes < self.limits().segment_bytes() {
            return Ok(Some(newest));
        }
        self.seal(&newest).await?;
        Ok(None)
    }

    /// Nothing is added to it any more.
    async fn seal(&self, segment: &Segment) -> Result<(), StoreError> {
        let Home::Tables(database) = &self.home else {
            segment.fold().await?;
            let bytes = segment.file.as_deref().map_or(0, size_of);
            segment.learn(|known| (known.sealed, known.bytes) = (true, bytes));
            return Ok(());
        };
        let mut tx = database.write().await?;
        if tx
            .one::<(i64,)>(composed(self.family.text(&format!("{HOLD_SEGMENT}{ALONE}"))).bind(segment.number))
            .await?
            .is_none()
        {
            return Ok(());
        }
        let known = segment.measure_in(&mut tx).await?;
        let id = |id: Option<Uuid>| id.map_or(Value::Bytes(Vec::new()), Value::from);
        let seal =
            self.family.sql(SEAL_SEGMENT).bind(segment.number).bind(true).bind(id(known.last)).bind(id(known.first));
        tx.run(seal.bind(Value::count(known.rows))).await?;
        tx.commit().await
    }

    /// Ends a segment that was filled apart.
    pub(super) async fn finish(&self, open: Option<Arc<Segment>>) -> Result<(), StoreError> {
        match open {
            Some(segment) => self.seal(&segment).await,
            None => Ok(()),
        }
    }

    /// Bytes of all segments.
    pub(super) async fn bytes(&self) -> Result<u64, StoreError> {
        Ok(self.sizes().await?.iter().map(|(_, bytes)| bytes).sum())
    }

    async fn sizes(&self) -> Result<Vec<(Arc<Segment>, u64)>, StoreError> {
        let segments = self.all().await?;
        let Home::Tables(database) = &self.home else {
            let size = |segment: Arc<Segment>| {
                let bytes = segment.file.as_deref().map_or(0, size_of);
                (segment, bytes)
            };
            return Ok(segments.into_iter().map(size).collect());
        };
        let mut sizes = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let grows = |segment: &&Arc<Segment>| !segment.known().sealed || !sizes.contains_key(&segment.number);
        if let Some(from) = segments.iter().filter(grows).map(|segment| segment.number).min() {
            let told: Vec<(i64, i64)> = database.all(self.family.sql(TABLE_SIZES).bind(from)).await?;
            sizes.extend(told.into_iter().map(|(number, bytes)| (number, bytes.unsigned_abs())));
        }
        let size = |segment: &Arc<Segment>| sizes.get(&segment.number).copied().unwrap_or(0);
        let sealed = segments.iter().filter(|segment| segment.known().sealed);
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) =
            sealed.map(|segment| (segment.number, size(segment))).collect();
        Ok(segments.iter().map(|segment| (Arc::clone(segment), size(segment))).collect())
    }

    /// Drops segments whose newest row is from before this id; returns how many went.
    pub(super) async fn drop_before(&self, id: Uuid) -> Result<u64, StoreError> {
        let mut open = self.open.lock().await;
        let mut gone = 0;
        for segment in self.all().await? {
            let known = segment.known();
            let is_open = open.as_ref().is_some_and(|open| open.number == segment.number);
            let last = match (known.sealed, &segment.file) {
                // What other nodes write is not known here.
                (false, None) => segment.measure().await?.last,
                // Somebody fills it with old rows; bodies are never brought from elsewhere.
                (false, Some(_)) if !is_open && self.family == Family::Rows => None,
                _ => known.last,
            };
            if last.is_some_and(|last| last < id) {
                if !known.sealed {
                    self.seal(&segment).await?;
                }
                if is_open {
                    *open = None;
                }
                self.discard(&segment).await?;
                gone += 1;
            }
        }
        Ok(gone)
    }

    /// Drops the oldest segments until all are within their bytes; returns how many went.
    pub(super) async fn drop_oldest(&self) -> Result<u64, StoreError> {
        let _open = self.open.lock().await;
        self.drop_beyond_bytes(0).await
    }

    /// The same, with room for so many bytes more. A segment that is written stays.
    async fn drop_beyond_bytes(&self, room: u64) -> Result<u64, StoreError> {
        let sizes = self.sizes().await?;
        let limit = self.limits().bytes.saturating_sub(room);
        let mut total: u64 = sizes.iter().map(|(_, bytes)| bytes).sum();
        let mut gone = 0;
        for (segment, bytes) in sizes.iter().filter(|(segment, _)| segment.known().sealed) {
            if total <= limit {
                break;
            }
            self.discard(segment).await?;
            total -= bytes;
            gone += 1;
        }
        Ok(gone)
    }

    async fn discard(&self, segment: &Segment) -> Result<(), StoreError> {
        match &self.home {
            Home::Files { directory, index } => {
                lock(self.index(directory, index).await?).segments.retain(|other| other.number != segment.number);
                segment.database.close().await;
                let file = segment.file.as_deref().expect("a segment of files has one");
                remove_file(file).map_err(|error| sqlite::unusable(&Place::File(file.to_owned()), &error))
            }
            Home::Tables(database) => {
                let mut tx = database.write().await?;
                tx.run(self.family.sql(DROP_SEGMENT).bind(segment.number)).await?;
                tx.run(segment.drop_tables()).await?;
                tx.commit().await
            }
        }
    }

    /// Sets a damaged file aside: out of the way, not lost. Tables are left to PostgreSQL's own care.
    pub(super) async fn put_aside(&self, segment: &Segment, reason: &StoreError) {
        let Home::Files { directory, index } = &self.home else {
            tracing::warn!(segment = segment.name(), %reason, "a segment of the request log cannot be read");
            return;
        };
        if let Ok(index) = self.index(directory, index).await {
            let mut index = lock(index);
            index.segments.retain(|other| other.number != segment.number);
            if !index.set_aside.iter().any(|known| known.name == segment.name()) {
                index.set_aside.push(SetAside { name: segment.name(), day: segment.day.clone() });
            }
        }
        segment.database.close().await;
        set_aside(segment.file.as_deref().expect("a segment of files has one"), reason);
    }

    async fn index<'a>(
        &'a self,
        directory: &Path,
        index: &'a tokio::sync::OnceCell<Mutex<Index>>,
    ) -> Result<&'a Mutex<Index>, StoreError> {
        index.get_or_try_init(|| async { load(directory).await.map(Mutex::new) }).await
    }

    /// What contradicts itself in the files, those that were set aside among them.
    pub(in super::super) async fn find_damage(&self) -> Result<Vec<String>, StoreError> {
        let mut found: Vec<String> =
            self.set_aside().await?.into_iter().map(|aside| format!("{}: it was set aside", aside.name)).collect();
        for segment in self.all().await?.into_iter().filter(|segment| segment.file.is_some()) {
            match segment.database.all::<(String,)>(sql("PRAGMA integrity_check(20)")).await {
                Ok(lines) => {
                    let lines = lines.into_iter().filter(|(line,)| line != "ok");
                    found.extend(lines.map(|(line,)| format!("{}: {line}", segment.name())));
                }
                Err(error) => found.push(error.to_string()),
            }
        }
        Ok(found)
    }

    /// Closes every file.
    pub(in super::super) async fn close(&self) {
        let Home::Files { index, .. } = &self.home else { return };
        let Some(index) = index.get() else { return };
        let segments = lock(index).segments.clone();
        for segment in segments {
            segment.database.close().await;
        }
    }

    /// A segment to prepare statements against; see [`super::super::Store::prepare_all`].
    pub(super) async fn sample(&self) -> Result<Arc<Segment>, StoreError> {
        match self.all().await?.into_iter().next() {
            Some(segment) => Ok(segment),
            None => self.begin("1970-01-01", Cut::Apart).await,
        }
    }
}

/// Why a segment is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// For what happens now; nodes share it.
    Live,
    /// For rows brought from elsewhere; its maker's own.
    Apart,
}

fn lock(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    index.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `2026-11-23-000017.db`.
fn file_name(day: &str, number: i64) -> String {
    format!("{day}-{number:06}.db")
}

/// Day and number of a segment's file.
fn parse_name(name: &str) -> Option<(String, i64)> {
    let (day, number) = name.strip_suffix(".db")?.rsplit_once('-')?;
    Some((day.to_owned(), number.parse().ok()?))
}

/// Reads what files there are. A directory that is not there is an empty one.
async fn load(directory: &Path) -> Result<Index, StoreError> {
    let mut index = Index::default();
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(index),
        Err(error) => return Err(sqlite::unusable(&Place::File(directory.to_owned()), &error)),
    };
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort_unstable();
    for name in names {
        if let Some((day, number)) = name.strip_suffix(SET_ASIDE).and_then(parse_name) {
            index.newest = index.newest.max(number);
            index.set_aside.push(SetAside { name: name.trim_end_matches(SET_ASIDE).to_owned(), day });
        } else if let Some((day, number)) = parse_name(&name) {
            index.newest = index.newest.max(number);
            let segment = Segment::in_file(number, day, directory.join(&name), Known::default());
            match segment.measure().await {
                Ok(known) => {
                    segment.learn(|old| *old = known);
                    index.segments.push(Arc::new(segment));
                }
                Err(error) if is_damage(&error) || super::segment::is_gone(&error) => {
                    segment.database.close().await;
                    set_aside(&directory.join(&name), &error);
                    index.set_aside.push(SetAside { name, day: segment.day });
                }
                Err(error) => return Err(error),
            }
        }
    }
    index.segments.sort_by_key(|segment| segment.number);
    // Only the newest may be written on; the process that wrote the others went on to it.
    let older = index.segments.iter().filter(|segment| segment.number < index.newest);
    older.for_each(|segment| segment.learn(|known| known.sealed = true));
    Ok(index)
}

async fn begin_file(directory: &Path, index: &Mutex<Index>, today: &str) -> Result<Arc<Segment>, StoreError> {
    sqlite::make_directory(directory).map_err(|error| sqlite::unusable(&Place::File(directory.to_owned()), &error))?;
    let number = {
        let mut index = lock(index);
        index.newest += 1;
        index.newest
    };
    let file = directory.join(file_name(today, number));
    let segment = Arc::new(Segment::in_file(number, today.to_owned(), file.clone(), Known::default()));
    if let Err(error) = segment.make().await {
        segment.database.close().await;
        let _ = remove_file(&file);
        return Err(error);
    }
    lock(index).segments.push(Arc::clone(&segment));
    Ok(segment)
}

async fn begin_tables(database: &Database, family: Family, today: &str, cut: Cut) -> Result<Arc<Segment>, StoreError> {
    let mut tx = database.write().await?;
    tx.all::<(String,)>(sql(MAKE_LOCK)).await?;
    if cut == Cut::Live
        && let Some((number, day)) = tx.one::<(i64, String)>(family.sql(OPEN_SEGMENT)).await?
    {
        return Ok(Arc::new(Segment::in_tables(family, number, day, database.clone(), Known::default())));
    }
    let new = family.sql(NEW_SEGMENT).bind(today).bind(false).bind(cut == Cut::Apart);
    let number = tx.one::<(i64,)>(new).await?.map(|(number,)| number).unwrap_or_default();
    let segment = Segment::in_tables(family, number, today.to_owned(), database.clone(), Known::default());
    segment.make_in(&mut tx).await?;
    tx.commit().await?;
    Ok(Arc::new(segment))
}

async fn tables(database: &Database, family: Family) -> Result<Vec<Arc<Segment>>, StoreError> {
    type Listed = (i64, String, bool, Option<Vec<u8>>, Option<Vec<u8>>, i64);
    let rows: Vec<Listed> = database.all(family.sql(SEGMENTS)).await?;
    let id = |bytes: Option<Vec<u8>>| bytes.and_then(|bytes| Uuid::from_slice(&bytes).ok());
    let segments = rows.into_iter().map(|(number, day, sealed, first, last, rows)| {
        let (first, last, rows) = (id(first), id(last), rows.unsigned_abs());
        let known = Known { sealed, first, last, rows, ..Known::default() };
        Arc::new(Segment::in_tables(family, number, day, database.clone(), known))
    });
    Ok(segments.collect())
}

/// Removes the files of a segment; one that is not there is no error.
fn remove_file(file: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        match fs::remove_file(beside(file, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Renames the files of a damaged segment.
fn set_aside(file: &Path, reason: &StoreError) {
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::rename(beside(file, suffix), beside(file, &format!("{SET_ASIDE}{suffix}")));
    }
    let file = file.display();
    tracing::warn!(%file, %reason, "a segment of the request log is damaged and was set aside; its rows are missing from the log");
}
