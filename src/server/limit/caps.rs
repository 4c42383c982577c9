//! What was used of a day and of a month: requests and tokens, per account, on this node.
//!
//! The request path touches one shard: a lookup and some arithmetic under a short lock, no
//! allocation for an account that was seen before. A background task takes what was used since it
//! last came ([`Caps::drain`]), adds it to the store and brings back the totals
//! ([`Caps::learn`]), which hold what other nodes used too. So a count survives a restart, a crash
//! loses at most what was used since the last visit, and two nodes know of each other's use as late
//! as that.
//!
//! Only accounts with a cap are counted: the rest cost nothing.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use uuid::Uuid;

use super::calendar::{Calendar, Grain, Period, Today};
use crate::model::{
    id::{ApiKeyId, CredentialId, GroupId, ProviderId},
    rate_limit::{KeyLimits, UpstreamLimits},
};

const SHARDS: usize = 16;

/// Whose use is counted. Its text form is its name in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Account {
    /// A client's key.
    ApiKey(ApiKeyId),
    /// All clients of a group that come without a key, together.
    Anonymous(GroupId),
    /// A provider as a whole.
    Provider(ProviderId),
    /// One credential of a provider.
    Credential(CredentialId),
}

impl Account {
    fn parts(self) -> (&'static str, Uuid) {
        match self {
            Self::ApiKey(id) => ("key", id.0),
            Self::Anonymous(id) => ("anonymous", id.0),
            Self::Provider(id) => ("provider", id.0),
            Self::Credential(id) => ("credential", id.0),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, id) = self.parts();
        write!(f, "{kind}:{}", id.as_hyphenated())
    }
}

/// The text names no account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of an account, such as key:0192…")]
pub struct NoAccount;

impl FromStr for Account {
    type Err = NoAccount;

    fn from_str(text: &str) -> Result<Self, NoAccount> {
        let (kind, id) = text.split_once(':').ok_or(NoAccount)?;
        let id = Uuid::parse_str(id).map_err(|_| NoAccount)?;
        match kind {
            "key" => Ok(Self::ApiKey(ApiKeyId(id))),
            "anonymous" => Ok(Self::Anonymous(GroupId(id))),
            "provider" => Ok(Self::Provider(ProviderId(id))),
            "credential" => Ok(Self::Credential(CredentialId(id))),
            _ => Err(NoAccount),
        }
    }
}

/// What an account may use; 0 = no cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Requests a day.
    pub requests_per_day: u64,
    /// Requests a month.
    pub requests_per_month: u64,
    /// Tokens a day, in and out.
    pub tokens_per_day: u64,
    /// Tokens a month, in and out.
    pub tokens_per_month: u64,
}

impl Allowance {
    /// Whether nothing is capped.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

impl From<&KeyLimits> for Allowance {
    fn from(limits: &KeyLimits) -> Self {
        Self {
            requests_per_day: limits.requests_per_day,
            requests_per_month: limits.requests_per_month,
            tokens_per_day: limits.tokens_per_day,
            tokens_per_month: limits.tokens_per_month,
        }
    }
}

impl From<&UpstreamLimits> for Allowance {
    fn from(limits: &UpstreamLimits) -> Self {
        Self { requests_per_day: limits.requests_per_day, ..Self::default() }
    }
}

/// Which cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// Requests a day.
    RequestsPerDay,
    /// Requests a month.
    RequestsPerMonth,
    /// Tokens a day.
    TokensPerDay,
    /// Tokens a month.
    TokensPerMonth,
}

/// A cap that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedUp {
    /// Which one; of several, the one that lasts longest.
    pub cap: Cap,
    /// Whole seconds until its period ends.
    pub retry_after_s: u64,
}

/// Requests and tokens. Signed: what was taken may be given back after it was written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Requests.
    pub requests: i64,
    /// Tokens.
    pub tokens: i64,
}

impl Amount {
    fn add(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.tokens = self.tokens.saturating_add(other.tokens);
    }
}

/// What an account used of a period: since the last visit, or in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Whose.
    pub account: Account,
    /// Of which day or month.
    pub period: Period,
    /// How much.
    pub amount: Amount,
}

/// The counts of this node. Cheap to clone; all clones are the same counts.
#[derive(Clone, Debug)]
pub struct Caps {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    calendar: Calendar,
    /// Unix milliseconds at 0 of the clock whose readings come with each call; moved when the wall clock is set.
    epoch_unix_ms: AtomicI64,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    /// Today as it was last looked up: a shard asks the calendar once a day.
    today: Option<Today>,
    accounts: HashMap<Account, Used>,
    /// Accounts with something to be written down.
    dirty: Vec<Account>,
}

