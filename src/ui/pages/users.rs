//! People: who may sign in, and what each may do.

use leptos::{ev::SubmitEvent, prelude::*, server_fn::ServerFn};

use super::api_keys::created::day;
use crate::{
    api::users::{CreateUser, all_users, delete_user, reset_user_password, update_user},
    model::{
        error::{ApiError, ApiResult},
        user::{Permission, Role, User, UserPatch, check_password},
    },
    ui::{
        clock::Clock,
        components::{
            dialog::{ConfirmDialog, Dialog, Doomed, Shape},
            feedback::{Failure, Trouble},
            form::{
                Choice, DialogForm, DialogSave, Editor, Field, PasswordField, SubmitButton, Switch, TextField,
                field::note_id,
            },
            layout::PageBar,
            status::StatusWord,
            table::{ListFrame, ListSkeleton, ListState, PER_PAGE, SortHead},
            toast::Toasts,
        },
        format,
        i18n::{language, t},
        icon::{Glyph, Icon},
        live::Live,
        returned::{issue_of, refusal, returned_to},
        session::{Session, role_name},
        suspended::suspended,
    },
};

/// `/admin/users`
#[component]
pub fn UserList() -> impl IntoView {
    let (live, state) = (Live::here(), ListState::here());
    let again = RwSignal::new(0_u32);
    let rows = Resource::new(move || (live.configuration.get(), again.get()), |_| all_users());
    let body = move || {
        suspended(async move {
            match rows.await {
                Err(error) => view! { <section class="card"><Failure error><a class="btn" href="">{t!(shell::try_again)}</a></Failure></section> }.into_any(),
                Ok(rows) => {
                    let rows = StoredValue::new(rows);
                    view! { <Table rows state/><Dialogs rows state again/> }.into_any()
                }
            }
        })
    };
    let manage = Session::here().may(Permission::ManageUsers);
    view! {
        <PageBar title=t!(shell::users)>
            {manage.then(|| view! { <a class="btn btn-primary" href="/admin/users?create=1" data-shortcut="c"><Icon name="plus"/>{t!(people::add)}</a> })}
        </PageBar>
        <div class="page"><Transition fallback=|| view! { <section class="card"><ListSkeleton/></section> }>{body}</Transition></div>
    }
    .into_any()
}

#[component]
fn Table(rows: StoredValue<Vec<User>>, state: ListState) -> impl IntoView {
    let found = Memo::new(move |_| {
        let wanted = state.search().to_lowercase();
        let (column, descending) = state.sort();
        rows.with_value(|rows| {
            let hit = |user: &User| {
                wanted.is_empty()
                    || user.username.to_lowercase().contains(&wanted)
                    || user.display_name.to_lowercase().contains(&wanted)
            };
            let mut found: Vec<usize> = (0..rows.len()).filter(|&index| hit(&rows[index])).collect();
            match column.as_str() {
                "role" => found.sort_by_key(|&index| rows[index].role),
                "seen" => found.sort_by_key(|&index| rows[index].last_seen_at_ms.unwrap_or(0)),
                _ => found.sort_by_cached_key(|&index| rows[index].username.to_lowercase()),
            }
            if descending {
                found.reverse();
            }
            found
        })
    });
    let page = move || {
        found.with(|found| {
            found.iter().skip((state.page() * PER_PAGE) as usize).take(PER_PAGE as usize).copied().collect::<Vec<_>>()
        })
    };
    let total = Signal::derive(move || found.with(Vec::len));
    let row = move |index: usize| view! { <Row user=rows.with_value(|rows| rows[index].clone()) state/> };
    let heads = view! {
        <tr>
            <SortHead state column="name" title=t!(people::user)/>
            <th scope="col">{t!(people::state)}</th>
            <SortHead state column="role" title=t!(people::role)/>
            <SortHead state column="seen" title=t!(people::last_seen) class="num" figures=true/>
            <th scope="col" class="num mid">{t!(people::added)}</th>
            <th class="w-8"><span class="sr-only">{t!(form::actions)}</span></th>
        </tr>
    };
    view! {
        <ListFrame state find=t!(people::find) head=heads.into_any() total count=Signal::derive(move || t!(people::count, total.get())) none_match=t!(form::none)>
            <For each=page key=|index| *index children=row/>
        </ListFrame>
    }
    .into_any()
}

