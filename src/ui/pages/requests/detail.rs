//! One request beside the list: its figures, its attempts on one axis, and why these.

use leptos::{ev, prelude::*};
use leptos_router::hooks::{use_navigate, use_params_map};

use super::{
    Around,
    names::Names,
    replay::{Replays, replay},
    rows::attempt_glyph,
    waterfall::waterfall,
};
use crate::{
    api::{
        prices::price_currency,
        requests::{get_bodies, get_request},
    },
    model::{
        body::{KeptBody, RequestBodies},
        error::ApiError,
        id::RequestId,
        request_log::{Choice, RequestDetail, RequestRow, SkipReason, Skipped},
        user::Permission,
    },
    ui::{
        clock::Clock,
        components::{
            feedback::{Failure, SkeletonRows},
            form::copy::CopyIcon,
            status::{StatusPill, outcome_glyph, outcome_word},
        },
        format,
        i18n::{language, t},
        icon::{Glyph, Icon, Mark},
        lost::tell_lost,
        session::Session,
        suspended::suspended,
    },
};

/// The request that the address names, and what is read of it.
#[derive(Clone, Copy)]
pub struct Opened {
    id: Memo<Option<RequestId>>,
    detail: Resource<Result<RequestDetail, ApiError>>,
    currency: Resource<String>,
}

impl Opened {
    /// Of the page's own address. Made by the page itself, not by the drawer: what the server read is found again
    /// in the browser by the order in which it was asked for, and a drawer may be drawn sooner or later.
    pub fn here() -> Self {
        let params = use_params_map();
        let id = Memo::new(move |_| params.with(|params| params.get("id")?.parse::<RequestId>().ok()));
        let read = |id: Option<RequestId>| async move {
            match id {
                Some(id) => get_request(id).await,
                None => Err(ApiError::NotFound { what: "request".to_owned() }),
            }
        };
        let detail = Resource::new_blocking(move || id.get(), read);
        let currency = Resource::new(|| (), |()| async { price_currency().await.unwrap_or_default() });
        Self { id, detail, currency }
    }
}

/// The drawer. Escape closes it, `[` and `]` go to its neighbours.
#[component]
pub fn RequestDrawer() -> impl IntoView {
    let around = use_context::<Around>().expect("the list provides what is around a request");
    let Opened { id, detail, currency } = around.opened;
    let (shown, replays) = (Shown::new(), Replays::new());
    let face = move || {
        suspended(async move {
            let (names, currency) = (around.names.await, currency.await);
            match detail.await {
                Ok(detail) => {
                    let face = body(&detail, &names, &currency, shown);
                    view! { {face} {replay(&detail, &names, replays, shown)} }.into_any()
                }
                Err(error) => {
                    if matches!(error, ApiError::NotFound { .. }) {
                        tell_lost();
                    }
                    view! { <Failure error/> }.into_any()
                }
            }
        })
    };
    keys(id, around);
    let step = move |beside: Option<RequestId>, icon: &'static str, name: &'static str| {
        let (href, none) = (beside.map(|id| around.address(Some(id))), beside.is_none());
        view! { <a class="btn btn-ghost btn-icon" href=href hidden=none aria-label=name title=name><Icon name=icon/></a> }
    };
    // Of the page itself, so that server and browser draw the same steps, whichever of them is ready first. A step
    // that leads nowhere is hidden, not left out: a stretch of nothing at all is not found again when the browser
    // takes the page over.
    let steps = move || {
        let id = id.get();
        around.search.track();
        suspended(async move {
            let page = around.page.await;
            let rows: Vec<RequestId> = page.iter().flat_map(|page| &page.rows).map(|line| line.row.id).collect();
            let (before, after) = (neighbour(&rows, id, true), neighbour(&rows, id, false));
            view! {
                {step(before, "chevron-up", t!(requests::previous))}
                {step(after, "chevron-down", t!(requests::next))}
            }
        })
    };
    view! {
        <a class="beside-scrim" href=move || around.address(None) tabindex="-1" aria-hidden="true"></a>
        <aside class="beside" aria-label=t!(requests::request)>
            <div class="beside-tools">
                <Transition>{steps}</Transition>
                <a class="btn btn-ghost btn-icon" href=move || around.address(None) aria-label=t!(shell::close) title=t!(shell::close)><Icon name="x"/></a>
            </div>
            <Transition fallback=|| view! { <SkeletonRows/> }>{face}</Transition>
        </aside>
    }
    .into_any()
}

