//! The price table, ready to be asked at the end of each request.

use std::collections::HashMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::model::{
    price::{Price, PriceTable, Rate},
    usage::Usage,
};

/// Prices by model.
#[derive(Debug)]
pub struct Prices {
    exact: HashMap<String, Rates>,
    /// Globs, the longest first, and beside them what they cost.
    globs: GlobSet,
    by_glob: Vec<Rates>,
}

/// Of a million tokens, millionths of the currency's unit.
#[derive(Clone, Copy, Debug)]
struct Rates {
    input: u64,
    cached: u64,
    output: u64,
}

impl Prices {
    /// `None` where there are no prices. A glob that is none matches nothing.
    pub fn new(table: &PriceTable) -> Option<Self> {
        if table.models.is_empty() {
            return None;
        }
        let (exact, mut patterns): (Vec<&Price>, Vec<&Price>) = table.models.iter().partition(|price| price.is_exact());
        patterns.sort_by_key(|price| std::cmp::Reverse(price.model.len()));
        let (mut globs, mut by_glob) = (GlobSetBuilder::new(), Vec::with_capacity(patterns.len()));
        for price in patterns {
            if let Ok(glob) = GlobBuilder::new(&price.model).literal_separator(false).build() {
                globs.add(glob);
                by_glob.push(Rates::of(price));
            }
        }
        Some(Self {
            exact: exact.into_iter().map(|price| (price.model.clone(), Rates::of(price))).collect(),
            globs: globs.build().unwrap_or_else(|_| GlobSet::empty()),
            by_glob,
        })
    }

    /// What this use of the model cost, about: billionths of the currency's unit. `None` without a price, and
    /// where tokens that cost something are unknown.
    pub fn cost_nanos(&self, model: &str, usage: &Usage) -> Option<i64> {
        let rates = self.rates(model)?;
        let cached = usage.cached.unwrap_or(0);
        let read = usage.input.map(|input| input.saturating_sub(cached));
        let parts = [
            part(read, rates.input)?,
            part(usage.cached.or(Some(0)), rates.cached)?,
            part(usage.output, rates.output)?,
        ];
        // A token's price has three decimals beyond the billionth.
        i64::try_from(parts.iter().sum::<u128>().div_ceil(1_000)).ok()
    }

    fn rates(&self, model: &str) -> Option<&Rates> {
        self.exact.get(model).or_else(|| self.by_glob.get(*self.globs.matches(model).iter().min()?))
    }
}

impl Rates {
    fn of(price: &Price) -> Self {
        let micros = |rate: Rate| u64::try_from(rate.0).unwrap_or(0);
        let cached = price.cached_input.unwrap_or(price.input);
        Self { input: micros(price.input), cached: micros(cached), output: micros(price.output) }
    }
}

/// Tokens that cost nothing need not be known.
fn part(tokens: Option<u64>, rate: u64) -> Option<u128> {
    if rate == 0 { Some(0) } else { Some(u128::from(tokens?) * u128::from(rate)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::price::PriceDraft;

    fn prices(lines: &str) -> Prices {
        let draft = PriceDraft::from_lines("USD", lines).expect("readable");
        Prices::new(&PriceTable { currency: draft.currency, models: draft.models, ..PriceTable::default() })
            .expect("some")
    }

    fn used(input: u64, output: u64) -> Usage {
        Usage { input: Some(input), output: Some(output), ..Usage::default() }
    }

    #[test]
    fn a_name_is_preferred_to_globs_and_a_longer_glob_to_a_shorter() {
        let prices =
            prices("*, 1, 0\ngpt-4*, 2, 0\ngpt-4*-mini, 3, 0\ngpt-4o-mini, 4, 0\ng[p]t-5, 5, 0\nvendor/*, 6, 0");
        for (model, price) in
            [("gpt-4o-mini", 4), ("gpt-4.1-mini", 3), ("gpt-4", 2), ("gpt-5", 5), ("claude", 1), ("vendor/a/b", 6)]
        {
            assert_eq!(prices.cost_nanos(model, &used(1_000_000, 0)), Some(price * 1_000_000_000), "{model}");
        }
    }

    #[test]
    fn a_cost_counts_cached_input_at_its_own_price() {
        let prices = prices("m, 2.5, 10, 1.25\nplain, 2.5, 10");
        let usage = Usage { cached: Some(600), ..used(1_000, 100) };
        assert_eq!(prices.cost_nanos("m", &usage), Some(400 * 2_500 + 600 * 1_250 + 100 * 10_000));
        assert_eq!(prices.cost_nanos("plain", &usage), Some(1_000 * 2_500 + 100 * 10_000));
        assert_eq!(prices.cost_nanos("other", &usage), None);
    }

    #[test]
    fn what_is_unknown_has_no_cost_unless_it_costs_nothing() {
        let prices = prices("m, 1, 2\nvectors, 0.02, 0\nfree, 0, 0");
        let input = Usage { input: Some(10), ..Usage::default() };
        assert_eq!(prices.cost_nanos("m", &input), None);
        assert_eq!(prices.cost_nanos("vectors", &input), Some(200));
        assert_eq!(prices.cost_nanos("free", &Usage::default()), Some(0));
    }

    #[test]
    fn the_largest_counts_overflow_nothing() {
        let prices = prices("m, 100000, 100000");
        assert_eq!(prices.cost_nanos("m", &used(1_000_000_000, 1_000_000_000)), Some(200_000_000_000_000_000));
        assert_eq!(prices.cost_nanos("m", &used(u64::MAX, u64::MAX)), None);
    }
}
