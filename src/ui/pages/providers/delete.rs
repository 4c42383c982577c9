//! Deleting a provider: the name must be typed.

use leptos::prelude::*;

use crate::{
    api::providers::delete_provider,
    model::provider::ProviderRow,
    ui::{
        components::{
            dialog::{ConfirmDialog, Doomed},
            table::ListState,
        },
        i18n::t,
    },
};

/// The dialog that `?delete=1` opens.
#[component]
pub fn DeleteDialog(
    /// Which provider.
    row: ProviderRow,
) -> impl IntoView {
    let (open, close) = ListState::here().dialog("delete");
    let id = row.provider.id;
    let action = Action::new(move |(): &()| delete_provider(id));
    let groups = row.groups.iter().map(|group| group.slug.as_str()).collect::<Vec<_>>().join(", ");
    let doomed = Doomed {
        title: t!(provider::delete_title, &row.provider.name),
        consequence: if groups.is_empty() {
            t!(provider::delete_says).to_owned()
        } else {
            t!(provider::delete_first, &groups)
        },
        expected: row.provider.name,
        verb: t!(provider::delete_verb),
        url: "/rpc/providers/delete",
        id: id.to_string(),
    };
    view! { <ConfirmDialog open on_close=close doomed=Signal::stored(doomed) action/> }.into_any()
}
