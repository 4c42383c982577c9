//! A record being edited: the draft, what is stored, and what is wrong with it.
//!
//! The browser checks the draft with the same [`Validate`] as the server. A field is judged when
//! it is left, and from then on with each key; a refused save judges all of them.

use std::collections::BTreeSet;

use leptos::prelude::*;

use crate::model::{
    error::ApiError,
    problem::{Issue, Problem, Validate},
};

/// One text field of a draft, as a control sees it.
#[derive(Clone)]
pub struct Bound {
    /// Path of the field; also the id and the name of its control.
    pub field: String,
    /// Its text.
    pub value: Signal<String>,
    /// Takes new text.
    pub set: Callback<String>,
    /// To be called when the control is left.
    pub left: Callback<()>,
    /// What is wrong with it, once it may be judged.
    pub issue: Signal<Option<Issue>>,
}

/// One yes or no of a draft.
#[derive(Clone)]
pub struct Flag {
    /// Path of the field.
    pub field: String,
    /// Whether it is set.
    pub value: Signal<bool>,
    /// Takes the new value.
    pub set: Callback<bool>,
}

/// A draft under edit. Cheap to copy.
pub struct Editor<T: Send + Sync + 'static> {
    /// The draft.
    pub draft: RwSignal<T>,
    /// The draft as it is stored.
    pub stored: RwSignal<T>,
    left: RwSignal<BTreeSet<String>>,
    judge_all: RwSignal<bool>,
    refused: RwSignal<Vec<Problem>>,
    own: Memo<Vec<Problem>>,
}

impl<T: Send + Sync + 'static> Clone for Editor<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Send + Sync + 'static> Copy for Editor<T> {}

