//! The form of a rule: its kind decides which fields it has.

use leptos::prelude::*;

use super::kind_word;
use crate::{
    api::{alerts::save_rule, groups::all_groups, providers::all_providers},
    model::alert::{AlertBoard, Rule, RuleDraft, RuleKind, Scope},
    ui::{
        components::form::{DialogForm, DialogSave, Editor, NumberField, Picker, Switch, TextField, editor::narrow},
        i18n::t,
        suspended::suspended,
    },
};

/// A new rule, or one that is there.
#[component]
pub fn RuleForm(
    /// The rule; a new one without.
    rule: Option<Rule>,
    /// Everything about alerts.
    board: StoredValue<AlertBoard>,
    /// When the form is left.
    on_close: Callback<()>,
    /// When something was saved.
    changed: Callback<()>,
) -> impl IntoView {
    let (id, revision) = rule.as_ref().map_or((None, 0), |rule| (Some(rule.id), rule.revision));
    let title = rule
        .as_ref()
        .map_or_else(|| t!(alerts::new_rule).to_owned(), |rule| t!(people::edit_title, &rule.settings.name));
    let first = rule.map_or_else(|| RuleDraft::of(RuleKind::ProviderDown), |rule| rule.settings);
    let editor = Editor::new(first);
    let save = DialogSave::new(on_close, changed);
    let submit = Callback::new(move |()| {
        save.save(editor, move |draft| async move {
            let name = draft.name.clone();
            save_rule(id, revision, draft).await.map(|()| name)
        });
    });
    let name = editor.text("name", |draft| draft.name.clone(), |draft, text| draft.name = text);
    let kinds: Vec<(String, String)> =
        RuleKind::ALL.map(|kind| (kind.as_str().to_owned(), kind_word(kind).to_owned())).into();
    let kind = editor.text(
        "kind",
        |draft| draft.kind.as_str().to_owned(),
        |draft, word| {
            if let Some(kind) = RuleKind::parse(&word) {
                let (name, channels) = (std::mem::take(&mut draft.name), std::mem::take(&mut draft.channels));
                *draft = RuleDraft { name, channels, enabled: draft.enabled, ..RuleDraft::of(kind) };
            }
        },
    );
    let hold =
        editor.number("hold_seconds", |draft| draft.hold_seconds.into(), |draft, s| draft.hold_seconds = narrow(s));
    let enabled = editor.flag("enabled", |draft| draft.enabled, |draft, on| draft.enabled = on);
    let chosen = Memo::new(move |_| editor.draft.with(|draft| (draft.kind, draft.scope)));
    view! {
        <DialogForm id="rule-form" title save on_submit=submit>
            <TextField bound=name label=t!(form::name)/>
            <Picker bound=kind label=t!(alerts::kind) options=kinds/>
            {move || { let (kind, scope) = chosen.get(); fields(editor, kind, scope) }}
            <NumberField bound=hold label=t!(alerts::hold) hint=t!(alerts::hold_hint) unit="s"/>
            {told(editor, board)}
            <Switch flag=enabled label=t!(form::enabled)/>
        </DialogForm>
    }
    .into_any()
}

