//! The credentials in the form: label, secret, weight and limits of each; many at once by pasting.

use leptos::prelude::*;

use crate::{
    model::{
        plain_form::free_label,
        provider::{CredentialDraft, Provider, ProviderDraft, SecretInput, WEIGHT_DEFAULT},
        rate_limit::UpstreamLimits,
    },
    ui::{
        components::{
            dialog::{Dialog, Shape},
            form::{Editor, NumberField, SecretField, Switch, TextField, editor::narrow},
        },
        i18n::t,
        icon::Icon,
    },
};

/// A new credential with the next free label.
fn fresh(others: &[CredentialDraft], secret: Option<&str>) -> CredentialDraft {
    CredentialDraft {
        id: None,
        label: free_label(others),
        secret: secret.map(SecretInput::new),
        weight: WEIGHT_DEFAULT,
        enabled: true,
        limits: UpstreamLimits::default(),
    }
}

/// The section of the form.
#[component]
pub fn CredentialsEditor(
    /// The draft.
    editor: Editor<ProviderDraft>,
    /// The stored provider: it knows the hints.
    #[prop(into)]
    provider: Signal<Option<Provider>>,
) -> impl IntoView {
    let pasting = RwSignal::new(false);
    let count = Memo::new(move |_| editor.draft.with(|draft| draft.credentials.len()));
    let add = move |_| editor.draft.update(|draft| draft.credentials.push(fresh(&draft.credentials, None)));
    let rows = move || (0..count.get()).map(|index| view! { <Row editor provider index/> }).collect_view();
    view! {
        <div class="form-section">
            <div class="flex flex-wrap items-center gap-2">
                <h2 class="card-title">{t!(provider::credentials)}</h2>
                <span class="caption">{t!(provider::credentials_hint)}</span>
                <span class="ml-auto flex gap-2">
                    <button type="button" class="btn btn-sm" on:click=move |_| pasting.set(true)><Icon name="copy"/>{t!(provider::paste_keys)}</button>
                    <button type="button" class="btn btn-sm" on:click=add><Icon name="plus"/>{t!(provider::add_credential)}</button>
                </span>
            </div>
            <Show when=move || count.get() == 0><p class="text-ink-3">{t!(provider::no_credentials)}</p></Show>
            {rows}
        </div>
        <Dialog open=pasting on_close=Callback::new(move |()| pasting.set(false)) shape=Shape::Wide><Paste editor pasting/></Dialog>
    }
    .into_any()
}

