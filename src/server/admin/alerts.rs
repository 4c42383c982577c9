//! Rules and channels of alerts, their silences, and what was alerted.

pub(super) mod channels;

use uuid::Uuid;

use super::{Admin, Principal, paging, refusal};
use crate::{
    model::{
        alert::{Alert, AlertBoard, ChannelLine, Delivery, Rule, RuleDraft, SILENCE_MAX_MIN, Silence, SilenceDraft},
        error::{ApiError, ApiResult},
        id::{AlertId, RuleId},
        page::Stretch,
        problem::{Issue, Problem, Validate, within},
        user::Permission,
    },
    server::store::{Alerting, Change, Snapshot},
};

/// Alerts that are over, and messages, that the screen shows.
const SHOWN: u32 = 50;
/// Most alerts or messages in one answer of the API.
const ANSWERED: u32 = 200;

/// What may be done with alerts.
#[derive(Clone, Copy)]
pub struct Alerts<'a>(pub(super) &'a Admin);

impl Alerts<'_> {
    /// All that the screen of alerts shows.
    pub async fn board(self, who: &Principal) -> ApiResult<AlertBoard> {
        who.require(Permission::View)?;
        let Alerting { channels, rules, silences, .. } = self.read().await?;
        let mut lines = Vec::with_capacity(channels.len());
        for stored in channels {
            let last = self.0.store().last_delivery(stored.channel.id).await.map_err(refusal::of_store)?;
            lines.push(ChannelLine { channel: stored.channel, last });
        }
        let now_ms = self.0.now_ms();
        let mut board = AlertBoard {
            firing: self.firing(who).await?,
            rules,
            channels: lines,
            silences: silences.into_iter().filter(|silence| silence.until_ms > now_ms).collect(),
            history: self.history(who, None).await?.rows,
            deliveries: self.0.store().deliveries(SHOWN).await.map_err(refusal::of_store)?,
        };
        board.rules.sort_by_cached_key(|rule| paging::by_name(&rule.settings.name));
        board.channels.sort_by_cached_key(|line| paging::by_name(&line.channel.settings.name));
        Ok(board)
    }

    /// Alerts that are open, newest first.
    pub async fn firing(self, who: &Principal) -> ApiResult<Vec<Alert>> {
        who.require(Permission::View)?;
        let mut open = self.0.store().open_alerts().await.map_err(refusal::of_store)?;
        if !open.is_empty() {
            let mut known = self.read().await?.acknowledged;
            open.iter_mut().for_each(|alert| alert.acknowledged = known.remove(&alert.id));
        }
        Ok(open)
    }

    /// Takes an open alert in hand: channels that have not heard of it are not told any more, its end is told to
    /// those that have. Who comes second is the one it is known by then.
    pub async fn acknowledge(self, who: &Principal, id: AlertId) -> ApiResult<()> {
        who.require(Permission::Operate)?;
        let open = self.0.store().open_alerts().await.map_err(refusal::of_store)?;
        let alert = open.into_iter().find(|alert| alert.id == id);
        let alert = alert.ok_or_else(|| ApiError::NotFound { what: "open alert".into() })?;
        let change = Change::Acknowledge { alert: id, title: alert.title.en, by: who.name().to_owned() };
        self.0.change(who, vec![change]).await.map(drop)
    }

    /// Alerts that are over, newest first, older than `before`.
    pub async fn history(self, who: &Principal, before: Option<AlertId>) -> ApiResult<Stretch<Alert>> {
        who.require(Permission::View)?;
        let mut rows = self.0.store().past_alerts(before, SHOWN + 1).await.map_err(refusal::of_store)?;
        let more = rows.len() > SHOWN as usize;
        rows.truncate(SHOWN as usize);
        let older = rows.last().filter(|_| more).map(|last| last.id.to_string());
        Ok(Stretch { rows, older })
    }

    /// The last messages, newest first.
    pub async fn deliveries(self, who: &Principal) -> ApiResult<Vec<Delivery>> {
        who.require(Permission::View)?;
        self.0.store().deliveries(ANSWERED).await.map_err(refusal::of_store)
    }

    /// All rules in the order of names.
    pub async fn rules(self, who: &Principal) -> ApiResult<Vec<Rule>> {
        who.require(Permission::View)?;
        let mut rules = self.read().await?.rules;
        rules.sort_by_cached_key(|rule| paging::by_name(&rule.settings.name));
        Ok(rules)
    }

    /// One rule.
    pub async fn rule(self, who: &Principal, id: RuleId) -> ApiResult<Rule> {
        who.require(Permission::View)?;
        self.find_rule(id).await
    }

    /// Stores a new rule.
    pub async fn create_rule(self, who: &Principal, draft: RuleDraft) -> ApiResult<Rule> {
        who.require(Permission::ManageAlerts)?;
        let rule = prepare_rule(draft, None, &self.0.snapshot().await?, &self.read().await?)?;
        self.put_rule(who, rule, None).await
    }

    /// Replaces a rule that is still at `revision`.
    pub async fn update_rule(self, who: &Principal, id: RuleId, revision: i64, draft: RuleDraft) -> ApiResult<Rule> {
        who.require(Permission::ManageAlerts)?;
        let before = self.find_rule(id).await?;
        let rule = prepare_rule(draft, Some(&before), &self.0.snapshot().await?, &self.read().await?)?;
        self.put_rule(who, rule, Some(revision)).await
    }

    /// Switches a rule on or off. Off, its open alerts end without a message.
    pub async fn enable_rule(self, who: &Principal, id: RuleId, enabled: bool) -> ApiResult<Rule> {
        who.require(Permission::Operate)?;
        let mut rule = self.find_rule(id).await?;
        rule.settings.enabled = enabled;
        let revision = rule.revision;
        self.put_rule(who, rule, Some(revision)).await
    }

    /// Deletes a rule and its silences; what it alerted stays in the history.
    pub async fn delete_rule(self, who: &Principal, id: RuleId) -> ApiResult<()> {
        who.require(Permission::ManageAlerts)?;
        self.find_rule(id).await?;
        self.0.change(who, vec![Change::DeleteRule { id }]).await.map(drop)
    }

    /// Silences a rule or one subject of it for some minutes, or ends the silence. `None` when it ended.
    pub async fn silence(self, who: &Principal, rule: RuleId, draft: SilenceDraft) -> ApiResult<Option<Silence>> {
        who.require(Permission::Operate)?;
        within(i64::from(draft.minutes), 0, SILENCE_MAX_MIN).map_err(|issue| ApiError::invalid("minutes", issue))?;
        if draft.subject.len() > 200 {
            return Err(ApiError::invalid("subject", Issue::TooLong { max: 200 }));
        }
        let until_ms = self.0.now_ms() + i64::from(draft.minutes) * 60_000;
        let silence = Silence { rule, subject: draft.subject, until_ms, by: who.name().to_owned() };
        self.0.change(who, vec![Change::PutSilence { silence: silence.clone() }]).await?;
        Ok((draft.minutes > 0).then_some(silence))
    }

    async fn put_rule(self, who: &Principal, mut rule: Rule, expect: Option<i64>) -> ApiResult<Rule> {
        rule.revision = self.0.change(who, vec![Change::PutRule { rule: rule.clone(), expect }]).await?;
        Ok(rule)
    }

    async fn find_rule(self, id: RuleId) -> ApiResult<Rule> {
        let found = self.read().await?.rules.into_iter().find(|rule| rule.id == id);
        found.ok_or_else(|| ApiError::NotFound { what: "alert rule".into() })
    }

    async fn read(self) -> ApiResult<Alerting> {
        self.0.store().alerting().await.map_err(refusal::of_store)
    }
}

