//! One group: its address, its members, its rules, and the keys that reach it. All tabs edit one
//! draft; the save bar says what changes.

use std::collections::HashMap;

use leptos::{ev::SubmitEvent, prelude::*};
use leptos_router::hooks::use_params_map;

use super::{
    explain::ExplainPanel,
    list::{health_by_provider, standing},
    members::{Members, MembersCard, SharesCard, change_words},
    policy_name,
    rules::{AccessTab, FailoverTab, PolicyTab, SettingsTab},
    strategy_name,
};
use crate::{
    api::{
        api_keys::all_api_keys,
        groups::{DuplicateGroup, EnableGroup, delete_group, explain_group, get_group, update_group},
        health::all_health,
        providers::all_providers,
        stats::read_overview,
    },
    model::{
        api_key::{ApiKey, Scope},
        error::{ApiError, ApiResult},
        explain::{ExplainQuery, Explanation},
        group::{Group, GroupDraft, GroupKind},
        health::ProviderHealth,
        id::{CredentialId, GroupId},
        provider::ProviderRow,
        stats::{Overview, Range},
        user::Permission,
    },
    ui::{
        components::{
            dialog::{ConfirmDialog, Conflict, ConflictCard, Doomed},
            feedback::{SkeletonRows, Trouble},
            form::{CopyIcon, Editor, SaveBar},
            layout::{Crumb, Gone, PageBar},
            table::ListState,
            toast::Toasts,
        },
        i18n::t,
        icon::{Icon, Mark},
        live::Live,
        origin::Origin,
        pages::api_keys::list::state_of_key,
        recent::visited,
        session::Session,
        suspended::suspended,
    },
};

/// `/admin/groups/{id}`
#[component]
pub fn GroupDetail() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<GroupId>().ok())));
    let group = Resource::new(
        move || id.get(),
        |id| async move { get_group(id.ok_or_else(|| ApiError::NotFound { what: "group".into() })?).await },
    );
    let providers = Resource::new(|| (), |()| all_providers());
    let health = Resource::new(|| (), |()| all_health());
    let keys = Resource::new(|| (), |()| all_api_keys());
    let hour = Resource::new(move || id.get(), |id| read_overview(Range::Hour, id));
    let look = Resource::new(
        move || id.get(),
        |id| async move {
            let id = id.ok_or_else(|| ApiError::NotFound { what: "group".into() })?;
            explain_group(id, ExplainQuery::default()).await
        },
    );
    let body = move || {
        suspended(async move {
            let (group, providers, health, keys, hour, look) =
                (group.await, providers.await, health.await, keys.await, hour.await, look.await);
            match (group, providers) {
                (Ok(group), Ok(providers)) => view! {
                    <Page group providers first_health=health.unwrap_or_default() keys=keys.unwrap_or_default() hour=hour.unwrap_or_default() look/>
                }
                .into_any(),
                (Err(error), _) | (_, Err(error)) => view! { <Gone error up=Crumb::new("/admin/groups", t!(shell::groups))/> }.into_any(),
            }
        })
    };
    view! { <Transition fallback=|| view! { <div class="page"><SkeletonRows/></div> }>{body}</Transition> }.into_any()
}