#[derive(Debug)]
struct Used {
    day: Tally,
    month: Tally,
    dirty: bool,
}

/// One account in one period.
#[derive(Debug)]
struct Tally {
    period: Period,
    /// As the store had it last, other nodes' use included.
    stored: Amount,
    /// On its way to the store.
    leaving: Amount,
    /// Used since.
    fresh: Amount,
}

impl Tally {
    fn new(period: Period) -> Self {
        Self { period, stored: Amount::default(), leaving: Amount::default(), fresh: Amount::default() }
    }

    fn total(&self) -> Amount {
        let mut total = self.stored;
        total.add(self.leaving);
        total.add(self.fresh);
        total
    }

    /// Begins anew when the period is over. What was not written down of the old one is of no use to anybody.
    fn turn(&mut self, period: Period) {
        if self.period != period {
            *self = Self::new(period);
        }
    }
}

impl Used {
    fn check(&self, allowance: &Allowance, unix_ms: i64) -> Result<(), UsedUp> {
        let (day, month) = (self.day.total(), self.month.total());
        let caps = [
            (Cap::RequestsPerMonth, allowance.requests_per_month, month.requests, &self.month.period),
            (Cap::TokensPerMonth, allowance.tokens_per_month, month.tokens, &self.month.period),
            (Cap::RequestsPerDay, allowance.requests_per_day, day.requests, &self.day.period),
            (Cap::TokensPerDay, allowance.tokens_per_day, day.tokens, &self.day.period),
        ];
        let full = caps.into_iter().find(|(_, most, used, _)| *most > 0 && u64::try_from(*used).unwrap_or(0) >= *most);
        full.map_or(Ok(()), |(cap, _, _, period)| Err(UsedUp { cap, retry_after_s: period.seconds_left(unix_ms) }))
    }
}

impl Shard {
    /// The account as of now, counted anew where a day or month has begun.
    fn used(&mut self, account: Account, calendar: &Calendar, unix_ms: i64) -> &mut Used {
        let today = self.turn(calendar, unix_ms);
        let fresh = || Used { day: Tally::new(today.day), month: Tally::new(today.month), dirty: false };
        let used = self.accounts.entry(account).or_insert_with(fresh);
        used.day.turn(today.day);
        used.month.turn(today.month);
        used
    }

    fn turn(&mut self, calendar: &Calendar, unix_ms: i64) -> Today {
        if let Some(today) = self.today
            && today.day.contains(unix_ms)
        {
            return today;
        }
        let today = calendar.at(unix_ms);
        // Nobody's count outlives the month: accounts that are gone or idle do not stay for ever.
        if self.today.is_some_and(|before| before.month != today.month) {
            self.accounts.clear();
            self.dirty.clear();
        }
        self.today = Some(today);
        today
    }

    fn add(&mut self, account: Account, amount: Amount) {
        let Some(used) = self.accounts.get_mut(&account) else { return };
        used.day.fresh.add(amount);
        used.month.fresh.add(amount);
        if !std::mem::replace(&mut used.dirty, true) {
            self.dirty.push(account);
        }
    }
}

impl Caps {
    /// Nothing used yet. `epoch_unix_ms` is the wall time at 0 of the clock whose readings come with
    /// each call.
    pub fn new(calendar: Calendar, epoch_unix_ms: i64) -> Self {
        let (hasher, epoch_unix_ms) = (RandomState::new(), AtomicI64::new(epoch_unix_ms));
        Self { shared: Arc::new(Shared { calendar, epoch_unix_ms, hasher, shards: Default::default() }) }
    }

    /// Midnight is the wall clock's: follows it when it was set, by a second or more. Returns by how much it moved,
    /// milliseconds.
    pub fn follow(&self, epoch_unix_ms: i64) -> i64 {
        let moved = epoch_unix_ms.saturating_sub(self.shared.epoch_unix_ms.load(Relaxed));
        if moved.unsigned_abs() < 1_000 {
            return 0;
        }
        self.shared.epoch_unix_ms.store(epoch_unix_ms, Relaxed);
        moved
    }

    /// Takes one request, or says which cap is used up. A token cap refuses once it is used up: what
    /// one request will use is known only when it has ended, so the last one may go over.
    pub fn take(&self, account: Account, allowance: &Allowance, now_ns: u64) -> Result<(), UsedUp> {
        if allowance.is_unlimited() {
            return Ok(());
        }
        let unix_ms = self.unix_ms(now_ns);
        let mut shard = self.shard(&account);
        shard.used(account, &self.shared.calendar, unix_ms).check(allowance, unix_ms)?;
        shard.add(account, Amount { requests: 1, tokens: 0 });
        Ok(())
    }