fn neighbour(rows: &[RequestId], id: Option<RequestId>, back: bool) -> Option<RequestId> {
    let here = rows.iter().position(|row| Some(*row) == id)?;
    let there = if back { here.checked_sub(1)? } else { here + 1 };
    rows.get(there).copied()
}

/// Keys of the drawer; single letters rest while a field has the focus.
fn keys(id: Memo<Option<RequestId>>, around: Around) {
    let navigate = use_navigate();
    Effect::new(move || {
        let navigate = navigate.clone();
        let listening = window_event_listener(ev::keydown, move |event| {
            let focus = document().active_element().map(|element| element.tag_name()).unwrap_or_default();
            if ["INPUT", "TEXTAREA", "SELECT"].contains(&focus.as_str()) || event.ctrl_key() || event.meta_key() {
                return;
            }
            let beside = |back| {
                let there = around.rows.with_untracked(|rows| neighbour(rows, id.get_untracked(), back));
                there.map(|id| untrack(|| around.address(Some(id))))
            };
            let to = match event.key().as_str() {
                "Escape" => Some(untrack(|| around.address(None))),
                "[" => beside(true),
                "]" => beside(false),
                _ => None,
            };
            if let Some(to) = to {
                event.prevent_default();
                navigate(&to, leptos_router::NavigateOptions { scroll: false, ..Default::default() });
            }
        });
        on_cleanup(move || listening.remove());
    });
}

fn body(detail: &RequestDetail, names: &Names, currency: &str, shown: Shown) -> AnyView {
    let clock = Clock::here();
    let row = &detail.row;
    let (id, at_ms) = (row.id.to_string(), row.at_ms);
    let exact = move || format::exact(at_ms, clock.zone(), language());
    let iso = move || format::iso(at_ms, clock.zone());
    let dash = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
    let key = if row.api_key.is_none() && row.api_key_name.is_empty() {
        t!(requests::anonymous).to_owned()
    } else {
        row.api_key_name.clone()
    };
    let bytes = format!("{} / {}", format::bytes(row.request_bytes), format::bytes(row.response_bytes));
    view! {
        <header class="beside-head">
            <StatusPill glyph=outcome_glyph(row.outcome) word=outcome_word(row.outcome)/>
            <span class="mono wrap-anywhere"><span class="text-ink-3">{row.method.clone()}</span> " " {row.path.clone()}</span>
        </header>
        <div class="beside-line">
            <span title=iso>{exact}</span>
            <span class="mono" title=id.clone()>{format::short_id(&id)}</span>
            <CopyIcon text=id/>
            <span class="ml-auto">{t!(requests::group_of, &dash(&row.group_slug))}</span>
        </div>
        <dl class="beside-facts">
            {fact(t!(requests::first_byte), format::maybe_latency(row.first_byte_us, language()), true)}
            {fact(t!(requests::total), format::latency_text(row.total_us.max(1), language()), true)}
            {fact(t!(requests::bytes), bytes, false)}
            {tokens(row)}
            {cost(row, currency)}
            {fact(t!(requests::key), key, false)}
            {fact(t!(requests::model), dash(row.model.as_deref().unwrap_or_default()), false)}
            {fact(t!(requests::client), dash(&row.client_ip), false)}
            {fact(t!(requests::code), row.status.to_string(), false)}
            {row.error_code.as_ref().map(|code| fact(t!(requests::error), code.clone(), false))}
            {fact(t!(requests::agent), dash(&detail.user_agent), false)}
        </dl>
        <h2 class="beside-title">{t!(requests::attempts)} " " <span class="count">{detail.attempts.len()}</span></h2>
        {waterfall(detail, names)}
        {reasons(detail)}
        {bodies(detail, shown)}
    }
    .into_any()
}