#[component]
fn Page(
    group: Group,
    providers: Vec<ProviderRow>,
    first_health: Vec<ProviderHealth>,
    keys: Vec<ApiKey>,
    hour: Overview,
    look: ApiResult<Explanation>,
) -> impl IntoView {
    let state = ListState::here();
    let manage = Session::here().may(Permission::ManageGroups);
    let editor = Editor::new(GroupDraft::from(&group));
    let stored = RwSignal::new(group.clone());
    let (conflict, failure) = (Conflict::default(), RwSignal::new(None::<ApiError>));
    let save = saving(editor, stored, conflict, failure);
    visited(format!("/admin/groups/{}", group.id), group.name.clone());
    let credentials = providers.iter().flat_map(|row| &row.provider.credentials);
    let labels = credentials.map(|one| (one.id, one.label.clone())).collect::<HashMap<_, _>>();
    let members = members_of(editor, providers, first_health, &hour, manage);
    follow(editor, stored, conflict);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if let Some(draft) = editor.ready() {
            save.dispatch(draft);
        }
    };
    let keys = StoredValue::new(keys.into_iter().filter(|key| reaches(key, group.id)).collect::<Vec<_>>());
    let tab = Memo::new(move |_| state.word("tab"));
    let rooms = Rooms { members, stored, keys, labels: StoredValue::new(labels), look: StoredValue::new(look) };
    let content = move || rooms.of(&tab.get());
    let pill = move || {
        let (glyph, word) = stored.with(|group| members.health.with(|health| standing(group, health)));
        view! { <span class=format!("pill pill-{}", glyph.tone())><Mark glyph/>{word}</span> }
    };
    let dirty = Memo::new(move |_| editor.dirty());
    let says = Signal::derive(move || {
        change_words(members).unwrap_or_else(|| t!(form::changed_fields, &super::super::changed(editor).join(", ")))
    });
    let tabs = move || {
        let counts = (editor.draft.with(|draft| draft.members.len()), keys.with_value(Vec::len));
        tab_links(state, &tab.get(), counts)
    };
    view! {
        <PageBar title=Signal::derive(move || stored.with(|group| group.name.clone())) crumb=Crumb::new("/admin/groups", t!(shell::groups)) pill=pill.into_any()><Actions stored manage/></PageBar>
        <form class="page" method="post" novalidate on:submit=submit>
            {move || failure.get().map(|error| view! { <Trouble error/> })}
            <ConflictCard conflict editor/>
            <Address stored/>
            <nav class="tabs" aria-label=t!(group::group)>{tabs}</nav>
            {content}
            <SaveBar dirty says busy=save.pending() on_discard=Callback::new(move |()| { editor.discard(); conflict.clear(); })/>
        </form>
        <Delete stored/>
    }
    .into_any()
}

fn members_of(
    editor: Editor<GroupDraft>,
    providers: Vec<ProviderRow>,
    first_health: Vec<ProviderHealth>,
    hour: &Overview,
    manage: bool,
) -> Members {
    let attempts = hour.providers.iter().filter_map(|stats| Some((stats.provider?, stats.attempts)));
    Members {
        editor,
        attempts: StoredValue::new(attempts.collect()),
        providers: StoredValue::new(providers.into_iter().map(|row| (row.provider.id, row)).collect()),
        health: health_by_provider(first_health),
        manage,
    }
}

/// What the tabs show. Cheap to copy.
#[derive(Clone, Copy)]
struct Rooms {
    members: Members,
    stored: RwSignal<Group>,
    /// Those that reach the group.
    keys: StoredValue<Vec<ApiKey>>,
    /// Names of credentials.
    labels: StoredValue<HashMap<CredentialId, String>>,
    /// What the next request would do, as the page was read.
    look: StoredValue<ApiResult<Explanation>>,
}

impl Rooms {
    fn of(self, tab: &str) -> AnyView {
        let Self { members, stored, keys, labels, look } = self;
        let editor = members.editor;
        match tab {
            "policy" => view! { <PolicyTab editor/> }.into_any(),
            "failover" => view! { <FailoverTab editor/> }.into_any(),
            "access" => view! { <AccessTab editor/> }.into_any(),
            "settings" => view! { <SettingsTab editor/> }.into_any(),
            "keys" => {
                let group = stored.with_untracked(|group| group.id);
                view! { <KeysTab keys=keys.get_value() group/> }.into_any()
            }
            _ => {
                let names =
                    |keys: &Vec<ApiKey>| keys.iter().map(|key| (key.id.to_string(), key.name.clone())).collect();
                let names: Vec<(String, String)> = keys.with_value(names);
                view! {
                    <div class="grid gap-4 lg:grid-cols-[minmax(0,1fr)_320px] items-start">
                        <MembersCard members/>
                        <div class="flex flex-col gap-4 min-w-0"><SharesCard members/><ExplainPanel group=stored keys=names labels first=Some(look.get_value())/></div>
                    </div>
                }
                .into_any()
            }
        }
    }
}

/// Whether a key reaches this group.
fn reaches(key: &ApiKey, group: GroupId) -> bool {
    match &key.scope {
        Scope::Global => true,
        Scope::Groups(groups) => groups.contains(&group),
    }
}

