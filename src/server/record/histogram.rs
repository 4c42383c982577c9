//! A latency histogram in a few hundred bytes: logarithmic buckets, only those in use.
//!
//! Sixteen buckets per power of two, so a value is off by at most 3.2 %. A dense table of them would
//! be five kilobytes per provider and column; real latencies touch a few dozen buckets. On disk a
//! histogram is its buckets as pairs of variable-length numbers: two to four bytes each.

use crate::model::stats::Quantiles;

/// Sub-buckets per power of two, as bits.
const BITS: u32 = 4;
const SUB: u64 = 1 << BITS;
/// Longest value told apart, microseconds: above twelve days.
const LONGEST_US: u64 = (1 << 40) - 1;
const CELLS: usize = ((40 - BITS as usize) + 1) << BITS;

/// Counts per bucket, sorted by bucket, and the exact sum of the values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    cells: Vec<(u16, u32)>,
    sum_us: u64,
}

impl Histogram {
    /// Adds a value in microseconds.
    pub fn add(&mut self, value_us: u64) {
        self.sum_us = self.sum_us.saturating_add(value_us.min(LONGEST_US));
        let bucket = bucket(value_us);
        match self.cells.binary_search_by_key(&bucket, |cell| cell.0) {
            Ok(at) => self.cells[at].1 = self.cells[at].1.saturating_add(1),
            Err(at) => self.cells.insert(at, (bucket, 1)),
        }
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        if self.cells.is_empty() {
            self.clone_from(other);
            return;
        }
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
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

    /// All values together, microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// How many values are at most this long, to within a bucket.
    pub fn count_up_to(&self, value_us: u64) -> u64 {
        let last = bucket(value_us);
        self.cells.iter().take_while(|cell| cell.0 <= last).map(|cell| u64::from(cell.1)).sum()
    }

    /// The quantiles every screen shows; all zero of nothing.
    pub fn quantiles(&self) -> Quantiles {
        let mut sum = Sum::default();
        sum.add(self);
        sum.quantiles()
    }

    /// Appends its bytes: how many buckets, the sum, then each bucket's distance to the one before and its count.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        put(bytes, self.cells.len() as u64);
        put(bytes, self.sum_us);
        let mut before = 0;
        for (bucket, count) in &self.cells {
            put(bytes, u64::from(bucket - before));
            put(bytes, u64::from(*count));
            before = *bucket;
        }
    }

    /// Reads what [`write`](Self::write) wrote and moves on behind it; `None` where it is no such thing.
    pub(super) fn read(bytes: &mut &[u8]) -> Option<Self> {
        let (buckets, sum_us) = (take(bytes)?, take(bytes)?);
        let mut cells = Vec::with_capacity(usize::try_from(buckets).ok().filter(|count| *count <= CELLS)?);
        let mut before = 0_u64;
        for _ in 0..buckets {
            before = before.checked_add(take(bytes)?)?;
            let bucket = u16::try_from(before).ok().filter(|bucket| usize::from(*bucket) < CELLS)?;
            cells.push((bucket, u32::try_from(take(bytes)?).ok()?));
        }
        // Strictly ascending, or adding to it later would go wrong.
        cells.windows(2).all(|pair| pair[0].0 < pair[1].0).then_some(Self { cells, sum_us })
    }
}

/// A number in groups of seven bits, the lowest first (LEB128).
fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
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
        let [p50_us, p90_us, p95_us, p99_us] = [50, 90, 95, 99].map(|percent| self.quantile(percent));
        Quantiles { p50_us, p90_us, p95_us, p99_us }
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
        let exact = [(quantiles.p50_us, 5_000_u64), (quantiles.p90_us, 9_000), (quantiles.p95_us, 9_500)];
        for (read, exact) in exact.into_iter().chain([(quantiles.p99_us, 9_900)]) {
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

    #[test]
    fn what_was_written_is_read_again() {
        let (mut one, mut bytes) = (Histogram::default(), Vec::new());
        [0, 3, 17, 900, 900, 1 << 20, u64::MAX].into_iter().for_each(|value| one.add(value));
        one.write(&mut bytes);
        Histogram::default().write(&mut bytes);
        let mut rest = bytes.as_slice();
        assert_eq!(Histogram::read(&mut rest), Some(one));
        assert_eq!(Histogram::read(&mut rest), Some(Histogram::default()));
        assert!(rest.is_empty());
    }

    #[test]
    fn bytes_that_are_no_histogram_are_refused() {
        let mut bytes = Vec::new();
        let mut one = Histogram::default();
        [5, 5_000, 5_000_000].into_iter().for_each(|value| one.add(value));
        one.write(&mut bytes);
        for length in 0..bytes.len() {
            assert_eq!(Histogram::read(&mut &bytes[..length]), None, "cut to {length}");
        }
        for wrong in [&[1, 0, 0xff, 0xff, 0x7f, 1][..], &[2, 0, 3, 1, 0, 1], &[0xff; 12], &[9, 0, 1, 1]] {
            assert_eq!(Histogram::read(&mut &*wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn values_up_to_a_bound_are_counted_and_their_sum_is_exact() {
        let mut one = Histogram::default();
        (1..=100).for_each(|value| one.add(value * 1_000));
        assert_eq!((one.sum_us(), one.count()), (5_050_000, 100));
        assert!(one.count_up_to(50_000).abs_diff(50) <= 2, "{}", one.count_up_to(50_000));
        assert_eq!((one.count_up_to(0), one.count_up_to(u64::MAX)), (0, 100));
    }
}
