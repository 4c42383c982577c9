//! All groups: address, how many members serve, and how they are drawn.

use std::collections::HashMap;

use leptos::prelude::*;

use super::{policy_name, strategy_name};
use crate::{
    api::{groups::list_groups, health::all_health},
    model::{
        bulk::BulkKind,
        error::ApiResult,
        group::Group,
        health::{HealthState, ProviderHealth},
        id::ProviderId,
        user::Permission,
    },
    ui::{
        components::{
            layout::PageBar,
            status::{severity, state_glyph},
            table::{
                BulkActions, CheckHead, EmptyFirst, ListFrame, ListState, Paged, RowCheck, Selection, SortHead, paged,
            },
        },
        i18n::t,
        icon::{Glyph, Icon, Mark},
        live::Live,
        session::Session,
        suspended::suspended,
    },
};

/// `/admin/groups`
#[component]
pub fn GroupList() -> impl IntoView {
    let (live, state) = (Live::here(), ListState::here());
    let manage = Session::here().may(Permission::ManageGroups);
    let health = Resource::new(|| (), |()| all_health());
    let face = move |paged| view! { <WithHealth paged state health/> }.into_any();
    let nothing = move || {
        view! {
            <EmptyFirst title=t!(group::none_yet) says=t!(group::none_yet_hint)>
                {manage.then(|| view! { <a class="btn btn-primary" href="/admin/groups/new"><Icon name="plus"/>{t!(group::add)}</a> })}
            </EmptyFirst>
        }
        .into_any()
    };
    view! {
        <PageBar title=t!(shell::groups)>
            {manage.then(|| view! { <a class="btn btn-primary" href="/admin/groups/new" data-shortcut="c"><Icon name="plus"/>{t!(group::add)}</a> })}
        </PageBar>
        {paged(state, move || live.configuration.get(), list_groups, face, nothing)}
    }
    .into_any()
}

/// The list once it is known how the members are.
#[component]
fn WithHealth(
    paged: Paged<Group>,
    state: ListState,
    health: Resource<ApiResult<Vec<ProviderHealth>>>,
) -> impl IntoView {
    let list = move || {
        suspended(async move {
            view! { <Table paged first_health=health.await.unwrap_or_default() state/> }
        })
    };
    view! { <Transition>{list}</Transition> }.into_any()
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
fn Table(paged: Paged<Group>, first_health: Vec<ProviderHealth>, state: ListState) -> impl IntoView {
    let health = health_by_provider(first_health);
    let selection = Selection::among(Memo::new(move |_| {
        paged.page.with(|page| page.rows.iter().map(|group| (group.id.0, group.name.clone())).collect())
    }));
    let segments = move || {
        [("", None), ("on", Some(Glyph::Ok)), ("off", Some(Glyph::Disabled))]
            .into_iter()
            .zip([t!(form::all), t!(group::on), t!(form::off)])
            .map(|((word, glyph), title)| (word, title, glyph, paged.count(word)))
            .collect::<Vec<_>>()
    };
    let total = paged.total();
    let heads = view! {
        <tr>
            <CheckHead selection/>
            <SortHead state column="name" title=t!(group::group)/>
            <th scope="col">{t!(group::serving_title)}</th>
            <th scope="col">{t!(group::strategy)}</th>
            <th scope="col" class="mid">{t!(group::paths)}</th>
            <SortHead state column="members" title=t!(group::tab_members) class="num" figures=true/>
        </tr>
    };
    view! {
        <ListFrame
            state
            find=t!(group::find)
            segments=Signal::derive(segments)
            instead=Signal::derive(move || selection.count() != 0)
            bulk=move || view! { <BulkActions selection kind=BulkKind::Groups/> }
            head=heads.into_any()
            total
            count=Signal::derive(move || t!(group::count, total.get()))
            reading=paged.reading
            none_match=t!(group::none_match)
        >
            <For each=move || paged.rows() key=|group| (group.id, group.revision) children=move |group| view! { <Row group health selection/> }/>
        </ListFrame>
    }
    .into_any()
}

#[component]
fn Row(group: Group, health: Memo<HashMap<ProviderId, ProviderHealth>>, selection: Selection) -> impl IntoView {
    let (id, quiet) = (group.id.0, !group.enabled);
    let (href, name, slug) = (format!("/admin/groups/{}", group.id), group.name.clone(), group.slug.to_string());
    let (strategy, policy, members) =
        (strategy_name(group.strategy), policy_name(&group.path_policy), group.members.len());
    let status = move || {
        let (glyph, word) = health.with(|health| standing(&group, health));
        view! { <span class=format!("inline-flex items-center gap-1.5 word-{}", glyph.tone())><Mark glyph/>{word}</span> }
    };
    view! {
        <tr class:quiet=quiet aria-selected=move || selection.has(id).then_some("true")>
            <td class="away"><RowCheck selection id name=name.clone()/></td>
            <td class="two"><a class="name" href=href>{name}</a><span class="mono block text-ink-3">{format!("/api/proxy/{slug}/…")}</span></td>
            <td class="end">{status}</td>
            <td class="max-md:text-xs">{strategy}</td>
            <td class="mid away">{policy}</td>
            <td class="num end max-md:text-xs">{members}<span class="md:hidden">" "{t!(group::tab_members)}</span></td>
        </tr>
    }
    .into_any()
}