/// Bodies that somebody asked to see, and whether this person may.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    read: Action<RequestId, (RequestId, Result<RequestBodies, ApiError>)>,
    may: bool,
}

impl Shown {
    fn new() -> Self {
        let read = Action::new(|id: &RequestId| {
            let id = *id;
            async move { (id, get_bodies(id).await) }
        });
        Self { read, may: Session::here().may(Permission::ReadBodies) }
    }

    /// Reads the bodies of a request, unless they are here or may not be read.
    pub(super) fn ask(self, id: RequestId) {
        let known = self.read.value().with_untracked(|known| known.as_ref().is_some_and(|(of, _)| *of == id));
        if self.may && !known {
            self.read.dispatch(id);
        }
    }

    /// The answer that was recorded, once it has been read.
    pub(super) fn answer(self, id: RequestId) -> Option<KeptBody> {
        let (_, result) = self.read.value().get().filter(|(of, _)| *of == id)?;
        result.ok().map(|bodies| bodies.response)
    }
}

/// What is kept of the bodies. They are read when somebody asks for them, for that is audited.
fn bodies(detail: &RequestDetail, shown: Shown) -> Option<AnyView> {
    let (note, id, read) = (detail.bodies?, detail.row.id, shown.read);
    let size = |bytes, truncated| match truncated {
        true => t!(requests::body_beginning, &format::bytes(bytes)),
        false => format::bytes(bytes),
    };
    let (asked, told) =
        (size(note.request_bytes, note.request_truncated), size(note.response_bytes, note.response_truncated));
    let says =
        if note.kept { t!(requests::bodies_kept, &asked, &told) } else { t!(requests::bodies_dropped).to_owned() };
    let face = move || {
        let (_, result) = read.value().get().filter(|(of, _)| *of == id)?;
        Some(match result {
            Ok(RequestBodies { request, response }) => {
                view! { {one_body(t!(requests::body_request), request)} {one_body(t!(requests::body_response), response)} }.into_any()
            }
            Err(ApiError::NotFound { .. }) => view! { <p class="caption">{t!(requests::bodies_gone)}</p> }.into_any(),
            Err(error) => view! { <Failure error/> }.into_any(),
        })
    };
    let ask = move |event: ev::MouseEvent| {
        event.prevent_default();
        read.dispatch(id);
    };
    // Without its client the page still leads to them.
    let href = format!("/api/admin/v1/requests/{id}/bodies");
    let button = move || {
        match shown.may {
        true => view! {
            <p><a class="btn" role="button" rel="external" href=href.clone() aria-busy=move || read.pending().get().then_some("true") on:click=ask>{t!(requests::bodies_show)}</a> " " <span class="caption">{t!(requests::bodies_audited)}</span></p>
        }
        .into_any(),
        false => view! { <p class="caption">{t!(requests::bodies_denied)}</p> }.into_any(),
    }
    };
    Some(
        view! {
            <h2 class="beside-title">{t!(requests::bodies)}</h2>
            <div class="beside-bodies">
                <p class="caption">{says}</p>
                {note.kept.then(button)}
                {face}
            </div>
        }
        .into_any(),
    )
}

pub(super) fn one_body(title: &'static str, body: KeptBody) -> AnyView {
    let face = match body.text.clone() {
        Some(text) if text.is_empty() => view! { <p class="caption">{t!(requests::body_empty)}</p> }.into_any(),
        Some(text) => view! { <pre class="code" tabindex="0">{text}</pre> }.into_any(),
        None => view! { <p class="caption">{t!(requests::body_binary)}</p> }.into_any(),
    };
    framed_body(title, body, face)
}

