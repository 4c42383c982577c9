//! Choosing several rows: boxes, shift for a range, and the bar that replaces the toolbar.

use std::collections::BTreeSet;

use leptos::{ev, prelude::*};
use uuid::Uuid;

use crate::ui::i18n::t;

/// The chosen rows of a list, by their ids. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Selection {
    chosen: RwSignal<BTreeSet<Uuid>>,
    last: StoredValue<Option<Uuid>>,
    /// Ids and names of the rows on screen, in their order.
    rows: Memo<Vec<(Uuid, String)>>,
}

impl Selection {
    /// Of the rows on screen, none chosen. What leaves the screen is let go of.
    pub fn among(rows: Memo<Vec<(Uuid, String)>>) -> Self {
        let selection = Self { chosen: RwSignal::default(), last: StoredValue::new(None), rows };
        Effect::new(move |_| {
            let gone: Vec<Uuid> = rows.with(|rows| {
                let on_screen = |id: &Uuid| rows.iter().any(|(row, _)| row == id);
                selection.chosen.with_untracked(|chosen| chosen.iter().filter(|id| !on_screen(id)).copied().collect())
            });
            if !gone.is_empty() {
                selection.chosen.update(|chosen| chosen.retain(|id| !gone.contains(id)));
            }
        });
        selection
    }

    /// Whether this row is chosen.
    pub fn has(self, id: Uuid) -> bool {
        self.chosen.with(|chosen| chosen.contains(&id))
    }

    /// How many are chosen.
    pub fn count(self) -> usize {
        self.chosen.with(BTreeSet::len)
    }

    /// The chosen rows by id and name, in the order of the screen.
    pub fn named(self) -> Vec<(Uuid, String)> {
        let chosen = self.chosen.get_untracked();
        self.rows.with_untracked(|rows| rows.iter().filter(|(id, _)| chosen.contains(id)).cloned().collect())
    }

    /// None is chosen.
    pub fn clear(self) {
        // The list may have left the screen since.
        let _ = self.chosen.try_update(BTreeSet::clear);
    }

    fn all_on(self) -> bool {
        self.rows.with(|rows| !rows.is_empty() && rows.iter().all(|(id, _)| self.has(*id)))
    }

    /// All on screen, or none if all are.
    fn toggle_all(self) {
        let all = untrack(|| self.all_on());
        self.chosen.update(|chosen| {
            chosen.clear();
            if !all {
                self.rows.with_untracked(|rows| chosen.extend(rows.iter().map(|(id, _)| *id)));
            }
        });
    }

    /// This row, or with shift the stretch from the last one.
    pub fn toggle(self, id: Uuid, stretch: bool) {
        let on = self.chosen.with_untracked(|chosen| !chosen.contains(&id));
        let order: Vec<Uuid> = self.rows.with_untracked(|rows| rows.iter().map(|(id, _)| *id).collect());
        let from = self.last.get_value().filter(|_| stretch).and_then(|last| order.iter().position(|one| *one == last));
        let to = order.iter().position(|one| *one == id);
        let ids = match (from, to) {
            (Some(from), Some(to)) => &order[from.min(to)..=from.max(to)],
            _ => &[id][..],
        };
        self.chosen.update(|chosen| {
            for id in ids {
                if on {
                    chosen.insert(*id);
                } else {
                    chosen.remove(id);
                }
            }
        });
        self.last.set_value(Some(id));
    }
}

/// The box of a row.
#[component]
pub fn RowCheck(
    /// The selection it belongs to.
    selection: Selection,
    /// This row.
    id: Uuid,
    /// Name of the row.
    #[prop(into)]
    name: String,
) -> impl IntoView {
    let toggle = move |event: ev::MouseEvent| selection.toggle(id, event.shift_key());
    view! {
        <input type="checkbox" class="check-box align-middle" aria-label=t!(form::select_thing, &name) prop:checked=move || selection.has(id) on:click=toggle/>
    }
    .into_any()
}

/// The head above the boxes: all on screen, or none.
#[component]
pub fn CheckHead(
    /// The selection.
    selection: Selection,
) -> impl IntoView {
    let some_on = move || selection.count() != 0 && !selection.all_on();
    view! {
        <th class="w-8"><input type="checkbox" class="check-box align-middle" aria-label=t!(form::select_all) prop:checked=move || selection.all_on() prop:indeterminate=some_on on:click=move |_| selection.toggle_all()/></th>
    }
    .into_any()
}

/// The toolbar while rows are chosen.
#[component]
pub fn BulkBar(
    /// The selection.
    selection: Selection,
    /// The actions.
    children: Children,
) -> impl IntoView {
    let escape = window_event_listener(ev::keydown, move |event| {
        // In a dialog the key leaves that.
        if event.key() == "Escape" && !matches!(document().query_selector("dialog:modal"), Ok(Some(_))) {
            selection.clear();
        }
    });
    on_cleanup(move || escape.remove());
    view! {
        <div class="list-bar list-bar-bulk" role="toolbar" aria-label=t!(form::bulk)>
            <span class="font-semibold px-1" aria-live="polite">{move || t!(form::selected, selection.count())}</span>
            {children()}
            <button type="button" class="btn btn-sm btn-ghost ml-auto" on:click=move |_| selection.clear()>{t!(form::clear)}<kbd class="kbd desk-only">"Esc"</kbd></button>
        </div>
    }
    .into_any()
}
