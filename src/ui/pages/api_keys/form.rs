//! The form of a key: who uses it, what it reaches, what it may use.

use leptos::{ev::SubmitEvent, prelude::*, server_fn::ServerFn};

use super::{created::day, list::use_words};
use crate::{
    api::api_keys::{AddApiKey, create_api_key, get_api_key, update_api_key},
    model::{
        api_key::{ApiKey, ApiKeyDraft, CreatedKey, Scope},
        error::ApiError,
        group::{Group, PathPolicy},
        id::GroupId,
    },
    ui::{
        clock::Clock,
        components::{
            dialog::{Conflict, ConflictCard},
            feedback::Trouble,
            form::{
                Editor, Field, FieldNote, NumberField, Picker, SubmitButton, Switch, TagsField, TextField,
                editor::narrow,
            },
            toast::Toasts,
        },
        i18n::t,
        recent::visited,
        returned::returned_to,
    },
};

/// The form; it closes itself when the key is stored.
#[component]
pub fn KeyForm(
    /// The key being edited; none makes one.
    key: Option<ApiKey>,
    /// Group a new key is for.
    #[prop(optional)]
    group: Option<GroupId>,
    /// All groups.
    groups: StoredValue<Vec<Group>>,
    /// Leaves the form.
    on_close: Callback<()>,
    /// Shows a key that was made.
    created: RwSignal<Option<CreatedKey>>,
) -> impl IntoView {
    let title = key.as_ref().map_or_else(|| t!(key::new).to_owned(), |key| t!(key::edit_title, &key.name));
    let is_new = key.is_none();
    if let Some(key) = &key {
        visited(format!("/admin/api-keys?edit={}", key.id), key.name.clone());
    }
    let editor = Editor::new(opening(key.as_ref(), group));
    let (conflict, failure, stored) = (Conflict::default(), RwSignal::new(None::<ApiError>), RwSignal::new(key));
    if is_new {
        take_back(editor, failure);
    }
    let made = Callback::new(move |key| created.set(Some(key)));
    let save = saving(Saving { editor, stored, conflict, failure, made, on_close });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if let Some(draft) = editor.ready() {
            save.dispatch(draft);
        }
    };
    let use_line = stored.with_untracked(|key| {
        let used = key.as_ref().filter(|key| key.used.is_some());
        used.map(|key| view! { <p class="caption">{use_words(key)}</p> })
    });
    let name = editor.text("name", |draft| draft.name.clone(), |draft, text| draft.name = text);
    let enabled = editor.flag("enabled", |draft| draft.enabled, |draft, on| draft.enabled = on);
    view! {
        <form method="post" action="/rpc/api_keys/add" novalidate on:submit=submit class="contents">
            <div class="dialog-head"><h2 id="dialog-title">{title}</h2></div>
            <div class="dialog-body">
                {move || failure.get().map(|error| view! { <Trouble error/> })}
                <ConflictCard conflict editor/>
                <TextField bound=name label=t!(form::name) hint=t!(key::name_hint) name="basics[name]"/>
                <ScopeField editor groups/>
                {use_line}
                <Limits editor/>
                <Narrower editor/>
                {(!is_new).then(|| view! { <Switch flag=enabled label=t!(form::enabled) hint=t!(key::enabled_hint)/> })}
            </div>
            <div class="dialog-foot">
                <button type="button" class="btn btn-ghost" on:click=move |_| on_close.run(())>{t!(form::cancel)}</button>
                <SubmitButton busy=save.pending()>{if is_new { t!(key::create) } else { t!(form::save) }}</SubmitButton>
            </div>
        </form>
    }
    .into_any()
}

/// What the form starts from.
fn opening(key: Option<&ApiKey>, group: Option<GroupId>) -> ApiKeyDraft {
    match (key, group) {
        (Some(key), _) => ApiKeyDraft::from(key),
        (None, Some(group)) => ApiKeyDraft { scope: Scope::Groups(vec![group]), ..ApiKeyDraft::default() },
        (None, None) => ApiKeyDraft::default(),
    }
}

/// What was typed before scripts ran, if it was refused.
fn take_back(editor: Editor<ApiKeyDraft>, failure: RwSignal<Option<ApiError>>) {
    let Some(returned) = returned_to(AddApiKey::url()) else { return };
    editor.take_back(&returned.error, |draft| {
        returned.put_back("basics[name]", &mut draft.name);
        draft.limits.rpm = returned.typed("basics[rpm]").and_then(|text| text.trim().parse().ok());
        let groups: Vec<GroupId> = returned.typed_list("basics[groups]").filter_map(|id| id.parse().ok()).collect();
        if !groups.is_empty() {
            draft.scope = Scope::Groups(groups);
        }
    });
    failure.set(Some(returned.error));
}

/// Where a save reads from and tells what came of it.
#[derive(Clone, Copy)]
struct Saving {
    editor: Editor<ApiKeyDraft>,
    /// The key as it is stored; none while it is new.
    stored: RwSignal<Option<ApiKey>>,
    conflict: Conflict,
    failure: RwSignal<Option<ApiError>>,
    made: Callback<CreatedKey>,
    on_close: Callback<()>,
}

