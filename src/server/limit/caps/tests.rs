//! Days, months, what other nodes used, and that nothing is counted twice or lost.

use jiff::{Timestamp, tz::TimeZone};

use super::*;

const SECOND_NS: u64 = 1_000_000_000;
const DAY_NS: u64 = 86_400 * SECOND_NS;

fn key(number: u128) -> Account {
    Account::ApiKey(ApiKeyId(Uuid::from_u128(number)))
}

/// Counts whose clock reads 0 at this moment.
fn caps(zone: &str, moment: &str) -> Caps {
    let epoch: Timestamp = moment.parse().expect("a moment");
    Caps::new(Calendar::new(TimeZone::get(zone).expect("a zone")), epoch.as_millisecond())
}

fn a_day(requests_per_day: u64) -> Allowance {
    Allowance { requests_per_day, ..Allowance::default() }
}

fn a_month(requests_per_month: u64) -> Allowance {
    Allowance { requests_per_month, ..Allowance::default() }
}

#[test]
fn a_day_ends_at_midnight_of_the_time_zone_and_says_how_far_that_is() {
    // Ten seconds before midnight in Shanghai.
    let caps = caps("Asia/Shanghai", "2026-11-23T15:59:50Z");
    assert_eq!(caps.take(key(1), &a_day(2), 0), Ok(()));
    assert_eq!(caps.take(key(1), &a_day(2), 0), Ok(()));
    let refused = UsedUp { cap: Cap::RequestsPerDay, retry_after_s: 10 };
    assert_eq!(caps.take(key(1), &a_day(2), 0), Err(refused));
    assert_eq!(caps.take(key(2), &a_day(2), 0), Ok(()), "another key has its own");
    assert_eq!(caps.take(key(1), &a_day(2), 10 * SECOND_NS), Ok(()));
}

#[test]
fn the_day_on_which_clocks_are_moved_is_one_day() {
    for (moment, hours) in [("2026-03-28T23:00:00Z", 23), ("2026-10-24T22:00:00Z", 25)] {
        let caps = caps("Europe/Berlin", moment);
        assert_eq!(caps.take(key(1), &a_day(1), 0), Ok(()));
        let late = (hours * 3_600 - 1) * SECOND_NS;
        assert_eq!(caps.take(key(1), &a_day(1), late), Err(UsedUp { cap: Cap::RequestsPerDay, retry_after_s: 1 }));
        assert_eq!(caps.take(key(1), &a_day(1), late + SECOND_NS), Ok(()), "{hours} hours");
    }
}

#[test]
fn a_month_outlasts_its_days_and_is_named_when_both_are_used_up() {
    let caps = caps("UTC", "2026-11-29T00:00:00Z");
    let both = Allowance { requests_per_day: 2, requests_per_month: 3, ..Allowance::default() };
    assert!(caps.take(key(1), &both, 0).is_ok() && caps.take(key(1), &both, 0).is_ok());
    assert_eq!(caps.take(key(1), &both, 0).map_err(|used_up| used_up.cap), Err(Cap::RequestsPerDay));
    assert_eq!(caps.take(key(1), &both, DAY_NS), Ok(()));
    let refused = UsedUp { cap: Cap::RequestsPerMonth, retry_after_s: 86_400 };
    assert_eq!(caps.take(key(1), &both, DAY_NS), Err(refused));
    assert_eq!(caps.take(key(1), &both, 2 * DAY_NS), Ok(()), "December");
}

#[test]
fn tokens_are_settled_afterwards_and_refuse_what_comes_next() {
    let caps = caps("UTC", "2026-11-23T12:00:00Z");
    let allowance = Allowance { tokens_per_day: 1_000, tokens_per_month: 1_500, ..Allowance::default() };
    assert_eq!(caps.take(key(1), &allowance, 0), Ok(()));
    caps.settle(key(1), 999, 0);
    assert_eq!(caps.take(key(1), &allowance, 0), Ok(()), "one token is left");
    caps.settle(key(1), 400, 0);
    let refused = caps.take(key(1), &allowance, 0);
    assert_eq!(refused, Err(UsedUp { cap: Cap::TokensPerDay, retry_after_s: 43_200 }));
    caps.settle(key(1), 200, DAY_NS);
    assert_eq!(caps.take(key(1), &allowance, DAY_NS).map_err(|used_up| used_up.cap), Err(Cap::TokensPerMonth));
}

#[test]
fn what_is_given_back_may_be_taken_again_even_after_it_was_written_down() {
    let caps = caps("UTC", "2026-11-23T12:00:00Z");
    assert_eq!(caps.take(key(1), &a_day(1), 0), Ok(()));
    let uses = caps.drain();
    caps.learn(&uses, 0);
    caps.give_back(key(1), &a_day(1), 0);
    assert_eq!(caps.drain()[0].amount, Amount { requests: -1, tokens: 0 });
    assert_eq!(caps.take(key(1), &a_day(1), 0), Ok(()));
    // Taken before midnight, given back after it: the new day owes nothing.
    caps.give_back(key(1), &a_day(1), DAY_NS);
    assert!(caps.take(key(1), &a_day(1), DAY_NS).is_ok() && caps.take(key(1), &a_day(1), DAY_NS).is_err());
}

#[test]
fn accounts_without_a_cap_leave_no_trace() {
    let caps = caps("UTC", "2026-11-23T12:00:00Z");
    assert_eq!(caps.take(key(1), &Allowance::default(), 0), Ok(()));
    assert_eq!(caps.check(key(1), &Allowance::default(), 0), Ok(()));
    assert_eq!(caps.drain(), []);
}

