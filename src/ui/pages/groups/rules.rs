//! The rules of a group: who it is, how members are drawn, what clients may reach, how failures
//! are met, and who needs no key.

use leptos::prelude::*;

use super::{outcome_rules::OutcomeRules, strategies};
use crate::{
    model::{
        group::{GroupDraft, PathPolicy, PathRule, StickyBy, Strategy},
        problem::Issue,
    },
    ui::{
        components::form::{
            Bound, Choice, Editor, NumberField, Switch, TagsField, TextArea, TextField, editor::narrow,
        },
        i18n::t,
        icon::{Glyph, Mark},
    },
};

/// A word of an enum as serde writes it.
pub(super) fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

pub(super) fn read<T: serde::de::DeserializeOwned>(word: String) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(word)).ok()
}

/// Name, slug, description, kind and strategy.
#[component]
pub(super) fn SettingsTab(editor: Editor<GroupDraft>) -> impl IntoView {
    let name = editor.text("name", |draft| draft.name.clone(), |draft, text| draft.name = text);
    let slug = editor.text("slug", |draft| draft.slug.clone(), |draft, text| draft.slug = text);
    let description =
        editor.text("description", |draft| draft.description.clone(), |draft, text| draft.description = text);
    let kind =
        editor.text("kind", |draft| word(&draft.kind), |draft, text| draft.kind = read(text).unwrap_or_default());
    let strategy = editor.text(
        "strategy",
        |draft| word(&draft.strategy),
        |draft, text| draft.strategy = read(text).unwrap_or_default(),
    );
    let kinds = vec![
        ("llm", t!(group::kind_llm).to_owned(), t!(group::kind_llm_hint).to_owned()),
        ("generic", t!(group::kind_generic).to_owned(), t!(group::kind_generic_hint).to_owned()),
    ];
    let words = ["weighted", "round_robin", "least_in_flight", "lowest_latency", "sticky", "priority"];
    let options = words
        .into_iter()
        .zip(strategies())
        .map(|(word, (_, title, says))| (word, title.to_owned(), says.to_owned()))
        .collect();
    view! {
        <section class="card">
            <div class="form-section">
                <div class="form-pair"><TextField bound=name label=t!(form::name)/><TextField bound=slug label=t!(group::slug) hint=t!(group::slug_hint) mono=true/></div>
                <TextField bound=description label=t!(group::description) optional=true/>
            </div>
            <div class="form-section"><Choice bound=strategy label=t!(group::strategy) options/><StickyFields editor/></div>
            <div class="form-section"><Choice bound=kind label=t!(group::kind) options=kinds/></div>
        </section>
    }
    .into_any()
}

/// What `sticky` holds on to; shown with that strategy only.
#[component]
fn StickyFields(editor: Editor<GroupDraft>) -> impl IntoView {
    let by = editor.text(
        "sticky.by",
        |draft| word(&draft.sticky.by),
        |draft, text| {
            draft.sticky.by = read(text).unwrap_or_default();
            if draft.sticky.by != StickyBy::Header {
                draft.sticky.header = None;
            }
        },
    );
    let header = editor.text(
        "sticky.header",
        |draft| draft.sticky.header.clone().unwrap_or_default(),
        |draft, text| draft.sticky.header = (!text.is_empty()).then_some(text),
    );
    let options = vec![
        ("key", t!(group::sticky_key).to_owned(), t!(group::sticky_key_hint).to_owned()),
        ("client_ip", t!(group::sticky_ip).to_owned(), t!(group::sticky_ip_hint).to_owned()),
        ("header", t!(group::sticky_header).to_owned(), t!(group::sticky_header_hint).to_owned()),
    ];
    let chosen = Memo::new(move |_| editor.draft.with(|draft| (draft.strategy == Strategy::Sticky, draft.sticky.by)));
    move || {
        let (shown, held) = chosen.get();
        shown.then(|| {
            let name = (held == StickyBy::Header).then(|| {
                view! { <TextField bound=header.clone() label=t!(group::sticky_header_name) mono=true example="x-session-id"/> }
            });
            view! { <Choice bound=by.clone() label=t!(group::sticky_by) options=options.clone()/>{name} }
        })
    }
}