#[component]
fn Row(editor: Editor<ProviderDraft>, provider: Signal<Option<Provider>>, index: usize) -> impl IntoView {
    let at = move |field: &str| format!("credentials[{index}].{field}");
    let read = move |draft: &ProviderDraft| draft.credentials.get(index).cloned();
    let label = editor.text(
        &at("label"),
        move |draft| read(draft).map(|c| c.label).unwrap_or_default(),
        move |draft, text| draft.credentials[index].label = text,
    );
    let secret = editor.text(
        &at("secret"),
        move |draft| read(draft).and_then(|c| c.secret).map(|secret| secret.expose().to_owned()).unwrap_or_default(),
        move |draft, text| draft.credentials[index].secret = (!text.is_empty()).then(|| SecretInput::new(&text)),
    );
    let weight = editor.number(
        &at("weight"),
        move |draft| read(draft).map_or(0, |c| c.weight.into()),
        move |draft, n| draft.credentials[index].weight = narrow(n),
    );
    let rpm = editor.number(
        &at("limits.rpm"),
        move |draft| read(draft).map_or(0, |c| c.limits.rpm.into()),
        move |draft, n| draft.credentials[index].limits.rpm = narrow(n),
    );
    let at_once = editor.number(
        &at("limits.concurrency"),
        move |draft| read(draft).map_or(0, |c| c.limits.concurrency.into()),
        move |draft, n| draft.credentials[index].limits.concurrency = narrow(n),
    );
    let per_day = editor.number(
        &at("limits.requests_per_day"),
        move |draft| read(draft).map_or(0, |c| c.limits.requests_per_day),
        move |draft, n| draft.credentials[index].limits.requests_per_day = n,
    );
    let enabled = editor.flag(
        &at("enabled"),
        move |draft| read(draft).is_some_and(|c| c.enabled),
        move |draft, on| draft.credentials[index].enabled = on,
    );
    let id = editor.draft.with_untracked(|draft| read(draft).and_then(|c| c.id));
    let hint = provider.with_untracked(|provider| {
        let stored =
            provider.iter().flat_map(|provider| &provider.credentials).find(|credential| Some(credential.id) == id);
        stored.map(|credential| credential.hint.clone()).unwrap_or_default()
    });
    let kept = if id.is_some() { t!(provider::secret_kept) } else { "" };
    let name = move || editor.draft.with(|draft| read(draft).map(|c| c.label).unwrap_or_default());
    let remove = move |_| editor.draft.update(|draft| drop(draft.credentials.remove(index)));
    view! {
        <fieldset class="rounded-lg border border-line p-4 flex flex-col gap-4">
            <legend class="sr-only">{name}</legend>
            <div class="grid gap-4 md:grid-cols-[minmax(0,1fr)_minmax(0,2fr)_96px]">
                <TextField bound=label label=t!(provider::label)/>
                <SecretField bound=secret label=t!(provider::secret) hint=kept example=hint/>
                <NumberField bound=weight label=t!(provider::weight)/>
            </div>
            <details>
                <summary class="caption">{t!(provider::limits)}" · "{t!(form::zero_no_limit)}</summary>
                <div class="form-trio pt-3">
                    <NumberField bound=rpm label=t!(provider::rpm) unit="rpm"/>
                    <NumberField bound=at_once label=t!(provider::at_once)/>
                    <NumberField bound=per_day label=t!(provider::per_day)/>
                </div>
            </details>
            <div class="flex items-center justify-between">
                <Switch flag=enabled label=t!(form::enabled)/>
                <button type="button" class="btn btn-sm btn-ghost btn-danger" aria-label=move || t!(form::delete_thing, &name()) on:click=remove><Icon name="trash-2"/>{t!(form::delete)}</button>
            </div>
        </fieldset>
    }
    .into_any()
}

#[component]
fn Paste(editor: Editor<ProviderDraft>, pasting: RwSignal<bool>) -> impl IntoView {
    let text = RwSignal::new(String::new());
    let keys = Memo::new(move |_| text.with(|text| keys_in(text)));
    let add = move |_| {
        editor.draft.update(|draft| {
            for key in keys.get_untracked() {
                draft.credentials.push(fresh(&draft.credentials, Some(&key)));
            }
        });
        pasting.set(false);
    };
    view! {
        <div class="dialog-head"><div><h2 id="dialog-title">{t!(provider::paste_keys)}</h2><p class="text-ink-2 pt-1">{t!(provider::paste_hint)}</p></div></div>
        <div class="dialog-body"><textarea class="input mono" rows="8" autofocus spellcheck="false" aria-label=t!(provider::paste_keys) prop:value=move || text.get() on:input=move |event| text.set(event_target_value(&event))></textarea></div>
        <div class="dialog-foot">
            <button type="button" class="btn btn-ghost" on:click=move |_| pasting.set(false)>{t!(form::cancel)}</button>
            <button type="button" class="btn btn-primary" disabled=move || keys.with(Vec::is_empty) on:click=add>{move || t!(provider::paste_add, keys.with(Vec::len))}</button>
        </div>
    }
    .into_any()
}

/// The keys of a paste: one a line, blank and repeated ones left out.
fn keys_in(text: &str) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for key in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !keys.iter().any(|there| there == key) {
            keys.push(key.to_owned());
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paste_gives_each_key_once() {
        assert_eq!(keys_in(" sk-1 \n\nsk-2\nsk-1\n"), ["sk-1", "sk-2"]);
    }
}
