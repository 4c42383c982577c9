//! Search, order and page of a configuration list, the same for every list.

use std::collections::BTreeMap;

use crate::model::page::{ListQuery, Page};

/// Whether any of the texts holds what is searched for; case does not count.
pub(super) fn matches(query: &ListQuery, texts: &[&str]) -> bool {
    let wanted = query.search.trim().to_lowercase();
    wanted.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(&wanted))
}

/// The page of rows that are sorted already, smallest first.
pub(super) fn page<T>(mut rows: Vec<T>, query: &ListQuery) -> Page<T> {
    if query.descending {
        rows.reverse();
    }
    let total = rows.len() as u64;
    let skip = usize::try_from(query.offset()).unwrap_or(usize::MAX);
    Page { rows: rows.into_iter().skip(skip).take(query.limit() as usize).collect(), total, counts: BTreeMap::new() }
}

/// Counts the rows of each state, then keeps those of the state that is asked for.
pub(super) fn keep_state<T>(
    rows: &mut Vec<T>,
    query: &ListQuery,
    state: impl Fn(&T) -> &'static str,
) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for row in rows.iter() {
        *counts.entry(state(row).to_owned()).or_default() += 1;
    }
    if !query.state.is_empty() {
        rows.retain(|row| state(row) == query.state);
    }
    counts
}

/// Order of names as people read them: without case, then exactly.
pub(super) fn by_name(name: &str) -> (String, String) {
    (name.to_lowercase(), name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_beyond_the_end_is_empty_and_still_counts_all() {
        let query = ListQuery { page: u32::MAX, per_page: 2, ..ListQuery::default() };
        assert_eq!(page(vec![1, 2, 3], &query), Page { rows: vec![], total: 3, counts: BTreeMap::new() });
        let query = ListQuery { page: 1, per_page: 2, descending: true, ..ListQuery::default() };
        assert_eq!(page(vec![1, 2, 3], &query), Page { rows: vec![1], total: 3, counts: BTreeMap::new() });
    }

    #[test]
    fn every_state_is_counted_and_one_is_kept() {
        let query = ListQuery { state: "odd".into(), ..ListQuery::default() };
        let mut rows = vec![1, 2, 3];
        let counts = keep_state(&mut rows, &query, |row| if row % 2 == 0 { "even" } else { "odd" });
        assert_eq!((rows, counts["odd"], counts["even"]), (vec![1, 3], 2, 1));
        let page = Page { rows: vec![0], total: 2, counts };
        assert_eq!((page.count(""), page.count("even"), page.count("none")), (3, 1, 0));
    }

    #[test]
    fn a_search_does_not_mind_case() {
        let query = ListQuery { search: " ALPHA ".into(), ..ListQuery::default() };
        assert!(matches(&query, &["x", "my-alpha"]) && !matches(&query, &["beta"]));
    }
}
