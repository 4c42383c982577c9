//! Alerts: what fires, the rules that watch, the channels that are told, and what was told.

pub mod channel_form;
pub mod history;
pub mod lists;
pub mod rule_form;

use leptos::prelude::*;

use self::{
    channel_form::ChannelForm,
    history::{Deliveries, History},
    lists::{Channels, Firing, Rules},
    rule_form::RuleForm,
};
use crate::{
    api::alerts::{delete_channel, delete_rule, read_alerts},
    model::{
        alert::{AlertBoard, ChannelKind, RuleKind},
        error::ApiResult,
        user::Permission,
    },
    ui::{
        components::{
            dialog::{ConfirmDialog, Dialog, Doomed, Shape},
            feedback::{Failure, SkeletonRows},
            layout::PageBar,
            table::ListState,
        },
        i18n::t,
        icon::Icon,
        live::Live,
        session::Session,
        suspended::suspended,
    },
};

/// `/admin/alerts`
#[component]
pub fn AlertsPage() -> impl IntoView {
    let (live, state) = (Live::here(), ListState::here());
    let again = RwSignal::new(0_u32);
    let version = move || (live.configuration.get(), live.alerts.get(), again.get());
    let board = Resource::new(version, |_| read_alerts());
    let body = move || {
        suspended(async move {
            match board.await {
                Err(error) => view! { <section class="card"><Failure error><a class="btn" href="">{t!(shell::try_again)}</a></Failure></section> }.into_any(),
                Ok(board) => {
                    let board = StoredValue::new(board);
                    view! {
                        <Firing board again/>
                        <Rules board state again/>
                        <Channels board state again/>
                        <History board/>
                        <Deliveries board/>
                        <Dialogs board state again/>
                    }
                    .into_any()
                }
            }
        })
    };
    let manage = Session::here().may(Permission::ManageAlerts);
    view! {
        <PageBar title=t!(shell::alerts)>
            {manage.then(|| view! { <a class="btn btn-primary" href="/admin/alerts?rule=new" data-shortcut="c"><Icon name="plus"/>{t!(alerts::add_rule)}</a> })}
        </PageBar>
        <div class="page"><Transition fallback=|| view! { <SkeletonRows rows=8/> }>{body}</Transition></div>
    }
    .into_any()
}

/// The dialogs that the address opens.
#[component]
fn Dialogs(board: StoredValue<AlertBoard>, state: ListState, again: RwSignal<u32>) -> impl IntoView {
    let (editing_rule, close_rule) = state.dialog("rule");
    let (editing_channel, close_channel) = state.dialog("channel");
    let (deleting_rule, keep_rule) = state.dialog("delete-rule");
    let (deleting_channel, keep_channel) = state.dialog("delete-channel");
    let changed = Callback::new(move |()| again.update(|count| *count += 1));
    let rule_named = move |word: &'static str| {
        let id = state.word(word);
        board.with_value(|board| board.rules.iter().find(|rule| rule.id.to_string() == id).cloned())
    };
    let channel_named = move |word: &'static str| {
        let id = state.word(word);
        board.with_value(|board| {
            board.channels.iter().find(|line| line.channel.id.to_string() == id).map(|line| line.channel.clone())
        })
    };
    let rule_form = move || view! { <RuleForm rule=rule_named("rule") board on_close=close_rule changed/> };
    let channel_form = move || view! { <ChannelForm channel=channel_named("channel") on_close=close_channel changed/> };
    let delete_rule: Action<(), ApiResult<()>> = Action::new(move |(): &()| {
        let rule = untrack(|| rule_named("delete-rule"));
        async move {
            if let Some(rule) = rule {
                delete_rule(rule.id).await?;
                keep_rule.run(());
                changed.run(());
            }
            Ok(())
        }
    });
    let delete_channel: Action<(), ApiResult<()>> = Action::new(move |(): &()| {
        let channel = untrack(|| channel_named("delete-channel"));
        async move {
            if let Some(channel) = channel {
                delete_channel(channel.id).await?;
                keep_channel.run(());
                changed.run(());
            }
            Ok(())
        }
    });
    let doomed_rule = Signal::derive(move || {
        let rule = rule_named("delete-rule");
        let name = rule.as_ref().map(|rule| rule.settings.name.clone()).unwrap_or_default();
        Doomed {
            title: t!(alerts::delete_rule_title, &name),
            consequence: t!(alerts::delete_rule_says).to_owned(),
            expected: name,
            verb: t!(alerts::delete_rule),
            url: "/rpc/alerts/delete_rule",
            id: rule.map(|rule| rule.id.to_string()).unwrap_or_default(),
        }
    });
    let doomed_channel = Signal::derive(move || {
        let channel = channel_named("delete-channel");
        let name = channel.as_ref().map(|channel| channel.settings.name.clone()).unwrap_or_default();
        Doomed {
            title: t!(alerts::delete_channel_title, &name),
            consequence: t!(alerts::delete_channel_says).to_owned(),
            expected: name,
            verb: t!(alerts::delete_channel),
            url: "/rpc/alerts/delete_channel",
            id: channel.map(|channel| channel.id.to_string()).unwrap_or_default(),
        }
    });
    view! {
        <Dialog open=editing_rule on_close=close_rule shape=Shape::Drawer>{rule_form}</Dialog>
        <Dialog open=editing_channel on_close=close_channel shape=Shape::Drawer>{channel_form}</Dialog>
        <ConfirmDialog open=deleting_rule on_close=keep_rule doomed=doomed_rule action=delete_rule/>
        <ConfirmDialog open=deleting_channel on_close=keep_channel doomed=doomed_channel action=delete_channel/>
    }
    .into_any()
}

/// The word for what a rule watches.
pub(super) fn kind_word(kind: RuleKind) -> &'static str {
    match kind {
        RuleKind::ProviderDown => t!(alerts::provider_down),
        RuleKind::SuccessRate => t!(alerts::success_rate),
        RuleKind::Latency => t!(alerts::latency),
        RuleKind::CredentialFailed => t!(alerts::credential_failed),
        RuleKind::CapNear => t!(alerts::cap_near),
        RuleKind::LogDropped => t!(alerts::log_dropped),
        RuleKind::NodeLost => t!(alerts::node_lost),
    }
}

/// The word for a service.
fn service_word(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Webhook => t!(alerts::webhook),
        ChannelKind::DingTalk => t!(alerts::dingtalk),
        ChannelKind::Feishu => t!(alerts::feishu),
        ChannelKind::WeCom => t!(alerts::wecom),
        ChannelKind::Slack => t!(alerts::slack),
        ChannelKind::Telegram => t!(alerts::telegram),
        ChannelKind::Email => t!(alerts::email),
    }
}
