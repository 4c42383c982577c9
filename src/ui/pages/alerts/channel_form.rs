//! The form of a channel: address and secret go in and never come back.

use leptos::{ev::SubmitEvent, prelude::*};

use super::service_word;
use crate::{
    api::alerts::save_channel,
    model::{
        alert::{Channel, ChannelDraft, ChannelKind, ChannelSettings, MailSecurity, Tongue},
        error::ApiError,
        provider::SecretInput,
    },
    ui::{
        components::{
            form::{Editor, NumberField, Picker, SecretField, Switch, TagsField, TextField, editor::narrow},
            toast::Toasts,
        },
        i18n::t,
        pages::providers::form::Trouble,
    },
};

/// A new channel, or one that is there.
#[component]
pub fn ChannelForm(
    /// The channel; a new one without.
    channel: Option<Channel>,
    /// When the form is left.
    on_close: Callback<()>,
    /// When something was saved.
    changed: Callback<()>,
) -> impl IntoView {
    let toasts = Toasts::here();
    let (id, revision) = channel.as_ref().map_or((None, 0), |channel| (Some(channel.id), channel.revision));
    let title = channel
        .as_ref()
        .map_or_else(|| t!(alerts::new_channel).to_owned(), |one| t!(people::edit_title, &one.settings.name));
    let (shown, hint) = channel.as_ref().map(|one| (one.shown.clone(), one.hint.clone())).unwrap_or_default();
    let settings = channel.map_or_else(|| ChannelSettings::of(ChannelKind::Webhook), |channel| channel.settings);
    let editor = Editor::new(ChannelDraft { settings, ..ChannelDraft::default() });
    let failure = RwSignal::new(None::<ApiError>);
    let save = Action::new(move |draft: &ChannelDraft| {
        let draft = draft.clone();
        async move {
            failure.set(None);
            let name = draft.settings.name.clone();
            match save_channel(id, revision, draft).await {
                Ok(()) => {
                    toasts.done(t!(form::saved, &name));
                    changed.run(());
                    on_close.run(());
                }
                Err(error) => {
                    editor.refuse(&error);
                    failure.set(Some(error));
                }
            }
        }
    });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if let Some(draft) = editor.ready() {
            save.dispatch(draft);
        }
    };
    let name =
        editor.text("settings.name", |draft| draft.settings.name.clone(), |draft, text| draft.settings.name = text);
    let kind = editor.text(
        "settings.kind",
        |draft| draft.settings.kind.as_str().to_owned(),
        |draft, word| draft.settings.kind = ChannelKind::parse(&word).unwrap_or(draft.settings.kind),
    );
    let kinds: Vec<(String, String)> =
        ChannelKind::ALL.map(|kind| (kind.as_str().to_owned(), service_word(kind).to_owned())).into();
    let services = id.is_none().then(|| view! { <Picker bound=kind label=t!(alerts::service) options=kinds/> });
    let language = editor.text(
        "settings.language",
        |draft| if draft.settings.language == Tongue::Zh { "zh" } else { "en" }.to_owned(),
        |draft, word| draft.settings.language = if word == "zh" { Tongue::Zh } else { Tongue::En },
    );
    let languages = vec![("en".to_owned(), "English".to_owned()), ("zh".to_owned(), "中文".to_owned())];
    let per_hour = editor.number(
        "settings.per_hour",
        |draft| draft.settings.per_hour.into(),
        |draft, count| draft.settings.per_hour = narrow(count),
    );
    let enabled =
        editor.flag("settings.enabled", |draft| draft.settings.enabled, |draft, on| draft.settings.enabled = on);
    let chosen = Memo::new(move |_| editor.draft.with(|draft| draft.settings.kind));
    view! {
        <div class="dialog-head"><h2 id="dialog-title">{title}</h2></div>
        <div class="dialog-body">
            {move || failure.get().filter(|error| !matches!(error, ApiError::Invalid { .. })).map(|error| view! { <Trouble error/> })}
            <form id="channel-form" class="form" on:submit=submit>
                <TextField bound=name label=t!(form::name)/>
                {services}
                {move || fields(editor, chosen.get(), &shown, &hint)}
                <div class="form-pair">
                    <Picker bound=language label=t!(alerts::language) options=languages.clone()/>
                    <NumberField bound=per_hour label=t!(alerts::per_hour) hint=t!(alerts::per_hour_hint) unit=""/>
                </div>
                <Switch flag=enabled label=t!(form::enabled)/>
            </form>
        </div>
        <div class="dialog-foot">
            <button type="button" class="btn btn-ghost" on:click=move |_| on_close.run(())>{t!(form::cancel)}</button>
            <button type="submit" form="channel-form" class="btn btn-primary" aria-busy=move || save.pending().get().then_some("true")>{t!(form::save)}</button>
        </div>
    }
    .into_any()
}