#[component]
fn Row(user: User, state: ListState) -> impl IntoView {
    let clock = Clock::here();
    let is_me = untrack(|| Session::here().viewer()).is_some_and(|viewer| viewer.id == user.id);
    let id = user.id.to_string();
    let (glyph, word) =
        if user.enabled { (Glyph::Ok, t!(people::enabled)) } else { (Glyph::Disabled, t!(status::disabled)) };
    let seen = move || {
        user.last_seen_at_ms
            .map_or_else(|| t!(people::never).to_owned(), |at_ms| format::age(at_ms, clock.now_ms(), language()))
    };
    let (edit, delete) = (id.clone(), id);
    let edit_href = move || state.href(&[("edit", &edit)]);
    view! {
        <tr class:quiet=!user.enabled>
            <td class="two">
                <span class="flex items-center gap-3"><span class="avatar max-md:hidden">{format::initials(&user.display_name)}</span>
                <span class="min-w-0"><a class="name" href=edit_href.clone()>{user.display_name.clone()}</a>{is_me.then(|| view! { " "<span class="tag">{t!(people::you)}</span> })}<span class="mono block text-ink-3">{user.username.clone()}</span></span></span>
            </td>
            <td class="end"><StatusWord glyph word/></td>
            <td>{role_name(user.role)}</td>
            <td class="num end text-ink-3">{seen}</td>
            <td class="num mid away text-ink-3">{move || day(user.created_at_ms, clock.zone())}</td>
            <td class="away">
                <details class="more" name="row-menu">
                    <summary class="btn btn-ghost btn-sm btn-icon" aria-label=t!(form::more_actions, &user.username)><Icon name="ellipsis"/></summary>
                    <div class="menu">
                        <a class="menu-item" href=edit_href><Icon name="pencil"/>{t!(form::edit)}</a>
                        <hr/>
                        <a class="menu-item menu-danger" href=move || state.href(&[("delete", &delete)])><Icon name="trash-2"/>{t!(form::delete)}</a>
                    </div>
                </details>
            </td>
        </tr>
    }
    .into_any()
}

/// The dialogs that the address opens.
#[component]
fn Dialogs(rows: StoredValue<Vec<User>>, state: ListState, again: RwSignal<u32>) -> impl IntoView {
    let (creating, close_create) = state.dialog("create");
    let (editing, close_edit) = state.dialog("edit");
    let (deleting, close_delete) = state.dialog("delete");
    let named = move |word: &'static str| {
        let id = state.word(word);
        rows.with_value(|rows| rows.iter().find(|user| user.id.to_string() == id).cloned())
    };
    let changed = Callback::new(move |()| again.update(|count| *count += 1));
    let edit = move || named("edit").map(|user| view! { <UserForm user on_close=close_edit changed/> });
    let delete: Action<(), ApiResult<()>> = Action::new(move |(): &()| {
        let user = untrack(|| named("delete"));
        async move {
            if let Some(user) = user {
                delete_user(user.id).await?;
                changed.run(());
            }
            Ok(())
        }
    });
    let doomed = Signal::derive(move || {
        let user = named("delete");
        let name = user.as_ref().map(|user| user.username.clone()).unwrap_or_default();
        Doomed {
            title: t!(people::delete_title, &name),
            consequence: t!(people::delete_says).to_owned(),
            expected: name,
            verb: t!(people::delete_verb),
            url: "/rpc/users/delete",
            id: user.map(|user| user.id.to_string()).unwrap_or_default(),
        }
    });
    view! {
        <Dialog open=creating on_close=close_create>{move || view! { <NewUser on_close=close_create changed/> }}</Dialog>
        <Dialog open=editing on_close=close_edit shape=Shape::Drawer>{edit}</Dialog>
        <ConfirmDialog open=deleting on_close=close_delete doomed action=delete/>
    }
    .into_any()
}

fn roles() -> Vec<(&'static str, String, String)> {
    [
        (Role::Viewer, t!(people::viewer_says)),
        (Role::Operator, t!(people::operator_says)),
        (Role::Admin, t!(people::admin_says)),
        (Role::Owner, t!(people::owner_says)),
    ]
    .into_iter()
    .map(|(role, says)| (role.as_str(), role_name(role).to_owned(), says.to_owned()))
    .collect()
}

