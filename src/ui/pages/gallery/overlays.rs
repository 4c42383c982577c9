//! What opens above the page: each behind the button that opens it.

use leptos::prelude::*;

use super::section;
use crate::{
    model::error::{ApiError, ApiResult},
    ui::{
        components::{
            dialog::{ConfirmDialog, Dialog, Doomed, Shape},
            toast::Toasts,
        },
        i18n::t,
        icon::Icon,
    },
};

pub(super) fn sections() -> AnyView {
    view! {
        {section("Dialog, ConfirmDialog", dialogs())}
        {section("Toasts, menu", toasts())}
    }
    .into_any()
}

fn dialogs() -> AnyView {
    let shown = RwSignal::new(None::<Shape>);
    let close = Callback::new(move |()| shown.set(None));
    let one = move |shape: Shape, word: &'static str| {
        let open = Signal::derive(move || shown.get() == Some(shape));
        let content = move || {
            view! {
                <div class="dialog-head"><h2 id="dialog-title">{word}</h2></div>
                <div class="dialog-body"><p>{t!(key::copy_now)}</p></div>
                <div class="dialog-foot">
                    <button type="button" class="btn btn-ghost" on:click=move |_| close.run(())>{t!(form::cancel)}</button>
                    <button type="button" class="btn btn-primary" autofocus on:click=move |_| close.run(())>{t!(form::save)}</button>
                </div>
            }
        };
        view! {
            <button type="button" class="btn" on:click=move |_| shown.set(Some(shape))>{word}</button>
            <Dialog open on_close=close shape>{content}</Dialog>
        }
    };
    let doomed = RwSignal::new(false);
    let keep = Callback::new(move |()| doomed.set(false));
    let action: Action<(), ApiResult<()>> = Action::new(|(): &()| async { Err(ApiError::CrossSite) });
    let what = Doomed {
        title: t!(key::revoke_title, "partner-acme"),
        consequence: t!(key::revoke_says).to_owned(),
        expected: "partner-acme".to_owned(),
        verb: t!(key::revoke_verb),
        url: "/rpc/nothing",
        id: String::new(),
    };
    view! {
        <div class="flex flex-wrap gap-2">
            {one(Shape::Narrow, "Narrow")}
            {one(Shape::Wide, "Wide")}
            {one(Shape::Drawer, "Drawer")}
            <button type="button" class="btn btn-danger" on:click=move |_| doomed.set(true)>"Confirm"</button>
            <ConfirmDialog open=doomed on_close=keep doomed=Signal::stored(what) action/>
        </div>
    }
    .into_any()
}

fn toasts() -> AnyView {
    let toasts = Toasts::here();
    let failure = ApiError::StoreUnavailable { reason: "connection refused".to_owned() };
    view! {
        <div class="flex flex-wrap gap-2">
            <button type="button" class="btn" on:click=move |_| toasts.done(t!(form::saved, "openai-main"))>"Done"</button>
            <button type="button" class="btn" on:click=move |_| toasts.done_with_undo(t!(form::disabled_many, 2), Callback::new(|()| ()))>"Undo"</button>
            <button type="button" class="btn" on:click=move |_| toasts.failed(&failure)>"Failed"</button>
            <details class="more" name="row-menu">
                <summary class="btn btn-icon" aria-label=t!(form::more_actions, "openai-main")><Icon name="ellipsis"/></summary>
                <div class="menu">
                    <button type="button" class="menu-item"><Icon name="pencil"/>{t!(form::edit)}</button>
                    <button type="button" class="menu-item"><Icon name="power"/>{t!(form::disable)}</button>
                    <hr/>
                    <button type="button" class="menu-item menu-danger"><Icon name="trash-2"/>{t!(form::delete)}</button>
                </div>
            </details>
        </div>
    }
    .into_any()
}
