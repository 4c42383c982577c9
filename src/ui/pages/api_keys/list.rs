//! All keys: what each reaches, what it may use, when it was last seen.

use leptos::prelude::*;

use super::{
    created::{CreatedDialog, Expiry, ScopeTags},
    form::KeyForm,
};
use crate::{
    api::{
        api_keys::{EnableApiKey, KEYS_ON_SCREEN, find_api_keys, just_created_key, revoke_api_key},
        groups::all_groups,
    },
    model::{
        api_key::{ApiKey, CreatedKey, Scope},
        error::ApiResult,
        group::Group,
        id::GroupId,
        user::Permission,
    },
    ui::{
        clock::Clock,
        components::{
            dialog::{ConfirmDialog, Dialog, Doomed, Shape},
            feedback::Failure,
            form::Segments,
            layout::PageBar,
            table::{EmptyFiltered, EmptyFirst, ListSkeleton, ListState, Pager, SearchBox, SortHead},
            toast::Toasts,
        },
        format,
        i18n::{language, t},
        icon::{Glyph, Icon, Mark},
        live::Live,
        session::Session,
    },
};

const PER_PAGE: usize = 50;
const DAY_MS: i64 = 86_400_000;
/// A key is expiring in its last days.
const SOON_DAYS: i64 = 7;

/// `/admin/api-keys`
#[component]
pub fn KeyList() -> impl IntoView {
    let (live, state) = (Live::here(), ListState::here());
    let manage = Session::here().may(Permission::ManageApiKeys);
    // A list too long for one screen is searched by the server, a short one here.
    let long = RwSignal::new(false);
    let search = move || if long.get() { state.search() } else { String::new() };
    let rows = Resource::new(move || (live.configuration.get(), search()), |(_, search)| find_api_keys(search));
    let groups = Resource::new(move || live.configuration.get(), |_| all_groups());
    // A key that a plain form made waits in a cookie that only the server reads.
    let posted = Resource::new(
        || (),
        move |()| async move { if manage { just_created_key().await.ok().flatten() } else { None } },
    );
    let created = RwSignal::new(None::<CreatedKey>);
    let body = move || {
        Suspend::new(async move {
            let (rows, groups, posted) = (rows.await, groups.await, posted.await);
            if let Some(posted) = posted {
                created.set(Some(posted));
            }
            let groups = StoredValue::new(groups.unwrap_or_default());
            match rows {
                Err(error) => view! { <section class="card"><Failure error><a class="btn" href="">{t!(shell::try_again)}</a></Failure></section> }.into_any(),
                Ok(rows) => {
                    if rows.len() >= KEYS_ON_SCREEN {
                        long.set(true);
                    }
                    let rows = StoredValue::new(rows);
                    let list = if rows.with_value(Vec::is_empty) && !long.get_untracked() { view! { <NoKeys manage/> }.into_any() } else { view! { <Table rows groups state manage/> }.into_any() };
                    view! { {list}<Dialogs rows groups state created/> }.into_any()
                }
            }
        })
    };
    view! {
        <PageBar title=t!(shell::api_keys)>
            {manage.then(|| view! { <a class="btn btn-primary" href="/admin/api-keys?create=1" data-shortcut="c"><Icon name="plus"/>{t!(key::create)}</a> })}
        </PageBar>
        <div class="page"><Transition fallback=|| view! { <section class="card"><ListSkeleton/></section> }>{body}</Transition></div>
    }
    .into_any()
}

#[component]
fn NoKeys(manage: bool) -> impl IntoView {
    view! {
        <EmptyFirst title=t!(key::none_yet) says=t!(key::none_yet_hint)>
            {manage.then(|| view! { <a class="btn btn-primary" href="/admin/api-keys?create=1"><Icon name="plus"/>{t!(key::create)}</a> })}
        </EmptyFirst>
    }
}