fn policy_word(policy: &PathPolicy) -> String {
    match policy {
        PathPolicy::Inference => "inference".into(),
        PathPolicy::ReadOnly => "read_only".into(),
        PathPolicy::Everything => "everything".into(),
        PathPolicy::Rules(_) => "rules".into(),
    }
}

fn policy_of(word: &str, rules: Vec<PathRule>) -> PathPolicy {
    match word {
        "read_only" => PathPolicy::ReadOnly,
        "everything" => PathPolicy::Everything,
        "rules" => PathPolicy::Rules(rules),
        _ => PathPolicy::Inference,
    }
}

/// What a client's key may reach.
#[component]
pub(super) fn PolicyTab(editor: Editor<GroupDraft>) -> impl IntoView {
    let first = || vec![PathRule { method: "POST".into(), path: "/v1/**".into() }];
    let policy = editor.text(
        "path_policy_word",
        |draft| policy_word(&draft.path_policy),
        move |draft, text| draft.path_policy = policy_of(&text, first()),
    );
    let chosen = Memo::new(move |_| editor.draft.with(|draft| policy_word(&draft.path_policy)));
    let options = vec![
        ("inference", t!(group::inference).to_owned(), t!(group::inference_hint).to_owned()),
        ("read_only", t!(group::read_only).to_owned(), t!(group::read_only_hint).to_owned()),
        ("everything", t!(group::everything).to_owned(), t!(group::everything_hint).to_owned()),
        ("rules", t!(group::rules).to_owned(), t!(group::rules_hint).to_owned()),
    ];
    view! {
        <section class="card form-section">
            <Choice bound=policy label=t!(group::policy_title) options/>
            <Show when=move || chosen.get() == "everything"><div class="notice notice-warn"><Mark glyph=Glyph::Warn/><p>{t!(group::everything_warning)}</p></div></Show>
            {move || (chosen.get() == "rules").then(|| view! { <TextArea bound=rules(editor) label=t!(group::rules_lines) hint=t!(group::rules_lines_hint) mono=true rows=6/> })}
        </section>
    }
    .into_any()
}

/// The rules as lines. The text keeps what was typed, the draft what could be read.
fn rules(editor: Editor<GroupDraft>) -> Bound {
    let lines = |draft: &GroupDraft| match &draft.path_policy {
        PathPolicy::Rules(rules) => {
            rules.iter().map(|rule| format!("{} {}", rule.method, rule.path)).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    };
    let text = RwSignal::new(editor.draft.with_untracked(lines));
    let issue = editor.issue("path_policy");
    let unread = Memo::new(move |_| text.with(|text| rules_in(text).is_none()));
    Bound {
        field: "path_policy".into(),
        value: text.into(),
        set: Callback::new(move |typed: String| {
            if let Some(rules) = rules_in(&typed) {
                editor.draft.update(|draft| draft.path_policy = PathPolicy::Rules(rules));
            }
            text.set(typed);
        }),
        left: Callback::new(move |()| editor.leave("path_policy")),
        issue: Signal::derive(move || if unread.get() { Some(Issue::InvalidPattern) } else { issue.get() }),
    }
}

/// Reads a method and a path a line; nothing when a line has only one of them.
fn rules_in(text: &str) -> Option<Vec<PathRule>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            line.split_once(char::is_whitespace)
                .map(|(method, path)| PathRule { method: method.to_uppercase(), path: path.trim().to_owned() })
        })
        .collect()
}

