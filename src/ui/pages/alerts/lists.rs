//! What fires, the rules, the channels: one card each.

use leptos::prelude::*;

use super::{kind_word, service_word};
use crate::{
    api::alerts::{acknowledge_alert, enable_channel, enable_rule, silence_rule, test_channel},
    model::{
        alert::{Alert, AlertBoard, ChannelLine, DeliveryState, Rule, RuleDraft, RuleKind, Words},
        error::ApiError,
        id::{AlertId, ChannelId, RuleId},
        user::Permission,
    },
    ui::{
        clock::Clock,
        components::{status::StatusWord, table::ListState, toast::Toasts},
        format,
        i18n::{Language, language, t},
        icon::{Glyph, Icon, Mark},
        session::Session,
    },
};

/// The sentence in the language of the page.
pub(in crate::ui::pages) fn say(words: &Words) -> String {
    match language() {
        Language::English => words.en.clone(),
        Language::Chinese => words.zh.clone(),
    }
}

/// The silhouette of an open alert.
pub(in crate::ui::pages) fn alert_glyph(alert: &Alert) -> Glyph {
    match alert.kind {
        RuleKind::CredentialFailed => Glyph::KeyFailed,
        kind if kind.is_critical() => Glyph::Bad,
        _ => Glyph::Warn,
    }
}

/// A moment as the page's clock and zone have it.
pub(super) fn moment(at_ms: i64) -> impl Fn() -> String + Copy + Send + Sync + 'static {
    let clock = Clock::here();
    move || format::moment(at_ms, clock.now_ms(), clock.zone(), language())
}

/// Silences a rule or a subject of it, or ends its silence.
fn silencer(again: RwSignal<u32>) -> Action<(RuleId, String, u32), ()> {
    let toasts = Toasts::here();
    Action::new(move |asked: &(RuleId, String, u32)| {
        let (rule, subject, minutes) = asked.clone();
        async move {
            let word = if minutes == 0 { t!(alerts::loud_again) } else { t!(alerts::silence_done) };
            tell(toasts, silence_rule(rule, subject, minutes).await, word.to_owned(), again);
        }
    })
}

/// Tells how an action went, and reads the page again.
fn tell(toasts: Toasts, result: Result<(), ApiError>, done: String, again: RwSignal<u32>) {
    match result {
        Ok(()) => toasts.done(done),
        Err(error) => toasts.failed(&error),
    }
    again.update(|count| *count += 1);
}

/// Open alerts.
#[component]
pub fn Firing(
    /// Everything about alerts.
    board: StoredValue<AlertBoard>,
    /// Raised to read the board again.
    again: RwSignal<u32>,
) -> impl IntoView {
    let silence = silencer(again);
    let toasts = Toasts::here();
    let acknowledge = Action::new(move |id: &AlertId| {
        let id = *id;
        async move { tell(toasts, acknowledge_alert(id).await, t!(alerts::acknowledge_done).to_owned(), again) }
    });
    let operate = Session::here().may(Permission::Operate);
    let row = |alert: Alert| {
        let (id, rule, subject) = (alert.id, alert.rule, alert.subject.clone());
        let in_hand = alert.acknowledged.clone().map(|taken| {
            let at = moment(taken.at_ms);
            view! { <p class="caption wrap-anywhere">{move || t!(alerts::acknowledged, &taken.by, &at())}</p> }
        });
        let free = in_hand.is_none();
        let menu = operate.then(|| {
            view! {
                <span class="ml-auto pl-2 flex flex-wrap justify-end gap-1">
                    {free.then(|| view! { <button type="button" class="btn btn-sm" on:click=move |_| { acknowledge.dispatch(id); }>{t!(alerts::acknowledge)}</button> })}
                    <button type="button" class="btn btn-sm" on:click=move |_| { silence.dispatch((rule, subject.clone(), 60)); }>{t!(alerts::silence_1h)}</button>
                </span>
            }
        });
        let since = moment(alert.since_ms);
        view! {
            <li class="attention-item">
                <span class="pt-0.5"><Mark glyph=alert_glyph(&alert)/></span>
                <div class="min-w-0">
                    <p class="font-medium wrap-anywhere"><a class="plain" href=alert.link.clone()>{say(&alert.title)}</a></p>
                    <p class="caption wrap-anywhere">{say(&alert.reason)} " · " {move || t!(alerts::since, &since())} " · " {alert.rule_name.clone()}</p>
                    {in_hand}
                </div>
                {menu}
            </li>
        }
        .into_any()
    };
    let alerts = board.with_value(|board| board.firing.clone());
    let count = alerts.len();
    let face = if alerts.is_empty() {
        view! { <p class="flex items-center gap-2 px-4 py-3 text-ink-2"><Mark glyph=Glyph::Ok/>{t!(alerts::all_quiet)} <span class="caption">{t!(alerts::all_quiet_hint)}</span></p> }.into_any()
    } else {
        view! { <ul class="attention">{alerts.into_iter().map(row).collect_view()}</ul> }.into_any()
    };
    view! {
        <section class="card">
            <div class="card-head pb-2"><h2 class="card-title">{t!(alerts::firing)}</h2><span class="caption">{(count > 0).then_some(count)}</span></div>
            {face}
        </section>
    }
    .into_any()
}

