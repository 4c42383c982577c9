//! Choosing several rows: boxes, shift for a range, and the bar that replaces the toolbar.

use std::{collections::BTreeSet, hash::Hash};

use leptos::{ev, prelude::*};

use crate::ui::i18n::t;

/// The chosen rows. Cheap to copy.
pub struct Selection<K: Send + Sync + 'static> {
    chosen: RwSignal<BTreeSet<K>>,
    last: StoredValue<Option<K>>,
}

impl<K: Send + Sync + 'static> Clone for Selection<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Send + Sync + 'static> Copy for Selection<K> {}

impl<K: Copy + Ord + Hash + Send + Sync + 'static> Default for Selection<K> {
    fn default() -> Self {
        Self { chosen: RwSignal::default(), last: StoredValue::new(None) }
    }
}

impl<K: Copy + Ord + Hash + Send + Sync + 'static> Selection<K> {
    /// Whether this row is chosen.
    pub fn has(self, key: K) -> bool {
        self.chosen.with(|chosen| chosen.contains(&key))
    }

    /// How many are chosen.
    pub fn count(self) -> usize {
        self.chosen.with(BTreeSet::len)
    }

    /// The chosen rows.
    pub fn keys(self) -> Vec<K> {
        self.chosen.with_untracked(|chosen| chosen.iter().copied().collect())
    }

    /// None is chosen.
    pub fn clear(self) {
        self.chosen.update(BTreeSet::clear);
    }

    /// Lets go of those that are not among these.
    pub fn keep(self, keys: &[K]) {
        if self.chosen.with_untracked(|chosen| chosen.iter().any(|key| !keys.contains(key))) {
            self.chosen.update(|chosen| chosen.retain(|key| keys.contains(key)));
        }
    }

    /// All of these, or none if all are.
    pub fn toggle_all(self, keys: &[K]) {
        self.chosen.update(|chosen| {
            if keys.iter().all(|key| chosen.contains(key)) {
                chosen.clear();
            } else {
                chosen.extend(keys);
            }
        });
    }

    /// This row, or with shift the stretch from the last one.
    pub fn toggle(self, key: K, stretch: bool, order: &[K]) {
        let on = self.chosen.with_untracked(|chosen| !chosen.contains(&key));
        let from = self.last.get_value().filter(|_| stretch).and_then(|last| order.iter().position(|k| *k == last));
        let to = order.iter().position(|k| *k == key);
        let keys = match (from, to) {
            (Some(from), Some(to)) => &order[from.min(to)..=from.max(to)],
            _ => &[key][..],
        };
        self.chosen.update(|chosen| {
            for key in keys {
                if on {
                    chosen.insert(*key);
                } else {
                    chosen.remove(key);
                }
            }
        });
        self.last.set_value(Some(key));
    }
}

/// The box of a row.
#[component]
pub fn RowCheck<K>(
    /// The selection it belongs to.
    selection: Selection<K>,
    /// This row.
    key: K,
    /// All rows on screen, in their order.
    #[prop(into)]
    order: Signal<Vec<K>>,
    /// Name of the row.
    #[prop(into)]
    name: String,
) -> impl IntoView
where
    K: Copy + Ord + Hash + Send + Sync + 'static,
{
    let toggle = move |event: ev::MouseEvent| selection.toggle(key, event.shift_key(), &order.get_untracked());
    view! {
        <input type="checkbox" class="check-box align-middle" aria-label=t!(form::select_thing, &name) prop:checked=move || selection.has(key) on:click=toggle/>
    }
    .into_any()
}

/// The toolbar while rows are chosen.
#[component]
pub fn BulkBar(
    /// How many are chosen.
    #[prop(into)]
    count: Signal<usize>,
    /// Chooses none.
    on_clear: Callback<()>,
    /// The actions.
    children: Children,
) -> impl IntoView {
    let escape = window_event_listener(ev::keydown, move |event| {
        if event.key() == "Escape" {
            on_clear.run(());
        }
    });
    on_cleanup(move || escape.remove());
    view! {
        <div class="list-bar list-bar-bulk" role="toolbar" aria-label=t!(form::bulk)>
            <span class="font-semibold px-1" aria-live="polite">{move || t!(form::selected, count.get())}</span>
            {children()}
            <button type="button" class="btn btn-sm btn-ghost ml-auto" on:click=move |_| on_clear.run(())>{t!(form::clear)}<kbd class="kbd desk-only">"Esc"</kbd></button>
        </div>
    }
    .into_any()
}