/// Checks a draft and turns it into what is stored. `before` is the rule it replaces.
pub(super) fn prepare_rule(
    draft: RuleDraft,
    before: Option<&Rule>,
    snapshot: &Snapshot,
    alerting: &Alerting,
) -> ApiResult<Rule> {
    draft.validate().map_err(|problems| ApiError::Invalid { problems })?;
    let mut problems = Vec::new();
    let mut require = |known: bool, field: String| {
        if !known {
            problems.push(Problem::new(field, Issue::Unknown));
        }
    };
    if let Some(id) = draft.provider {
        require(snapshot.providers.iter().any(|stored| stored.provider.id == id), "provider".into());
    }
    if let Some(id) = draft.group {
        require(snapshot.groups.iter().any(|group| group.id == id), "group".into());
    }
    for (index, id) in draft.channels.iter().enumerate() {
        require(alerting.channels.iter().any(|stored| stored.channel.id == *id), format!("channels[{index}]"));
    }
    if !problems.is_empty() {
        return Err(ApiError::Invalid { problems });
    }
    Ok(Rule {
        id: before.map_or_else(|| RuleId(Uuid::now_v7()), |rule| rule.id),
        settings: draft,
        revision: before.map_or(0, |rule| rule.revision),
        created_at_ms: before.map_or(0, |rule| rule.created_at_ms),
        updated_at_ms: 0,
    })
}