/// Stores the draft. What somebody else saved meanwhile is merged, and asked about where both changed it.
fn saving(at: Saving) -> Action<ApiKeyDraft, ()> {
    let Saving { editor, stored, conflict, failure, made, on_close } = at;
    let toasts = Toasts::here();
    Action::new(move |draft: &ApiKeyDraft| {
        let draft = draft.clone();
        async move {
            failure.set(None);
            let result = match stored.with_untracked(|key| key.as_ref().map(|key| (key.id, key.revision))) {
                Some((id, revision)) => {
                    update_api_key(id, revision, draft).await.map(|key| toasts.done(t!(form::saved, &key.name)))
                }
                None => create_api_key(draft).await.map(|key| made.run(key)),
            };
            match result {
                Ok(()) => on_close.run(()),
                Err(error) if editor.refuse(&error) => {}
                Err(error @ ApiError::Conflict { .. }) => {
                    let Some(id) = stored.with_untracked(|key| key.as_ref().map(|key| key.id)) else { return };
                    match get_api_key(id).await {
                        Ok(key) => {
                            conflict.merge(editor, ApiKeyDraft::from(&key), &error);
                            stored.set(Some(key));
                        }
                        Err(unread) => failure.set(Some(unread)),
                    }
                }
                Err(error) => failure.set(Some(error)),
            }
        }
    })
}

/// Global, or some groups.
#[component]
fn ScopeField(editor: Editor<ApiKeyDraft>, groups: StoredValue<Vec<Group>>) -> impl IntoView {
    let global = Memo::new(move |_| editor.draft.with(|draft| draft.scope == Scope::Global));
    let issue = editor.issue("scope");
    let set = move |scope: Scope| {
        editor.draft.update(|draft| draft.scope = scope);
        editor.leave("scope");
    };
    let has =
        move |id: GroupId| editor.draft.with(|draft| matches!(&draft.scope, Scope::Groups(ids) if ids.contains(&id)));
    let toggle = move |id: GroupId, on: bool| {
        editor.draft.update(|draft| {
            let Scope::Groups(ids) = &mut draft.scope else { return };
            ids.retain(|there| *there != id);
            if on {
                ids.push(id);
            }
        });
        editor.leave("scope");
    };
    let boxes = move || {
        groups.with_value(|groups| {
            let row = |(index, group): (usize, &Group)| {
                let id = group.id;
                view! {
                    <label class="choice">
                        <input type="checkbox" name=format!("basics[groups][{index}]") value=id.to_string() checked=untrack(|| has(id)) prop:checked=move || has(id) on:change=move |event| toggle(id, event_target_checked(&event))/>
                        {group.name.clone()}
                    </label>
                }
            };
            groups.iter().enumerate().map(row).collect_view()
        })
    };
    let none = groups.with_value(Vec::is_empty);
    view! {
        <fieldset class="field">
            <legend class="field-label mb-1.5">{t!(key::scope)}</legend>
            <div class="grid gap-2 md:grid-cols-2">
                <label class="option"><input type="radio" class="check-box" name="scope" prop:checked=move || global.get() checked=global.get_untracked() on:change=move |_| set(Scope::Global)/><span><b>{t!(key::global)}</b><span class="caption">{t!(key::global_hint)}</span></span></label>
                <label class="option"><input type="radio" class="check-box" name="scope" prop:checked=move || !global.get() checked=!global.get_untracked() on:change=move |_| set(Scope::Groups(Vec::new()))/><span><b>{t!(key::some_groups)}</b><span class="caption">{t!(key::some_groups_hint)}</span></span></label>
            </div>
            <Show when=move || !global.get()>
                <div class="choices pt-2">{boxes}</div>
                {none.then(|| view! { <p class="caption">{t!(key::no_groups)}</p> })}
            </Show>
            <FieldNote id="scope-note".to_owned() issue/>
        </fieldset>
    }
    .into_any()
}

