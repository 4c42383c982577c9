//! Rules about what an answer means, read in order ahead of the built-in table.

use leptos::prelude::*;

use super::rules::{read, word};
use crate::{
    model::{
        group::GroupDraft,
        outcome_rule::{OutcomeRule, RULES_MAX, RuledOutcome},
    },
    ui::{
        components::form::{Editor, FieldNote, NumberField, Picker, TextField, editor::digits},
        i18n::{failure, language, t},
        icon::Icon,
    },
};

/// A new rule: what operators most often meet, a limit that a provider tells with another status.
fn fresh() -> OutcomeRule {
    OutcomeRule {
        status_from: 400,
        status_to: 499,
        body_contains: None,
        header: None,
        outcome: RuledOutcome::Overloaded,
    }
}

/// The list of rules; each can be moved, for the first that fits decides.
#[component]
pub(super) fn OutcomeRules(editor: Editor<GroupDraft>) -> impl IntoView {
    let count = Memo::new(move |_| editor.draft.with(|draft| draft.outcome_rules.len()));
    let add = move |_| editor.draft.update(|draft| draft.outcome_rules.push(fresh()));
    let full = move || count.get() >= RULES_MAX;
    let rows = move || (0..count.get()).map(|index| view! { <Rule editor index count/> }).collect_view();
    view! {
        <section class="card">
            <div class="form-section">
                <div class="flex flex-wrap items-center gap-2">
                    <div class="min-w-0 flex-1"><h2 class="card-title">{t!(group::outcome_rules)}</h2><p class="caption">{t!(group::outcome_rules_hint)}</p></div>
                    <button type="button" class="btn btn-sm" disabled=full on:click=add><Icon name="plus"/>{t!(group::add_rule)}</button>
                </div>
                <Show when=move || count.get() == 0><p class="text-ink-3">{t!(group::no_outcome_rules)}</p></Show>
                <FieldNote id="outcome_rules-note".to_owned() issue=editor.issue_at("outcome_rules")/>
            </div>
            {rows}
        </section>
    }
    .into_any()
}

#[component]
fn Rule(editor: Editor<GroupDraft>, index: usize, #[prop(into)] count: Signal<usize>) -> impl IntoView {
    let path = |field: &str| format!("outcome_rules[{index}].{field}");
    let rule = move |draft: &GroupDraft| draft.outcome_rules.get(index).cloned().unwrap_or_else(fresh);
    let change = move |draft: &mut GroupDraft, change: &dyn Fn(&mut OutcomeRule)| {
        if let Some(rule) = draft.outcome_rules.get_mut(index) {
            change(rule);
        }
    };
    let status = |text: &str| digits(text).map_or(0, |number| u16::try_from(number).unwrap_or(u16::MAX));
    let some = |text: String| (!text.is_empty()).then_some(text);
    let from = editor.text(
        &path("status_from"),
        move |draft| rule(draft).status_from.to_string(),
        move |draft, text| change(draft, &|rule| rule.status_from = status(&text)),
    );
    let to = editor.text(
        &path("status_to"),
        move |draft| rule(draft).status_to.to_string(),
        move |draft, text| change(draft, &|rule| rule.status_to = status(&text)),
    );
    let body = editor.text(
        &path("body_contains"),
        move |draft| rule(draft).body_contains.unwrap_or_default(),
        move |draft, text| change(draft, &|rule| rule.body_contains = some(text.clone())),
    );
    let header = editor.text(
        &path("header"),
        move |draft| rule(draft).header.unwrap_or_default(),
        move |draft, text| change(draft, &|rule| rule.header = some(text.clone())),
    );
    let outcome = editor.text(
        &path("outcome"),
        move |draft| word(&rule(draft).outcome),
        move |draft, text| change(draft, &|rule| rule.outcome = read(text.clone()).unwrap_or(rule.outcome)),
    );
    let title = |outcome: &RuledOutcome| (word(outcome), failure::attempt(language(), &word(outcome)).to_owned());
    let outcomes: Vec<(String, String)> = RuledOutcome::ALL.iter().map(title).collect();
    let swap = move |other: usize| editor.draft.update(|draft| draft.outcome_rules.swap(index, other));
    let last = move || index + 1 >= count.get();
    let remove = move |_| {
        editor.draft.update(|draft| {
            draft.outcome_rules.remove(index);
        });
    };
    view! {
        <fieldset class="form-section min-w-0">
            <legend class="sr-only">{t!(group::rule_number, index + 1)}</legend>
            <div class="flex items-center gap-1">
                <span class="font-medium text-ink mr-auto" aria-hidden="true">{t!(group::rule_number, index + 1)}</span>
                <button type="button" class="btn btn-ghost btn-sm btn-icon" aria-label=t!(group::move_up) disabled=index == 0 on:click=move |_| swap(index - 1)><Icon name="arrow-up"/></button>
                <button type="button" class="btn btn-ghost btn-sm btn-icon" aria-label=t!(group::move_down) disabled=last on:click=move |_| swap(index + 1)><Icon name="arrow-down"/></button>
                <button type="button" class="btn btn-ghost btn-sm btn-icon" aria-label=t!(group::remove_rule, index + 1) on:click=remove><Icon name="trash-2"/></button>
            </div>
            <div class="form-trio">
                <NumberField bound=from label=t!(group::status_from)/>
                <NumberField bound=to label=t!(group::status_to)/>
                <Picker bound=outcome label=t!(group::means) options=outcomes/>
            </div>
            <div class="form-pair">
                <TextField bound=body label=t!(group::body_contains) hint=t!(group::body_contains_hint) optional=true/>
                <TextField bound=header label=t!(group::rule_header) hint=t!(group::rule_header_hint) optional=true mono=true example="x-reason: full"/>
            </div>
        </fieldset>
    }
    .into_any()
}