/// Somebody else's change shows at once where nothing was edited here; otherwise saving merges it.
fn follow(editor: Editor<GroupDraft>, stored: RwSignal<Group>, conflict: Conflict) {
    let live = Live::here();
    Effect::new(move |before: Option<u32>| {
        let version = live.configuration.get();
        if before.is_some_and(|before| before != version) && !untrack(|| editor.dirty()) {
            let id = stored.with_untracked(|group| group.id);
            leptos::task::spawn_local(async move {
                if let Ok(group) = get_group(id).await
                    && !untrack(|| editor.dirty())
                {
                    editor.accept(GroupDraft::from(&group));
                    stored.set(group);
                    conflict.clear();
                }
            });
        }
        version
    });
}

fn saving(
    editor: Editor<GroupDraft>,
    stored: RwSignal<Group>,
    conflict: Conflict,
    failure: RwSignal<Option<ApiError>>,
) -> Action<GroupDraft, ()> {
    let toasts = Toasts::here();
    Action::new(move |draft: &GroupDraft| {
        let draft = draft.clone();
        let (id, revision) = stored.with_untracked(|group| (group.id, group.revision));
        async move {
            failure.set(None);
            let before = editor.stored.get_untracked();
            match update_group(id, revision, draft).await {
                Ok(group) => {
                    editor.accept(GroupDraft::from(&group));
                    conflict.clear();
                    toasts.done_with_undo(
                        t!(form::saved, &group.name),
                        undo(id, group.revision, before, editor, stored, toasts),
                    );
                    stored.set(group);
                }
                Err(error @ ApiError::Conflict { .. }) => match get_group(id).await {
                    Ok(group) => {
                        conflict.merge(editor, GroupDraft::from(&group), &error);
                        stored.set(group);
                    }
                    Err(unread) => failure.set(Some(unread)),
                },
                Err(error) => {
                    editor.refuse(&error);
                    failure.set(Some(error));
                }
            }
        }
    })
}

/// Saves what was there before, if nobody saved in between.
fn undo(
    id: GroupId,
    revision: i64,
    before: GroupDraft,
    editor: Editor<GroupDraft>,
    stored: RwSignal<Group>,
    toasts: Toasts,
) -> Callback<()> {
    Callback::new(move |()| {
        let before = before.clone();
        leptos::task::spawn_local(async move {
            match update_group(id, revision, before).await {
                Ok(group) => {
                    editor.accept(GroupDraft::from(&group));
                    stored.set(group);
                    toasts.done(t!(form::undone).to_owned());
                }
                Err(error) => toasts.failed(&error),
            }
        });
    })
}

fn tab_links(state: ListState, chosen: &str, (members, keys): (usize, usize)) -> impl IntoView + use<> {
    let tabs = [
        ("", t!(group::tab_members), Some(members)),
        ("policy", t!(group::tab_policy), None),
        ("failover", t!(group::tab_failover), None),
        ("access", t!(group::tab_access), None),
        ("settings", t!(group::tab_settings), None),
        ("keys", t!(group::tab_keys), Some(keys)),
    ];
    tabs.map(|(word, title, count)| {
        let current = (chosen == word).then_some("page");
        view! { <a href=state.href(&[("tab", word)]) aria-current=current>{title}{count.map(|count| view! { <span class="count">{count}</span> })}</a> }
    })
    .collect_view()
}

/// The address clients call, and the rules in three words.
#[component]
fn Address(stored: RwSignal<Group>) -> impl IntoView {
    let origin = Origin::here();
    let url =
        Signal::derive(move || format!("{}/api/proxy/{}", origin.get(), stored.with(|group| group.slug.to_string())));
    let facts = move || {
        stored.with(|group| {
            let kind = if group.kind == GroupKind::Llm { t!(group::kind_llm) } else { t!(group::kind_generic) };
            view! {
                <span class="text-ink-3">{t!(group::strategy)}" "<b class="font-medium text-ink">{strategy_name(group.strategy)}</b></span>
                <span class="text-ink-3">{t!(group::paths)}" "<b class="font-medium text-ink">{policy_name(&group.path_policy)}</b></span>
                <span class="text-ink-3">{t!(group::kind)}" "<b class="font-medium text-ink">{kind}</b></span>
            }
        })
    };
    view! {
        <div class="flex flex-wrap items-center gap-x-5 gap-y-2">
            <span class="address" title=t!(group::address)><span tabindex="0"><span class="text-ink-3">"ANY "</span>{move || url.get()}"/…"</span><CopyIcon text=url/></span>
            {facts}
        </div>
    }
    .into_any()
}

