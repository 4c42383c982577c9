//! All groups: address, how many members serve, and how they are drawn.

use std::collections::HashMap;

use leptos::prelude::*;

use super::{policy_name, strategy_name};
use crate::{
    api::{groups::all_groups, health::all_health},
    model::{
        group::Group,
        health::{HealthState, ProviderHealth},
        id::ProviderId,
        user::Permission,
    },
    ui::{
        components::{
            feedback::Failure,
            form::Segments,
            layout::PageBar,
            status::{severity, state_glyph},
            table::{EmptyFiltered, EmptyFirst, ListSkeleton, ListState, Pager, SearchBox, SortHead},
        },
        i18n::t,
        icon::{Glyph, Icon, Mark},
        live::Live,
        session::Session,
    },
};

const PER_PAGE: usize = 50;

/// `/admin/groups`
#[component]
pub fn GroupList() -> impl IntoView {
    let (live, state) = (Live::here(), ListState::here());
    let manage = Session::here().may(Permission::ManageGroups);
    let rows = Resource::new(move || live.configuration.get(), |_| all_groups());
    let health = Resource::new(|| (), |()| all_health());
    let body = move || {
        Suspend::new(async move {
            let (rows, health) = (rows.await, health.await);
            match rows {
                Err(error) => view! { <section class="card"><Failure error><a class="btn" href="">{t!(shell::try_again)}</a></Failure></section> }.into_any(),
                Ok(rows) if rows.is_empty() => view! {
                    <EmptyFirst title=t!(group::none_yet) says=t!(group::none_yet_hint)>
                        {manage.then(|| view! { <a class="btn btn-primary" href="/admin/groups/new"><Icon name="plus"/>{t!(group::add)}</a> })}
                    </EmptyFirst>
                }
                .into_any(),
                Ok(rows) => view! { <Table rows first_health=health.unwrap_or_default() state/> }.into_any(),
            }
        })
    };
    view! {
        <PageBar title=t!(shell::groups)>
            {manage.then(|| view! { <a class="btn btn-primary" href="/admin/groups/new" data-shortcut="c"><Icon name="plus"/>{t!(group::add)}</a> })}
        </PageBar>
        <div class="page"><Transition fallback=|| view! { <section class="card"><ListSkeleton/></section> }>{body}</Transition></div>
    }
    .into_any()
}

/// Health by provider, following the live connection.
pub(super) fn health_by_provider(first: Vec<ProviderHealth>) -> Memo<HashMap<ProviderId, ProviderHealth>> {
    let live = Live::here();
    Memo::new(move |_| {
        let newest = live.snapshot.with(|snapshot| snapshot.as_ref().map(|snapshot| snapshot.health.clone()));
        newest.unwrap_or_else(|| first.clone()).into_iter().map(|health| (health.provider, health)).collect()
    })
}

/// Whether a provider in this state takes requests.
pub(super) fn serves(state: HealthState) -> bool {
    matches!(state, HealthState::Healthy | HealthState::Degraded | HealthState::Recovering)
}

/// Glyph and words for a group: the worst state of its members, and how many serve.
pub(super) fn standing(group: &Group, health: &HashMap<ProviderId, ProviderHealth>) -> (Glyph, String) {
    if !group.enabled {
        return (Glyph::Disabled, t!(status::disabled).to_owned());
    }
    if group.members.is_empty() {
        return (Glyph::Warn, t!(group::no_members).to_owned());
    }
    let states = || {
        group
            .members
            .iter()
            .map(|member| health.get(&member.provider).map_or(HealthState::Healthy, |health| health.state))
    };
    let ready = states().filter(|state| serves(*state)).count();
    let all = group.members.len();
    let glyph = match ready {
        0 => Glyph::Bad,
        _ if ready == all => states().min_by_key(|state| severity(*state)).map_or(Glyph::Ok, state_glyph),
        _ => Glyph::Warn,
    };
    (glyph, t!(group::serving, ready, all))
}

