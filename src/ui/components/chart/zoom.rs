//! The stretch of time that the charts of a screen show: all there is, or what was drawn out with the pointer.

use std::ops::Range;

use leptos::prelude::*;

use crate::model::stats::Bucket;

/// A chosen stretch, shared by charts side by side. Cheap to copy.
#[derive(Clone, Copy, Default)]
pub struct Zoom(RwSignal<Option<(i64, i64)>>);

impl Zoom {
    /// Which of these columns are shown.
    pub fn columns(self, buckets: &[Bucket]) -> Range<usize> {
        match self.0.get() {
            Some((from_ms, to_ms)) => between(buckets, from_ms, to_ms),
            None => 0..buckets.len(),
        }
    }

    /// Whether a part is shown.
    pub fn is_on(self) -> bool {
        self.0.with(Option::is_some)
    }

    /// Shows what lies between two moments, unix milliseconds.
    pub fn select(self, from_ms: i64, to_ms: i64) {
        self.0.set(Some((from_ms, to_ms)));
    }

    /// Shows everything.
    pub fn reset(self) {
        self.0.set(None);
    }
}

/// Columns that begin between two moments; all of them once time has carried the data past it.
fn between(buckets: &[Bucket], from_ms: i64, to_ms: i64) -> Range<usize> {
    let first = buckets.partition_point(|bucket| bucket.at_ms < from_ms);
    let end = buckets.partition_point(|bucket| bucket.at_ms < to_ms);
    if first < end { first..end } else { 0..buckets.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_keeps_its_moments_while_columns_move_on() {
        let buckets = |first: i64| -> Vec<Bucket> {
            (0..6).map(|column| Bucket { at_ms: first + column * 10, ..Bucket::default() }).collect()
        };
        assert_eq!(between(&buckets(0), 20, 40), 2..4);
        assert_eq!(between(&buckets(10), 20, 40), 1..3);
        assert_eq!(between(&buckets(100), 20, 40), 0..6, "it is past");
        assert_eq!(between(&[], 20, 40), 0..0);
    }
}
