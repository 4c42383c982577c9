//! Questions about statistics: what is asked for, whether that can be answered, and the answer out
//! of rows. Pure: rows are read by the caller.

use std::collections::{BTreeMap, HashMap};

use super::{
    cell::Cell,
    intake::MANY,
    ledger::{cell_of, span},
};
use crate::{
    model::{
        problem::{Issue, Problem},
        stats::{Dimension, Figures, Period, StatsAnswer, StatsColumn, StatsQuery, StatsSeries, Step},
    },
    server::{
        limit::calendar::Calendar,
        store::{RollupFilter, RollupRow},
    },
};

const HOUR_MS: i64 = 3_600_000;
/// Without a step: the shortest that makes at most so many columns.
const COLUMNS: i64 = 400;
/// Series in an answer, and the most that can be asked for.
const SERIES: (u32, u32) = (10, 50);
/// Points in an answer: columns × series.
const POINTS: i64 = 30_000;
/// Columns that are read at once, so that a long question takes no more memory than a short one.
const SLICE: i64 = 64;

/// A question that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inquiry {
    /// Start of the first column, unix milliseconds.
    pub from_ms: i64,
    /// End of the last column.
    pub to_ms: i64,
    /// Length of a column.
    pub step: Step,
    query: StatsQuery,
    status_class: Option<i64>,
    series: usize,
}

impl Inquiry {
    /// Reads a question; everything wrong with it, by the name of the field.
    pub fn of(query: StatsQuery, calendar: &Calendar, now_ms: i64) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let (from_ms, to_ms) = stretch(&query, calendar, now_ms).unwrap_or_else(|problem| {
            problems.push(problem);
            (now_ms - 24 * HOUR_MS, now_ms)
        });
        let step = step(&query, from_ms, to_ms, now_ms).unwrap_or_else(|problem| {
            problems.push(problem);
            Step::Day
        });
        let status_class = status_class(&query).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        problems.extend(crossed(&query));
        let series = query.limit.unwrap_or(SERIES.0);
        if !(1..=SERIES.1).contains(&series) {
            problems.push(Problem::new("limit", Issue::OutOfRange { min: 1, max: SERIES.1.into() }));
        }
        let columns = (to_ms - from_ms) / step.length_ms() + 1;
        if problems.is_empty() && query.by.is_some() && columns * i64::from(series) > POINTS {
            let most = POINTS / columns;
            problems.push(refusal(
                "limit",
                format!(
                    "{series} series of {columns} columns are too many; ask for {most} series or for a longer step"
                ),
            ));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let (from_ms, to_ms) = (span(calendar, step, from_ms).0, span(calendar, step, to_ms - 1).1);
        Ok(Self { from_ms, to_ms, step, query, status_class, series: series as usize })
    }

    /// Whether attempts are counted, not requests.
    pub fn attempts(&self) -> bool {
        self.query.provider.is_some() || self.query.by == Some(Dimension::Provider)
    }

    /// What to ask of the store, a stretch of time at a time.
    pub fn filters(&self) -> impl Iterator<Item = RollupFilter> {
        let slice_ms = SLICE * self.step.length_ms();
        let starts = (0..).map(move |slice| self.from_ms + slice * slice_ms).take_while(|start| *start < self.to_ms);
        starts.map(move |from_ms| RollupFilter {
            step: self.step,
            from_ms,
            to_ms: (from_ms + slice_ms).min(self.to_ms),
            attempts: self.attempts(),
            provider: self.query.provider.map(|id| id.to_string()),
            group: self.query.group.map(|id| id.to_string()),
            api_key: self.query.api_key.map(|id| id.to_string()),
            model: self.query.model.clone(),
            status_class: self.status_class,
            limit: i64::MAX,
        })
    }

    /// Whether a row that did not come from the store belongs into the answer.
    pub fn takes(&self, row: &RollupRow) -> bool {
        let is = |wanted: Option<String>, found: &str| wanted.is_none_or(|wanted| wanted == found);
        row.provider.is_empty() != self.attempts()
            && (self.from_ms..self.to_ms).contains(&row.at_ms)
            && is(self.query.provider.map(|id| id.to_string()), &row.provider)
            && is(self.query.group.map(|id| id.to_string()), &row.group)
            && is(self.query.api_key.map(|id| id.to_string()), &row.api_key)
            && is(self.query.model.clone(), &row.model)
            && self.status_class.is_none_or(|class| class == row.status_class)
    }

