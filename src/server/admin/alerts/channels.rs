//! Channels: their addresses and secrets are sealed on the way in, and never come out again.

use uuid::Uuid;

use super::Alerts;
use crate::{
    model::{
        alert::{Channel, ChannelDraft, ChannelKind, Delivery, HookUrl, TELEGRAM},
        error::{ApiError, ApiResult},
        id::ChannelId,
        problem::{Issue, Problem, Validate},
        provider::hint,
        user::Permission,
    },
    server::{
        admin::{Admin, Principal, paging, refusal},
        alert::channel::OpenChannel,
        secret::seal::{channel_secret_aad, channel_url_aad},
        store::{Change, ChannelSecrets, StoredChannel},
    },
};

impl Alerts<'_> {
    /// All channels in the order of names.
    pub async fn channels(self, who: &Principal) -> ApiResult<Vec<Channel>> {
        who.require(Permission::View)?;
        let mut channels: Vec<Channel> = self.read().await?.channels.into_iter().map(|one| one.channel).collect();
        channels.sort_by_cached_key(|channel| paging::by_name(&channel.settings.name));
        Ok(channels)
    }

    /// One channel.
    pub async fn channel(self, who: &Principal, id: ChannelId) -> ApiResult<Channel> {
        who.require(Permission::View)?;
        Ok(self.find_channel(id).await?.channel)
    }

    /// Stores a new channel.
    pub async fn create_channel(self, who: &Principal, draft: ChannelDraft) -> ApiResult<Channel> {
        who.require(Permission::ManageAlerts)?;
        let (channel, secrets) = prepare_channel(self.0, &draft, None)?;
        self.put_channel(who, channel, secrets, None).await
    }

    /// Replaces a channel that is still at `revision`. Address and secret left out stay as they are; a secret
    /// must be entered again when the address leads to another host.
    pub async fn update_channel(
        self,
        who: &Principal,
        id: ChannelId,
        revision: i64,
        draft: ChannelDraft,
    ) -> ApiResult<Channel> {
        who.require(Permission::ManageAlerts)?;
        let before = self.find_channel(id).await?;
        let (channel, secrets) = prepare_channel(self.0, &draft, Some(&before))?;
        self.put_channel(who, channel, secrets, Some(revision)).await
    }

    /// Switches a channel on or off.
    pub async fn enable_channel(self, who: &Principal, id: ChannelId, enabled: bool) -> ApiResult<Channel> {
        who.require(Permission::Operate)?;
        let mut channel = self.find_channel(id).await?.channel;
        channel.settings.enabled = enabled;
        let revision = channel.revision;
        self.put_channel(who, channel, ChannelSecrets::default(), Some(revision)).await
    }

    /// Deletes a channel; rules that told it tell it no more.
    pub async fn delete_channel(self, who: &Principal, id: ChannelId) -> ApiResult<()> {
        who.require(Permission::ManageAlerts)?;
        self.find_channel(id).await?;
        let told = self.read().await?.rules.into_iter().filter(|rule| rule.settings.channels.contains(&id));
        let mut changes: Vec<Change> = told
            .map(|mut rule| {
                rule.settings.channels.retain(|channel| *channel != id);
                let expect = Some(rule.revision);
                Change::PutRule { rule, expect }
            })
            .collect();
        changes.push(Change::DeleteChannel { id });
        self.0.change(who, changes).await.map(drop)
    }

    /// Sends a test to a channel, switched on or not, and says how it fared.
    pub async fn test_channel(self, who: &Principal, id: ChannelId) -> ApiResult<Delivery> {
        who.require(Permission::Operate)?;
        let stored = self.find_channel(id).await?;
        let channel = OpenChannel::open(&stored, self.0.master())
            .map_err(|error| refusal::internal("a channel of alerts does not open", &error))?;
        let delivery = self.0.messenger().test(&channel, self.0.now_ms()).await;
        self.0.store().put_delivery(&delivery).await.map_err(refusal::of_store)?;
        Ok(delivery)
    }

    async fn put_channel(
        self,
        who: &Principal,
        mut channel: Channel,
        secrets: ChannelSecrets,
        expect: Option<i64>,
    ) -> ApiResult<Channel> {
        let change = Change::PutChannel { channel: channel.clone(), secrets, expect };
        channel.revision = self.0.change(who, vec![change]).await?;
        Ok(channel)
    }

    async fn find_channel(self, id: ChannelId) -> ApiResult<StoredChannel> {
        let found = self.read().await?.channels.into_iter().find(|stored| stored.channel.id == id);
        found.ok_or_else(|| ApiError::NotFound { what: "alert channel".into() })
    }
}

