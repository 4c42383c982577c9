//! The core of alerting: what is the matter, and what that opens and ends. Pure: `now` and what was
//! seen come as arguments, ids come from the caller.
//!
//! A rule holds for a subject while [`finding`] finds it. It is alerted when it has held without a
//! break for the rule's hold time, once, and stays one open alert until it has not held for as long
//! again, at most [`CALM_MS`]: a provider that comes and goes every few seconds is one alert.

pub mod finding;

use std::collections::{HashMap, HashSet};

use self::finding::{Finding, Seen, find};
use super::words;
use crate::model::{
    alert::{Alert, Rule, Silence},
    id::{AlertId, ChannelId, RuleId},
};

/// What is over must be over for as long as it had to hold, but no longer than this, milliseconds.
pub const CALM_MS: i64 = 60_000;

/// What is configured, as the evaluator needs it.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    /// All rules.
    pub rules: Vec<Rule>,
    /// All silences.
    pub silences: Vec<Silence>,
    /// Channels that are switched on.
    pub channels: HashSet<ChannelId>,
    /// Alerts that somebody has in hand.
    pub acknowledged: HashSet<AlertId>,
}

impl Orders {
    fn is_silent(&self, rule: RuleId, subject: &str, now_ms: i64) -> bool {
        self.silences.iter().any(|silence| silence.covers(rule, subject, now_ms))
    }
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Telling {
    /// About this alert, open or over.
    pub alert: Alert,
    /// To these channels.
    pub channels: Vec<ChannelId>,
}

/// What a look came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Alerts that opened, ended or were told of: to be written down as they are now.
    pub changed: Vec<Alert>,
    /// Whether any opened or ended.
    pub moved: bool,
    /// Messages to be sent.
    pub tellings: Vec<Telling>,
}

/// Why an alert ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is well again.
    Recovered,
    /// Too few requests to say.
    Quiet,
    /// Its rule or its subject is gone or switched off.
    Gone,
}

/// What is known between two looks.
#[derive(Debug, Default)]
pub struct Evaluator {
    tracks: HashMap<(RuleId, String), Track>,
    drops: Drops,
}

/// One rule and one subject that are, or were a moment ago, in trouble.
#[derive(Debug)]
struct Track {
    /// Since when it has held without a break.
    held_since_ms: i64,
    /// Since when it has not held, while an alert is open.
    calm_since_ms: Option<i64>,
    open: Option<Alert>,
}

impl Evaluator {
    /// Goes on with alerts that an earlier process left open.
    pub fn resume(&mut self, open: Vec<Alert>) {
        for alert in open {
            let track = Track { held_since_ms: alert.since_ms, calm_since_ms: None, open: Some(alert.clone()) };
            self.tracks.insert((alert.rule, alert.subject), track);
        }
    }

    /// Looks once. `new_id` makes the id of an alert that opens.
    pub fn step(&mut self, now_ms: i64, orders: &Orders, seen: &Seen, mut new_id: impl FnMut() -> AlertId) -> Step {
        let dropped = self.drops.look(now_ms, seen.dropped_rows);
        let mut step = Step::default();
        let mut held = HashSet::new();
        for rule in orders.rules.iter().filter(|rule| rule.settings.enabled) {
            for finding in find(&rule.settings, seen, dropped) {
                held.insert((rule.id, finding.subject.clone()));
                self.hold(now_ms, rule, finding, &mut new_id, &mut step);
            }
        }
        self.calm(now_ms, orders, seen, &held, &mut step);
        self.tell(now_ms, orders, &mut step);
        step
    }

