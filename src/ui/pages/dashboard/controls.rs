//! Range and group: links, so that every choice has an address.

use leptos::prelude::*;

use super::Asked;
use crate::{
    api::groups::list_groups,
    model::{page::ListQuery, stats::Range},
    ui::{i18n::t, icon::Icon, suspended::suspended},
};

pub(in crate::ui::pages) fn word(range: Range) -> &'static str {
    match range {
        Range::Hour => t!(dashboard::hour),
        Range::Day => t!(dashboard::day),
        Range::Week => t!(dashboard::week),
        Range::Month => t!(dashboard::month),
    }
}

fn address((range, group): Asked) -> String {
    match group {
        Some(group) => format!("/admin?range={}&group={group}", range.as_str()),
        None => format!("/admin?range={}", range.as_str()),
    }
}

/// One hour to thirty days.
#[component]
pub fn RangePicker(
    /// What the address asks for.
    asked: Memo<Asked>,
) -> impl IntoView {
    let choice = move |range: Range| {
        let href = move || address((range, asked.get().1));
        view! { <a href=href aria-current=move || (asked.get().0 == range).then_some("true")>{word(range)}</a> }
    };
    view! { <nav class="seg" aria-label=t!(dashboard::range)>{Range::ALL.map(choice).into_iter().collect_view()}</nav> }
        .into_any()
}

/// One group or all.
#[component]
pub fn GroupPicker(
    /// What the address asks for.
    asked: Memo<Asked>,
) -> impl IntoView {
    let query = || ListQuery { per_page: 200, ..ListQuery::default() };
    let groups = Resource::new(|| (), move |()| list_groups(query()));
    let face = move || {
        suspended(async move {
            let groups = groups.await.map(|page| page.rows).unwrap_or_default();
            let names: Vec<_> = groups.into_iter().map(|group| (group.id, group.name)).collect();
            let chosen = names.clone();
            let label = move || {
                let group = asked.get().1;
                let name = chosen.iter().find(|(id, _)| Some(*id) == group).map(|(_, name)| name.clone());
                name.unwrap_or_else(|| t!(dashboard::all_groups).to_owned())
            };
            let everything = std::iter::once((None, t!(dashboard::all_groups).to_owned()));
            let choices = everything.chain(names.into_iter().map(|(id, name)| (Some(id), name)));
            let choice = move |(group, name)| {
                let href = move || address((asked.get().0, group));
                view! { <a class="menu-item" href=href aria-current=move || (asked.get().1 == group).then_some("true")>{name}</a> }
            };
            view! {
                <button type="button" class="btn" popovertarget="group-menu">
                    <Icon name="boxes"/>
                    {label}
                    <Icon name="chevron-down"/>
                </button>
                <div id="group-menu" popover="auto" class="menu drop">{choices.map(choice).collect_view()}</div>
            }
        })
    };
    view! { <Suspense fallback=|| ()>{face}</Suspense> }.into_any()
}
