//! Fields and choices, each empty, filled, wrong.

use leptos::prelude::*;

use super::section;
use crate::{
    model::{
        error::ApiError,
        problem::Issue,
        user::{Role, UserPatch},
    },
    ui::{
        components::{
            dialog::{Conflict, ConflictCard},
            form::{
                Bound, Check, Choice, Editor, Flag, NumberField, PasswordField, Picker, SaveBar, SecretField, Segments,
                Slider, Switch, TagsField, TextArea, TextField,
            },
            table::ListState,
        },
        i18n::t,
        icon::Glyph,
    },
};

pub(super) fn sections() -> AnyView {
    view! {
        {section("TextField, NumberField, TextArea", texts())}
        {section("SecretField, PasswordField", secrets())}
        {section("Picker, TagsField", lists())}
        {section("Check, Switch, Choice, Segments, Slider", choices())}
        {section("ConflictCard, SaveBar", changes())}
    }
    .into_any()
}

/// A field that is not part of a record.
fn bound(field: &str, text: &str, issue: Option<Issue>) -> Bound {
    let value = RwSignal::new(text.to_owned());
    Bound {
        field: field.to_owned(),
        value: value.into(),
        set: Callback::new(move |text| value.set(text)),
        left: Callback::new(|()| ()),
        issue: Signal::stored(issue),
    }
}

fn flag(field: &str, on: bool) -> Flag {
    let value = RwSignal::new(on);
    Flag { field: field.to_owned(), value: value.into(), set: Callback::new(move |on| value.set(on)) }
}

fn texts() -> AnyView {
    let slug = Issue::InvalidSlug { suggestion: "prod-1".to_owned() };
    view! {
        <div class="form-trio">
            <TextField bound=bound("text-empty", "", None) label=t!(form::name) hint=t!(key::name_hint) example="ci-nightly"/>
            <TextField bound=bound("text-filled", "openai-main", None) label=t!(form::name) optional=true/>
            <TextField bound=bound("text-wrong", "Prod 1", Some(slug)) label=t!(group::slug) mono=true/>
            <NumberField bound=bound("number", "600", None) label=t!(provider::rpm) hint=t!(form::zero_no_limit) unit="rpm"/>
            <NumberField bound=bound("number-wrong", "", Some(Issue::Required)) label=t!(provider::at_once)/>
            <TextArea bound=bound("area", "gpt-4.1, 2, 8", None) label=t!(people::price_lines) mono=true rows=2/>
        </div>
    }
    .into_any()
}

fn secrets() -> AnyView {
    view! {
        <div class="form-pair">
            <SecretField bound=bound("secret", "", None) label=t!(key::key) example="sk-…9TQX" optional=true/>
            <PasswordField id="gallery-password" name="password" label=t!(door::password) hint=t!(door::password_hint) autocomplete="new-password"/>
        </div>
    }
    .into_any()
}

fn lists() -> AnyView {
    let words = RwSignal::new(vec!["gpt-4*".to_owned(), "claude-*".to_owned()]);
    let options = vec![("en".to_owned(), "English".to_owned()), ("zh".to_owned(), "中文".to_owned())];
    view! {
        <div class="form-pair">
            <Picker bound=bound("picker", "zh", None) label=t!(alerts::language) options/>
            <TagsField field="tags" label=t!(key::models) hint=t!(key::models_hint) example="gpt-4*" value=words set=Callback::new(move |list| words.set(list))/>
        </div>
    }
    .into_any()
}

fn choices() -> AnyView {
    let options = vec![
        ("global", t!(key::global).to_owned(), t!(key::global_hint).to_owned()),
        ("groups", t!(key::some_groups).to_owned(), t!(key::some_groups_hint).to_owned()),
    ];
    let segments = vec![
        ("", t!(form::all), None, 12),
        ("on", t!(group::on), Some(Glyph::Ok), 11),
        ("off", t!(form::off), Some(Glyph::Disabled), 1),
    ];
    let weight = RwSignal::new(400_u32);
    view! {
        <div class="flex flex-wrap items-start gap-6">
            <Check flag=flag("check-on", true) label=t!(form::enabled)/><Check flag=flag("check-off", false) label=t!(form::enabled)/>
            <Switch flag=flag("switch-on", true) label=t!(form::enabled) hint=t!(key::enabled_hint)/><Switch flag=flag("switch-off", false) label=t!(form::enabled)/>
        </div>
        <Choice bound=bound("choice", "groups", None) label=t!(key::scope) options=options.clone()/>
        <Choice bound=bound("choice-wrong", "global", Some(Issue::LastOwner)) label=t!(people::role) options/>
        <div><Segments state=ListState::here() segments=Signal::stored(segments)/></div>
        <div class="flex items-center gap-3"><Slider label="openai-main" value=weight stored=Signal::stored(300) set=Callback::new(move |to| weight.set(to))/></div>
    }
    .into_any()
}

/// A record that two people changed.
fn changes() -> AnyView {
    let before = UserPatch { display_name: "Li Wei".to_owned(), role: Role::Viewer, enabled: true };
    let editor = Editor::new(before.clone());
    editor.draft.set(UserPatch { display_name: "Li Wei (ops)".to_owned(), ..before.clone() });
    let conflict = Conflict::default();
    let theirs = UserPatch { display_name: "Li Wei, on call".to_owned(), ..before };
    let error = ApiError::Conflict { revision: 219, by: "Chen Ming".to_owned(), at_ms: 0 };
    conflict.merge(editor, theirs, &error);
    view! {
        <ConflictCard conflict editor/>
        <form class="relative"><SaveBar dirty=Signal::stored(true) says=Signal::stored(t!(form::changed_fields, "display_name")) busy=Signal::stored(false) on_discard=Callback::new(|()| ())/></form>
    }
    .into_any()
}
