//! The members of a group by tier: priority under the hand, what it comes to beside it.
//!
//! Rows are rebuilt only when members come, go or move; figures within a row follow the draft and
//! the live connection.

use std::collections::HashMap;

use leptos::prelude::*;

use super::shares::{effective, factor, targets};
use crate::{
    model::{
        group::{GroupDraft, Member},
        health::{HealthState, ProviderHealth},
        id::ProviderId,
        provider::{ProviderRow, WEIGHT_DEFAULT},
    },
    ui::{
        components::{
            chart::share::{ShareBar, category},
            form::{Editor, Slider},
            status::HealthWord,
        },
        format,
        i18n::t,
        icon::Icon,
    },
};

/// What the rows need to know about providers. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Members {
    pub(super) editor: Editor<GroupDraft>,
    pub(super) providers: StoredValue<HashMap<ProviderId, ProviderRow>>,
    pub(super) health: Memo<HashMap<ProviderId, ProviderHealth>>,
    /// Attempts of the last hour.
    pub(super) attempts: StoredValue<HashMap<ProviderId, u64>>,
    pub(super) manage: bool,
}

impl Members {
    fn name(self, id: ProviderId) -> String {
        self.providers
            .with_value(|providers| providers.get(&id).map(|row| row.provider.name.clone()))
            .unwrap_or_else(|| id.to_string())
    }

    fn color(self, id: ProviderId) -> u8 {
        self.providers.with_value(|providers| providers.get(&id).map_or(8, |row| row.provider.color))
    }

    fn state(self, id: ProviderId) -> HealthState {
        let known = self.health.with(|health| health.get(&id).map(|health| health.state));
        let enabled = self.providers.with_value(|providers| providers.get(&id).is_none_or(|row| row.provider.enabled));
        known.unwrap_or(if enabled { HealthState::Healthy } else { HealthState::Disabled })
    }

    fn member(self, id: ProviderId) -> Option<Member> {
        self.editor.draft.with(|draft| draft.members.iter().find(|member| member.provider == id).copied())
    }

    fn change(self, id: ProviderId, change: impl FnOnce(&mut Member)) {
        self.editor.draft.update(|draft| {
            if let Some(member) = draft.members.iter_mut().find(|member| member.provider == id) {
                change(member);
            }
        });
    }

    /// Share of the last hour's attempts.
    fn share_now(self, id: ProviderId) -> Option<f64> {
        self.attempts.with_value(|attempts| {
            let all: u64 = attempts.values().sum();
            (all > 0).then(|| attempts.get(&id).copied().unwrap_or(0) as f64 / all as f64)
        })
    }

    /// Moves a member one place within its tier.
    fn shift(self, id: ProviderId, down: bool) {
        self.editor.draft.update(|draft| {
            let Some(at) = draft.members.iter().position(|member| member.provider == id) else { return };
            let tier = draft.members[at].tier;
            let same = |index: &usize| draft.members[*index].tier == tier;
            let other = if down { (at + 1..draft.members.len()).find(same) } else { (0..at).rev().find(same) };
            if let Some(other) = other {
                draft.members.swap(at, other);
            }
        });
    }
}

/// The card.
#[component]
pub fn MembersCard(
    /// What is shown.
    members: Members,
) -> impl IntoView {
    let layout = Memo::new(move |_| {
        members.editor.draft.with(|draft| {
            let mut tiers: Vec<u32> = draft.members.iter().map(|member| member.tier).collect();
            tiers.sort_unstable();
            tiers.dedup();
            tiers
                .into_iter()
                .map(|tier| {
                    (
                        tier,
                        draft
                            .members
                            .iter()
                            .filter(|member| member.tier == tier)
                            .map(|member| member.provider)
                            .collect::<Vec<_>>(),
                    )
                })
                .collect::<Vec<_>>()
        })
    });
    let body = move || {
        let tiers = layout.get();
        let mut before = None;
        let sections = tiers.into_iter().map(|(tier, providers)| {
            let says = before.map_or_else(|| t!(group::tier_first).to_owned(), |before| t!(group::tier_next, before));
            before = Some(tier);
            view! {
                <tr class="tier"><td colspan="7"><b class="font-semibold">{t!(group::tier, tier)}</b>" "<span class="caption">{says}</span></td></tr>
                {providers.into_iter().map(|id| view! { <MemberRow members id/> }).collect_view()}
            }
        });
        sections.collect_view()
    };
    view! {
        <section class="card">
            <div class="card-head pb-2">
                <h2 class="card-title">{t!(group::members)}</h2>
                <span class="caption max-md:hidden">{t!(group::members_hint)}</span>
                {members.manage.then(|| view! { <span class="ml-auto"><AddMember members/></span> })}
            </div>
            <table class="table rows members">
                <thead>
                    <tr>
                        <th>{t!(group::tab_members)}</th>
                        <th>{t!(form::status)}</th>
                        <th>{t!(group::priority)}</th>
                        <th class="num">{t!(group::effective)}</th>
                        <th class="mid">{t!(group::share_now)}" "<span class="inline-block w-0.5 h-2.5 bg-ink mx-1"></span>{t!(group::target)}</th>
                        <th class="num low">{t!(group::in_flight)}</th>
                        <th class="w-8"><span class="sr-only">{t!(form::actions)}</span></th>
                    </tr>
                </thead>
                <tbody>{body}</tbody>
            </table>
            <Show when=move || layout.with(Vec::is_empty)><p class="px-4 py-6 text-ink-3">{t!(group::no_members_hint)}</p></Show>
        </section>
    }
    .into_any()
}