/// The dialogs that the address opens, and the one that shows a new secret.
#[component]
fn Dialogs(
    rows: StoredValue<Vec<ApiKey>>,
    groups: StoredValue<Vec<Group>>,
    state: ListState,
    created: RwSignal<Option<CreatedKey>>,
) -> impl IntoView {
    let (creating, close_create) = state.dialog("create");
    let (editing, close_edit) = state.dialog("edit");
    let (revoking, close_revoke) = state.dialog("revoke");
    let named = move |word: &'static str| {
        let id = state.word(word);
        rows.with_value(|rows| rows.iter().find(|key| key.id.to_string() == id).cloned())
    };
    let new = move || {
        let group = untrack(|| state.word("create")).parse::<GroupId>().ok();
        match group {
            Some(group) => view! { <KeyForm key=None group groups on_close=close_create created/> },
            None => view! { <KeyForm key=None groups on_close=close_create created/> },
        }
    };
    let edit = move || named("edit").map(|key| view! { <KeyForm key=Some(key) groups on_close=close_edit created/> });
    let revoke: Action<(), ApiResult<()>> = Action::new(move |(): &()| {
        let key = untrack(|| named("revoke"));
        async move {
            match key {
                Some(key) => revoke_api_key(key.id).await,
                None => Ok(()),
            }
        }
    });
    let doomed = Signal::derive(move || {
        let key = named("revoke");
        let name = key.as_ref().map(|key| key.name.clone()).unwrap_or_default();
        Doomed {
            title: t!(key::revoke_title, &name),
            consequence: t!(key::revoke_says).to_owned(),
            expected: name,
            verb: t!(key::revoke_verb),
            url: "/rpc/api_keys/revoke",
            id: key.map(|key| key.id.to_string()).unwrap_or_default(),
        }
    });
    view! {
        <Dialog open=creating on_close=close_create>{new}</Dialog>
        <Dialog open=editing on_close=close_edit shape=Shape::Drawer>{edit}</Dialog>
        <ConfirmDialog open=revoking on_close=close_revoke doomed action=revoke/>
        <CreatedDialog created groups/>
    }
    .into_any()
}

/// How a key stands at a moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Active,
    Expiring { days: i64 },
    Expired,
    Off,
}

fn standing(key: &ApiKey, now_ms: i64) -> Standing {
    let left_ms = key.expires_at_ms.map(|at_ms| at_ms - now_ms);
    match left_ms {
        Some(left_ms) if left_ms <= 0 => Standing::Expired,
        _ if !key.enabled => Standing::Off,
        Some(left_ms) if left_ms <= SOON_DAYS * DAY_MS => Standing::Expiring { days: left_ms / DAY_MS },
        _ => Standing::Active,
    }
}

fn segment_of(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "active",
        Standing::Expiring { .. } => "expiring",
        Standing::Expired | Standing::Off => "off",
    }
}

/// Glyph and word for how a key stands now.
pub(crate) fn state_of_key(key: &ApiKey) -> AnyView {
    let key = key.clone();
    let clock = Clock::here();
    let now = Memo::new(move |_| standing(&key, clock.now_ms()));
    let face = move || {
        let (glyph, word) = match now.get() {
            Standing::Active => (Glyph::Ok, t!(key::active).to_owned()),
            Standing::Expiring { days: 0 } => (Glyph::Warn, t!(key::expires_today).to_owned()),
            Standing::Expiring { days } => (Glyph::Warn, t!(key::expires_in, days)),
            Standing::Expired => (Glyph::Disabled, t!(key::expired).to_owned()),
            Standing::Off => (Glyph::Disabled, t!(status::disabled).to_owned()),
        };
        view! { <span class=format!("inline-flex items-center gap-1.5 whitespace-nowrap word-{}", glyph.tone())><Mark glyph/>{word}</span> }
    };
    face.into_any()
}

