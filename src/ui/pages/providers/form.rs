//! A provider's form: the basic fields are a plain HTML form, the rest joins in with the client.
//!
//! Without the client the form posts [`ProviderBasics`](crate::model::plain_form::ProviderBasics);
//! with it the whole draft goes as JSON, checked here first.

use leptos::{ev::SubmitEvent, prelude::*, server_fn::ServerFn};
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map},
};

use super::{
    connection::ConnectionFields,
    credentials::CredentialsEditor,
    settings::{AuthFields, LimitFields, RuleFields},
    test_panel::TestPanel,
};
use crate::{
    api::providers::{SaveProvider, create_provider, get_provider, update_provider},
    model::{
        error::{ApiError, ApiResult},
        id::ProviderId,
        plain_form::{Returned, auth_style},
        provider::{Provider, ProviderDraft},
    },
    ui::{
        components::{
            dialog::{Conflict, ConflictCard},
            feedback::{SkeletonRows, Trouble},
            form::{Editor, SaveBar, SecretField, SubmitButton, TextField},
            layout::{Crumb, Gone, PageBar},
            toast::Toasts,
        },
        i18n::t,
        returned::returned_to,
        suspended::suspended,
    },
};

/// Kinds that fill the form: word on the chip, name, address, authentication.
pub(crate) const KINDS: [(&str, &str, &str, &str); 6] = [
    ("OpenAI", "openai", "https://api.openai.com", "bearer"),
    ("Anthropic", "anthropic", "https://api.anthropic.com", "x-api-key"),
    ("Gemini", "gemini", "https://generativelanguage.googleapis.com", "x-goog-api-key"),
    ("Azure", "azure", "https://RESOURCE.openai.azure.com", "api-key"),
    ("DeepSeek", "deepseek", "https://api.deepseek.com", "bearer"),
    ("Ollama", "ollama", "http://127.0.0.1:11434", "none"),
];

/// `/admin/providers/new`
#[component]
pub fn ProviderNew() -> impl IntoView {
    view! {
        <PageBar title=t!(provider::new) crumb=Crumb::new("/admin/providers", t!(shell::providers))/>
        <div class="page"><ProviderForm provider=None/></div>
    }
    .into_any()
}

/// `/admin/providers/{id}/edit`
#[component]
pub fn ProviderEdit() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<ProviderId>().ok())));
    let row = Resource::new(move || id.get(), |id| async move { get_provider(id.ok_or_else(not_found)?).await });
    let body = move || {
        suspended(async move {
            match row.await {
                Ok(row) => view! {
                    <PageBar title=t!(provider::edit_title, &row.provider.name) crumb=Crumb::new("/admin/providers", t!(shell::providers))/>
                    <div class="page"><ProviderForm provider=Some(row.provider)/></div>
                }
                .into_any(),
                Err(error) => view! { <Gone error up=Crumb::new("/admin/providers", t!(shell::providers))/> }.into_any(),
            }
        })
    };
    view! { <Transition fallback=|| view! { <div class="page"><SkeletonRows/></div> }>{body}</Transition> }.into_any()
}

pub(super) fn not_found() -> ApiError {
    ApiError::NotFound { what: "provider".into() }
}

/// The form over a stored provider, or over an empty draft.
#[component]
fn ProviderForm(provider: Option<Provider>) -> impl IntoView {
    let draft = provider.as_ref().map(ProviderDraft::from).unwrap_or_default();
    let editor = Editor::new(draft);
    let stored = RwSignal::new(provider);
    let conflict = Conflict::default();
    let failure = RwSignal::new(None::<ApiError>);
    let save = saving(editor, stored, conflict, failure);
    let busy = save.pending();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if let Some(draft) = editor.ready() {
            save.dispatch(draft);
        }
    };
    let target = Callback::new(move |()| {
        let id = stored.with_untracked(|stored| stored.as_ref().map(|stored| stored.id));
        let draft = if id.is_some() && !untrack(|| editor.dirty()) { None } else { Some(editor.ready()?) };
        Some((id, draft))
    });
    take_back(editor, returned_to(SaveProvider::url()), failure);
    let is_new = stored.with_untracked(Option::is_none);
    view! {
        <form method="post" action="/rpc/providers/save" on:submit=submit novalidate class="grid gap-4 lg:grid-cols-[minmax(0,1fr)_340px] items-start">
            <div class="flex flex-col gap-4 min-w-0">
                {move || failure.get().map(|error| view! { <Trouble error/> })}
                <ConflictCard conflict editor/>
                <section class="card">
                    <Basics editor stored/>
                    <CredentialsEditor editor provider=stored/>
                    <RuleFields editor/>
                    <ConnectionFields editor/>
                    <LimitFields editor/>
                </section>
                {if is_new {
                    view! { <div class="flex gap-2 justify-end"><a class="btn btn-ghost" href="/admin/providers">{t!(form::cancel)}</a><SubmitButton busy>{t!(provider::create)}</SubmitButton></div> }.into_any()
                } else {
                    view! { <EditFoot editor busy/> }.into_any()
                }}
            </div>
            <aside class="lg:sticky lg:top-[68px]"><TestPanel target/></aside>
        </form>
    }
    .into_any()
}

