//! A request sent again: to whom, with which body, and what came of it beside what was recorded.

use leptos::{ev, prelude::*};

use super::{
    detail::{Shown, framed_body, one_body},
    diff::{Piece, Sides, compare},
    names::{Names, name_of},
};
use crate::{
    api::{groups::get_group, requests::replay_request},
    model::{
        body::KeptBody,
        error::ApiError,
        group::Group,
        id::{GroupId, ProviderId, RequestId},
        replay::Replayed,
        request_log::{RequestDetail, RequestRow},
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

/// What is to be sent, as the form has it.
#[derive(Clone, Copy)]
struct Wanted {
    /// To this member alone.
    to: RwSignal<Option<ProviderId>>,
    /// Pasted; empty for the one that was kept.
    body: RwSignal<String>,
}

/// The form and what came of it; nothing where no group was reached, or this person may not.
pub(super) fn replay(detail: &RequestDetail, names: &Names, replays: Replays, shown: Shown) -> Option<AnyView> {
    let (group, id) = (detail.row.group.filter(|_| replays.may)?, detail.row.id);
    let wanted = Wanted { to: RwSignal::new(None), body: RwSignal::new(String::new()) };
    let has_bodies = detail.bodies.is_some_and(|note| note.kept);
    let open = move |_| {
        let is_this = |read: &Result<Group, ApiError>| read.as_ref().is_ok_and(|read| read.id == group);
        if !replays.group.value().with_untracked(|read| read.as_ref().is_some_and(is_this)) {
            replays.group.dispatch(group);
        }
    };
    let send = move |event: ev::MouseEvent| {
        event.prevent_default();
        let pasted = Some(wanted.body.get_untracked()).filter(|text| !text.trim().is_empty());
        replays.send.dispatch((id, wanted.to.get_untracked(), pasted));
        if has_bodies {
            shown.ask(id);
        }
    };
    let row = StoredValue::new(detail.row.clone());
    let face = move || {
        let (_, result) = replays.send.value().get().filter(|(of, _)| *of == id)?;
        Some(match result {
            Ok(replayed) => row.with_value(|row| compared(row, replayed, shown)),
            Err(error) => view! { <Failure error/> }.into_any(),
        })
    };
    let pending = replays.send.pending();
    Some(
        view! {
            <h2 class="beside-title">{t!(requests::replay)}</h2>
            <details class="beside-bodies" on:toggle=open>
                <summary class="font-medium text-ink">{t!(requests::replay_open)}</summary>
                <div class="form pt-3">
                    {fields(group, names, replays, wanted)}
                    <p><button type="button" class="btn btn-primary" disabled=move || pending.get() on:click=send>{t!(requests::replay_send)}</button></p>
                </div>
                <div class="grid gap-3 pt-3">{face}</div>
            </details>
        }
        .into_any(),
    )
}

/// To whom, and with which body.
fn fields(group: GroupId, names: &Names, replays: Replays, wanted: Wanted) -> AnyView {
    let Wanted { to, body } = wanted;
    let names = StoredValue::new(names.providers.clone());
    let members = move || {
        let group = replays.group.value().get()?.ok().filter(|read| read.id == group)?;
        let option = |id: ProviderId| {
            let name = names.with_value(|names| name_of(names, id)).unwrap_or_else(|| id.to_string());
            view! { <option value=id.to_string()>{name}</option> }
        };
        Some(group.members.into_iter().map(|member| option(member.provider)).collect_view())
    };
    view! {
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
    }
    .into_any()
}

/// Status, times, bytes and body of both, side by side; of the new one the headers too, which the log does not keep.
fn compared(row: &RequestRow, replayed: Replayed, shown: Shown) -> AnyView {
    let Replayed { id, status, headers, head_us, total_us, complete, body } = replayed;
    let bytes = body.bytes;
    let line = |name: &'static str, before: String, now: String| {
        view! { <tr><th scope="row">{name}</th><td>{before}</td><td>{now}</td></tr> }
    };
    let time = |us: u64| format::latency_text(us.max(1), language());
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    let of = row.id;
    let bodies = move || match shown.answer(of) {
        Some(before) => beside(before, body.clone()),
        None => view! { <div class="beside-pair">{one_body(t!(requests::replay_now), body.clone())}</div> }.into_any(),
    };
    view! {
        <table class="table">
            <thead><tr><td></td><th scope="col">{t!(requests::replay_recorded)}</th><th scope="col">{t!(requests::replay_now)}</th></tr></thead>
            <tbody>
                {line(t!(requests::code), row.status.to_string(), status.to_string())}
                {line(t!(requests::first_byte), format::maybe_latency(row.first_byte_us, language()), time(head_us))}
                {line(t!(requests::total), time(row.total_us), time(total_us))}
                {line(t!(requests::body_response), format::bytes(row.response_bytes), format::bytes(bytes))}
            </tbody>
        </table>
        {(!complete).then(|| view! { <p class="caption">{t!(requests::replay_cut)}</p> })}
        <p><a class="plain font-medium" href=format!("/admin/requests/{id}")>{t!(requests::replay_row)}</a></p>
        {bodies}
        <details><summary>{t!(requests::replay_headers)}</summary><pre class="code" tabindex="0">{headers}</pre></details>
    }
    .into_any()
}

/// Both bodies, and which of their lines only one of them has.
fn beside(before: KeptBody, now: KeptBody) -> AnyView {
    let sides = match (&before.text, &now.text) {
        (Some(before), Some(now)) if before != now => Some(compare(before, now)),
        _ => None,
    };
    let says = match &sides {
        // Of what is not text only the size is known.
        None if before.text.is_none() && now.text.is_none() => None,
        None if before.text == now.text => Some(t!(requests::replay_same)),
        Some(sides) if sides.agree() => Some(t!(requests::replay_spaces)),
        _ => Some(t!(requests::replay_differs)),
    };
    let cut = sides.as_ref().is_some_and(|sides| sides.cut);
    let (left, right) = match sides.filter(|sides| !sides.agree()) {
        Some(Sides { before: left, now: right, .. }) => (
            framed_body(t!(requests::replay_recorded), before, lines(left, Side::Before)),
            framed_body(t!(requests::replay_now), now, lines(right, Side::Now)),
        ),
        None => (one_body(t!(requests::replay_recorded), before), one_body(t!(requests::replay_now), now)),
    };
    view! {
        <p class="caption">{says}{cut.then(|| t!(requests::replay_first_lines))}</p>
        <div class="beside-pair">{left}{right}</div>
    }
    .into_any()
}

/// Whose lines.
#[derive(Clone, Copy)]
enum Side {
    Before,
    Now,
}

/// The lines of one side. What only it has is a deletion or an insertion, with its sign in front.
fn lines(pieces: Vec<Piece>, side: Side) -> AnyView {
    let line = |piece: Piece| match (piece, side) {
        (Piece::Same(text), _) => view! { <span>{text}"\n"</span> }.into_any(),
        (Piece::Only(text), Side::Before) => view! { <del>{text}"\n"</del> }.into_any(),
        (Piece::Only(text), Side::Now) => view! { <ins>{text}"\n"</ins> }.into_any(),
        (Piece::Folded(count), _) => {
            view! { <span class="diff-fold">{t!(requests::replay_folded, count)}"\n"</span> }.into_any()
        }
    };
    let shown = pieces.into_iter().map(line).collect_view();
    view! { <pre class="code diff" tabindex="0">{shown}</pre> }.into_any()
}