/// The fields of a service.
fn fields(editor: Editor<ChannelDraft>, kind: ChannelKind, shown: &str, hint: &str) -> AnyView {
    let text = |input: &Option<SecretInput>| input.as_ref().map(|one| one.expose().to_owned()).unwrap_or_default();
    // Empty is left out: it keeps what is stored.
    let some = |entered: String| (!entered.trim().is_empty()).then(|| SecretInput::new(&entered));
    let url = editor.text("url", move |draft| text(&draft.url), move |draft, entered| draft.url = some(entered));
    let secret =
        editor.text("secret", move |draft| text(&draft.secret), move |draft, entered| draft.secret = some(entered));
    let url_hint = match (shown.is_empty(), kind) {
        (false, _) => t!(alerts::url_kept, shown),
        (true, ChannelKind::Telegram) => t!(alerts::url_telegram).to_owned(),
        (true, _) => String::new(),
    };
    let (url_label, example) = match kind {
        ChannelKind::Webhook => (t!(alerts::url), "https://hooks.example.com/alerts"),
        ChannelKind::DingTalk => (t!(alerts::url), "https://oapi.dingtalk.com/robot/send?access_token=…"),
        ChannelKind::Feishu => (t!(alerts::url), "https://open.feishu.cn/open-apis/bot/v2/hook/…"),
        ChannelKind::WeCom => (t!(alerts::url), "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…"),
        ChannelKind::Slack => (t!(alerts::url), "https://hooks.slack.com/services/…"),
        ChannelKind::Telegram => (t!(alerts::url), ""),
        ChannelKind::Email => (t!(alerts::server), "mail.example.com"),
    };
    let secrets = kind.takes_secret().then(|| {
        let label = match kind {
            ChannelKind::Telegram => t!(alerts::bot_token),
            ChannelKind::Email => t!(alerts::password),
            _ => t!(alerts::sign_secret),
        };
        let kept = if hint.is_empty() { String::new() } else { t!(alerts::secret_kept, hint) };
        view! { <SecretField bound=secret label hint=kept optional=kind != ChannelKind::Telegram/> }
    });
    let recipients = kind.takes_recipients().then(|| {
        let label = if kind == ChannelKind::Telegram { t!(alerts::chat) } else { t!(alerts::recipients) };
        let value = Signal::derive(move || editor.draft.with(|draft| draft.settings.to.clone()));
        let set = Callback::new(move |to| editor.draft.update(|draft| draft.settings.to = to));
        view! { <TagsField field="settings.to" label hint=t!(alerts::recipients_hint) value set issue=editor.issue("settings.to")/> }
    });
    let mail = (kind == ChannelKind::Email).then(|| {
        let from =
            editor.text("settings.from", |draft| draft.settings.from.clone(), |draft, text| draft.settings.from = text);
        let username = editor.text(
            "settings.username",
            |draft| draft.settings.username.clone(),
            |draft, text| draft.settings.username = text,
        );
        let security = editor.text(
            "settings.security",
            |draft| draft.settings.security.as_str().to_owned(),
            |draft, word| {
                let known = MailSecurity::ALL.into_iter().find(|security| security.as_str() == word);
                draft.settings.security = known.unwrap_or_default();
            },
        );
        let words = [
            (MailSecurity::StartTls, t!(alerts::start_tls)),
            (MailSecurity::Tls, t!(alerts::tls)),
            (MailSecurity::Plain, t!(alerts::plain)),
        ];
        let options: Vec<(String, String)> =
            words.map(|(security, word)| (security.as_str().to_owned(), word.to_owned())).into();
        view! {
            <Picker bound=security label=t!(alerts::connection) options/>
            <TextField bound=from label=t!(alerts::sender)/>
            <TextField bound=username label=t!(alerts::username) optional=true/>
        }
    });
    view! { <TextField bound=url label=url_label hint=url_hint example mono=true/>{recipients}{mail}{secrets} }
        .into_any()
}
