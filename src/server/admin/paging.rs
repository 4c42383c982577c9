//! Search, order and page of a configuration list, the same for every list.

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
    Page { rows: rows.into_iter().skip(skip).take(query.limit() as usize).collect(), total }
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
        assert_eq!(page(vec![1, 2, 3], &query), Page { rows: vec![], total: 3 });
        let query = ListQuery { page: 1, per_page: 2, descending: true, ..ListQuery::default() };
        assert_eq!(page(vec![1, 2, 3], &query), Page { rows: vec![1], total: 3 });
    }

    #[test]
    fn a_search_does_not_mind_case() {
        let query = ListQuery { search: " ALPHA ".into(), ..ListQuery::default() };
        assert!(matches(&query, &["x", "my-alpha"]) && !matches(&query, &["beta"]));
    }
}