/// How failures are met.
#[component]
pub(super) fn FailoverTab(editor: Editor<GroupDraft>) -> impl IntoView {
    let attempts = editor.number(
        "failover.max_attempts",
        |d| d.failover.max_attempts.into(),
        |d, n| d.failover.max_attempts = narrow(n),
    );
    let first = editor.number(
        "failover.first_output_timeout_ms",
        |d| d.failover.first_output_timeout_ms.into(),
        |d, n| d.failover.first_output_timeout_ms = narrow(n),
    );
    let keepalive = editor.number(
        "failover.keepalive_after_ms",
        |d| d.failover.keepalive_after_ms.into(),
        |d, n| d.failover.keepalive_after_ms = narrow(n),
    );
    view! {
        <section class="card form-section">
            <div class="form-trio">
                <NumberField bound=attempts label=t!(group::attempts) hint=t!(group::attempts_hint)/>
                <NumberField bound=first label=t!(group::first_output) hint=t!(group::first_output_hint) unit="ms"/>
                <NumberField bound=keepalive label=t!(group::keepalive) hint=t!(group::keepalive_hint) unit="ms"/>
            </div>
        </section>
        <OutcomeRules editor/>
    }
    .into_any()
}

/// Access without a key, from browsers, and what answers tell.
#[component]
pub(super) fn AccessTab(editor: Editor<GroupDraft>) -> impl IntoView {
    let allowed = editor.flag("anonymous.allowed", |d| d.anonymous.allowed, |d, on| d.anonymous.allowed = on);
    let rpm = editor.maybe_number(
        "anonymous.limits.rpm",
        |d| d.anonymous.limits.rpm.map(u64::from),
        |d, n| d.anonymous.limits.rpm = n.map(narrow),
    );
    let at_once = editor.number(
        "anonymous.limits.concurrency",
        |d| d.anonymous.limits.concurrency.into(),
        |d, n| d.anonymous.limits.concurrency = narrow(n),
    );
    let per_day = editor.number(
        "anonymous.limits.requests_per_day",
        |d| d.anonymous.limits.requests_per_day,
        |d, n| d.anonymous.limits.requests_per_day = n,
    );
    let websocket = editor.flag("websocket", |d| d.websocket, |d, on| d.websocket = on);
    let usage = editor.flag("stream_usage", |d| d.stream_usage, |d, on| d.stream_usage = on);
    let bodies = editor.flag("log_bodies", |d| d.log_bodies, |d, on| d.log_bodies = on);
    let hide = editor.flag("hide_provider_headers", |d| d.hide_provider_headers, |d, on| d.hide_provider_headers = on);
    let origins = Signal::derive(move || editor.draft.with(|draft| draft.allowed_origins.clone()));
    let open = Memo::new(move |_| editor.draft.with(|draft| draft.anonymous.allowed));
    view! {
        <section class="card">
            <div class="form-section">
                <Switch flag=allowed label=t!(group::anonymous) hint=t!(group::anonymous_hint)/>
                {move || open.get().then(|| view! {
                    <div class="form-trio">
                        <NumberField bound=rpm.clone() label=t!(provider::rpm) unit="rpm" example=t!(key::default_rpm)/>
                        <NumberField bound=at_once.clone() label=t!(provider::at_once) hint=t!(form::zero_no_limit)/>
                        <NumberField bound=per_day.clone() label=t!(provider::per_day) hint=t!(form::zero_no_limit)/>
                    </div>
                })}
            </div>
            <div class="form-section">
                <TagsField field="allowed_origins" label=t!(group::origins) hint=t!(group::origins_hint) example="https://app.example.com" value=origins set=Callback::new(move |words| editor.draft.update(|draft| draft.allowed_origins = words)) issue=editor.issue("allowed_origins")/>
                <Switch flag=websocket label=t!(group::websocket) hint=t!(group::websocket_hint)/>
                <Switch flag=usage label=t!(group::stream_usage) hint=t!(group::stream_usage_hint)/>
                <Switch flag=bodies label=t!(group::log_bodies) hint=t!(group::log_bodies_hint)/>
                <Switch flag=hide label=t!(group::hide_headers) hint=t!(group::hide_headers_hint)/>
            </div>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_a_method_and_a_path() {
        let rules = rules_in("post /v1/**\n\n* /files/*").expect("two rules");
        assert_eq!((rules[0].method.as_str(), rules[1].path.as_str()), ("POST", "/files/*"));
        assert_eq!(rules_in("/v1/**"), None);
    }
}
