//! The form of a channel: address and secret go in and never come back.

use leptos::prelude::*;

use super::service_word;
use crate::{
    api::alerts::save_channel,
    model::{
        alert::{Channel, ChannelDraft, ChannelKind, ChannelSettings, MailSecurity, Tongue},
        provider::SecretInput,
    },
    ui::{
        components::form::{
            DialogForm, DialogSave, Editor, NumberField, Picker, SecretField, Switch, TagsField, TextField,
            editor::narrow,
        },
        i18n::{Language, language, t},
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
    let (id, revision) = channel.as_ref().map_or((None, 0), |channel| (Some(channel.id), channel.revision));
    let title = channel
        .as_ref()
        .map_or_else(|| t!(alerts::new_channel).to_owned(), |one| t!(people::edit_title, &one.settings.name));
    let seen = channel.as_ref().map(|one| Seen { url: one.shown.clone(), secret: one.hint.clone() });
    let settings = channel.map_or_else(first_settings, |channel| channel.settings);
    let editor = Editor::new(ChannelDraft { settings, ..ChannelDraft::default() });
    let save = DialogSave::new(on_close, changed);
    let submit = Callback::new(move |()| {
        save.save(editor, move |draft| async move {
            let name = draft.settings.name.clone();
            save_channel(id, revision, draft).await.map(|()| name)
        });
    });
    let name =
        editor.text("settings.name", |draft| draft.settings.name.clone(), |draft, text| draft.settings.name = text);
    let services = id.is_none().then(|| service_picker(editor));
    let per_hour = editor.number(
        "settings.per_hour",
        |draft| draft.settings.per_hour.into(),
        |draft, count| draft.settings.per_hour = narrow(count),
    );
    let enabled =
        editor.flag("settings.enabled", |draft| draft.settings.enabled, |draft, on| draft.settings.enabled = on);
    let chosen = Memo::new(move |_| editor.draft.with(|draft| draft.settings.kind));
    let seen = seen.unwrap_or_default();
    view! {
        <DialogForm id="channel-form" title save on_submit=submit>
            <TextField bound=name label=t!(form::name)/>
            {services}
            {move || fields(editor, chosen.get(), &seen)}
            <div class="form-pair">
                {language_picker(editor)}
                <NumberField bound=per_hour label=t!(alerts::per_hour) hint=t!(alerts::per_hour_hint) unit=""/>
            </div>
            <Switch flag=enabled label=t!(form::enabled)/>
        </DialogForm>
    }
    .into_any()
}

/// A new channel speaks the language of who makes it.
fn first_settings() -> ChannelSettings {
    let language = match language() {
        Language::English => Tongue::En,
        Language::Chinese => Tongue::Zh,
    };
    ChannelSettings { language, ..ChannelSettings::of(ChannelKind::Webhook) }
}

fn service_picker(editor: Editor<ChannelDraft>) -> AnyView {
    let bound = editor.text(
        "settings.kind",
        |draft| draft.settings.kind.as_str().to_owned(),
        |draft, word| draft.settings.kind = ChannelKind::parse(&word).unwrap_or(draft.settings.kind),
    );
    let options: Vec<(String, String)> =
        ChannelKind::ALL.map(|kind| (kind.as_str().to_owned(), service_word(kind).to_owned())).into();
    view! { <Picker bound label=t!(alerts::service) options/> }.into_any()
}

fn language_picker(editor: Editor<ChannelDraft>) -> AnyView {
    let bound = editor.text(
        "settings.language",
        |draft| if draft.settings.language == Tongue::Zh { "zh" } else { "en" }.to_owned(),
        |draft, word| draft.settings.language = if word == "zh" { Tongue::Zh } else { Tongue::En },
    );
    let options = vec![("en".to_owned(), "English".to_owned()), ("zh".to_owned(), "中文".to_owned())];
    view! { <Picker bound label=t!(alerts::language) options/> }.into_any()
}

/// What may be seen of a stored channel's address and secret; empty for a new one.
#[derive(Default)]
struct Seen {
    url: String,
    secret: String,
}

/// The fields of a service.
fn fields(editor: Editor<ChannelDraft>, kind: ChannelKind, seen: &Seen) -> AnyView {
    let address = address_field(editor, kind, &seen.url);
    let recipients = kind.takes_recipients().then(|| recipients_field(editor, kind));
    let mail = (kind == ChannelKind::Email).then(|| mail_fields(editor));
    let secret = kind.takes_secret().then(|| secret_field(editor, kind, &seen.secret));
    view! { {address}{recipients}{mail}{secret}{trust_field(editor)} }.into_any()
}

/// What was typed; nothing keeps what is stored.
fn entered(text: &str) -> Option<SecretInput> {
    (!text.trim().is_empty()).then(|| SecretInput::new(text))
}

fn typed(input: Option<&SecretInput>) -> String {
    input.map(|input| input.expose().to_owned()).unwrap_or_default()
}

fn address_field(editor: Editor<ChannelDraft>, kind: ChannelKind, shown: &str) -> AnyView {
    let bound = editor.text("url", |draft| typed(draft.url.as_ref()), |draft, text| draft.url = entered(&text));
    let hint = match (shown.is_empty(), kind) {
        (false, _) => t!(alerts::url_kept, shown),
        (true, ChannelKind::Telegram) => t!(alerts::url_telegram).to_owned(),
        (true, _) => String::new(),
    };
    let label = if kind == ChannelKind::Email { t!(alerts::server) } else { t!(alerts::url) };
    let example = match kind {
        ChannelKind::Webhook => "https://hooks.example.com/alerts",
        ChannelKind::DingTalk => "https://oapi.dingtalk.com/robot/send?access_token=…",
        ChannelKind::Feishu => "https://open.feishu.cn/open-apis/bot/v2/hook/…",
        ChannelKind::WeCom => "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…",
        ChannelKind::Slack => "https://hooks.slack.com/services/…",
        ChannelKind::Telegram => "",
        ChannelKind::Email => "mail.example.com",
    };
    view! { <TextField bound label hint example mono=true/> }.into_any()
}

fn recipients_field(editor: Editor<ChannelDraft>, kind: ChannelKind) -> AnyView {
    let label = if kind == ChannelKind::Telegram { t!(alerts::chat) } else { t!(alerts::recipients) };
    let value = Signal::derive(move || editor.draft.with(|draft| draft.settings.to.clone()));
    let set = Callback::new(move |to| editor.draft.update(|draft| draft.settings.to = to));
    view! { <TagsField field="settings.to" label hint=t!(alerts::recipients_hint) value set issue=editor.issue("settings.to")/> }
        .into_any()
}

fn secret_field(editor: Editor<ChannelDraft>, kind: ChannelKind, hint: &str) -> AnyView {
    let bound =
        editor.text("secret", |draft| typed(draft.secret.as_ref()), |draft, text| draft.secret = entered(&text));
    let label = match kind {
        ChannelKind::Telegram => t!(alerts::bot_token),
        ChannelKind::Email => t!(alerts::password),
        _ => t!(alerts::sign_secret),
    };
    let kept = if hint.is_empty() { String::new() } else { t!(alerts::secret_kept, hint) };
    view! { <SecretField bound label hint=kept optional=kind != ChannelKind::Telegram/> }.into_any()
}

/// Certificates of a server inside one's own network.
fn trust_field(editor: Editor<ChannelDraft>) -> AnyView {
    let bound = editor.text(
        "settings.ca_file",
        |draft| draft.settings.ca_file.clone().unwrap_or_default(),
        |draft, text| draft.settings.ca_file = (!text.trim().is_empty()).then_some(text),
    );
    view! { <TextField bound label=t!(provider::ca_file) hint=t!(provider::ca_file_hint) optional=true mono=true example="/etc/rondo/ca.pem"/> }
        .into_any()
}

/// Sender, sign-in and security of a mail server.
fn mail_fields(editor: Editor<ChannelDraft>) -> AnyView {
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
    .into_any()
}