#[component]
fn Limits(editor: Editor<ApiKeyDraft>) -> impl IntoView {
    let rpm = editor.maybe_number("limits.rpm", |d| d.limits.rpm.map(u64::from), |d, n| d.limits.rpm = n.map(narrow));
    let burst =
        editor.maybe_number("limits.burst", |d| d.limits.burst.map(u64::from), |d, n| d.limits.burst = n.map(narrow));
    let at_once =
        editor.number("limits.concurrency", |d| d.limits.concurrency.into(), |d, n| d.limits.concurrency = narrow(n));
    let per_day =
        editor.number("limits.requests_per_day", |d| d.limits.requests_per_day, |d, n| d.limits.requests_per_day = n);
    let per_month = editor.number(
        "limits.requests_per_month",
        |d| d.limits.requests_per_month,
        |d, n| d.limits.requests_per_month = n,
    );
    let tokens_day =
        editor.number("limits.tokens_per_day", |d| d.limits.tokens_per_day, |d, n| d.limits.tokens_per_day = n);
    let tokens_month =
        editor.number("limits.tokens_per_month", |d| d.limits.tokens_per_month, |d, n| d.limits.tokens_per_month = n);
    view! {
        <div class="form-trio">
            <NumberField bound=rpm label=t!(provider::rpm) hint=t!(key::rpm_hint) unit="rpm" example=t!(key::default_rpm) name="basics[rpm]"/>
            <NumberField bound=at_once label=t!(provider::at_once) hint=t!(form::zero_no_limit)/>
            <NumberField bound=per_day label=t!(provider::per_day) hint=t!(form::zero_no_limit)/>
        </div>
        <div class="form-pair">
            <ExpiryField editor/>
            <NumberField bound=burst label=t!(key::burst) hint=t!(key::burst_hint)/>
        </div>
        <details>
            <summary class="font-medium text-ink">{t!(key::limits)}" · "<span class="caption">{t!(form::zero_no_limit)}</span></summary>
            <div class="form-trio pt-4">
                <NumberField bound=per_month label=t!(key::per_month)/>
                <NumberField bound=tokens_day label=t!(key::tokens_day)/>
                <NumberField bound=tokens_month label=t!(key::tokens_month)/>
            </div>
        </details>
    }
    .into_any()
}

/// The day a key ends, on the reader's calendar.
#[component]
fn ExpiryField(editor: Editor<ApiKeyDraft>) -> impl IntoView {
    let clock = Clock::here();
    let value = move || {
        editor.draft.with(|draft| draft.expires_at_ms).map(|at_ms| day(at_ms, clock.zone())).unwrap_or_default()
    };
    let set = move |event: leptos::ev::Event| {
        let text = event_target_value(&event);
        // Without an offset the browser reads it in its own zone (ECMA-262 §21.4.1.32).
        let at_ms = js_sys::Date::new(&format!("{text}T00:00:00").into()).get_time();
        editor
            .draft
            .update(|draft| draft.expires_at_ms = (!text.is_empty() && at_ms.is_finite()).then_some(at_ms as i64));
        editor.leave("expires_at_ms");
    };
    view! {
        <Field id="expires_at_ms" label=t!(key::expiry) hint=t!(key::expiry_hint) issue=editor.issue("expires_at_ms")>
            <input id="expires_at_ms" type="date" class="input" prop:value=value on:change=set/>
        </Field>
    }
    .into_any()
}

#[component]
fn Narrower(editor: Editor<ApiKeyDraft>) -> impl IntoView {
    let ips = Signal::derive(move || editor.draft.with(|draft| draft.allowed_ips.clone()));
    let models = Signal::derive(move || editor.draft.with(|draft| draft.models.clone()));
    let bodies = editor.flag("log_bodies", |draft| draft.log_bodies, |draft, on| draft.log_bodies = on);
    let paths = editor.text(
        "path_policy",
        |draft| match &draft.path_policy {
            None => String::new(),
            Some(PathPolicy::Inference) => "inference".into(),
            Some(PathPolicy::ReadOnly) => "read_only".into(),
            Some(PathPolicy::Everything) => "everything".into(),
            Some(PathPolicy::Rules(_)) => "rules".into(),
        },
        |draft, word| {
            draft.path_policy = match word.as_str() {
                "inference" => Some(PathPolicy::Inference),
                "read_only" => Some(PathPolicy::ReadOnly),
                "everything" => Some(PathPolicy::Everything),
                "rules" => draft.path_policy.take(),
                _ => None,
            };
        },
    );
    let mut options = vec![
        (String::new(), t!(key::paths_group).to_owned()),
        ("inference".to_owned(), t!(group::inference).to_owned()),
        ("read_only".to_owned(), t!(group::read_only).to_owned()),
    ];
    if editor.stored.with_untracked(|draft| matches!(draft.path_policy, Some(PathPolicy::Rules(_)))) {
        options.push(("rules".to_owned(), t!(group::rules).to_owned()));
    }
    view! {
        <details>
            <summary class="font-medium text-ink">{t!(key::narrower)}</summary>
            <div class="form pt-4">
                <TagsField field="allowed_ips" label=t!(key::ips) hint=t!(key::ips_hint) example="10.0.0.0/8" value=ips set=Callback::new(move |words| { editor.draft.update(|draft| draft.allowed_ips = words); editor.leave("allowed_ips"); }) issue=editor.issue("allowed_ips")/>
                <TagsField field="models" label=t!(key::models) hint=t!(key::models_hint) example="gpt-4*" value=models set=Callback::new(move |words| { editor.draft.update(|draft| draft.models = words); editor.leave("models"); }) issue=editor.issue("models")/>
                <Picker bound=paths label=t!(key::paths) hint=t!(key::paths_hint) options/>
                <Switch flag=bodies label=t!(key::log_bodies) hint=t!(key::log_bodies_hint)/>
            </div>
        </details>
    }
    .into_any()
}
