//! Buttons, states, tables.

use leptos::prelude::*;
use uuid::Uuid;

use super::{PATH, section};
use crate::{
    model::{
        health::{HealthReason, HealthState, ProviderHealth},
        id::ProviderId,
        request_log::Outcome,
    },
    ui::{
        components::{
            form::{CodeBlock, CopyButton, CopyIcon, SubmitButton},
            status::{HealthWord, OutcomeWord, Reason, StatusPill, state_glyph, state_word},
            table::{BulkBar, CheckHead, ListState, Pager, RowCheck, SearchBox, Selection, SortHead},
        },
        i18n::t,
        icon::{Icon, Mark},
    },
};

const STATES: [HealthState; 8] = [
    HealthState::Healthy,
    HealthState::Degraded,
    HealthState::Unhealthy,
    HealthState::Recovering,
    HealthState::Cooling,
    HealthState::CredentialFailed,
    HealthState::Disabled,
    HealthState::Drained,
];
const OUTCOMES: [Outcome; 7] = [
    Outcome::Served,
    Outcome::Saved,
    Outcome::Failed,
    Outcome::Interrupted,
    Outcome::ClientLeft,
    Outcome::RateLimited,
    Outcome::ClientError,
];

pub(super) fn sections() -> AnyView {
    view! {
        {section("btn", buttons())}
        {section("StatusWord, StatusPill, HealthWord, OutcomeWord, Reason", states())}
        {section("tag, count, chip, kbd, link, avatar, swatch", small())}
        {section("CodeBlock, CopyButton, CopyIcon", copies())}
        {section("SearchBox, SortHead, RowCheck, BulkBar, Pager", table())}
    }
    .into_any()
}

fn buttons() -> AnyView {
    let busy = |class: &'static str| view! { <form><SubmitButton class busy=Signal::stored(true)>{t!(form::save)}</SubmitButton></form> };
    view! {
        <div class="flex flex-wrap items-center gap-2">
            <button type="button" class="btn btn-primary"><Icon name="plus"/>{t!(provider::add)}</button>
            <button type="button" class="btn">{t!(form::edit)}</button>
            <button type="button" class="btn btn-ghost">{t!(form::cancel)}</button>
            <button type="button" class="btn btn-danger">{t!(form::delete)}</button>
            <button type="button" class="btn btn-solid-danger">{t!(key::revoke_verb)}</button>
            <button type="button" class="btn btn-icon" aria-label=t!(form::edit)><Icon name="pencil"/></button>
            <button type="button" class="btn btn-sm">{t!(alerts::test)}</button>
            <button type="button" class="btn btn-sm btn-icon btn-ghost" aria-label=t!(form::edit)><Icon name="ellipsis"/></button>
        </div>
        <div class="flex flex-wrap items-center gap-2">
            <button type="button" class="btn btn-primary" disabled>{t!(form::save)}</button>
            <button type="button" class="btn" disabled>{t!(form::edit)}</button>
            {busy("btn btn-primary")}
            {busy("btn")}
        </div>
    }
    .into_any()
}

fn states() -> AnyView {
    let word = |state: HealthState| view! { <HealthWord state/> };
    let pill = |state: HealthState| view! { <StatusPill glyph=state_glyph(state) word=state_word(state)/> };
    let outcome = |outcome: Outcome| view! { <OutcomeWord outcome/> };
    let health = ProviderHealth {
        provider: ProviderId(uuid::Uuid::nil()),
        state: HealthState::Degraded,
        reason: HealthReason::SuccessRate { percent: 77 },
        since_ms: 0,
        factor: 0.5,
        samples: 100,
        successes: 77,
        consecutive_failures: 0,
        in_flight: 2,
        credentials: Vec::new(),
    };
    view! {
        <div class="flex flex-wrap gap-x-6 gap-y-2">{STATES.map(word).collect_view()}</div>
        <div class="flex flex-wrap gap-2">{STATES.map(pill).collect_view()}</div>
        <div class="flex flex-wrap gap-x-6 gap-y-2">{OUTCOMES.map(outcome).collect_view()}</div>
        <p class="flex items-center gap-2"><Mark glyph=state_glyph(health.state)/><Reason health/></p>
    }
    .into_any()
}

fn small() -> AnyView {
    view! {
        <div class="flex flex-wrap items-center gap-3">
            <span class="tag">"prod"</span><span class="tag tag-accent">{t!(key::global)}</span><span class="count">"12"</span>
            <span class="chip">{t!(form::status)}" "<b>{t!(form::off)}</b></span><kbd class="kbd">"Ctrl K"</kbd>
            <a class="link" href=PATH>{t!(dashboard::open_log)}</a><span class="avatar">"CM"</span>
            {["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"].map(|color| view! { <span class="swatch" style=format!("background:var(--color-{color})")></span> }).collect_view()}
        </div>
    }
    .into_any()
}

fn copies() -> AnyView {
    let text = Signal::stored(
        "curl https://rondo.example.com/api/proxy/prod/v1/models \\\n  -H \"authorization: Bearer rd_7Kq2…x9Ae\""
            .to_owned(),
    );
    view! {
        <CodeBlock text/>
        <div class="flex items-center gap-2"><CopyButton text class="btn"/><span class="address"><span>"/api/proxy/prod/…"</span><CopyIcon text/></span></div>
    }
    .into_any()
}

fn table() -> AnyView {
    let state = ListState::here();
    let named = [(1, "openai"), (2, "moonshot")].map(|(number, name)| (Uuid::from_u128(number), name.to_owned()));
    let selection = Selection::among(Memo::new(move |_| named.to_vec()));
    selection.toggle(Uuid::from_u128(1), false);
    let row = move |(number, name, health): (u128, &'static str, HealthState)| {
        let id = Uuid::from_u128(number);
        view! {
            <tr class:quiet=health == HealthState::Disabled aria-selected=move || selection.has(id).then_some("true")>
                <td class="w-8"><RowCheck selection id name/></td>
                <td><a class="name" href=PATH>{name}</a></td>
                <td><HealthWord state=health/></td>
                <td class="num hidden sm:table-cell">"55,294"</td>
            </tr>
        }
    };
    view! {
        <div class="card">
            <div class="list-bar"><SearchBox state says=t!(provider::find)/></div>
            <BulkBar selection>
                <button type="button" class="btn btn-sm">{t!(form::disable)}</button>
            </BulkBar>
            <table class="table">
                <thead><tr>
                    <CheckHead selection/>
                    <SortHead state column="name" title=t!(form::name)/>
                    <th scope="col">{t!(form::status)}</th>
                    <SortHead state column="requests" title=t!(provider::requests_day) class="num hidden sm:table-cell" figures=true/>
                </tr></thead>
                <tbody>{[(1, "openai", HealthState::Healthy), (2, "moonshot", HealthState::Disabled)].map(row).collect_view()}</tbody>
            </table>
            <div class="card-foot"><span>{t!(provider::count, 120)}</span><Pager state total=Signal::stored(120) per_page=50/></div>
        </div>
    }
    .into_any()
}
