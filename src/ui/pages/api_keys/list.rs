//! All keys: what each reaches, what it may use, when it was last seen.

use leptos::prelude::*;

use super::{
    created::{CreatedDialog, Expiry, ScopeTags},
    form::KeyForm,
};
use crate::{
    api::{
        api_keys::{EnableApiKey, get_api_key, just_created_key, list_api_keys, revoke_api_key, rotate_api_key},
        groups::all_groups,
    },
    model::{
        api_key::{ApiKey, CreatedKey, Scope, Standing},
        bulk::BulkKind,
        error::ApiResult,
        group::Group,
        id::{ApiKeyId, GroupId},
        user::Permission,
    },
    ui::{
        clock::Clock,
        components::{
            dialog::{ConfirmDialog, Dialog, Doomed, Shape},
            layout::PageBar,
            table::{
                BulkActions, CheckHead, EmptyFirst, ListFrame, ListState, Paged, RowCheck, Selection, SortHead, paged,
            },
            toast::Toasts,
        },
        format,
        i18n::{language, t},
        icon::{Glyph, Icon, Mark},
        live::Live,
        session::Session,
        suspended::suspended,
    },
};

/// `/admin/api-keys`
#[component]
pub fn KeyList() -> impl IntoView {
    let (live, state) = (Live::here(), ListState::here());
    let manage = Session::here().may(Permission::ManageApiKeys);
    // Read once: tables and forms that stand on it would be drawn anew under the hands of whoever uses them.
    let groups = Resource::new(|| (), |()| all_groups());
    // A key that a plain form made waits in a cookie that only the server reads.
    let posted = Resource::new(
        || (),
        move |()| async move { if manage { just_created_key().await.ok().flatten() } else { None } },
    );
    let face = move |paged: Paged<ApiKey>| {
        let selection = Selection::among(Memo::new(move |_| {
            paged.page.with(|page| page.rows.iter().map(|key| (key.id.0, key.name.clone())).collect())
        }));
        let list = move || {
            suspended(async move {
                let groups = StoredValue::new(groups.await.unwrap_or_default());
                view! { <Table paged groups state manage selection/> }
            })
        };
        view! { <Transition>{list}</Transition> }.into_any()
    };
    let nothing = move || view! { <NoKeys manage/> }.into_any();
    // The key that the address names may be on another page of the list, or on none.
    let named = Memo::new(move |_| {
        let words = ["edit", "rotate", "revoke"].map(|word| state.word(word));
        words.concat().parse::<ApiKeyId>().ok()
    });
    let one = Resource::new(
        move || named.get(),
        |id| async move {
            match id {
                Some(id) => get_api_key(id).await.ok(),
                None => None,
            }
        },
    );
    let created = RwSignal::new(None::<CreatedKey>);
    // Belongs to the page: the list is read again while a rotation is under way, and its dialog drawn anew.
    let rotating = state.dialog("rotate");
    let dialogs = move || {
        suspended(async move {
            let (groups, posted, one) = (groups.await.unwrap_or_default(), posted.await, one.await);
            if let Some(posted) = posted {
                created.set(Some(posted));
            }
            view! { <Dialogs groups=StoredValue::new(groups) one state rotating created/> }
        })
    };
    view! {
        <PageBar title=t!(shell::api_keys)>
            {manage.then(|| view! { <a class="btn btn-primary" href="/admin/api-keys?create=1" data-shortcut="c"><Icon name="plus"/>{t!(key::create)}</a> })}
        </PageBar>
        {paged(state, move || live.configuration.get(), list_api_keys, face, nothing)}
        <Transition>{dialogs}</Transition>
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
    groups: StoredValue<Vec<Group>>,
    // The key that the address names.
    one: Option<ApiKey>,
    state: ListState,
    rotating: (Signal<bool>, Callback<()>),
    created: RwSignal<Option<CreatedKey>>,
) -> impl IntoView {
    let (creating, close_create) = state.dialog("create");
    let new = move || {
        let group = untrack(|| state.word("create")).parse::<GroupId>().ok();
        match group {
            Some(group) => view! { <KeyForm key=None group groups on_close=close_create created/> },
            None => view! { <KeyForm key=None groups on_close=close_create created/> },
        }
    };
    view! {
        <Dialog open=creating on_close=close_create>{new}</Dialog>
        {one.map(|key| view! { <DialogsOfOne key groups state rotating created/> })}
        <CreatedDialog created groups/>
    }
    .into_any()
}

/// What may be done with one key.
#[component]
fn DialogsOfOne(
    key: ApiKey,
    groups: StoredValue<Vec<Group>>,
    state: ListState,
    rotating: (Signal<bool>, Callback<()>),
    created: RwSignal<Option<CreatedKey>>,
) -> impl IntoView {
    let (rotating, close_rotate) = rotating;
    let (editing, close_edit) = state.dialog("edit");
    let (revoking, close_revoke) = state.dialog("revoke");
    let id = key.id;
    let rotate: Action<(), ApiResult<()>> = Action::new(move |(): &()| async move {
        let rotated = rotate_api_key(id).await?;
        close_rotate.run(());
        created.set(Some(rotated));
        Ok(())
    });
    let renewed = Doomed {
        title: t!(key::rotate_title, &key.name),
        consequence: t!(key::rotate_says).to_owned(),
        expected: key.name.clone(),
        verb: t!(key::rotate_verb),
        url: "/rpc/api_keys/rotate",
        id: id.to_string(),
    };
    let revoke: Action<(), ApiResult<()>> = Action::new(move |(): &()| revoke_api_key(id));
    let doomed = Doomed {
        title: t!(key::revoke_title, &key.name),
        consequence: t!(key::revoke_says).to_owned(),
        expected: key.name.clone(),
        verb: t!(key::revoke_verb),
        url: "/rpc/api_keys/revoke",
        id: id.to_string(),
    };
    let key = StoredValue::new(key);
    let edit = move || view! { <KeyForm key=Some(key.get_value()) groups on_close=close_edit created/> };
    view! {
        <Dialog open=editing on_close=close_edit shape=Shape::Drawer>{edit}</Dialog>
        <ConfirmDialog open=rotating on_close=close_rotate doomed=Signal::stored(renewed) action=rotate/>
        <ConfirmDialog open=revoking on_close=close_revoke doomed=Signal::stored(doomed) action=revoke/>
    }
    .into_any()
}

/// Glyph and word for how a key stands now.
pub(crate) fn state_of_key(key: &ApiKey) -> AnyView {
    let key = key.clone();
    let clock = Clock::here();
    let now = Memo::new(move |_| key.standing(clock.now_ms()));
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
    paged: Paged<ApiKey>,
    groups: StoredValue<Vec<Group>>,
    state: ListState,
    manage: bool,
    selection: Selection,
) -> impl IntoView {
    let segments = move || {
        ["", "active", "expiring", "off"]
            .into_iter()
            .zip([t!(form::all), t!(key::active), t!(key::expiring), t!(form::off)])
            .map(|(word, title)| (word, title, None, paged.count(word)))
            .collect::<Vec<_>>()
    };
    let total = paged.total();
    let heads = view! {
        <tr>
            <CheckHead selection/>
            <SortHead state column="name" title=t!(form::name)/>
            <th scope="col" class="low">{t!(key::key)}</th>
            <th scope="col">{t!(key::scope)}</th>
            <th scope="col">{t!(key::state)}</th>
            <SortHead state column="rpm" title=t!(key::rate) class="num" figures=true/>
            <th scope="col" class="num mid">{t!(key::concurrent)}</th>
            <th scope="col" class="num mid">{t!(key::tokens)}</th>
            <SortHead state column="last_used" title=t!(key::last_used) class="num" figures=true/>
            <SortHead state column="expires" title=t!(key::expires) class="num mid"/>
            <th class="w-8"><span class="sr-only">{t!(form::actions)}</span></th>
        </tr>
    };
    let row = move |key: ApiKey| view! { <Row key groups state manage selection/> };
    view! {
        <ListFrame
            state
            find=t!(key::find)
            segments=Signal::derive(segments)
            instead=Signal::derive(move || selection.count() != 0)
            bulk=move || view! { <BulkActions selection kind=BulkKind::ApiKeys/> }
            head=heads.into_any()
            total
            count=Signal::derive(move || t!(key::count, total.get()))
            reading=paged.reading
            none_match=t!(key::none_match)
        >
            <For each=move || paged.rows() key=|key| (key.id, key.revision, key.last_used_at_ms, key.used) children=row/>
        </ListFrame>
    }
    .into_any()
}

#[component]
fn Row(
    key: ApiKey,
    groups: StoredValue<Vec<Group>>,
    state: ListState,
    manage: bool,
    selection: Selection,
) -> impl IntoView {
    let row = key.id.0;
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
    let (tokens, tokens_say) = tokens_of(&key);
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
        <tr class:quiet=!enabled aria-selected=move || selection.has(row).then_some("true")>
            <td class="away"><RowCheck selection id=row name=name.clone()/></td>
            <td class="max-md:row-span-2">{title}<span class="mono block text-ink-3 md:hidden">{hint.clone()}</span></td>
            <td class="mono low away">{hint}</td>
            <td class="end max-md:col-start-2 max-md:row-start-2"><ScopeTags slugs global/></td>
            <td class="end">{now}</td>
            <td class="num away">{rpm.clone()}</td>
            <td class="num mid away">{at_once}</td>
            <td class="num mid away" title=tokens_say>{tokens}</td>
            <td class="num away text-ink-3">{used}</td>
            <td class="num mid away"><Expiry at_ms=key.expires_at_ms/></td>
            <td class="away"><RowMenu id name enabled state/></td>
            <td class="whole md:hidden text-xs text-ink-3"><span class="flex justify-between"><span>{rpm}</span><span>{used}</span></span></td>
        </tr>
    }
    .into_any()
}