#[component]
fn MemberRow(members: Members, id: ProviderId) -> impl IntoView {
    let Members { editor, health, manage, .. } = members;
    let name = members.name(id);
    let priority = Signal::derive(move || members.member(id).map_or(0, |member| member.priority));
    let stored = Signal::derive(move || {
        editor.stored.with(|stored| {
            stored.members.iter().find(|member| member.provider == id).map_or(priority.get(), |member| member.priority)
        })
    });
    let weight = move || members.member(id).map_or(0.0, |member| health.with(|health| effective(&member, health)));
    let times = move || {
        let factor = health.with(|health| factor(health, id));
        (factor < 0.995).then(|| format!("× {}", format!("{factor:.2}").trim_end_matches('0').trim_end_matches('.')))
    };
    let target = Memo::new(move |_| {
        editor
            .draft
            .with(|draft| health.with(|health| targets(&draft.members, health).get(&id).copied().unwrap_or(0.0)))
    });
    let now = move || members.share_now(id);
    let in_flight = move || health.with(|health| health.get(&id).map_or(0, |health| health.in_flight));
    let fill = format!("background: {};", category(members.color(id)));
    let state = move || view! { <HealthWord state=members.state(id)/> };
    let href = format!("/admin/providers/{id}");
    let control = if manage {
        let set = Callback::new(move |priority| members.change(id, |member| member.priority = priority));
        view! { <span class="grid grid-cols-[minmax(0,1fr)_auto] items-center gap-3"><Slider label=t!(group::priority_of, &name) value=priority stored set/></span> }.into_any()
    } else {
        view! { <span>{priority}</span> }.into_any()
    };
    view! {
        <tr class="member">
            <td><a class="name" href=href>{name.clone()}</a></td>
            <td class="end">{state}</td>
            <td class="whole md:w-44">{control}</td>
            <td class="num away"><span class="caption">{times}" "</span><b class="font-semibold text-ink">{move || format!("{:.0}", weight())}</b></td>
            <td class="mid away whitespace-nowrap">
                <span class="bar-track">
                    <span class="bar-fill" style=move || format!("{fill} width: {:.1}%", now().unwrap_or(0.0) * 100.0)></span>
                    <span class="absolute -top-1 w-0.5 h-3.5 bg-ink" style=move || format!("left: {:.1}%", target.get() * 100.0)></span>
                </span>
                <span class="inline-block min-w-12 text-right pl-2" title=move || format!("{} {}", t!(group::target), format::share(Some(target.get())))>{move || format::share(now().or(Some(target.get())))}</span>
            </td>
            <td class="num low away">{in_flight}</td>
            <td class="away">{manage.then(|| view! { <MemberMenu members id name=name.clone()/> })}</td>
            <td class="whole md:hidden">
                <span class="flex flex-wrap items-center gap-x-3 text-xs text-ink-3 whitespace-nowrap">
                    <span>{t!(group::effective)}" "<b class="font-medium text-ink">{move || format!("{:.0}", weight())}</b></span>
                    <span>{t!(group::share_now)}" "<b class="font-medium text-ink">{move || format::share(now().or(Some(0.0)))}</b>" / "{move || format::share(Some(target.get()))}</span>
                    <span class="ml-auto">{move || t!(group::in_flight_count, in_flight())}</span>
                    {manage.then(|| view! { <MemberMenu members id name=name.clone()/> })}
                </span>
            </td>
        </tr>
    }
    .into_any()
}

#[component]
fn MemberMenu(members: Members, id: ProviderId, name: String) -> impl IntoView {
    let tier = move || members.member(id).map_or(1, |member| member.tier);
    let to_tier = move |tier: u32| members.change(id, |member| member.tier = tier);
    let take_out = move |_| members.editor.draft.update(|draft| draft.members.retain(|member| member.provider != id));
    view! {
        <details class="more" name="row-menu">
            <summary class="btn btn-ghost btn-sm btn-icon" aria-label=t!(form::more_actions, &name)><Icon name="ellipsis"/></summary>
            <div class="menu">
                <button type="button" class="menu-item" on:click=move |_| members.shift(id, false)><Icon name="arrow-up"/>{t!(group::move_up)}</button>
                <button type="button" class="menu-item" on:click=move |_| members.shift(id, true)><Icon name="arrow-down"/>{t!(group::move_down)}</button>
                <button type="button" class="menu-item" disabled=move || tier() < 2 on:click=move |_| to_tier(tier() - 1)><Icon name="chevron-up"/>{t!(group::tier_up)}</button>
                <button type="button" class="menu-item" on:click=move |_| to_tier(tier() + 1)><Icon name="chevron-down"/>{t!(group::tier_down)}</button>
                <hr/>
                <button type="button" class="menu-item menu-danger" on:click=take_out><Icon name="x"/>{t!(group::take_out)}</button>
            </div>
        </details>
    }
    .into_any()
}