/// A body under its title and what is known of it; `face` is its text as it is shown.
pub(super) fn framed_body(title: &'static str, body: KeptBody, face: AnyView) -> AnyView {
    let KeptBody { content_type, bytes, truncated, text, redacted } = body;
    let mut about = vec![format::bytes(bytes)];
    if !content_type.is_empty() {
        about.push(content_type);
    }
    if truncated {
        about.push(t!(requests::body_truncated).to_owned());
    }
    if redacted > 0 {
        about.push(t!(requests::body_redacted, &redacted.to_string()));
    }
    let copy = text.filter(|text| !text.is_empty()).map(|text| view! { <CopyIcon text/> });
    view! {
        <section>
            <h3 class="flex items-center gap-2 font-medium">{title} {copy}</h3>
            <p class="caption wrap-anywhere">{about.join(" · ")}</p>
            {face}
        </section>
    }
    .into_any()
}

/// Tokens in and out, and what of them was cached or reasoning; an estimate is marked.
fn tokens(row: &RequestRow) -> AnyView {
    let usage = row.usage.unwrap_or_default();
    let figure = |count: Option<u64>| count.map_or_else(|| "–".to_owned(), format::count);
    let parts = [
        usage.cached.filter(|count| *count > 0).map(|count| t!(requests::cached, &format::count(count))),
        usage.reasoning.filter(|count| *count > 0).map(|count| t!(requests::reasoning, &format::count(count))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let says = match row.usage {
        None => t!(requests::tokens_unknown),
        Some(usage) if usage.estimated => t!(requests::tokens_estimated),
        Some(_) => t!(requests::tokens_told),
    };
    let mark = if usage.estimated { "≈ " } else { "" };
    let value = format!("{mark}{} / {}", figure(usage.input), figure(usage.output));
    let value = if row.usage.is_none() { "–".to_owned() } else { value };
    let more =
        (!parts.is_empty()).then(|| view! { <span class="caption block">{parts.join(t!(requests::comma))}</span> });
    view! { <div class="min-w-0"><dt>{t!(requests::tokens_in_out)}</dt><dd class="wrap-anywhere" title=says>{value}{more}</dd></div> }.into_any()
}

/// What it cost, about.
fn cost(row: &RequestRow, currency: &str) -> AnyView {
    let value = row.cost_nanos.map_or_else(|| "–".to_owned(), |nanos| format!("≈ {}", format::cost(nanos, currency)));
    let says = if row.cost_nanos.is_some() { t!(requests::cost_says) } else { t!(requests::cost_unknown) };
    view! { <div class="min-w-0"><dt>{t!(requests::cost)}</dt><dd title=says>{value}</dd></div> }.into_any()
}

fn fact(name: &'static str, value: String, strong: bool) -> AnyView {
    let class = if strong { "font-semibold" } else { "wrap-anywhere" };
    view! { <div class="min-w-0"><dt>{name}</dt><dd class=class>{value}</dd></div> }.into_any()
}

/// Who was chosen and why, and who was passed over.
fn reasons(detail: &RequestDetail) -> Option<AnyView> {
    if detail.attempts.is_empty() {
        return None;
    }
    let mut lines: Vec<(Glyph, String, String)> = Vec::new();
    for (index, one) in detail.attempts.iter().enumerate() {
        let how = match (&one.choice, one.chosen.as_str()) {
            (Some(choice), _) => t!(requests::chosen, index + 1, &choice_words(choice)),
            (None, "") => t!(requests::chosen_plain, index + 1),
            (None, told) => t!(requests::chosen, index + 1, &choice_of_old(told)),
        };
        lines.push((attempt_glyph(one.outcome), one.provider_name.clone(), how));
    }
    let passed =
        detail.attempts.iter().flat_map(|one| &one.skipped).filter(|skipped| skipped.reason != SkipReason::Tried);
    for skipped in passed {
        let line = (skip_glyph(skipped.reason), skipped.provider.clone(), t!(requests::skipped, &skip_words(skipped)));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let line = |(glyph, name, why)| {
        view! { <li class="why"><Mark glyph/><span class="wrap-anywhere">{name}</span><span class="text-ink-2">{why}</span></li> }
    };
    Some(
        view! {
            <h2 class="beside-title">{t!(requests::why)}</h2>
            <ul class="px-5 pb-6">{lines.into_iter().map(line).collect_view()}</ul>
        }
        .into_any(),
    )
}

/// Why it was drawn: `its one trial, tier 1, weight 50 (half), credit 391, 3 in flight`.
fn choice_words(choice: &Choice) -> String {
    let mut parts = Vec::with_capacity(6);
    if choice.trial {
        parts.push(t!(explain::trial).to_owned());
    }
    parts.push(t!(requests::by_tier, &choice.tier.to_string()));
    parts.push(match choice.factor_percent {
        percent @ 0..100 => t!(requests::by_part, choice.weight, percent),
        _ => t!(requests::by_weight, &choice.weight.to_string()),
    });
    parts.extend(choice.credit.map(|credit| t!(requests::by_credit, &credit.to_string())));
    parts.push(t!(requests::by_flight, &choice.in_flight.to_string()));
    parts.extend(choice.out_of.map(|members| t!(requests::by_out_of, &members.to_string())));
    parts.join(t!(requests::comma))
}

fn skip_words(skipped: &Skipped) -> String {
    let word = skip_word(skipped.reason);
    match skipped.wait_ms {
        Some(wait_ms) => {
            t!(requests::skip_for, word, &format::span(i64::try_from(wait_ms).unwrap_or(i64::MAX), language()))
        }
        None => word.to_owned(),
    }
}

/// The words of a choice as older rows have them, `tier 1, weight 100, credit 391, 3 in flight`, in the
/// language of the page; what is not known stays as it is.
fn choice_of_old(told: &str) -> String {
    let part = |part: &str| {
        let (name, figure) = part.split_once(' ').unwrap_or((part, ""));
        match (name, figure) {
            ("tier", figure) => t!(requests::by_tier, figure),
            ("weight", figure) => t!(requests::by_weight, figure),
            ("credit", figure) => t!(requests::by_credit, figure),
            (figure, "in flight") => t!(requests::by_flight, figure),
            _ => part.to_owned(),
        }
    };
    told.split(", ").map(part).collect::<Vec<_>>().join(t!(requests::comma))
}

/// The silhouette of a candidate that was passed over.
pub(crate) fn skip_glyph(reason: SkipReason) -> Glyph {
    match reason {
        SkipReason::Disabled => Glyph::Disabled,
        SkipReason::Drained => Glyph::Drained,
        SkipReason::Unhealthy => Glyph::Bad,
        SkipReason::TrialInFlight => Glyph::Wait,
        SkipReason::Cooling => Glyph::Cooling,
        SkipReason::NoCredential => Glyph::KeyFailed,
        SkipReason::Full => Glyph::Full,
        SkipReason::Model | SkipReason::TierNotNeeded | SkipReason::Tried => Glyph::Skip,
    }
}

/// Why a candidate was passed over, in words.
pub(crate) fn skip_word(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Disabled => t!(requests::skip_disabled),
        SkipReason::Drained => t!(requests::skip_drained),
        SkipReason::Unhealthy => t!(requests::skip_unhealthy),
        SkipReason::TrialInFlight => t!(requests::skip_trial),
        SkipReason::Cooling => t!(requests::skip_cooling),
        SkipReason::NoCredential => t!(requests::skip_credential),
        SkipReason::Full => t!(requests::skip_full),
        SkipReason::Model => t!(requests::skip_model),
        SkipReason::TierNotNeeded => t!(requests::skip_tier),
        SkipReason::Tried => t!(requests::skip_tried),
    }
}
