//! A request sent again: to whom, with which body, and what came of it beside what was recorded.

use leptos::{ev, prelude::*};

use super::{
    detail::{Shown, one_body},
    names::{Names, name_of},
};
use crate::{
    api::{groups::get_group, requests::replay_request},
    model::{
        error::ApiError,
        group::Group,
        id::{GroupId, ProviderId, RequestId},
        replay::Replayed,
        request_log::RequestDetail,
        user::Permission,
    },
    ui::{
        components::feedback::Failure,
        format,
        i18n::{language, t},
        session::Session,
    },
};

type Sent = (RequestId, Result<Replayed, ApiError>);

/// Replays of this drawer, and whether this person may.
#[derive(Clone, Copy)]
pub(super) struct Replays {
    send: Action<(RequestId, Option<ProviderId>, Option<String>), Sent>,
    group: Action<GroupId, Result<Group, ApiError>>,
    may: bool,
}

impl Replays {
    pub(super) fn new() -> Self {
        let send = Action::new(|(id, to, body): &(RequestId, Option<ProviderId>, Option<String>)| {
            let (id, to, body) = (*id, *to, body.clone());
            async move { (id, replay_request(id, to, body).await) }
        });
        let group = Action::new(|id: &GroupId| get_group(*id));
        Self { send, group, may: Session::here().may(Permission::Operate) }
    }
}

/// The form and what came of it; nothing where no group was reached, or this person may not.
pub(super) fn replay(detail: &RequestDetail, names: &Names, replays: Replays, shown: Shown) -> Option<AnyView> {
    let (group, id) = (detail.row.group.filter(|_| replays.may)?, detail.row.id);
    let (to, body) = (RwSignal::new(None::<ProviderId>), RwSignal::new(String::new()));
    let has_bodies = detail.bodies.is_some_and(|note| note.kept);
    let open = move |_| {
        let is_this = |read: &Result<Group, ApiError>| read.as_ref().is_ok_and(|read| read.id == group);
        if !replays.group.value().with_untracked(|read| read.as_ref().is_some_and(is_this)) {
            replays.group.dispatch(group);
        }
    };
    let send = move |event: ev::MouseEvent| {
        event.prevent_default();
        let pasted = Some(body.get_untracked()).filter(|text| !text.trim().is_empty());
        replays.send.dispatch((id, to.get_untracked(), pasted));
        if has_bodies {
            shown.ask(id);
        }
    };
    let names = StoredValue::new(names.providers.clone());
    let members = move || {
        let group = replays.group.value().get()?.ok().filter(|read| read.id == group)?;
        let option = |id: ProviderId| {
            let name = names.with_value(|names| name_of(names, id)).unwrap_or_else(|| id.to_string());
            view! { <option value=id.to_string()>{name}</option> }
        };
        Some(group.members.into_iter().map(|member| option(member.provider)).collect_view())
    };
    let row = StoredValue::new(detail.row.clone());
    let face = move || {
        let (_, result) = replays.send.value().get().filter(|(of, _)| *of == id)?;
        Some(match result {
            Ok(replayed) => row.with_value(|row| compared(row, replayed, shown)),
            Err(error) => view! { <Failure error/> }.into_any(),
        })
    };
    Some(
        view! {
            <h2 class="beside-title">{t!(requests::replay)}</h2>
            <details class="beside-bodies" on:toggle=open>
                <summary class="font-medium text-ink">{t!(requests::replay_open)}</summary>
                <div class="form pt-3">
                    <p class="caption">{t!(requests::replay_says)}</p>
                    <div class="field">
                        <label class="field-label" for="replay-to">{t!(requests::replay_to)}</label>
                        <select id="replay-to" class="input" on:change=move |event| to.set(event_target_value(&event).parse().ok())>
                            <option value="">{t!(requests::replay_group)}</option>
                            {members}
                        </select>
                    </div>
                    <div class="field">
                        <label class="field-label" for="replay-body">{t!(requests::replay_body)}</label>
                        <textarea id="replay-body" class="input mono" rows="4" spellcheck="false" placeholder=t!(requests::replay_kept) prop:value=move || body.get() on:input=move |event| body.set(event_target_value(&event))></textarea>
                    </div>
                    <p><button type="button" class="btn btn-primary" disabled=move || replays.send.pending().get() on:click=send>{t!(requests::replay_send)}</button></p>
                </div>
                <div class="grid gap-3 pt-3">{face}</div>
            </details>
        }
        .into_any(),
    )
}

/// Status, times, bytes and body of both, side by side; of the new one the headers too, which the log does not keep.
fn compared(row: &crate::model::request_log::RequestRow, replayed: Replayed, shown: Shown) -> AnyView {
    let Replayed { id, status, headers, head_us, total_us, complete, body } = replayed;
    let line = |name: &'static str, before: String, now: String| {
        view! { <tr><th scope="row">{name}</th><td>{before}</td><td>{now}</td></tr> }
    };
    let time = |us: u64| format::latency_text(us.max(1), language());
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    let (of, now) = (row.id, body.text.clone());
    let before = move || shown.answer(of);
    let same = move || {
        let before = before()?;
        let word = if before.text == now { t!(requests::replay_same) } else { t!(requests::replay_differs) };
        Some(view! { <p class="caption">{word}</p> })
    };
    view! {
        <table class="table">
            <thead><tr><td></td><th scope="col">{t!(requests::replay_recorded)}</th><th scope="col">{t!(requests::replay_now)}</th></tr></thead>
            <tbody>
                {line(t!(requests::code), row.status.to_string(), status.to_string())}
                {line(t!(requests::first_byte), format::maybe_latency(row.first_byte_us, language()), time(head_us))}
                {line(t!(requests::total), time(row.total_us), time(total_us))}
                {line(t!(requests::body_response), format::bytes(row.response_bytes), format::bytes(body.bytes))}
            </tbody>
        </table>
        {(!complete).then(|| view! { <p class="caption">{t!(requests::replay_cut)}</p> })}
        <p><a class="plain font-medium" href=format!("/admin/requests/{id}")>{t!(requests::replay_row)}</a></p>
        {same}
        <div class="beside-pair">
            <div>{move || before().map(|body| one_body(t!(requests::replay_recorded), body))}</div>
            {one_body(t!(requests::replay_now), body)}
        </div>
        <details><summary>{t!(requests::replay_headers)}</summary><pre class="code" tabindex="0">{headers}</pre></details>
    }
    .into_any()
}
