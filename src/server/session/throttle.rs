//! Slows down guessing of passwords, per account and per address.
//!
//! A try is counted before the password is looked at, so that a hundred guesses sent at once are a
//! hundred guesses; the right password takes the count back. An account waits at most a minute, so
//! that a stranger cannot lock its owner out. Pure: it takes the time.

use std::{collections::HashMap, net::IpAddr};

/// Tries that cost nothing, per account.
const FREE_PER_ACCOUNT: u32 = 5;
/// Tries that cost nothing, per address: several people may share one.
const FREE_PER_ADDRESS: u32 = 20;
/// Longest wait of an account.
const ACCOUNT_WAIT_MS: i64 = 60_000;
/// Longest wait of an address.
const ADDRESS_WAIT_MS: i64 = 600_000;
/// A quiet time after which the count starts again.
const FORGET_MS: i64 = 900_000;
/// Entries kept at most; beyond it the oldest half is forgotten.
const ENTRIES_MAX: usize = 20_000;

/// Counts of failed tries.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    tries: HashMap<Who, Tries>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    Account(String),
    Address(IpAddr),
}

#[derive(Clone, Copy, Debug, Default)]
struct Tries {
    count: u32,
    last_ms: i64,
    free_at_ms: i64,
}

impl Throttle {
    /// Counts one try, or says how many seconds to wait.
    pub(super) fn begin(&mut self, account: &str, address: Option<IpAddr>, now_ms: i64) -> Result<(), u32> {
        let both = [Some(Who::Account(account.to_lowercase())), address.map(|ip| Who::Address(network(ip)))];
        let both: Vec<Who> = both.into_iter().flatten().collect();
        let free_at_ms = both.iter().filter_map(|who| self.tries.get(who)).map(|tries| tries.free_at_ms).max();
        if let Some(wait_ms) = free_at_ms.map(|at| at - now_ms).filter(|wait| *wait > 0) {
            return Err(u32::try_from((wait_ms + 999) / 1000).unwrap_or(u32::MAX));
        }
        self.make_room(now_ms);
        for who in both {
            let (free, longest) = match who {
                Who::Account(_) => (FREE_PER_ACCOUNT, ACCOUNT_WAIT_MS),
                Who::Address(_) => (FREE_PER_ADDRESS, ADDRESS_WAIT_MS),
            };
            let tries = self.tries.entry(who).or_default();
            if now_ms - tries.last_ms > FORGET_MS {
                tries.count = 0;
            }
            tries.count += 1;
            tries.last_ms = now_ms;
            if tries.count >= free {
                tries.free_at_ms = now_ms + (1000_i64 << (tries.count - free).min(20)).min(longest);
            }
        }
        Ok(())
    }

    /// The password was right: the account starts afresh, the address gets this try back.
    pub(super) fn succeeded(&mut self, account: &str, address: Option<IpAddr>) {
        self.tries.remove(&Who::Account(account.to_lowercase()));
        if let Some(tries) = address.and_then(|ip| self.tries.get_mut(&Who::Address(network(ip)))) {
            tries.count = tries.count.saturating_sub(1);
            tries.free_at_ms = 0;
        }
    }

    fn make_room(&mut self, now_ms: i64) {
        if self.tries.len() < ENTRIES_MAX {
            return;
        }
        self.tries.retain(|_, tries| now_ms - tries.last_ms <= FORGET_MS);
        if self.tries.len() >= ENTRIES_MAX {
            let mut times: Vec<i64> = self.tries.values().map(|tries| tries.last_ms).collect();
            let (_, middle, _) = times.select_nth_unstable(ENTRIES_MAX / 2);
            let middle = *middle;
            self.tries.retain(|_, tries| tries.last_ms > middle);
        }
    }
}

/// One household has one IPv4 address, but a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().expect("an address"))
    }

    #[test]
    fn five_tries_are_free_and_then_each_waits_twice_as_long() {
        let mut throttle = Throttle::default();
        let mut now = 1_000_000;
        for _ in 0..5 {
            assert_eq!(throttle.begin("ana", None, now), Ok(()));
        }
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(throttle.begin("Ana", None, now), Err(wait));
            now += i64::from(wait) * 1000;
            assert_eq!(throttle.begin("ana", None, now), Ok(()));
        }
    }

    #[test]
    fn the_right_password_forgives_the_account() {
        let mut throttle = Throttle::default();
        for _ in 0..5 {
            throttle.begin("ana", ip("10.0.0.1"), 0).expect("free");
        }
        throttle.succeeded("ana", ip("10.0.0.1"));
        assert_eq!(throttle.begin("ana", ip("10.0.0.1"), 0), Ok(()));
    }

    #[test]
    fn one_address_cannot_try_one_password_on_everybody() {
        let mut throttle = Throttle::default();
        for n in 0..20 {
            let address = ip(&format!("2001:db8::{n:x}"));
            assert_eq!(throttle.begin(&format!("user{n}"), address, 0), Ok(()), "{n}");
        }
        assert_eq!(throttle.begin("somebody", ip("2001:db8::ffff"), 0), Err(1));
        assert_eq!(throttle.begin("somebody", ip("2001:db8:1::1"), 0), Ok(()));
    }

    #[test]
    fn memory_stays_bounded_under_a_flood_of_names() {
        let mut throttle = Throttle::default();
        for n in 0..60_000 {
            throttle.begin(&format!("user{n}"), None, n).expect("a new name");
        }
        assert!(throttle.tries.len() <= ENTRIES_MAX);
    }
}