#[component]
fn AddMember(members: Members) -> impl IntoView {
    let free = Memo::new(move |_| {
        let there: Vec<ProviderId> =
            members.editor.draft.with(|draft| draft.members.iter().map(|member| member.provider).collect());
        let mut free: Vec<(String, ProviderId)> = members.providers.with_value(|providers| {
            providers
                .values()
                .filter(|row| !there.contains(&row.provider.id))
                .map(|row| (row.provider.name.clone(), row.provider.id))
                .collect()
        });
        free.sort();
        free
    });
    let add = move |id: ProviderId| {
        members
            .editor
            .draft
            .update(|draft| draft.members.push(Member { provider: id, priority: WEIGHT_DEFAULT, tier: 1 }))
    };
    let rows = move || {
        free.get().into_iter().map(|(name, id)| view! { <button type="button" class="menu-item" on:click=move |_| add(id)>{name}</button> }).collect_view()
    };
    view! {
        <details class="more">
            <summary class="btn btn-sm"><Icon name="plus"/>{t!(form::add)}</summary>
            <div class="menu max-h-72 overflow-auto">
                {rows}
                <Show when=move || free.with(Vec::is_empty)>
                    <p class="caption px-2.5 py-2">{t!(group::all_added)}</p>
                    <a class="menu-item" href="/admin/providers/new"><Icon name="plus"/>{t!(provider::add)}</a>
                </Show>
            </div>
        </details>
    }
    .into_any()
}

/// Target and present shares as two bars with their legend.
#[component]
pub fn SharesCard(
    /// What is shown.
    members: Members,
) -> impl IntoView {
    let ids = move || {
        members.editor.draft.with(|draft| draft.members.iter().map(|member| member.provider).collect::<Vec<_>>())
    };
    let target = Signal::derive(move || {
        let shares = members.editor.draft.with(|draft| members.health.with(|health| targets(&draft.members, health)));
        ids()
            .into_iter()
            .map(|id| (members.color(id), (shares.get(&id).copied().unwrap_or(0.0) * 10_000.0) as u64))
            .filter(|(_, amount)| *amount > 0)
            .collect::<Vec<_>>()
    });
    let now = Signal::derive(move || {
        members.attempts.with_value(|attempts| {
            ids()
                .into_iter()
                .map(|id| (members.color(id), attempts.get(&id).copied().unwrap_or(0)))
                .filter(|(_, amount)| *amount > 0)
                .collect::<Vec<_>>()
        })
    });
    let legend = move || {
        ids().into_iter().filter(|id| members.member(*id).is_some_and(|member| member.priority > 0)).map(|id| view! { <span class="inline-flex items-center gap-1.5"><span class="swatch" style=format!("background: {}", category(members.color(id)))></span>{members.name(id)}</span> }).collect_view()
    };
    view! {
        <section class="card p-4 flex flex-col gap-3" aria-label=t!(group::shares)>
            <div class="grid grid-cols-[auto_minmax(0,1fr)] items-center gap-x-3 gap-y-2 caption"><span class="inline-block first-letter:uppercase">{t!(group::target)}</span><ShareBar parts=target/><span title=t!(group::last_hour)>{t!(group::now)}</span><ShareBar parts=now/></div>
            <div class="flex flex-wrap gap-x-4 gap-y-1 text-xs text-ink-2">{legend}</div>
        </section>
    }
    .into_any()
}

/// The first change of members in words, with what follows from it.
pub(super) fn change_words(members: Members) -> Option<String> {
    let (draft, stored) = (members.editor.draft.get(), members.editor.stored.get());
    let health = members.health.get();
    let mut words = Vec::new();
    for member in &draft.members {
        let name = members.name(member.provider);
        match stored.members.iter().find(|before| before.provider == member.provider) {
            None => words.push(t!(group::change_joined, &name)),
            Some(before) if before.priority != member.priority => {
                let share = |list: &[Member]| format::share(targets(list, &health).get(&member.provider).copied());
                let effect = t!(group::change_share, &share(&stored.members), &share(&draft.members));
                words.push(format!(
                    "{} · {effect}",
                    t!(group::change_priority, &name, before.priority, member.priority)
                ));
            }
            Some(before) if before.tier != member.tier => words.push(t!(group::change_tier, &name, member.tier)),
            Some(_) => {}
        }
    }
    for gone in
        stored.members.iter().filter(|before| draft.members.iter().all(|member| member.provider != before.provider))
    {
        words.push(t!(group::change_left, &members.name(gone.provider)));
    }
    let first = words.first()?.clone();
    Some(if words.len() > 1 { format!("{first}; {}", t!(group::and_more, words.len() - 1)) } else { first })
}