    /// Begins an answer.
    pub fn answer(&self) -> Sums<'_> {
        Sums { inquiry: self, series: HashMap::new() }
    }

    fn key(&self, row: &RollupRow) -> String {
        match self.query.by {
            None => String::new(),
            Some(Dimension::Provider) => row.provider.clone(),
            Some(Dimension::Group) => row.group.clone(),
            Some(Dimension::ApiKey) => row.api_key.clone(),
            Some(Dimension::Model) => row.model.clone(),
            Some(Dimension::Status) => format!("{}xx", row.status_class),
        }
    }
}

/// An answer in the making.
#[derive(Debug)]
pub struct Sums<'a> {
    inquiry: &'a Inquiry,
    series: HashMap<String, BTreeMap<i64, Cell>>,
}

impl Sums<'_> {
    /// Adds a row.
    pub fn add(&mut self, row: &RollupRow) {
        let columns = self.series.entry(self.inquiry.key(row)).or_default();
        columns.entry(row.at_ms).or_default().merge(&cell_of(row));
    }

    /// The answer; names of keys are the caller's.
    pub fn finish(self) -> StatsAnswer {
        let Inquiry { from_ms, to_ms, step, .. } = *self.inquiry;
        let attempts = self.inquiry.attempts();
        let mut all = Cell::default();
        let mut summed: Vec<(String, Cell, BTreeMap<i64, Cell>)> = Vec::with_capacity(self.series.len());
        for (key, columns) in self.series {
            let mut sum = Cell::default();
            columns.values().for_each(|cell| sum.merge(cell));
            all.merge(&sum);
            summed.push((key, sum, columns));
        }
        let is_many = |key: &str| key == MANY;
        summed.sort_by(|left, right| {
            let order = is_many(&left.0).cmp(&is_many(&right.0));
            order.then(right.1.counts.total.cmp(&left.1.counts.total)).then(left.0.cmp(&right.0))
        });
        fold_rest(&mut summed, self.inquiry.series);
        let series = summed.into_iter().map(|(key, sum, columns)| StatsSeries {
            key,
            name: String::new(),
            totals: figures(&sum),
            columns: columns
                .iter()
                .map(|(at_ms, cell)| StatsColumn { at_ms: *at_ms, figures: figures(cell) })
                .collect(),
        });
        StatsAnswer { from_ms, to_ms, step, attempts, totals: figures(&all), series: series.collect() }
    }
}

/// Beyond so many series the rest becomes one.
fn fold_rest(summed: &mut Vec<(String, Cell, BTreeMap<i64, Cell>)>, most: usize) {
    if summed.len() <= most {
        return;
    }
    let (mut sum, mut columns) = (Cell::default(), BTreeMap::<i64, Cell>::new());
    for (_, cell, rest) in summed.drain(most..) {
        sum.merge(&cell);
        for (at_ms, cell) in rest {
            columns.entry(at_ms).or_default().merge(&cell);
        }
    }
    summed.push((MANY.to_owned(), sum, columns));
}

fn figures(cell: &Cell) -> Figures {
    Figures {
        counts: cell.counts,
        usage: cell.usage,
        first_byte: cell.latency.first_byte.quantiles(),
        first_output: cell.latency.first_output.quantiles(),
        total: cell.latency.total.quantiles(),
    }
}

fn refusal(field: &str, message: impl Into<String>) -> Problem {
    Problem::new(field, Issue::NoAnswer { message: message.into() })
}