#[component]
fn Table(rows: Vec<Group>, first_health: Vec<ProviderHealth>, state: ListState) -> impl IntoView {
    let health = health_by_provider(first_health);
    let rows = StoredValue::new(rows);
    let found = Memo::new(move |_| {
        let wanted = state.search().to_lowercase();
        let (column, descending) = state.sort();
        rows.with_value(|rows| {
            let hit = |group: &Group| {
                wanted.is_empty()
                    || group.name.to_lowercase().contains(&wanted)
                    || group.slug.as_str().contains(&wanted)
            };
            let mut found: Vec<usize> = (0..rows.len()).filter(|&index| hit(&rows[index])).collect();
            match column.as_str() {
                "members" => found.sort_by_key(|&index| rows[index].members.len()),
                _ => found.sort_by_cached_key(|&index| rows[index].name.to_lowercase()),
            }
            if descending {
                found.reverse();
            }
            found
        })
    });
    let is_in = move |index: usize, segment: &str| match segment {
        "on" => rows.with_value(|rows| rows[index].enabled),
        "off" => rows.with_value(|rows| !rows[index].enabled),
        _ => true,
    };
    let count_in =
        move |segment: &'static str| found.with(|found| found.iter().filter(|&&index| is_in(index, segment)).count());
    let shown =
        Memo::new(move |_| found.get().into_iter().filter(|&index| is_in(index, &state.segment())).collect::<Vec<_>>());
    let page = move || {
        shown.with(|shown| {
            shown.iter().skip(state.page() as usize * PER_PAGE).take(PER_PAGE).copied().collect::<Vec<_>>()
        })
    };
    let total = Signal::derive(move || shown.with(Vec::len));
    let segments = move || {
        vec![
            ("", t!(form::all), None, count_in("")),
            ("on", t!(group::on), Some(Glyph::Ok), count_in("on")),
            ("off", t!(form::off), Some(Glyph::Disabled), count_in("off")),
        ]
    };
    let row = move |index: usize| view! { <Row group=rows.with_value(|rows| rows[index].clone()) health/> };
    view! {
        <section class="card">
            <div class="list-bar"><SearchBox state says=t!(group::find)/><Segments state segments=Signal::derive(segments)/></div>
            <table class="table rows">
                <thead>
                    <tr>
                        <SortHead state column="name" title=t!(group::group)/>
                        <th scope="col">{t!(group::serving_title)}</th>
                        <th scope="col">{t!(group::strategy)}</th>
                        <th scope="col" class="mid">{t!(group::paths)}</th>
                        <SortHead state column="members" title=t!(group::tab_members) class="num" figures=true/>
                    </tr>
                </thead>
                <tbody><For each=page key=|index| *index children=row/></tbody>
            </table>
            <Show when=move || total.get() == 0><EmptyFiltered title=t!(group::none_match) clear=Signal::derive(move || state.bare())/></Show>
            <div class="card-foot"><span>{move || t!(group::count, total.get())}</span><Pager state total per_page=PER_PAGE/></div>
        </section>
    }
    .into_any()
}

#[component]
fn Row(group: Group, health: Memo<HashMap<ProviderId, ProviderHealth>>) -> impl IntoView {
    let quiet = !group.enabled;
    let (href, name, slug) = (format!("/admin/groups/{}", group.id), group.name.clone(), group.slug.to_string());
    let (strategy, policy, members) =
        (strategy_name(group.strategy), policy_name(&group.path_policy), group.members.len());
    let status = move || {
        let (glyph, word) = health.with(|health| standing(&group, health));
        view! { <span class=format!("inline-flex items-center gap-1.5 word-{}", glyph.tone())><Mark glyph/>{word}</span> }
    };
    view! {
        <tr class:quiet=quiet>
            <td class="two"><a class="name" href=href>{name}</a><span class="mono block text-ink-3">{format!("/api/proxy/{slug}/…")}</span></td>
            <td class="end">{status}</td>
            <td class="max-md:text-xs">{strategy}</td>
            <td class="mid away">{policy}</td>
            <td class="num end max-md:text-xs">{members}<span class="md:hidden">" "{t!(group::tab_members)}</span></td>
        </tr>
    }
    .into_any()
}