/// The fields of a kind.
fn fields(editor: Editor<RuleDraft>, kind: RuleKind, scope: Scope) -> AnyView {
    let scopes: Vec<(String, String)> = [
        (Scope::All, t!(alerts::scope_all)),
        (Scope::Provider, t!(alerts::scope_provider)),
        (Scope::Group, t!(alerts::scope_group)),
    ]
    .map(|(scope, word)| (scope.as_str().to_owned(), word.to_owned()))
    .into();
    let measured = kind.is_measured().then(|| {
        let scope = editor.text(
            "scope",
            |draft| draft.scope.as_str().to_owned(),
            |draft, word| {
                draft.scope = Scope::ALL.into_iter().find(|scope| scope.as_str() == word).unwrap_or_default();
                (draft.provider, draft.group) = (None, None);
            },
        );
        let minutes = editor.number("minutes", |draft| draft.minutes.into(), |draft, n| draft.minutes = narrow(n));
        let requests = editor.number("requests", |draft| draft.requests.into(), |draft, n| draft.requests = narrow(n));
        view! {
            <Picker bound=scope label=t!(alerts::scope) options=scopes/>
            <div class="form-pair">
                <NumberField bound=minutes label=t!(alerts::window) unit=t!(alerts::minutes)/>
                <NumberField bound=requests label=t!(alerts::least) unit=t!(alerts::requests)/>
            </div>
        }
    });
    let percent = matches!(kind, RuleKind::SuccessRate | RuleKind::CapNear).then(|| {
        let label = if kind == RuleKind::CapNear { t!(alerts::percent_used) } else { t!(alerts::percent_below) };
        // What is typed is a text until it is a number: "99." is on the way to 99.5.
        let typed = RwSignal::new(editor.draft.with_untracked(|draft| draft.percent.to_string()));
        let mut bound = editor.text(
            "percent",
            |draft| draft.percent.to_string(),
            |draft, text| {
                draft.percent = text.trim().parse().unwrap_or(0.0);
            },
        );
        let set = bound.set;
        bound.value = typed.into();
        bound.set = Callback::new(move |text: String| {
            typed.set(text.clone());
            set.run(text);
        });
        view! { <NumberField bound label unit="%"/> }
    });
    let above = (kind == RuleKind::Latency).then(|| {
        let above = editor.number("above_ms", |draft| draft.above_ms.into(), |draft, ms| draft.above_ms = narrow(ms));
        view! { <NumberField bound=above label=t!(alerts::above) unit="ms"/> }
    });
    let provider =
        (kind.takes_provider() && (!kind.is_measured() || scope == Scope::Provider)).then(|| one_provider(editor));
    let group = (kind.is_measured() && scope == Scope::Group).then(|| one_group(editor));
    view! { {measured}{provider}{group}{percent}{above} }.into_any()
}

/// One provider, or any.
fn one_provider(editor: Editor<RuleDraft>) -> AnyView {
    let all = Resource::new(|| (), |()| all_providers());
    let face = move || {
        suspended(async move {
            let mut options = vec![(String::new(), t!(alerts::any_provider).to_owned())];
            let rows = all.await.unwrap_or_default();
            options.extend(rows.into_iter().map(|row| (row.provider.id.to_string(), row.provider.name)));
            let bound = editor.text(
                "provider",
                |draft| draft.provider.map(|id| id.to_string()).unwrap_or_default(),
                |draft, id| draft.provider = id.parse().ok(),
            );
            view! { <Picker bound label=t!(alerts::only_provider) options/> }
        })
    };
    view! { <Suspense>{face}</Suspense> }.into_any()
}

/// One group, or any.
fn one_group(editor: Editor<RuleDraft>) -> AnyView {
    let all = Resource::new(|| (), |()| all_groups());
    let face = move || {
        suspended(async move {
            let mut options = vec![(String::new(), t!(alerts::any_group).to_owned())];
            let rows = all.await.unwrap_or_default();
            options.extend(rows.into_iter().map(|group| (group.id.to_string(), group.slug.to_string())));
            let bound = editor.text(
                "group",
                |draft| draft.group.map(|id| id.to_string()).unwrap_or_default(),
                |draft, id| draft.group = id.parse().ok(),
            );
            view! { <Picker bound label=t!(alerts::only_group) options/> }
        })
    };
    view! { <Suspense>{face}</Suspense> }.into_any()
}

/// Channels that are told, one box each.
fn told(editor: Editor<RuleDraft>, board: StoredValue<AlertBoard>) -> AnyView {
    let box_of = |(id, name): (crate::model::id::ChannelId, String)| {
        let checked = move || editor.draft.with(|draft| draft.channels.contains(&id));
        let turn = move |event: leptos::ev::Event| {
            let on = event_target_checked(&event);
            editor.draft.update(|draft| {
                draft.channels.retain(|channel| *channel != id);
                if on {
                    draft.channels.push(id);
                }
            });
        };
        view! { <label class="check"><input type="checkbox" class="check-box" prop:checked=checked checked=untrack(checked) on:change=turn/>{name}</label> }
    };
    let channels: Vec<_> = board.with_value(|board| {
        board.channels.iter().map(|line| (line.channel.id, line.channel.settings.name.clone())).collect()
    });
    let none = channels.is_empty().then(|| view! { <p class="caption">{t!(alerts::no_channels)}</p> });
    view! {
        <fieldset class="field">
            <legend class="field-label mb-1.5">{t!(alerts::tell)}</legend>
            <div class="grid gap-2">{channels.into_iter().map(box_of).collect_view()}{none}</div>
        </fieldset>
    }
    .into_any()
}
