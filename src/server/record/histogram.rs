//! A latency histogram in a few hundred bytes: logarithmic buckets, only those in use.
//!
//! Sixteen buckets per power of two, so a value is off by at most 3.2 %. A dense table of them would
//! be five kilobytes per provider and column; real latencies touch a few dozen buckets.

use serde::{Deserialize, Serialize};

use crate::model::stats::Quantiles;

/// Sub-buckets per power of two, as bits.
const BITS: u32 = 4;
const SUB: u64 = 1 << BITS;
/// Longest value told apart, microseconds: above twelve days.
const LONGEST_US: u64 = (1 << 40) - 1;
const CELLS: usize = ((40 - BITS as usize) + 1) << BITS;

/// Counts per bucket, sorted by bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(u16, u32)>", into = "Vec<(u16, u32)>")]
pub struct Histogram {
    cells: Vec<(u16, u32)>,
}

impl Histogram {
    /// Adds a value in microseconds.
    pub fn add(&mut self, value_us: u64) {
        let bucket = bucket(value_us);
        match self.cells.binary_search_by_key(&bucket, |cell| cell.0) {
            Ok(at) => self.cells[at].1 = self.cells[at].1.saturating_add(1),
            Err(at) => self.cells.insert(at, (bucket, 1)),
        }
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.cells {
            match self.cells.binary_search_by_key(bucket, |cell| cell.0) {
                Ok(at) => self.cells[at].1 = self.cells[at].1.saturating_add(*count),
                Err(at) => self.cells.insert(at, (*bucket, *count)),
            }
        }
    }

    /// Gives back memory that growing left over.
    pub fn shrink(&mut self) {
        self.cells.shrink_to_fit();
    }

    /// Values in it.
    pub fn count(&self) -> u64 {
        self.cells.iter().map(|cell| u64::from(cell.1)).sum()
    }
}

impl From<Histogram> for Vec<(u16, u32)> {
    fn from(histogram: Histogram) -> Self {
        histogram.cells
    }
}

impl From<Vec<(u16, u32)>> for Histogram {
    /// Whatever was read: cells out of order or out of range are put right.
    fn from(read: Vec<(u16, u32)>) -> Self {
        let mut cells: Vec<_> = read.into_iter().filter(|cell| usize::from(cell.0) < CELLS).collect();
        cells.sort_unstable();
        cells.dedup_by_key(|cell| cell.0);
        Self { cells }
    }
}

/// Many histograms added up, to read quantiles from.
#[derive(Clone, Debug)]
pub struct Sum {
    cells: Box<[u64; CELLS]>,
    count: u64,
}

impl Default for Sum {
    fn default() -> Self {
        Self { cells: Box::new([0; CELLS]), count: 0 }
    }
}

impl Sum {
    /// Adds a histogram.
    pub fn add(&mut self, histogram: &Histogram) {
        for (bucket, count) in &histogram.cells {
            self.cells[usize::from(*bucket)] += u64::from(*count);
            self.count += u64::from(*count);
        }
    }

    /// The quantiles every screen shows; all zero of nothing.
    pub fn quantiles(&self) -> Quantiles {
        let [p50_us, p95_us, p99_us] = [50, 95, 99].map(|percent| self.quantile(percent));
        Quantiles { p50_us, p95_us, p99_us }
    }

    /// The value below which `percent` of 100 values lie, microseconds.
    pub fn quantile(&self, percent: u64) -> u64 {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (bucket, count) in self.cells.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return middle(bucket as u64);
            }
        }
        0
    }
}

fn bucket(value_us: u64) -> u16 {
    let value = value_us.min(LONGEST_US);
    if value < SUB {
        return value as u16;
    }
    let power = value.ilog2();
    let sub = (value >> (power - BITS)) & (SUB - 1);
    (u64::from(power - BITS + 1) * SUB + sub) as u16
}

/// The middle of a bucket.
fn middle(bucket: u64) -> u64 {
    if bucket < SUB {
        return bucket;
    }
    let shift = bucket / SUB - 1;
    let low = (SUB + bucket % SUB) << shift;
    low + ((1 << shift) >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: impl IntoIterator<Item = u64>) -> Sum {
        let mut histogram = Histogram::default();
        values.into_iter().for_each(|value| histogram.add(value));
        let mut sum = Sum::default();
        sum.add(&histogram);
        sum
    }

    #[test]
    fn a_value_is_off_by_less_than_four_percent() {
        for value in (0..36).flat_map(|power| (0..50).map(move |step| (1_u64 << power) + step * (1 << power) / 50)) {
            let read = sum([value]).quantile(50);
            assert!(read.abs_diff(value) * 100 <= value * 4, "{value} was read as {read}");
        }
    }

    #[test]
    fn quantiles_of_a_spread() {
        let quantiles = sum(1..=10_000).quantiles();
        for (read, exact) in [(quantiles.p50_us, 5_000_u64), (quantiles.p95_us, 9_500), (quantiles.p99_us, 9_900)] {
            assert!(read.abs_diff(exact) * 100 <= exact * 4, "{exact} was read as {read}");
        }
        assert_eq!(sum([]).quantiles(), Quantiles::default());
    }

    #[test]
    fn the_longest_value_has_a_bucket() {
        assert!(usize::from(bucket(u64::MAX)) < CELLS);
        assert!(sum([u64::MAX, 0]).quantile(99) > 1 << 39);
    }

    #[test]
    fn merging_is_the_same_as_adding() {
        let (mut left, mut right, mut both) = (Histogram::default(), Histogram::default(), Histogram::default());
        for value in [3, 17, 900, 17, 1 << 20] {
            left.add(value);
            both.add(value);
        }
        for value in [17, 5_000, 0] {
            right.add(value);
            both.add(value);
        }
        left.merge(&right);
        assert_eq!(left, both);
        assert_eq!(left.count(), 8);
    }
}
