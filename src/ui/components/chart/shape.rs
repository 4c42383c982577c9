//! Paths of columns and lines, in whole units so that they stay short. Pure.

use std::fmt::Write;

/// Width of a column and of the gap behind it, in units.
pub const PITCH: usize = 10;
const WIDTH: usize = 8;

/// A path of upright bars.
#[derive(Clone, Debug, Default)]
pub struct Bars(String);

impl Bars {
    /// Adds a bar in a column, from `top` downwards; nothing if it has no height.
    pub fn add(&mut self, column: usize, top: f64, height: f64) {
        self.add_wide(column, WIDTH, top, height);
    }

    /// Adds a bar that touches its neighbour.
    pub fn add_joined(&mut self, column: usize, top: f64, height: f64) {
        self.add_wide(column, PITCH, top, height);
    }

    fn add_wide(&mut self, column: usize, width: usize, top: f64, height: f64) {
        if height > 0.0 {
            let x = column * PITCH;
            let _ = write!(self.0, "M{x} {top:.0}h{width}v{height:.0}h-{width}z");
        }
    }

    /// The path's `d`.
    pub fn path(self) -> String {
        self.0
    }
}

/// A path through the middle of columns; a missing value is a gap.
pub fn line(values: impl Iterator<Item = Option<f64>>) -> String {
    let mut path = String::new();
    let mut drawing = false;
    for (column, value) in values.enumerate() {
        let Some(y) = value else {
            drawing = false;
            continue;
        };
        let x = column * PITCH + PITCH / 2;
        let _ = write!(path, "{}{x} {y:.0}", if drawing { 'L' } else { 'M' });
        if !drawing {
            // A lone value is a point: a line of no length with a round cap.
            path.push_str("h0");
        }
        drawing = true;
    }
    path
}

/// Height of a part that must be seen: nothing stays nothing, something is at least `least`.
pub fn visible(part: f64, full: f64, least: f64) -> f64 {
    if part > 0.0 { (part * full).max(least * full).min(full) } else { 0.0 }
}

/// Neighbours merged two by two, from the newest backwards, for narrow screens.
pub fn halve<T: Copy>(columns: &[T], merge: impl Fn(T, T) -> T) -> Vec<T> {
    let odd = columns.len() % 2;
    let mut half: Vec<T> = columns[..odd].to_vec();
    half.extend(columns[odd..].chunks_exact(2).map(|pair| merge(pair[0], pair[1])));
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_stay_gaps() {
        assert_eq!(line([Some(1.0), None, Some(3.0), Some(4.0)].into_iter()), "M5 1h0M25 3h0L35 4");
    }

    #[test]
    fn a_single_failure_is_seen_and_none_is_not() {
        assert_eq!(visible(0.0, 100.0, 0.22), 0.0);
        assert_eq!(visible(0.001, 100.0, 0.22), 22.0);
        assert_eq!(visible(0.6, 100.0, 0.22), 60.0);
    }

    #[test]
    fn the_oldest_column_stands_alone_when_the_number_is_odd() {
        assert_eq!(halve(&[1, 2, 3, 4, 5], |a, b| a + b), [1, 5, 9]);
    }
}