    /// A rule holds for a subject.
    fn hold(
        &mut self,
        now_ms: i64,
        rule: &Rule,
        finding: Finding,
        new_id: &mut impl FnMut() -> AlertId,
        step: &mut Step,
    ) {
        let key = (rule.id, finding.subject.clone());
        // What may only keep an alert open does not begin one.
        if !finding.opens && self.tracks.get(&key).is_none_or(|track| track.open.is_none()) {
            self.tracks.remove(&key);
            return;
        }
        let track = self.tracks.entry(key).or_insert(Track { held_since_ms: now_ms, calm_since_ms: None, open: None });
        track.calm_since_ms = None;
        // A clock that was set back must not make it wait for the time to come round again.
        track.held_since_ms = track.held_since_ms.min(now_ms);
        let hold_ms = i64::from(rule.settings.hold_seconds) * 1_000;
        if track.open.is_none() && now_ms - track.held_since_ms >= hold_ms {
            let alert = Alert {
                id: new_id(),
                rule: rule.id,
                rule_name: rule.settings.name.clone(),
                kind: rule.settings.kind,
                subject: finding.subject,
                title: finding.title,
                reason: finding.reason,
                link: finding.link,
                since_ms: track.held_since_ms,
                opened_at_ms: now_ms,
                resolved_at_ms: None,
                told: Vec::new(),
                acknowledged: None,
            };
            step.changed.push(alert.clone());
            step.moved = true;
            track.open = Some(alert);
        }
    }

    /// What does not hold any more: forgotten, or ended once it has been calm for long enough.
    fn calm(&mut self, now_ms: i64, orders: &Orders, seen: &Seen, held: &HashSet<(RuleId, String)>, step: &mut Step) {
        self.tracks.retain(|key, track| {
            if held.contains(key) {
                return true;
            }
            let Some(alert) = &mut track.open else { return false };
            let rule = orders.rules.iter().find(|rule| rule.id == key.0 && rule.settings.enabled);
            let calm_since_ms = track.calm_since_ms.get_or_insert(now_ms);
            *calm_since_ms = (*calm_since_ms).min(now_ms);
            let calm_ms = rule.map_or(0, |rule| i64::from(rule.settings.hold_seconds) * 1_000).min(CALM_MS);
            if now_ms - *calm_since_ms < calm_ms {
                return true;
            }
            let ending = rule.map_or(Ending::Gone, |rule| finding::ending(&rule.settings, &alert.subject, seen));
            alert.resolved_at_ms = Some(now_ms);
            alert.reason = words::ending(ending);
            step.moved = true;
            step.changed.push(alert.clone());
            // Whoever heard that it began hears that it ended, unless somebody switched it off.
            let heard: Vec<ChannelId> =
                alert.told.iter().copied().filter(|channel| orders.channels.contains(channel)).collect();
            let wanted = ending != Ending::Gone && !orders.is_silent(alert.rule, &alert.subject, now_ms);
            if wanted && !heard.is_empty() {
                step.tellings.push(Telling { alert: alert.clone(), channels: heard });
            }
            false
        });
    }

    /// Open alerts that channels of their rule have not heard of: new ones, those whose silence ended,
    /// and those whose rule got a channel meanwhile. One that somebody has in hand is told to nobody else.
    fn tell(&mut self, now_ms: i64, orders: &Orders, step: &mut Step) {
        for track in self.tracks.values_mut() {
            let Some(alert) = &mut track.open else { continue };
            if orders.acknowledged.contains(&alert.id) {
                continue;
            }
            let Some(rule) = orders.rules.iter().find(|rule| rule.id == alert.rule) else { continue };
            let unheard = |channel: &&ChannelId| orders.channels.contains(channel) && !alert.told.contains(channel);
            let channels: Vec<ChannelId> = rule.settings.channels.iter().filter(unheard).copied().collect();
            if channels.is_empty() || orders.is_silent(alert.rule, &alert.subject, now_ms) {
                continue;
            }
            alert.told.extend(&channels);
            step.changed.retain(|changed| changed.id != alert.id);
            step.changed.push(alert.clone());
            step.tellings.push(Telling { alert: alert.clone(), channels });
        }
    }
}

/// Rows of the log that were lost, and when last.
#[derive(Debug, Default)]
struct Drops {
    known: u64,
    last_ms: Option<i64>,
    /// Lost since the trouble began.
    lost: u64,
}

impl Drops {
    /// Rows lost in this trouble, while it is less than a minute old.
    fn look(&mut self, now_ms: i64, total: u64) -> u64 {
        if total > self.known {
            self.lost += total - self.known;
            self.last_ms = Some(now_ms);
        }
        self.known = total;
        if self.last_ms.is_none_or(|last_ms| now_ms - last_ms >= CALM_MS) {
            self.lost = 0;
        }
        self.lost
    }
}

#[cfg(test)]
mod tests;