/// Shows a plain form that was refused as it was typed, its secrets left out.
pub(crate) fn take_back(
    editor: Editor<ProviderDraft>,
    returned: Option<Returned>,
    failure: RwSignal<Option<ApiError>>,
) {
    let Some(returned) = returned else { return };
    editor.take_back(&returned.error, |draft| {
        returned.put_back("basics[name]", &mut draft.name);
        returned.put_back("basics[website]", &mut draft.website);
        returned.put_back("basics[base_url]", &mut draft.base_url);
        if let Some(style) = returned.typed("basics[auth]").and_then(auth_style) {
            draft.auth = style;
        }
    });
    failure.set(Some(returned.error));
}

/// Saves the draft, then shows the provider; a conflict is merged, problems show at their fields.
fn saving(
    editor: Editor<ProviderDraft>,
    stored: RwSignal<Option<Provider>>,
    conflict: Conflict,
    failure: RwSignal<Option<ApiError>>,
) -> Action<ProviderDraft, ()> {
    let (toasts, navigate) = (Toasts::here(), use_navigate());
    Action::new(move |draft: &ProviderDraft| {
        let draft = draft.clone();
        let known = stored.with_untracked(|stored| stored.as_ref().map(|stored| (stored.id, stored.revision)));
        let navigate = navigate.clone();
        async move {
            failure.set(None);
            let result: ApiResult<Provider> = match known {
                Some((id, revision)) => update_provider(id, revision, draft).await,
                None => create_provider(draft).await,
            };
            match result {
                Ok(provider) => {
                    let says = if known.is_some() {
                        t!(form::saved, &provider.name)
                    } else {
                        t!(form::created, &provider.name)
                    };
                    toasts.done(says);
                    conflict.clear();
                    navigate(&format!("/admin/providers/{}", provider.id), NavigateOptions::default());
                }
                Err(error) if editor.refuse(&error) => failure.set(Some(error)),
                Err(error @ ApiError::Conflict { .. }) => {
                    let Some((id, _)) = known else { return };
                    match get_provider(id).await {
                        Ok(row) => {
                            conflict.merge(editor, ProviderDraft::from(&row.provider), &error);
                            stored.set(Some(row.provider));
                        }
                        Err(unread) => failure.set(Some(unread)),
                    }
                }
                Err(error) => failure.set(Some(error)),
            }
        }
    })
}

#[component]
fn Basics(editor: Editor<ProviderDraft>, stored: RwSignal<Option<Provider>>) -> impl IntoView {
    let known = stored.with_untracked(|stored| stored.as_ref().map(|stored| (stored.id, stored.revision)));
    let name = editor.text("name", |draft| draft.name.clone(), |draft, text| draft.name = text);
    let base_url = editor.text("base_url", |draft| draft.base_url.clone(), |draft, text| draft.base_url = text);
    let website = editor.text("website", |draft| draft.website.clone(), |draft, text| draft.website = text);
    view! {
        <div class="form-section">
            {match known {
                Some((id, revision)) => view! { <input type="hidden" name="basics[id]" value=id.to_string()/><input type="hidden" name="basics[revision]" value=revision.to_string()/> }.into_any(),
                None => view! { <Kinds editor/> }.into_any(),
            }}
            <div class="form-pair">
                <TextField bound=name label=t!(form::name) hint=t!(provider::name_hint) name="basics[name]"/>
                <TextField bound=website label=t!(provider::website) optional=true name="basics[website]" example="https://platform.example.com"/>
            </div>
            <TextField bound=base_url label=t!(provider::base_url) hint=t!(provider::base_url_hint) mono=true name="basics[base_url]" example="https://api.example.com"/>
            <AuthFields editor/>
            {known.is_none().then(|| view! { <noscript inner_html=plain_secret()></noscript> })}
        </div>
    }
    .into_any()
}