/// From when to when.
fn stretch(query: &StatsQuery, calendar: &Calendar, now_ms: i64) -> Result<(i64, i64), Problem> {
    let moments = query.from.is_some() || query.to.is_some();
    let ways = usize::from(moments) + usize::from(query.period.is_some()) + usize::from(query.range.is_some());
    if ways > 1 {
        return Err(refusal("period", "say from when either by period, or by range, or by from and to"));
    }
    let end_ms = now_ms + 1;
    let today = calendar.at(now_ms);
    match (query.period, query.range) {
        (Some(Period::Today), _) => return Ok((today.day.starts_at_ms, end_ms)),
        (Some(Period::Week), _) => return Ok((calendar.week_starts_at_ms(now_ms), end_ms)),
        (Some(Period::Month), _) => return Ok((today.month.starts_at_ms, end_ms)),
        (None, Some(range)) => return Ok((now_ms - range.length_ms(), end_ms)),
        (None, None) => {}
    }
    let to_ms = query.to.as_deref().map_or(Ok(end_ms), |text| moment("to", text))?;
    let from_ms = query.from.as_deref().map_or(Ok(to_ms.saturating_sub(24 * HOUR_MS)), |text| moment("from", text))?;
    if from_ms >= to_ms {
        return Err(refusal("to", "lies before from; nothing is in between"));
    }
    if from_ms > now_ms {
        return Err(refusal("from", "lies in the future; nothing has happened there yet"));
    }
    let oldest_ms = now_ms - Step::Day.kept_ms();
    if from_ms < oldest_ms {
        let date = span(calendar, Step::Day, oldest_ms).0;
        let date = jiff::Timestamp::from_millisecond(date).unwrap_or_default();
        return Err(refusal("from", format!("lies further back than statistics are kept; ask from {date} on")));
    }
    Ok((from_ms, to_ms.min(end_ms)))
}

fn moment(field: &str, text: &str) -> Result<i64, Problem> {
    let ms = text.parse::<i64>().ok().or_else(|| text.parse::<jiff::Timestamp>().ok().map(|at| at.as_millisecond()));
    ms.ok_or_else(|| {
        refusal(field, format!("\"{text}\" is no moment such as 2026-11-23T14:00:00Z, nor unix milliseconds"))
    })
}

/// The step asked for, if its columns are kept that long; else the shortest that makes a chart.
fn step(query: &StatsQuery, from_ms: i64, to_ms: i64, now_ms: i64) -> Result<Step, Problem> {
    let kept = |step: &Step| from_ms >= now_ms - step.kept_ms();
    let word = query.step.as_deref().unwrap_or("auto");
    if word == "auto" {
        let fits = |step: &&Step| kept(step) && (to_ms - from_ms) / step.length_ms() <= COLUMNS;
        return Ok(Step::ALL.iter().find(fits).copied().unwrap_or(Step::Day));
    }
    let Some(step) = Step::ALL.into_iter().find(|step| step.as_str() == word) else {
        return Err(refusal("step", format!("\"{word}\" is none of auto, 1m, 15m, 1h and 1d")));
    };
    if kept(&step) {
        return Ok(step);
    }
    let longer = Step::ALL.into_iter().find(kept).unwrap_or(Step::Day).as_str();
    let days = step.kept_ms() / (24 * HOUR_MS);
    Err(refusal(
        "step",
        format!("columns of {word} are kept for {days} days and this begins earlier; ask for {longer}"),
    ))
}

fn status_class(query: &StatsQuery) -> Result<Option<i64>, Problem> {
    let Some(word) = query.status.as_deref() else { return Ok(None) };
    let class = word.strip_suffix("xx").and_then(|digit| digit.parse().ok()).filter(|class| (1..=5).contains(class));
    class.map(Some).ok_or_else(|| refusal("status", format!("\"{word}\" is no class of status such as 2xx or 5xx")))
}

/// Providers are known of attempts, keys and status of requests: no statistics hold both.
fn crossed(query: &StatsQuery) -> Option<Problem> {
    let attempts = query.provider.is_some() || query.by == Some(Dimension::Provider);
    let requests = query.api_key.is_some()
        || query.status.is_some()
        || matches!(query.by, Some(Dimension::ApiKey | Dimension::Status));
    (attempts && requests).then(|| {
        let message = "statistics of providers count attempts and know no API key or status; ask the request log";
        refusal(if query.provider.is_some() { "provider" } else { "by" }, message)
    })
}

#[cfg(test)]
mod tests;
