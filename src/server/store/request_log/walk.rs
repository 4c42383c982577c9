//! The way through the blocks of all segments, newest first.
//!
//! Blocks overlap: a request is written when it ends and ordered by when it began. So a walk goes by the newest
//! id of each block, over as many segments as can still have a newer one; whoever walks knows that every row
//! newer than the block in hand has been seen.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::OwnedRwLockReadGuard;
use uuid::Uuid;

use super::{
    super::StoreError,
    segment::{HEADS, Head, Range, Segment, is_damage, is_gone},
    segments::Segments,
};

/// A walk under way.
pub(super) struct Walk<'a> {
    segments: &'a Segments,
    range: Range,
    /// Segments not entered yet with their newest id, the newest of all last.
    waiting: Vec<(Uuid, Arc<Segment>)>,
    entered: Vec<Cursor>,
}

struct Cursor {
    segment: Arc<Segment>,
    heads: VecDeque<Head>,
    /// Older blocks are below this id; `None` when there are none.
    below: Option<Uuid>,
    /// Its blocks stay what they are meanwhile.
    _stay: OwnedRwLockReadGuard<()>,
}

impl<'a> Walk<'a> {
    /// A walk over the blocks of a range.
    pub(super) async fn new(segments: &'a Segments, range: Range) -> Result<Self, StoreError> {
        let mut waiting: Vec<(Uuid, Arc<Segment>)> = Vec::new();
        for segment in segments.all().await? {
            let known = segment.known();
            // On PostgreSQL other nodes may be writing into what is not sealed.
            let last = if known.sealed || segment.file.is_some() { known.last } else { Some(Uuid::max()) };
            let Some(last) = last else { continue };
            let first = known.first.unwrap_or(Uuid::nil());
            if last >= range.last_from && first < range.first_below {
                waiting.push((last, segment));
            }
        }
        waiting.sort_by_key(|(last, segment)| (*last, segment.number));
        Ok(Self { segments, range, waiting, entered: Vec::new() })
    }

    /// The block with the newest row of those not seen yet, and its segment.
    pub(super) async fn next(&mut self) -> Result<Option<(Arc<Segment>, Head)>, StoreError> {
        loop {
            self.fill().await?;
            let newest = self.entered.iter().filter_map(|cursor| cursor.heads.front()).map(|head| head.last).max();
            match (self.waiting.last(), newest) {
                (Some((last, _)), newest) if Some(*last) >= newest => {
                    let (_, segment) = self.waiting.pop().expect("it was looked at");
                    let _stay = Arc::clone(&segment.walks).read_owned().await;
                    // Blocks that were merged may begin long before they end.
                    let below = if segment.known().wide { Uuid::max() } else { self.range.last_below };
                    self.entered.push(Cursor { segment, heads: VecDeque::new(), below: Some(below), _stay });
                }
                (_, None) => return Ok(None),
                (_, Some(newest)) => {
                    let at = |cursor: &&mut Cursor| cursor.heads.front().is_some_and(|head| head.last == newest);
                    let cursor = self.entered.iter_mut().find(at).expect("one of them has it");
                    let head = cursor.heads.pop_front().expect("it was looked at");
                    return Ok(Some((Arc::clone(&cursor.segment), head)));
                }
            }
        }
    }

    /// Reads on where a cursor has nothing left, and leaves segments that have no more.
    async fn fill(&mut self) -> Result<(), StoreError> {
        for cursor in &mut self.entered {
            let (true, Some(below)) = (cursor.heads.is_empty(), cursor.below) else { continue };
            let range = Range { last_below: below, ..self.range.clone() };
            match cursor.segment.heads(&range).await {
                Ok(heads) => {
                    cursor.below = heads.last().filter(|_| heads.len() == HEADS).map(|head| head.last);
                    cursor.heads = heads.into();
                }
                Err(error) => {
                    cursor.below = None;
                    pass_over(self.segments, &cursor.segment, error).await?;
                }
            }
        }
        self.entered.retain(|cursor| !cursor.heads.is_empty() || cursor.below.is_some());
        Ok(())
    }
}

/// A segment that is damaged is set aside, one that was dropped meanwhile is no loss: the rest is read all the
/// same. Any other error is the reader's.
pub(super) async fn pass_over(segments: &Segments, segment: &Segment, error: StoreError) -> Result<(), StoreError> {
    if is_gone(&error) || segment.is_missing() {
        return Ok(());
    }
    if is_damage(&error) {
        segments.put_aside(segment, &error).await;
        return Ok(());
    }
    Err(error)
}
