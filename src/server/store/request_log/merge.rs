//! Small blocks of a sealed file become large ones.
//!
//! A batch becomes one block, and where five requests come in a second a batch has one or two rows: then a row
//! costs a kilobyte instead of eighty bytes, the log reaches its size ten times as early, and a search for text
//! comes to the end of what it may read ten times as early. Nothing is written to a sealed segment any more, so
//! its rows are packed anew, some hundred to a block, in one transaction that a crash undoes.
//!
//! Only files: on PostgreSQL other nodes may be reading, which nothing here would know of.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    super::{StoreError, sql::composed},
    block::{self, Block, Torn},
    segment::{Segment, is_damage, size_of},
    segments::Segments,
};
use crate::model::request_log::RequestDetail;

/// Rows of a block that is full.
const FULL: usize = 500;
/// Segments whose blocks have fewer rows on average are merged.
const SPARSE: u64 = 125;
/// Small blocks read at once.
const AT_ONCE: u32 = 256;

impl Segments {
    /// Merges the newest sealed file that needs it and was not looked at yet; returns whether there was one.
    /// One at a time: there is no hurry.
    pub(super) async fn merge_one(&self) -> Result<bool, StoreError> {
        for segment in self.all().await?.into_iter().rev() {
            let known = segment.known();
            if segment.file.is_none() || !known.sealed || known.looked_at {
                continue;
            }
            // Once per start: what cannot be merged today will not be in five minutes either.
            segment.learn(|known| known.looked_at = true);
            match segment.merge().await {
                Ok(false) => {}
                Ok(true) => return Ok(true),
                Err(_) if segment.is_missing() => {}
                Err(error) if is_damage(&error) => self.put_aside(&segment, &error).await,
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

impl Segment {
    /// `false`: its blocks are large enough, or one of them cannot be read.
    async fn merge(&self) -> Result<bool, StoreError> {
        let (blocks, marks) = ("merged_blocks".to_owned(), "merged_marks".to_owned());
        let new = self.with_tables(blocks, marks);
        let mut tx = self.database.write().await?;
        let told: Option<(i64, i64)> = tx.one(self.select_density()).await?;
        let (blocks, listed) = told.map_or((0, 0), |(blocks, rows)| (blocks.unsigned_abs(), rows.unsigned_abs()));
        if blocks < 2 || listed >= blocks.saturating_mul(SPARSE) {
            return Ok(false);
        }
        new.make_in(&mut tx).await?;
        let (mut after, mut rows, mut unpacked): (Uuid, Vec<RequestDetail>, u64) = (Uuid::nil(), Vec::new(), 0);
        loop {
            let page: Vec<(Vec<u8>, Vec<u8>)> = tx.all(self.select_bodies(after, AT_ONCE)).await?;
            let Some((last, _)) = page.last() else { break };
            after = Uuid::from_slice(last).map_err(|error| self.damaged(error.to_string()))?;
            for (_, body) in &page {
                match unpack(body, &mut rows) {
                    Ok(count) => unpacked += count,
                    Err(reason) => return Ok(self.leave(&reason.to_string())),
                }
                // In the order of their last ids: whatever comes later is newer than the last of these.
                if rows.len() >= FULL {
                    new.put(&mut tx, &[packed(&mut rows)]).await?;
                    rows.clear();
                }
            }
        }
        if !rows.is_empty() {
            new.put(&mut tx, &[packed(&mut rows)]).await?;
        }
        if unpacked != listed {
            return Ok(self.leave(&format!("{unpacked} rows are there of {listed}")));
        }
        for text in self.take_over(&new) {
            tx.run(composed(text)).await?;
        }
        {
            // A search that walks the old blocks would look for the rest of them in vain.
            let _alone = Arc::clone(&self.walks).write_owned().await;
            tx.commit().await?;
            self.learn(|known| known.wide = true);
        }
        self.database.run(composed("VACUUM".to_owned())).await?;
        self.fold().await?;
        let bytes = self.file.as_deref().map_or(0, size_of);
        self.learn(|known| known.bytes = bytes);
        Ok(true)
    }

    /// It was not merged.
    fn leave(&self, reason: &str) -> bool {
        let segment = self.name();
        tracing::warn!(segment, reason, "a block of the request log cannot be read; its segment stays as it is");
        false
    }
}

/// The rows of a block, behind those that are there; how many they are.
fn unpack(body: &[u8], rows: &mut Vec<RequestDetail>) -> Result<u64, Torn> {
    let (before, mut block) = (rows.len(), Block::read(body)?);
    while let Some(row) = block.next()? {
        rows.push(block.detail(&row)?);
    }
    Ok((rows.len() - before) as u64)
}

/// One block of all of them; there is at least one.
fn packed(rows: &mut [RequestDetail]) -> block::Packed {
    rows.sort_unstable_by_key(|detail| detail.row.id);
    block::pack(&rows.iter().collect::<Vec<_>>())
}