/// Tokens of the day, or of the month where only that is capped, beside the cap; and what that means.
fn tokens_of(key: &ApiKey) -> (String, String) {
    let Some(used) = key.used else { return ("–".to_owned(), t!(key::not_counted).to_owned()) };
    let limits = &key.limits;
    let (tokens, cap) = if limits.tokens_per_day == 0 && limits.tokens_per_month > 0 {
        (used.tokens_this_month, limits.tokens_per_month)
    } else {
        (used.tokens_today, limits.tokens_per_day)
    };
    let shown = |count: u64| format::compact_text(count, language());
    let figure = if cap == 0 { shown(tokens) } else { format!("{} / {}", shown(tokens), shown(cap)) };
    (figure, use_words(key))
}

/// `Tokens today 1,200 of 50,000, this month 8,000. Requests today 7, this month 70 of 1,000.`
pub(crate) fn use_words(key: &ApiKey) -> String {
    let (used, limits) = (key.used.unwrap_or_default(), &key.limits);
    let of = |count: u64, cap: u64| match cap {
        0 => format::count(count),
        cap => t!(key::used_of, &format::count(count), &format::count(cap)),
    };
    t!(
        key::used,
        &of(used.tokens_today, limits.tokens_per_day),
        &of(used.tokens_this_month, limits.tokens_per_month),
        &of(used.requests_today, limits.requests_per_day),
        &of(used.requests_this_month, limits.requests_per_month)
    )
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
    let (edit, rotate, revoke) = (id.clone(), id.clone(), id.clone());
    let manage = session.may(Permission::ManageApiKeys);
    view! {
        <details class="more" name="row-menu">
            <summary class="btn btn-ghost btn-sm btn-icon" aria-label=t!(form::more_actions, &name)><Icon name="ellipsis"/></summary>
            <div class="menu">
                {manage.then(|| view! { <a class="menu-item" href=move || state.href(&[("edit", &edit)])><Icon name="pencil"/>{t!(form::edit)}</a> })}
                {manage.then(|| view! { <a class="menu-item" href=move || state.href(&[("rotate", &rotate)])><Icon name="refresh-cw"/>{t!(key::rotate)}</a> })}
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
