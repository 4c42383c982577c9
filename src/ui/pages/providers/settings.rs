//! The rest of a provider's form: authentication, models, headers, timeouts, limits, TLS.

use std::collections::BTreeMap;

use leptos::prelude::*;

use crate::{
    model::{
        plain_form::auth_style,
        problem::Issue,
        provider::{AuthStyle, ProviderDraft},
    },
    ui::{
        components::form::{Bound, Editor, NumberField, Picker, TagsField, TextArea, TextField, editor::narrow},
        i18n::t,
    },
};

/// The words of the picker; `custom` stands for a header of the operator's choice.
fn styles() -> Vec<(String, String)> {
    [
        ("bearer", "Authorization: Bearer …"),
        ("x-api-key", "x-api-key: … (Anthropic)"),
        ("api-key", "api-key: … (Azure OpenAI)"),
        ("x-goog-api-key", "x-goog-api-key: … (Gemini)"),
        ("query", t!(provider::auth_query)),
        ("custom", t!(provider::auth_custom)),
        ("none", t!(provider::auth_none)),
    ]
    .map(|(word, text)| (word.to_owned(), text.to_owned()))
    .into()
}

fn style_word(style: &AuthStyle) -> String {
    match style {
        AuthStyle::Header { .. } => "custom".to_owned(),
        style => serde_json::to_value(style).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default(),
    }
}

/// How the key is sent.
#[component]
pub fn AuthFields(
    /// The draft.
    editor: Editor<ProviderDraft>,
) -> impl IntoView {
    let style = editor.text(
        "auth",
        |draft| style_word(&draft.auth),
        |draft, word| {
            draft.auth = auth_style(&word)
                .unwrap_or_else(|| AuthStyle::Header { header: "X-Api-Key".into(), template: "{secret}".into() });
        },
    );
    let header = editor.text(
        "auth.header",
        |draft| if let AuthStyle::Header { header, .. } = &draft.auth { header.clone() } else { String::new() },
        |draft, text| {
            if let AuthStyle::Header { header, .. } = &mut draft.auth {
                *header = text
            }
        },
    );
    let template = editor.text(
        "auth.template",
        |draft| if let AuthStyle::Header { template, .. } = &draft.auth { template.clone() } else { String::new() },
        |draft, text| {
            if let AuthStyle::Header { template, .. } = &mut draft.auth {
                *template = text
            }
        },
    );
    let custom = Memo::new(move |_| editor.draft.with(|draft| matches!(draft.auth, AuthStyle::Header { .. })));
    view! {
        <Picker bound=style label=t!(provider::authentication) hint=t!(provider::auth_hint) options=styles() name="basics[auth]"/>
        {move || custom.get().then(|| view! {
            <div class="form-pair">
                <TextField bound=header.clone() label=t!(provider::header_name) mono=true/>
                <TextField bound=template.clone() label=t!(provider::header_template) hint=t!(provider::header_template_hint) mono=true/>
            </div>
        })}
    }
    .into_any()
}

/// Models and headers.
#[component]
pub fn RuleFields(
    /// The draft.
    editor: Editor<ProviderDraft>,
) -> impl IntoView {
    let map = pairs(editor, "models.map", " = ", |draft| &draft.models.map, |draft, map| draft.models.map = map);
    let set = pairs(editor, "headers.set", ": ", |draft| &draft.headers.set, |draft, set| draft.headers.set = set);
    let only = Signal::derive(move || editor.draft.with(|draft| draft.models.only.clone()));
    let remove = Signal::derive(move || editor.draft.with(|draft| draft.headers.remove.clone()));
    view! {
        <div class="form-section">
            <h2 class="card-title">{t!(provider::models)}</h2>
            <TextArea bound=map label=t!(provider::model_map) hint=t!(provider::model_map_hint) optional=true mono=true/>
            <TagsField field="models.only" label=t!(provider::model_only) hint=t!(provider::model_only_hint) example="gpt-4*" value=only set=Callback::new(move |words| editor.draft.update(|draft| draft.models.only = words)) issue=editor.issue("models.only")/>
        </div>
        <div class="form-section">
            <h2 class="card-title">{t!(provider::headers)}</h2>
            <TextArea bound=set label=t!(provider::headers_set) hint=t!(provider::headers_set_hint) optional=true mono=true/>
            <TagsField field="headers.remove" label=t!(provider::headers_remove) example="X-Internal" value=remove set=Callback::new(move |words| editor.draft.update(|draft| draft.headers.remove = words)) issue=editor.issue("headers.remove")/>
        </div>
    }
    .into_any()
}

