//! The hourly cap of a channel: what goes beyond it is held back and told in one message. Pure.

use std::collections::VecDeque;

const HOUR_MS: i64 = 3_600_000;
/// Held messages of which more than the number is kept.
const KEPT: usize = 20;

/// Counts one channel's messages.
#[derive(Debug)]
pub(super) struct Throttle<T> {
    /// When messages of the last hour went out.
    sent: VecDeque<i64>,
    /// The first of those held back.
    held: Vec<T>,
    /// All that are held back.
    count: usize,
}

impl<T> Default for Throttle<T> {
    fn default() -> Self {
        Self { sent: VecDeque::new(), held: Vec::new(), count: 0 }
    }
}

impl<T> Throttle<T> {
    /// A message wants out: it is given back to be sent, or held.
    pub(super) fn admit(&mut self, now_ms: i64, per_hour: u32, message: T) -> Option<T> {
        // Behind others that are held: the summary tells them in their order.
        if self.count == 0 && self.has_room(now_ms, per_hour) {
            self.sent.push_back(now_ms);
            return Some(message);
        }
        self.count += 1;
        if self.held.len() < KEPT {
            self.held.push(message);
        }
        None
    }

    /// When a summary may go out; `None` while nothing is held.
    pub(super) fn due_ms(&self) -> Option<i64> {
        (self.count > 0).then(|| self.sent.front().map_or(i64::MIN, |first| first.saturating_add(HOUR_MS)))
    }

    /// What is held, once the hour has room for its summary: how many, and the first of them.
    pub(super) fn release(&mut self, now_ms: i64, per_hour: u32) -> Option<(usize, Vec<T>)> {
        if self.count == 0 || !self.has_room(now_ms, per_hour) {
            return None;
        }
        self.sent.push_back(now_ms);
        Some((std::mem::take(&mut self.count), std::mem::take(&mut self.held)))
    }

    fn has_room(&mut self, now_ms: i64, per_hour: u32) -> bool {
        // A clock that was set back leaves moments ahead of now: they count as now.
        self.sent.iter_mut().for_each(|at_ms| *at_ms = (*at_ms).min(now_ms));
        while self.sent.front().is_some_and(|first| now_ms - first >= HOUR_MS) {
            self.sent.pop_front();
        }
        self.sent.len() < per_hour.max(1) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_beyond_the_hour_is_told_in_one_message() {
        let mut throttle = Throttle::default();
        for at_ms in 0..3 {
            assert_eq!(throttle.admit(at_ms, 3, at_ms), Some(at_ms));
        }
        for at_ms in 3..30 {
            assert_eq!(throttle.admit(at_ms, 3, at_ms), None);
        }
        assert_eq!(throttle.due_ms(), Some(HOUR_MS));
        assert_eq!(throttle.release(HOUR_MS - 1, 3), None);
        let (count, first) = throttle.release(HOUR_MS, 3).expect("the first of the hour is an hour old");
        assert_eq!((count, first.len(), first[0]), (27, KEPT, 3));
        assert_eq!(throttle.due_ms(), None);
        // The summary counts too: two that went out at 1 and 2 ms have left the hour, one place is its own.
        assert_eq!(throttle.admit(HOUR_MS + 2, 3, 0), Some(0));
        assert_eq!(throttle.admit(HOUR_MS + 2, 3, 0), Some(0));
        assert_eq!(throttle.admit(HOUR_MS + 2, 3, 0), None);
    }

    #[test]
    fn no_hour_ever_holds_more_than_the_cap() {
        let mut throttle = Throttle::default();
        let mut sent = Vec::new();
        for at_ms in (0..4 * HOUR_MS).step_by(61_000) {
            if throttle.release(at_ms, 7).is_some() {
                sent.push(at_ms);
            }
            sent.extend(throttle.admit(at_ms, 7, at_ms));
        }
        for (index, at_ms) in sent.iter().enumerate() {
            let within = sent[index..].iter().take_while(|later| *later - at_ms < HOUR_MS).count();
            assert!(within <= 7, "{within} from {at_ms} on");
        }
        assert!(sent.len() >= 28, "the cap is used: {}", sent.len());
    }

    #[test]
    fn a_clock_that_is_set_back_lets_no_channel_fall_silent() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.admit(10 * HOUR_MS, 1, ()), Some(()));
        assert_eq!(throttle.admit(0, 1, ()), None);
        assert!(throttle.release(HOUR_MS, 1).is_some());
    }
}