/// A new person. Plain fields, so that it works without the client.
#[component]
fn NewUser(on_close: Callback<()>, changed: Callback<()>) -> impl IntoView {
    let toasts = Toasts::here();
    let action = ServerAction::<CreateUser>::new();
    Effect::new(move |_| {
        if let Some(Ok(user)) = action.value().get() {
            toasts.done(t!(form::created, &user.username));
            changed.run(());
        }
    });
    let failure = refusal(move || action.value().get(), CreateUser::url());
    let refused = move |field: &str| failure.with(|failure| issue_of(failure.as_ref(), field));
    let returned = returned_to(CreateUser::url());
    let typed = |name: &str| returned.as_ref().and_then(|returned| returned.typed(name)).map(str::to_owned);
    let (username, display_name) = (typed("username"), typed("display_name"));
    let chosen = typed("role").unwrap_or_else(|| Role::Operator.as_str().to_owned());
    let (name_issue, password_issue) =
        (Signal::derive(move || refused("username")), Signal::derive(move || refused("password")));
    let trouble = move || match failure.get() {
        Some(error) if !matches!(error, ApiError::Invalid { .. }) => Some(view! { <Trouble error/> }),
        _ => None,
    };
    let role = move |(word, title, says): (&'static str, String, String)| {
        view! { <label class="option"><input type="radio" class="check-box" name="role" value=word checked=word == chosen/><span><b>{title}</b><span class="caption">{says}</span></span></label> }
    };
    view! {
        <ActionForm action>
            <div class="dialog-head"><h2 id="dialog-title">{t!(people::new)}</h2></div>
            <div class="dialog-body">
                {trouble}
                <div class="form-pair">
                    <Field id="new-username" label=t!(door::username) issue=name_issue>
                        <input id="new-username" name="username" class="input" required autofocus autocomplete="off" autocapitalize="none" spellcheck="false" value=username aria-describedby=note_id("new-username") aria-invalid=move || name_issue.with(Option::is_some).then_some("true")/>
                    </Field>
                    <Field id="new-display" label=t!(door::display_name) optional=true><input id="new-display" name="display_name" class="input" autocomplete="off" value=display_name/></Field>
                </div>
                <PasswordField id="new-password" name="password" label=t!(door::password) hint=format!("{}. {}", t!(door::password_hint), t!(people::password_first)) autocomplete="new-password" issue=password_issue/>
                <fieldset class="field"><legend class="field-label mb-1.5">{t!(people::role)}</legend><div class="grid gap-2 md:grid-cols-2">{roles().into_iter().map(role).collect_view()}</div></fieldset>
            </div>
            <div class="dialog-foot">
                <button type="button" class="btn btn-ghost" on:click=move |_| on_close.run(())>{t!(form::cancel)}</button>
                <SubmitButton busy=action.pending()>{t!(people::add)}</SubmitButton>
            </div>
        </ActionForm>
    }
    .into_any()
}

/// Name, role and access of a person, and a new password for them.
#[component]
fn UserForm(user: User, on_close: Callback<()>, changed: Callback<()>) -> impl IntoView {
    let id = user.id;
    let editor =
        Editor::new(UserPatch { display_name: user.display_name.clone(), role: user.role, enabled: user.enabled });
    let save = DialogSave::new(on_close, changed);
    let submit = Callback::new(move |()| {
        save.save(editor, move |patch| async move { update_user(id, patch).await.map(|user| user.username) });
    });
    let display =
        editor.text("display_name", |patch| patch.display_name.clone(), |patch, text| patch.display_name = text);
    let role = editor.text(
        "role",
        |patch| patch.role.as_str().to_owned(),
        |patch, word| patch.role = word.parse().unwrap_or(patch.role),
    );
    let enabled = editor.flag("enabled", |patch| patch.enabled, |patch, on| patch.enabled = on);
    let title = t!(people::edit_title, &user.username);
    let below = view! { <hr class="border-line"/><ResetPassword user/> }.into_any();
    view! {
        <DialogForm id="user-form" title save on_submit=submit below>
            <TextField bound=display label=t!(door::display_name)/>
            <Choice bound=role label=t!(people::role) options=roles()/>
            <p class="caption">{t!(people::role_change)}</p>
            <Switch flag=enabled label=t!(people::may_sign_in)/>
        </DialogForm>
    }
    .into_any()
}

#[component]
fn ResetPassword(user: User) -> impl IntoView {
    let toasts = Toasts::here();
    let (id, name) = (user.id, user.username);
    let password = RwSignal::new(String::new());
    let judged = RwSignal::new(false);
    let rule = name.clone();
    let issue = Signal::derive(move || {
        judged.get().then(|| password.with(|password| check_password(password, &rule).err())).flatten()
    });
    let reset = Action::new(move |(): &()| {
        let (text, name) = (password.get_untracked(), name.clone());
        async move {
            match reset_user_password(id, text).await {
                Ok(()) => toasts.done(t!(people::reset_done, &name)),
                Err(error) => toasts.failed(&error),
            }
        }
    });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        judged.set(true);
        if issue.get_untracked().is_none() {
            reset.dispatch(());
        }
    };
    view! {
        <form class="form" on:submit=submit>
            <PasswordField id="reset-password" name="password" label=t!(people::new_password) hint=t!(people::reset_hint) autocomplete="new-password" issue on_text=Callback::new(move |text| password.set(text))/>
            <div><SubmitButton class="btn" busy=reset.pending()>{t!(people::reset)}</SubmitButton></div>
        </form>
    }
    .into_any()
}