#[component]
fn Actions(stored: RwSignal<Group>, manage: bool) -> impl IntoView {
    let toasts = Toasts::here();
    let turn = ServerAction::<EnableGroup>::new();
    Effect::new(move |_| match turn.value().get() {
        Some(Ok(group)) => {
            toasts.done(if group.enabled {
                t!(form::enabled_thing, &group.name)
            } else {
                t!(form::disabled_thing, &group.name)
            });
            stored.set(group);
        }
        Some(Err(error)) => toasts.failed(&error),
        None => {}
    });
    let copy = ServerAction::<DuplicateGroup>::new();
    Effect::new(move |_| match copy.value().get() {
        Some(Ok(group)) => toasts.done(t!(form::created, &group.name)),
        Some(Err(error)) => toasts.failed(&error),
        None => {}
    });
    let operate = Session::here().may(Permission::Operate);
    let enabled = move || stored.with(|group| group.enabled);
    let id = stored.with_untracked(|group| group.id);
    view! {
        <details class="more">
            <summary class="btn btn-icon" aria-label=move || t!(form::more_actions, &stored.with(|group| group.name.clone()))><Icon name="ellipsis"/></summary>
            <div class="menu">
                {operate.then(|| view! {
                    <ActionForm action=turn>
                        <input type="hidden" name="id" value=id.to_string()/>
                        <input type="hidden" name="enabled" value=move || (!enabled()).to_string()/>
                        <button class="menu-item"><Icon name="power"/>{move || if enabled() { t!(form::disable) } else { t!(form::enable) }}</button>
                    </ActionForm>
                })}
                <a class="menu-item" href=format!("/admin/requests?group={id}")><Icon name="scroll-text"/>{t!(provider::requests_link)}</a>
                {manage.then(|| view! {
                    <ActionForm action=copy>
                        <input type="hidden" name="id" value=id.to_string()/>
                        <button class="menu-item"><Icon name="copy"/>{t!(form::duplicate)}</button>
                    </ActionForm>
                })}
                {manage.then(|| view! { <hr/><a class="menu-item menu-danger" href="?delete=1"><Icon name="trash-2"/>{t!(form::delete)}</a> })}
            </div>
        </details>
    }
    .into_any()
}

#[component]
fn Delete(stored: RwSignal<Group>) -> impl IntoView {
    let (open, close) = ListState::here().dialog("delete");
    let id = stored.with_untracked(|group| group.id);
    let action: Action<(), ApiResult<()>> = Action::new(move |(): &()| delete_group(id));
    let doomed = Signal::derive(move || {
        stored.with(|group| Doomed {
            title: t!(group::delete_title, &group.name),
            consequence: t!(group::delete_says, group.slug.as_str()),
            expected: group.name.clone(),
            verb: t!(group::delete_verb),
            url: "/rpc/groups/delete",
            id: group.id.to_string(),
        })
    });
    view! { <ConfirmDialog open on_close=close doomed action/> }.into_any()
}

#[component]
fn KeysTab(keys: Vec<ApiKey>, group: GroupId) -> impl IntoView {
    let count = keys.len();
    let rows = keys
        .into_iter()
        .map(|key| {
            let state = state_of_key(&key);
            view! { <tr><td><a class="name" href=format!("/admin/api-keys?edit={}", key.id)>{key.name}</a></td><td class="mono">{key.hint}</td><td class="end">{state}</td></tr> }
        })
        .collect_view();
    view! {
        <section class="card">
            <div class="card-head pb-2">
                <h2 class="card-title">{if count == 0 { t!(group::no_keys).to_owned() } else { t!(group::keys_here, count) }}</h2>
                <a class="btn btn-sm ml-auto" href=format!("/admin/api-keys?create={group}")><Icon name="plus"/>{t!(group::create_key)}</a>
            </div>
            <table class="table rows"><tbody>{rows}</tbody></table>
        </section>
    }
    .into_any()
}