/// Checks a draft and turns it into what is stored. `before` is the channel it replaces.
pub(in crate::server::admin) fn prepare_channel(
    admin: &Admin,
    draft: &ChannelDraft,
    before: Option<&StoredChannel>,
) -> ApiResult<(Channel, ChannelSecrets)> {
    draft.validate().map_err(|problems| ApiError::Invalid { problems })?;
    let settings = draft.settings.clone();
    // Its address and secret would be of no use to another kind.
    if before.is_some_and(|stored| stored.channel.settings.kind != settings.kind) {
        return Err(ApiError::invalid("settings.kind", Issue::Fixed));
    }
    let id = before.map_or_else(|| ChannelId(Uuid::now_v7()), |stored| stored.channel.id);
    let master = admin.master();
    let opened = before.map(|stored| OpenChannel::open(stored, master)).transpose();
    let opened = opened.map_err(|error| refusal::internal("a channel of alerts does not open", &error))?;
    let entered = draft.entered_url();
    let kept = opened.as_ref().map(OpenChannel::url);
    let parse = |text: &str| {
        HookUrl::parse(settings.kind, settings.security, text).map_err(|issue| ApiError::invalid("url", issue))
    };
    let url = match (entered, kept) {
        (Some(text), _) => parse(text)?,
        (None, Some(url)) => url.clone(),
        (None, None) if settings.kind == ChannelKind::Telegram => parse(TELEGRAM)?,
        (None, None) => return Err(ApiError::invalid("url", Issue::Required)),
    };
    let moved = kept.is_some_and(|kept| kept.origin.host() != url.origin.host());
    let had_secret = before.is_some_and(|stored| stored.secret.is_some());
    let secret_aad = channel_secret_aad(id, url.origin.host());
    let (secret, shown_hint) = match draft.secret.as_ref().filter(|_| settings.kind.takes_secret()) {
        Some(secret) if !secret.expose().is_empty() => {
            (Some(Some(master.seal(secret.expose(), &secret_aad))), shown_part(settings.kind, secret.expose()))
        }
        None if settings.kind.takes_secret() && had_secret && moved => {
            return Err(ApiError::Invalid { problems: vec![Problem::new("secret", Issue::ChannelSecretAgain)] });
        }
        None if settings.kind.takes_secret() && had_secret => {
            (None, before.map(|stored| stored.channel.hint.clone()).unwrap_or_default())
        }
        Some(_) | None => (had_secret.then_some(None), String::new()),
    };
    if settings.kind == ChannelKind::Telegram && shown_hint.is_empty() {
        return Err(ApiError::invalid("secret", Issue::Required));
    }
    let sealed_url =
        (entered.is_some() || before.is_none()).then(|| master.seal(&url.text(settings.kind), &channel_url_aad(id)));
    let channel = Channel {
        id,
        shown: url.shown(settings.kind),
        hint: shown_hint,
        settings,
        revision: before.map_or(0, |stored| stored.channel.revision),
        created_at_ms: before.map_or(0, |stored| stored.channel.created_at_ms),
        updated_at_ms: 0,
    };
    Ok((channel, ChannelSecrets { url: sealed_url, secret }))
}

/// What may be seen of a secret. People choose passwords, so that four characters of one tell too much.
fn shown_part(kind: ChannelKind, secret: &str) -> String {
    if kind == ChannelKind::Email { "…".to_owned() } else { hint(secret) }
}