#[component]
fn Table(
    rows: StoredValue<Vec<ApiKey>>,
    groups: StoredValue<Vec<Group>>,
    state: ListState,
    manage: bool,
) -> impl IntoView {
    let now_ms = Clock::here().now_untracked_ms();
    let found = Memo::new(move |_| {
        let wanted = state.search().to_lowercase();
        let (column, descending) = state.sort();
        rows.with_value(|rows| {
            let hit = |key: &ApiKey| {
                wanted.is_empty()
                    || key.name.to_lowercase().contains(&wanted)
                    || key.hint.to_lowercase().contains(&wanted)
            };
            let mut found: Vec<usize> = (0..rows.len()).filter(|&index| hit(&rows[index])).collect();
            match column.as_str() {
                "rpm" => found.sort_by_key(|&index| {
                    rows[index].limits.rpm.map_or(0, |rpm| if rpm == 0 { u64::MAX } else { rpm.into() })
                }),
                "used" => found.sort_by_key(|&index| rows[index].last_used_at_ms.unwrap_or(0)),
                "expires" => found.sort_by_key(|&index| rows[index].expires_at_ms.unwrap_or(i64::MAX)),
                _ => found.sort_by_cached_key(|&index| rows[index].name.to_lowercase()),
            }
            if descending {
                found.reverse();
            }
            found
        })
    });
    let is_in = move |index: usize, segment: &str| {
        segment.is_empty() || rows.with_value(|rows| segment_of(standing(&rows[index], now_ms))) == segment
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
        ["", "active", "expiring", "off"]
            .into_iter()
            .zip([t!(form::all), t!(key::active), t!(key::expiring), t!(form::off)])
            .map(|(word, title)| (word, title, None, count_in(word)))
            .collect::<Vec<_>>()
    };
    let cut = rows
        .with_value(|rows| (rows.len() >= KEYS_ON_SCREEN).then(|| format!(" · {}", t!(key::first_rows, rows.len()))));
    let row = move |index: usize| view! { <Row key=rows.with_value(|rows| rows[index].clone()) groups state manage/> };
    view! {
        <section class="card">
            <div class="list-bar"><SearchBox state says=t!(key::find)/><Segments state segments=Signal::derive(segments)/></div>
            <table class="table rows">
                <thead>
                    <tr>
                        <SortHead state column="name" title=t!(form::name)/>
                        <th scope="col" class="low">{t!(key::key)}</th>
                        <th scope="col">{t!(key::scope)}</th>
                        <th scope="col">{t!(key::state)}</th>
                        <SortHead state column="rpm" title=t!(key::rate) class="num" figures=true/>
                        <th scope="col" class="num mid">{t!(key::concurrent)}</th>
                        <SortHead state column="used" title=t!(key::last_used) class="num" figures=true/>
                        <SortHead state column="expires" title=t!(key::expires) class="num mid"/>
                        <th class="w-8"><span class="sr-only">{t!(form::actions)}</span></th>
                    </tr>
                </thead>
                <tbody><For each=page key=|index| *index children=row/></tbody>
            </table>
            <Show when=move || total.get() == 0><EmptyFiltered title=t!(key::none_match) clear=Signal::derive(move || state.bare())/></Show>
            <div class="card-foot"><span>{move || t!(key::count, total.get())}{cut}</span><Pager state total per_page=PER_PAGE/></div>
        </section>
    }
    .into_any()
}