    /// What [`Caps::take`] would say, without taking anything.
    pub fn check(&self, account: Account, allowance: &Allowance, now_ns: u64) -> Result<(), UsedUp> {
        if allowance.is_unlimited() {
            return Ok(());
        }
        let unix_ms = self.unix_ms(now_ns);
        self.shard(&account).used(account, &self.shared.calendar, unix_ms).check(allowance, unix_ms)
    }

    /// Gives back a request that was taken and then refused for another reason.
    pub fn give_back(&self, account: Account, allowance: &Allowance, now_ns: u64) {
        if allowance.is_unlimited() {
            return;
        }
        let mut shard = self.shard(&account);
        // Over midnight there is nothing to give back any more.
        if shard.used(account, &self.shared.calendar, self.unix_ms(now_ns)).day.total().requests > 0 {
            shard.add(account, Amount { requests: -1, tokens: 0 });
        }
    }

    /// Counts the tokens that a request turned out to have used, in and out, on the day it ended.
    /// For accounts with a cap; others would be remembered in vain.
    pub fn settle(&self, account: Account, tokens: u64, now_ns: u64) {
        let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
        let mut shard = self.shard(&account);
        shard.used(account, &self.shared.calendar, self.unix_ms(now_ns));
        shard.add(account, Amount { requests: 0, tokens });
    }

    /// What an account used of this day and this month; nothing for one that was not counted yet.
    pub fn used(&self, account: Account, now_ns: u64) -> (Amount, Amount) {
        let (today, shard) = (self.today(now_ns), self.shard(&account));
        let of = |tally: &Tally, period: Period| if tally.period == period { tally.total() } else { Amount::default() };
        let used = shard.accounts.get(&account);
        used.map_or_else(Default::default, |used| (of(&used.day, today.day), of(&used.month, today.month)))
    }

    /// The day and the month of this moment.
    pub fn today(&self, now_ns: u64) -> Today {
        self.shared.calendar.at(self.unix_ms(now_ns))
    }

    /// What was used since the last call, to be written down. Follow it with [`Caps::learn`], or
    /// with [`Caps::keep`] when that failed, before calling it again.
    pub fn drain(&self) -> Vec<Use> {
        let mut uses = Vec::new();
        for shard in &self.shared.shards {
            let mut shard = lock(shard);
            let Shard { accounts, dirty, .. } = &mut *shard;
            for account in dirty.drain(..) {
                let Some(used) = accounts.get_mut(&account) else { continue };
                used.dirty = false;
                for tally in [&mut used.day, &mut used.month] {
                    tally.leaving = std::mem::take(&mut tally.fresh);
                    uses.push(Use { account, period: tally.period, amount: tally.leaving });
                }
            }
        }
        uses
    }

    /// Totals of the store: what was on its way is in them.
    pub fn learn(&self, totals: &[Use], now_ns: u64) {
        self.each(totals, now_ns, |tally, total| {
            tally.leaving = Amount::default();
            tally.stored = total;
            false
        });
    }

    /// What was on its way could not be written down: it leaves with the next.
    pub fn keep(&self, uses: &[Use], now_ns: u64) {
        self.each(uses, now_ns, |tally, _| {
            let leaving = std::mem::take(&mut tally.leaving);
            tally.fresh.add(leaving);
            true
        });
    }

    /// Visits the tally of each use that is still of today; the visitor says whether there is
    /// something to be written down.
    fn each(&self, uses: &[Use], now_ns: u64, visit: impl Fn(&mut Tally, Amount) -> bool) {
        let unix_ms = self.unix_ms(now_ns);
        for one in uses {
            let mut shard = self.shard(&one.account);
            let used = shard.used(one.account, &self.shared.calendar, unix_ms);
            let tally = match one.period.grain() {
                Grain::Day => &mut used.day,
                Grain::Month => &mut used.month,
            };
            if tally.period == one.period && visit(tally, one.amount) && !std::mem::replace(&mut used.dirty, true) {
                shard.dirty.push(one.account);
            }
        }
    }

    fn unix_ms(&self, now_ns: u64) -> i64 {
        self.shared.epoch_unix_ms.load(Relaxed).saturating_add(i64::try_from(now_ns / 1_000_000).unwrap_or(i64::MAX))
    }

    fn shard(&self, account: &Account) -> MutexGuard<'_, Shard> {
        let index = self.shared.hasher.hash_one(account) % SHARDS as u64;
        lock(&self.shared.shards[index as usize])
    }
}

/// Held for a lookup and some arithmetic, never across an await.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