/// Binds a table as lines of text. The text keeps what was typed, the draft what could be read.
fn pairs(
    editor: Editor<ProviderDraft>,
    path: &'static str,
    between: &'static str,
    read: fn(&ProviderDraft) -> &BTreeMap<String, String>,
    write: fn(&mut ProviderDraft, BTreeMap<String, String>),
) -> Bound {
    let text = RwSignal::new(editor.draft.with_untracked(|draft| lines_of(read(draft), between)));
    // Discarding or merging changes the draft behind the text.
    Effect::new(move |_| {
        let stored = editor.draft.with(|draft| read(draft).clone());
        if text.with_untracked(|text| pairs_in(text, between).ok().as_ref() != Some(&stored))
            && text.with_untracked(|text| pairs_in(text, between).is_ok())
        {
            text.set(lines_of(&stored, between));
        }
    });
    let issue = editor.issue(path);
    let unread = Memo::new(move |_| text.with(|text| pairs_in(text, between).is_err()));
    Bound {
        field: path.to_owned(),
        value: text.into(),
        set: Callback::new(move |typed: String| {
            let read = pairs_in(&typed, between);
            text.set(typed);
            if let Ok(pairs) = read {
                editor.draft.update(|draft| write(draft, pairs));
            }
        }),
        left: Callback::new(move |()| editor.leave(path)),
        issue: Signal::derive(move || if unread.get() { Some(Issue::InvalidPattern) } else { issue.get() }),
    }
}

fn lines_of(pairs: &BTreeMap<String, String>, between: &str) -> String {
    pairs.iter().map(|(name, value)| format!("{name}{between}{value}")).collect::<Vec<_>>().join("\n")
}

/// Reads one pair a line; the error is the line without a separator.
fn pairs_in(text: &str, between: &str) -> Result<BTreeMap<String, String>, String> {
    let mut pairs = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(between.trim()).ok_or_else(|| line.to_owned())?;
        pairs.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    Ok(pairs)
}

/// Timeouts, limits, TLS.
#[component]
pub fn LimitFields(
    /// The draft.
    editor: Editor<ProviderDraft>,
) -> impl IntoView {
    let connect = editor.number(
        "timeouts.connect_ms",
        |d| d.timeouts.connect_ms.into(),
        |d, n| d.timeouts.connect_ms = narrow(n),
    );
    let first_byte = editor.number(
        "timeouts.first_byte_ms",
        |d| d.timeouts.first_byte_ms.into(),
        |d, n| d.timeouts.first_byte_ms = narrow(n),
    );
    let idle = editor.number("timeouts.idle_ms", |d| d.timeouts.idle_ms.into(), |d, n| d.timeouts.idle_ms = narrow(n));
    let total =
        editor.number("timeouts.total_ms", |d| d.timeouts.total_ms.into(), |d, n| d.timeouts.total_ms = narrow(n));
    let stream = editor.number(
        "timeouts.stream_total_ms",
        |d| d.timeouts.stream_total_ms.into(),
        |d, n| d.timeouts.stream_total_ms = narrow(n),
    );
    let rpm = editor.number("limits.rpm", |d| d.limits.rpm.into(), |d, n| d.limits.rpm = narrow(n));
    let at_once =
        editor.number("limits.concurrency", |d| d.limits.concurrency.into(), |d, n| d.limits.concurrency = narrow(n));
    let per_day =
        editor.number("limits.requests_per_day", |d| d.limits.requests_per_day, |d, n| d.limits.requests_per_day = n);
    let ca = editor.text(
        "tls.ca_file",
        |d| d.tls.ca_file.clone().unwrap_or_default(),
        |d, text| d.tls.ca_file = (!text.trim().is_empty()).then_some(text),
    );
    view! {
        <div class="form-section">
            <h2 class="card-title">{t!(provider::timeouts)}</h2>
            <div class="form-trio">
                <NumberField bound=connect label=t!(provider::connect) hint=t!(provider::connect_hint) unit="ms"/>
                <NumberField bound=first_byte label=t!(provider::first_byte) hint=t!(provider::first_byte_hint) unit="ms"/>
                <NumberField bound=idle label=t!(provider::idle) hint=t!(provider::idle_hint) unit="ms"/>
                <NumberField bound=total label=t!(provider::total) unit="ms"/>
                <NumberField bound=stream label=t!(provider::stream_total) unit="ms"/>
            </div>
        </div>
        <div class="form-section">
            <div class="flex flex-wrap items-baseline gap-2"><h2 class="card-title">{t!(provider::limits)}</h2><span class="caption">{t!(provider::limits_hint)}</span></div>
            <div class="form-trio">
                <NumberField bound=rpm label=t!(provider::rpm) unit="rpm"/>
                <NumberField bound=at_once label=t!(provider::at_once)/>
                <NumberField bound=per_day label=t!(provider::per_day)/>
            </div>
        </div>
        <div class="form-section">
            <h2 class="card-title">{t!(provider::tls)}</h2>
            <TextField bound=ca label=t!(provider::ca_file) hint=t!(provider::ca_file_hint) optional=true mono=true example="/etc/rondo/ca.pem"/>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_pairs_and_back() {
        let pairs = pairs_in("gpt-4 = gpt-4.1\n\n a=b ", " = ").expect("two pairs");
        assert_eq!(lines_of(&pairs, " = "), "a = b\ngpt-4 = gpt-4.1");
        assert_eq!(pairs_in("X-Team", ": "), Err("X-Team".to_owned()));
    }

    #[test]
    fn a_header_value_may_hold_the_separator_again() {
        let pairs = pairs_in("X-Url: http://a", ": ").expect("one pair");
        assert_eq!(pairs["X-Url"], "http://a");
    }
}