#[component]
fn Row(key: ApiKey, groups: StoredValue<Vec<Group>>, state: ListState, manage: bool) -> impl IntoView {
    let clock = Clock::here();
    let (id, name, hint, enabled) = (key.id.to_string(), key.name.clone(), key.hint.clone(), key.enabled);
    let (global, slugs) = match &key.scope {
        Scope::Global => (true, Vec::new()),
        Scope::Groups(ids) => (
            false,
            groups.with_value(|groups| {
                groups.iter().filter(|group| ids.contains(&group.id)).map(|group| group.slug.to_string()).collect()
            }),
        ),
    };
    let rpm = match key.limits.rpm {
        None => t!(key::default_rpm).to_owned(),
        Some(0) => t!(form::no_limit).to_owned(),
        Some(rpm) => format::count(rpm.into()),
    };
    let at_once =
        if key.limits.concurrency == 0 { "–".to_owned() } else { format::count(key.limits.concurrency.into()) };
    let used_at = key.last_used_at_ms;
    let used = move || {
        used_at.map_or_else(|| t!(key::never_used).to_owned(), |at_ms| format::age(at_ms, clock.now_ms(), language()))
    };
    let now = state_of_key(&key);
    let edit = {
        let id = id.clone();
        move || state.href(&[("edit", &id)])
    };
    let title = if manage {
        view! { <a class="name" href=edit>{name.clone()}</a> }.into_any()
    } else {
        view! { <span class="strong">{name.clone()}</span> }.into_any()
    };
    view! {
        <tr class:quiet=!enabled>
            <td class="max-md:row-span-2">{title}<span class="mono block text-ink-3 md:hidden">{hint.clone()}</span></td>
            <td class="mono low away">{hint}</td>
            <td class="end max-md:col-start-2 max-md:row-start-2"><ScopeTags slugs global/></td>
            <td class="end">{now}</td>
            <td class="num away">{rpm.clone()}</td>
            <td class="num mid away">{at_once}</td>
            <td class="num away text-ink-3">{used}</td>
            <td class="num mid away"><Expiry at_ms=key.expires_at_ms/></td>
            <td class="away"><RowMenu id name enabled state/></td>
            <td class="whole md:hidden text-xs text-ink-3"><span class="flex justify-between"><span>{rpm}</span><span>{used}</span></span></td>
        </tr>
    }
    .into_any()
}

#[component]
fn RowMenu(id: String, name: String, enabled: bool, state: ListState) -> impl IntoView {
    let (session, toasts) = (Session::here(), Toasts::here());
    let action = ServerAction::<EnableApiKey>::new();
    Effect::new(move |_| match action.value().get() {
        Some(Ok(key)) => toasts.done(if key.enabled {
            t!(form::enabled_thing, &key.name)
        } else {
            t!(form::disabled_thing, &key.name)
        }),
        Some(Err(error)) => toasts.failed(&error),
        None => {}
    });
    let (edit, revoke) = (id.clone(), id.clone());
    let manage = session.may(Permission::ManageApiKeys);
    view! {
        <details class="more" name="row-menu">
            <summary class="btn btn-ghost btn-sm btn-icon" aria-label=t!(form::more_actions, &name)><Icon name="ellipsis"/></summary>
            <div class="menu">
                {manage.then(|| view! { <a class="menu-item" href=move || state.href(&[("edit", &edit)])><Icon name="pencil"/>{t!(form::edit)}</a> })}
                {session.may(Permission::Operate).then(|| view! {
                    <ActionForm action>
                        <input type="hidden" name="id" value=id/>
                        <input type="hidden" name="enabled" value=(!enabled).to_string()/>
                        <button class="menu-item"><Icon name="power"/>{if enabled { t!(form::disable) } else { t!(form::enable) }}</button>
                    </ActionForm>
                })}
                {manage.then(|| view! { <hr/><a class="menu-item menu-danger" href=move || state.href(&[("revoke", &revoke)])><Icon name="trash-2"/>{t!(key::revoke)}</a> })}
            </div>
        </details>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::{id::ApiKeyId, rate_limit::KeyLimits};

    fn key(expires_at_ms: Option<i64>, enabled: bool) -> ApiKey {
        ApiKey {
            id: ApiKeyId(Uuid::nil()),
            name: "ci".into(),
            hint: "rd_…x9Ae".into(),
            scope: Scope::Global,
            enabled,
            expires_at_ms,
            limits: KeyLimits::default(),
            allowed_ips: vec![],
            path_policy: None,
            models: vec![],
            last_used_at_ms: None,
            revision: 1,
            created_at_ms: 0,
            updated_at_ms: 0,
        }
    }

    #[test]
    fn a_key_in_its_last_week_is_expiring() {
        assert!(standing(&key(None, true), 0) == Standing::Active);
        assert!(standing(&key(Some(3 * DAY_MS + 5), true), 0) == Standing::Expiring { days: 3 });
        assert!(standing(&key(Some(30 * DAY_MS), true), 0) == Standing::Active);
        assert!(standing(&key(Some(-1), false), 0) == Standing::Expired);
        assert!(standing(&key(None, false), 0) == Standing::Off);
    }
}