impl<T: Validate + Clone + PartialEq + Send + Sync + 'static> Editor<T> {
    /// Begins with what is stored, or with an empty draft.
    pub fn new(stored: T) -> Self {
        let draft = RwSignal::new(stored.clone());
        Self {
            draft,
            stored: RwSignal::new(stored),
            left: RwSignal::default(),
            judge_all: RwSignal::new(false),
            refused: RwSignal::default(),
            own: Memo::new(move |_| draft.with(|draft| draft.validate().err().unwrap_or_default())),
        }
    }

    /// Whether anything differs from what is stored.
    pub fn dirty(self) -> bool {
        self.draft.with(|draft| self.stored.with(|stored| draft != stored))
    }

    /// Back to what is stored.
    pub fn discard(self) {
        self.draft.set(self.stored.get_untracked());
        self.forget();
    }

    /// The draft was stored.
    pub fn accept(self, stored: T) {
        self.draft.set(stored.clone());
        self.stored.set(stored);
        self.forget();
    }

    fn forget(self) {
        self.judge_all.set(false);
        self.left.update(BTreeSet::clear);
        self.refused.update(Vec::clear);
    }

    /// The draft, if nothing is wrong with it; otherwise every problem shows.
    pub fn ready(self) -> Option<T> {
        self.judge_all.set(true);
        self.refused.update(Vec::clear);
        self.own.with_untracked(Vec::is_empty).then(|| self.draft.get_untracked())
    }

    /// Takes back what a plain form sent and the server refused.
    pub fn take_back(self, error: &ApiError, fill: impl FnOnce(&mut T)) {
        self.draft.update(fill);
        self.judge_all.set(true);
        self.refuse(error);
    }

    /// Shows what the server found wrong; answers whether the error was about fields.
    pub fn refuse(self, error: &ApiError) -> bool {
        let ApiError::Invalid { problems } = error else { return false };
        self.refused.set(problems.clone());
        true
    }

    /// What is wrong with the field at `path` or below it.
    pub fn issue(self, path: &str) -> Signal<Option<Issue>> {
        let path = path.to_owned();
        let find = move |problems: &Vec<Problem>| {
            problems
                .iter()
                .find(|problem| is_at_or_below(&problem.field, &path))
                .map(|problem| (problem.field.clone(), problem.issue.clone()))
        };
        Signal::derive(move || {
            let found = self.own.with(&find).filter(|(field, _)| self.may_judge(field));
            found.or_else(|| self.refused.with(&find)).map(|(_, issue)| issue)
        })
    }

    /// What is wrong with the field at `path` itself, not with what is in it.
    pub fn issue_at(self, path: &str) -> Signal<Option<Issue>> {
        let path = path.to_owned();
        let find = move |problems: &Vec<Problem>| {
            problems.iter().find(|problem| problem.field == path).map(|problem| problem.issue.clone())
        };
        Signal::derive(move || self.own.with(&find).or_else(|| self.refused.with(&find)))
    }

    fn may_judge(self, field: &str) -> bool {
        self.judge_all.get() || self.left.with(|left| left.iter().any(|path| is_at_or_below(field, path)))
    }

    /// The control of this field was left: it may be judged now.
    pub fn leave(self, path: &str) {
        let path = path.to_owned();
        self.left.update(|left| {
            left.insert(path);
        });
    }

    fn change(self, path: &str, change: impl FnOnce(&mut T)) {
        self.draft.update(change);
        if self.refused.with_untracked(|refused| !refused.is_empty()) {
            self.refused.update(|refused| refused.retain(|problem| !is_at_or_below(&problem.field, path)));
        }
    }

    /// Binds a text field.
    pub fn text(
        self,
        path: &str,
        read: impl Fn(&T) -> String + Send + Sync + 'static,
        write: impl Fn(&mut T, String) + Send + Sync + 'static,
    ) -> Bound {
        let at = path.to_owned();
        let when_left = at.clone();
        Bound {
            field: path.to_owned(),
            value: Signal::derive(move || self.draft.with(&read)),
            set: Callback::new(move |text| self.change(&at, |draft| write(draft, text))),
            left: Callback::new(move |()| self.leave(&when_left)),
            issue: self.issue(path),
        }
    }

    /// Binds a whole number; text that is none becomes 0.
    pub fn number(
        self,
        path: &str,
        read: impl Fn(&T) -> u64 + Send + Sync + 'static,
        write: impl Fn(&mut T, u64) + Send + Sync + 'static,
    ) -> Bound {
        self.text(
            path,
            move |draft| read(draft).to_string(),
            move |draft, text| write(draft, digits(&text).unwrap_or(0)),
        )
    }

    /// Binds a number that may be left out.
    pub fn maybe_number(
        self,
        path: &str,
        read: impl Fn(&T) -> Option<u64> + Send + Sync + 'static,
        write: impl Fn(&mut T, Option<u64>) + Send + Sync + 'static,
    ) -> Bound {
        self.text(
            path,
            move |draft| read(draft).map(|number| number.to_string()).unwrap_or_default(),
            move |draft, text| write(draft, digits(&text)),
        )
    }

    /// Binds a yes or no.
    pub fn flag(
        self,
        path: &str,
        read: impl Fn(&T) -> bool + Send + Sync + 'static,
        write: impl Fn(&mut T, bool) + Send + Sync + 'static,
    ) -> Flag {
        let at = path.to_owned();
        Flag {
            field: path.to_owned(),
            value: Signal::derive(move || self.draft.with(&read)),
            set: Callback::new(move |on| self.change(&at, |draft| write(draft, on))),
        }
    }
}

/// The number a person typed: its digits; `None` without any.
pub fn digits(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(char::is_ascii_digit).take(15).collect();
    digits.parse().ok()
}

/// A number as the narrower fields hold it.
pub fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn is_at_or_below(field: &str, path: &str) -> bool {
    field.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_belongs_to_its_field_and_to_the_list_around_it() {
        assert!(is_at_or_below("models.only[0]", "models.only"));
        assert!(is_at_or_below("slug", "slug"));
        assert!(!is_at_or_below("slugs", "slug"));
        assert!(!is_at_or_below("models", "models.only"));
    }

    #[test]
    fn a_number_is_its_digits() {
        assert_eq!(digits(" 1,200 ms"), Some(1200));
        assert_eq!(digits("none"), None);
        assert_eq!(narrow(u64::MAX), u32::MAX);
    }
}