/// What a rule says, in a line.
fn says(settings: &RuleDraft) -> String {
    let percent = settings.percent.to_string();
    let mut parts = Vec::new();
    match settings.kind {
        RuleKind::SuccessRate => parts.push(t!(alerts::below_says, &percent, settings.minutes)),
        RuleKind::Latency => parts.push(t!(alerts::above_says, settings.above_ms, settings.minutes)),
        RuleKind::CapNear => parts.push(t!(alerts::used_says, &percent)),
        _ => {}
    }
    if settings.hold_seconds > 0 {
        parts.push(t!(alerts::hold_says, settings.hold_seconds));
    }
    parts.join(" · ")
}

/// The rules.
#[component]
pub fn Rules(
    /// Everything about alerts.
    board: StoredValue<AlertBoard>,
    /// What the address says about the list.
    state: ListState,
    /// Raised to read the board again.
    again: RwSignal<u32>,
) -> impl IntoView {
    let silence = silencer(again);
    let toasts = Toasts::here();
    let switch = Action::new(move |asked: &(RuleId, String, bool)| {
        let (id, name, on) = asked.clone();
        async move {
            let word = if on { t!(form::enabled_thing, &name) } else { t!(form::disabled_thing, &name) };
            tell(toasts, enable_rule(id, on).await, word, again);
        }
    });
    let session = Session::here();
    let (operate, manage) = (session.may(Permission::Operate), session.may(Permission::ManageAlerts));
    let row = move |rule: Rule| {
        let (id, name, on) = (rule.id, rule.settings.name.clone(), rule.settings.enabled);
        let told = board.with_value(|board| channel_names(board, &rule.settings.channels));
        let firing = board.with_value(|board| board.firing.iter().any(|alert| alert.rule == id));
        let silenced = board.with_value(|board| {
            board.silences.iter().find(|one| one.rule == id && one.subject.is_empty()).map(|one| one.until_ms)
        });
        let (glyph, word) = match (on, firing) {
            (false, _) => (Glyph::Disabled, t!(status::disabled)),
            (true, true) => (Glyph::Bad, t!(alerts::firing)),
            (true, false) => (Glyph::Ok, t!(alerts::quiet)),
        };
        let until = silenced.map(|at_ms| {
            let until = moment(at_ms);
            view! { <span class="caption block">{move || t!(alerts::silenced, &until())}</span> }
        });
        let (edit, delete) = (id.to_string(), id.to_string());
        let labelled = name.clone();
        let menu = operate.then(|| {
            let hush = move |minutes: u32| move |_: leptos::ev::MouseEvent| { silence.dispatch((id, String::new(), minutes)); };
            let turn = (id, name.clone(), !on);
            view! {
                <details class="more" name="row-menu">
                    <summary class="btn btn-ghost btn-sm btn-icon" aria-label=t!(form::more_actions, &labelled)><Icon name="ellipsis"/></summary>
                    <div class="menu">
                        {manage.then(|| view! { <a class="menu-item" href=move || state.href(&[("rule", &edit)])><Icon name="pencil"/>{t!(form::edit)}</a> })}
                        <button type="button" class="menu-item" on:click=move |_| { switch.dispatch(turn.clone()); }><Icon name="power"/>{if on { t!(form::disable) } else { t!(form::enable) }}</button>
                        <button type="button" class="menu-item" on:click=hush(60)><Icon name="pause"/>{t!(alerts::silence_1h)}</button>
                        <button type="button" class="menu-item" on:click=hush(1_440)><Icon name="pause"/>{t!(alerts::silence_1d)}</button>
                        {silenced.map(|_| view! { <button type="button" class="menu-item" on:click=hush(0)><Icon name="play"/>{t!(alerts::silence_end)}</button> })}
                        {manage.then(|| view! { <hr/><a class="menu-item menu-danger" href=move || state.href(&[("delete-rule", &delete)])><Icon name="trash-2"/>{t!(form::delete)}</a> })}
                    </div>
                </details>
            }
        });
        view! {
            <tr class:quiet=!on>
                <td class="two"><span class="name">{kind_word(rule.settings.kind)}</span><span class="caption block wrap-anywhere">{[name.clone(), says(&rule.settings)].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")}</span></td>
                <td class="end"><StatusWord glyph word/>{until}</td>
                <td class="text-ink-3 wrap-anywhere">{told}</td>
                <td class="away">{menu}</td>
            </tr>
        }
        .into_any()
    };
    let rules = board.with_value(|board| board.rules.clone());
    let none = rules.is_empty().then(|| view! { <p class="caption px-4 pb-4">{t!(alerts::no_rules)}</p> });
    view! {
        <section class="card">
            <div class="card-head pb-2"><h2 class="card-title">{t!(alerts::rules)}</h2></div>
            <table class="table">
                <thead><tr>
                    <th scope="col">{t!(alerts::kind)}</th><th scope="col">{t!(form::status)}</th><th scope="col">{t!(alerts::tell)}</th>
                    <th class="w-8"><span class="sr-only">{t!(form::actions)}</span></th>
                </tr></thead>
                <tbody>{rules.into_iter().map(row).collect_view()}</tbody>
            </table>
            {none}
        </section>
    }
    .into_any()
}

fn channel_names(board: &AlertBoard, ids: &[ChannelId]) -> String {
    let known = board.channels.iter().filter(|line| ids.contains(&line.channel.id));
    let names: Vec<&str> = known.map(|line| line.channel.settings.name.as_str()).collect();
    if names.is_empty() { t!(alerts::sends_nowhere).to_owned() } else { names.join(", ") }
}

/// Silhouette and word for how a message fared.
pub(super) fn delivery_face(state: DeliveryState) -> (Glyph, &'static str) {
    match state {
        DeliveryState::Sent => (Glyph::Ok, t!(alerts::sent)),
        DeliveryState::Retrying => (Glyph::Wait, t!(alerts::retrying)),
        DeliveryState::Failed => (Glyph::Bad, t!(alerts::failed)),
        DeliveryState::Held => (Glyph::Limited, t!(alerts::held)),
    }
}

/// The channels, each with its last message and a test.
#[component]
pub fn Channels(
    /// Everything about alerts.
    board: StoredValue<AlertBoard>,
    /// What the address says about the list.
    state: ListState,
    /// Raised to read the board again.
    again: RwSignal<u32>,
) -> impl IntoView {
    let toasts = Toasts::here();
    let test = Action::new(move |asked: &(ChannelId, String)| {
        let (id, name) = asked.clone();
        async move {
            match test_channel(id).await {
                Ok(told) if told.state == DeliveryState::Sent => toasts.done(t!(alerts::test_sent, &name)),
                Ok(told) => toasts.found(t!(alerts::test_failed, &name), told.detail),
                Err(error) => toasts.failed(&error),
            }
            again.update(|count| *count += 1);
        }
    });
    let switch = Action::new(move |asked: &(ChannelId, String, bool)| {
        let (id, name, on) = asked.clone();
        async move {
            let word = if on { t!(form::enabled_thing, &name) } else { t!(form::disabled_thing, &name) };
            tell(toasts, enable_channel(id, on).await, word, again);
        }
    });
    let session = Session::here();
    let (operate, manage) = (session.may(Permission::Operate), session.may(Permission::ManageAlerts));
    let busy = test.pending();
    let row = move |line: ChannelLine| {
        let channel = line.channel;
        let (id, name, on) = (channel.id, channel.settings.name.clone(), channel.settings.enabled);
        let last = match (&line.last, on) {
            (_, false) => view! { <StatusWord glyph=Glyph::Disabled word=t!(status::disabled)/> }.into_any(),
            (None, true) => "–".into_any(),
            (Some(last), true) => {
                let (glyph, word) = delivery_face(last.state);
                let at = moment(last.at_ms);
                view! { <StatusWord glyph word/> " " <span class="caption">{at}</span> }.into_any()
            }
        };
        let (edit, delete, tried) = (id.to_string(), id.to_string(), (id, name.clone()));
        let turn = (id, name.clone(), !on);
        let labelled = name.clone();
        let actions = operate.then(|| {
            view! {
                <span class="flex items-center gap-1 justify-end">
                    <button type="button" class="btn btn-sm" aria-busy=move || busy.get().then_some("true") on:click=move |_| { test.dispatch(tried.clone()); }>{t!(alerts::test)}</button>
                    <details class="more" name="row-menu">
                        <summary class="btn btn-ghost btn-sm btn-icon" aria-label=t!(form::more_actions, &labelled)><Icon name="ellipsis"/></summary>
                        <div class="menu">
                            {manage.then(|| view! { <a class="menu-item" href=move || state.href(&[("channel", &edit)])><Icon name="pencil"/>{t!(form::edit)}</a> })}
                            <button type="button" class="menu-item" on:click=move |_| { switch.dispatch(turn.clone()); }><Icon name="power"/>{if on { t!(form::disable) } else { t!(form::enable) }}</button>
                            {manage.then(|| view! { <hr/><a class="menu-item menu-danger" href=move || state.href(&[("delete-channel", &delete)])><Icon name="trash-2"/>{t!(form::delete)}</a> })}
                        </div>
                    </details>
                </span>
            }
        });
        view! {
            <tr class:quiet=!on>
                <td class="two"><span class="name">{name}</span><span class="caption block wrap-anywhere">{service_word(channel.settings.kind)} " · " <span class="mono">{channel.shown}</span></span></td>
                <td class="end">{last}</td>
                <td class="away">{actions}</td>
            </tr>
        }
        .into_any()
    };
    let channels = board.with_value(|board| board.channels.clone());
    let none = channels.is_empty().then(|| view! { <p class="caption px-4 pb-4">{t!(alerts::no_channels)}</p> });
    let add = manage.then(|| {
        view! { <a class="btn btn-sm ml-auto" href="/admin/alerts?channel=new"><Icon name="plus"/>{t!(alerts::add_channel)}</a> }
    });
    view! {
        <section class="card">
            <div class="card-head pb-2"><h2 class="card-title">{t!(alerts::channels)}</h2>{add}</div>
            <table class="table"><tbody>{channels.into_iter().map(row).collect_view()}</tbody></table>
            {none}
        </section>
    }
    .into_any()
}