/// The key of a form that runs without the client. Raw, because a browser with scripts reads the
/// content of `<noscript>` as text, which hydration could not walk.
fn plain_secret() -> String {
    let label = t!(provider::key);
    format!(
        "<label class=\"field\"><span class=\"field-label\">{label}</span><input class=\"input mono\" type=\"password\" name=\"basics[secret]\" autocomplete=\"new-password\"></label>"
    )
}

/// Chips that fill name, address and authentication.
#[component]
pub(crate) fn Kinds(editor: Editor<ProviderDraft>) -> impl IntoView {
    let is = move |address: &str| editor.draft.with(|draft| draft.base_url == address);
    let chips = KINDS
        .into_iter()
        .map(|(title, name, address, auth)| {
            let fill = move |_| {
                editor.draft.update(|draft| {
                    if draft.name.is_empty() || KINDS.iter().any(|kind| kind.1 == draft.name) {
                        draft.name = name.to_owned();
                    }
                    draft.base_url = address.to_owned();
                    draft.auth = auth_style(auth).unwrap_or_default();
                });
            };
            view! { <button type="button" class="choice" aria-pressed=move || is(address).to_string() on:click=fill>{title}</button> }
        })
        .collect_view();
    let other = move || !KINDS.iter().any(|kind| is(kind.2));
    view! {
        <fieldset class="field"><legend class="field-label mb-1.5">{t!(provider::kind)}</legend>
            <div class="choices">{chips}<button type="button" class="choice" aria-pressed=move || other().to_string() on:click=move |_| editor.draft.update(|draft| draft.base_url.clear())>{t!(provider::kind_other)}</button></div>
        </fieldset>
    }
    .into_any()
}

/// The save bar, and beside it the plain button of a form that runs without the client.
#[component]
fn EditFoot(editor: Editor<ProviderDraft>, #[prop(into)] busy: Signal<bool>) -> impl IntoView {
    let dirty = Memo::new(move |_| editor.dirty());
    let says = Signal::derive(move || {
        let host = |draft: &ProviderDraft| {
            crate::model::name::BaseUrl::parse(&draft.base_url).ok().map(|url| url.host().to_owned())
        };
        let moved = editor.draft.with(host) != editor.stored.with(host);
        if moved {
            t!(provider::effect_host).to_owned()
        } else {
            t!(form::changed_fields, &super::super::changed(editor).join(", "))
        }
    });
    view! {
        <noscript inner_html=format!("<button type=\"submit\" class=\"btn btn-primary\">{}</button>", t!(provider::save_basics))></noscript>
        <SaveBar dirty says busy on_discard=Callback::new(move |()| editor.discard())/>
    }
    .into_any()
}

/// One secret for a form with a single credential: the setup.
#[component]
pub(crate) fn FirstSecret(editor: Editor<ProviderDraft>) -> impl IntoView {
    use crate::model::provider::{CredentialDraft, SecretInput, WEIGHT_DEFAULT};
    let secret = editor.text(
        "credentials[0].secret",
        |draft| {
            draft
                .credentials
                .first()
                .and_then(|c| c.secret.as_ref())
                .map(|secret| secret.expose().to_owned())
                .unwrap_or_default()
        },
        |draft, text| {
            let limits = Default::default();
            draft.credentials = if text.trim().is_empty() {
                Vec::new()
            } else {
                vec![CredentialDraft {
                    id: None,
                    label: "main".into(),
                    secret: Some(SecretInput::new(&text)),
                    weight: WEIGHT_DEFAULT,
                    enabled: true,
                    limits,
                }]
            };
        },
    );
    view! { <SecretField bound=secret label=t!(provider::key) hint=t!(provider::key_hint) name="basics[secret]"/> }
        .into_any()
}
