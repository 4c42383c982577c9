//! What may be done with the chosen rows: on, off, gone. The same for every kind of record.
//!
//! Switching is taken back with one press; deleting asks first. Whatever could not be done is told by name.

use leptos::{prelude::*, task::spawn_local};
use uuid::Uuid;

use super::select::{BulkBar, Selection};
use crate::{
    api::bulk::apply_to_all,
    model::{
        bulk::{BulkAct, BulkDone, BulkDraft, BulkKind, BulkRefusal},
        error::ApiResult,
        user::Permission,
    },
    ui::{
        components::{
            dialog::{ConfirmDialog, Doomed},
            feedback::in_words,
            toast::Toasts,
        },
        i18n::t,
        icon::Icon,
        session::Session,
    },
};

/// Names that a sentence lists before it counts the rest.
const NAMED: usize = 5;

/// The bar while rows are chosen.
#[component]
pub fn BulkActions(
    /// The selection.
    selection: Selection,
    /// What the rows are.
    kind: BulkKind,
) -> impl IntoView {
    let (session, toasts) = (Session::here(), Toasts::here());
    let busy = RwSignal::new(false);
    let turn = move |act: BulkAct| {
        let chosen = selection.named();
        selection.clear();
        busy.set(true);
        spawn_local(async move {
            if let Err(error) = switch(kind, act, chosen, toasts).await {
                toasts.failed(&error);
            }
            let _ = busy.try_set(false);
        });
    };
    let switches = session.may(Permission::Operate).then(|| {
        view! {
            <button type="button" class="btn btn-sm" disabled=move || busy.get() on:click=move |_| turn(BulkAct::Enable)><Icon name="power"/>{t!(form::enable)}</button>
            <button type="button" class="btn btn-sm" disabled=move || busy.get() on:click=move |_| turn(BulkAct::Disable)><Icon name="power"/>{t!(form::disable)}</button>
        }
    });
    let delete = session.may(words_of(kind).permission).then(|| view! { <Deletion selection kind busy/> });
    view! { <BulkBar selection>{switches}{delete}</BulkBar> }.into_any()
}

/// What deleting is called, who may, and what follows.
struct Words {
    permission: Permission,
    verb: &'static str,
    consequence: &'static str,
    done: fn(usize) -> String,
}

fn words_of(kind: BulkKind) -> Words {
    let deleted = |count| t!(form::deleted_many, count);
    match kind {
        BulkKind::Providers => Words {
            permission: Permission::ManageProviders,
            verb: t!(form::delete),
            consequence: t!(provider::delete_many_says),
            done: deleted,
        },
        BulkKind::Groups => Words {
            permission: Permission::ManageGroups,
            verb: t!(form::delete),
            consequence: t!(group::delete_many_says),
            done: deleted,
        },
        BulkKind::ApiKeys => Words {
            permission: Permission::ManageApiKeys,
            verb: t!(key::revoke),
            consequence: t!(key::revoke_many_says),
            done: |count| t!(key::revoked_many, count),
        },
    }
}

/// The button that asks, and its dialog.
#[component]
fn Deletion(selection: Selection, kind: BulkKind, busy: RwSignal<bool>) -> impl IntoView {
    let toasts = Toasts::here();
    // What was chosen when the question was put: rows may come and go while it is open.
    let chosen = RwSignal::new(Vec::<(Uuid, String)>::new());
    let open = Signal::derive(move || chosen.with(|chosen| !chosen.is_empty()));
    let close = Callback::new(move |()| chosen.set(Vec::new()));
    let doomed = Signal::derive(move || chosen.with(|chosen| doom(kind, chosen)));
    let action: Action<(), ApiResult<()>> = Action::new(move |(): &()| {
        let chosen = chosen.get_untracked();
        async move {
            let told = apply(kind, BulkAct::Delete, &chosen).await?;
            if !told.done.is_empty() {
                toasts.done((words_of(kind).done)(told.done.len()));
            }
            tell_refused(&told.refused, &chosen, toasts);
            selection.clear();
            Ok(())
        }
    });
    view! {
        <button type="button" class="btn btn-sm btn-danger" disabled=move || busy.get() on:click=move |_| chosen.set(selection.named())><Icon name="trash-2"/>{words_of(kind).verb}</button>
        <ConfirmDialog open on_close=close doomed action asks=t!(form::type_count)/>
    }
    .into_any()
}

fn doom(kind: BulkKind, chosen: &[(Uuid, String)]) -> Doomed {
    let words = words_of(kind);
    Doomed {
        title: t!(form::many_title, words.verb, chosen.len()),
        consequence: t!(form::many_says, &listed(chosen), words.consequence),
        expected: chosen.len().to_string(),
        verb: words.verb,
        url: "/rpc/bulk",
        id: String::new(),
    }
}

/// `alpha, beta and 4 more`.
fn listed(rows: &[(Uuid, String)]) -> String {
    let mut text = rows.iter().take(NAMED).map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(t!(requests::comma));
    if rows.len() > NAMED {
        text = format!("{text} {}", t!(group::and_more, rows.len() - NAMED));
    }
    text
}

async fn apply(kind: BulkKind, act: BulkAct, rows: &[(Uuid, String)]) -> ApiResult<BulkDone> {
    apply_to_all(kind, BulkDraft { act, ids: rows.iter().map(|(id, _)| *id).collect() }).await
}

/// Switches them, says how many, and offers the way back of those that were switched.
async fn switch(kind: BulkKind, act: BulkAct, chosen: Vec<(Uuid, String)>, toasts: Toasts) -> ApiResult<()> {
    let told = apply(kind, act, &chosen).await?;
    tell_refused(&told.refused, &chosen, toasts);
    let turned: Vec<_> = chosen.into_iter().filter(|(id, _)| told.done.contains(id)).collect();
    if turned.is_empty() {
        if told.refused.is_empty() {
            toasts.done(t!(form::unchanged_many).to_owned());
        }
        return Ok(());
    }
    let (title, back) = match act {
        BulkAct::Enable => (t!(form::enabled_many, turned.len()), BulkAct::Disable),
        _ => (t!(form::disabled_many, turned.len()), BulkAct::Enable),
    };
    let undo = Callback::new(move |()| {
        let turned = turned.clone();
        spawn_local(async move {
            match apply(kind, back, &turned).await {
                Ok(told) if told.refused.is_empty() => toasts.done(t!(form::undone).to_owned()),
                Ok(told) => tell_refused(&told.refused, &turned, toasts),
                Err(error) => toasts.failed(&error),
            }
        });
    });
    toasts.done_with_undo(title, undo);
    Ok(())
}

/// Which ones stay as they were, and why.
fn tell_refused(refused: &[BulkRefusal], rows: &[(Uuid, String)], toasts: Toasts) {
    if refused.is_empty() {
        return;
    }
    let name = |id: Uuid| rows.iter().find(|(row, _)| *row == id).map(|(_, name)| name.as_str()).unwrap_or_default();
    let line = |one: &BulkRefusal| format!("{}: {}", name(one.id), in_words(&one.error));
    let mut lines: Vec<String> = refused.iter().take(NAMED).map(line).collect();
    if refused.len() > NAMED {
        lines.push(t!(group::and_more, refused.len() - NAMED));
    }
    toasts.found(t!(form::refused_many, refused.len()), lines.join(" · "));
}