#[test]
fn each_visit_takes_what_was_used_since_the_last() {
    let caps = caps("UTC", "2026-11-23T12:00:00Z");
    (0..3).for_each(|_| assert!(caps.take(key(1), &a_day(9), 0).is_ok()));
    caps.settle(key(1), 50, 0);
    let uses = caps.drain();
    let periods: Vec<_> = uses.iter().map(|one| one.period.to_string()).collect();
    assert_eq!(periods, ["2026-11-23", "2026-11"]);
    assert!(uses.iter().all(|one| one.amount == Amount { requests: 3, tokens: 50 }));
    caps.learn(&uses, 0);
    assert_eq!(caps.drain(), []);
}

#[test]
fn totals_of_the_store_hold_what_other_nodes_used() {
    let caps = caps("UTC", "2026-11-23T12:00:00Z");
    assert_eq!(caps.take(key(1), &a_day(10), 0), Ok(()));
    let mut totals = caps.drain();
    // Used here while the store was asked.
    assert_eq!(caps.take(key(1), &a_day(10), 0), Ok(()));
    totals.iter_mut().for_each(|total| total.amount.requests = 9);
    caps.learn(&totals, 0);
    assert!(caps.take(key(1), &a_day(10), 0).is_err(), "8 elsewhere, 2 here");
    assert_eq!(caps.take(key(1), &a_day(11), 0), Ok(()));
}

#[test]
fn what_could_not_be_written_down_leaves_with_the_next_visit() {
    let caps = caps("UTC", "2026-11-23T12:00:00Z");
    assert_eq!(caps.take(key(1), &a_day(10), 0), Ok(()));
    let uses = caps.drain();
    assert_eq!(caps.take(key(1), &a_day(10), 0), Ok(()));
    caps.keep(&uses, 0);
    assert_eq!(caps.drain()[0].amount.requests, 2);
}

#[test]
fn a_count_of_yesterday_says_nothing_about_today() {
    let caps = caps("UTC", "2026-11-23T23:59:59Z");
    assert_eq!(caps.take(key(1), &a_day(1), 0), Ok(()));
    let uses = caps.drain();
    caps.learn(&uses, 2 * SECOND_NS);
    assert_eq!(caps.take(key(1), &a_day(1), 2 * SECOND_NS), Ok(()));
    let month = caps.check(key(1), &a_month(2), 2 * SECOND_NS);
    assert_eq!(month.map_err(|used_up| used_up.cap), Err(Cap::RequestsPerMonth), "the month goes on");
}

#[test]
fn a_new_month_forgets_every_account() {
    let caps = caps("UTC", "2026-11-30T23:59:59Z");
    for number in 0..1_000 {
        assert_eq!(caps.take(key(number), &a_day(1), 0), Ok(()));
    }
    for number in 1_000..2_000 {
        assert_eq!(caps.take(key(number), &a_day(1), SECOND_NS), Ok(()));
    }
    let remembered: usize = caps.shared.shards.iter().map(|shard| lock(shard).accounts.len()).sum();
    assert_eq!(remembered, 1_000, "every shard was touched in December");
}

#[test]
fn many_threads_together_admit_exactly_the_cap() {
    let caps = caps("UTC", "2026-11-23T12:00:00Z");
    let admitted: usize = std::thread::scope(|scope| {
        let count = || (0..1_000).filter(|_| caps.take(key(1), &a_day(1_500), 0).is_ok()).count();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
        let visits = scope.spawn(|| (0..200).for_each(|_| caps.keep(&caps.drain(), 0)));
        visits.join().expect("no panic");
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!(admitted, 1_500);
}

#[test]
fn an_account_reads_its_own_name() {
    let id = Uuid::from_u128(7);
    for account in [
        key(7),
        Account::Anonymous(GroupId(id)),
        Account::Provider(ProviderId(id)),
        Account::Credential(CredentialId(id)),
    ] {
        assert_eq!(account.to_string().parse(), Ok(account));
    }
    for other in ["", "key", "key:7", "user:00000000-0000-0000-0000-000000000007"] {
        assert_eq!(other.parse::<Account>(), Err(NoAccount), "{other}");
    }
}

#[test]
fn midnight_is_the_wall_clocks_also_after_it_was_set() {
    let noon = "2026-11-23T12:00:00Z".parse::<Timestamp>().expect("a moment").as_millisecond();
    let caps = caps("UTC", "2026-11-23T12:00:00Z");
    assert_eq!(caps.take(key(1), &a_day(1), 0), Ok(()));
    assert!(caps.take(key(1), &a_day(1), 0).is_err());
    assert_eq!(caps.follow(noon + 900), 0, "what clocks wander in days is no step");
    assert_eq!(caps.today(0).day.starts_at_ms, noon - 12 * 3_600_000);
    // Set forward over midnight: a new day, at once, and it ends when the wall says so.
    let step_ms = 11 * 3_600_000 + 3_600_000 + 10_000;
    assert_eq!(caps.follow(noon + step_ms), step_ms);
    assert_eq!(caps.take(key(1), &a_day(1), 0), Ok(()));
    let left = UsedUp { cap: Cap::RequestsPerDay, retry_after_s: 86_390 };
    assert_eq!(caps.take(key(1), &a_day(1), 0), Err(left));
    // And back again: what was used of that day is brought back by the store's totals.
    assert_eq!(caps.follow(noon), -step_ms);
    let day = caps.today(0).day;
    caps.learn(&[Use { account: key(1), period: day, amount: Amount { requests: 1, tokens: 0 } }], 0);
    assert!(caps.take(key(1), &a_day(1), 0).is_err());
}
