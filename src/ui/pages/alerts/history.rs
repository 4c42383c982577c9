//! What was alerted, and how each message about it fared.

use leptos::prelude::*;

use super::lists::{delivery_face, moment, say};
use crate::{
    model::alert::{Alert, AlertBoard, Delivery},
    ui::{
        components::status::StatusWord,
        i18n::t,
        icon::{Glyph, Mark},
    },
};

/// Alerts that are over.
#[component]
pub fn History(
    /// Everything about alerts.
    board: StoredValue<AlertBoard>,
) -> impl IntoView {
    let line = |alert: Alert| {
        let (from, to) = (moment(alert.since_ms), moment(alert.resolved_at_ms.unwrap_or(alert.opened_at_ms)));
        view! {
            <li class="change-line">
                <span class="text-ink-3 whitespace-nowrap">{move || t!(alerts::lasted, &from(), &to())}</span>
                <a class="plain font-medium wrap-anywhere" href=alert.link.clone()><Mark glyph=Glyph::Ok/> " " {say(&alert.title)}</a>
                <span class="text-ink-3 wrap-anywhere">{alert.rule_name.clone()}</span>
                <span class="caption">{say(&alert.reason)}</span>
            </li>
        }
        .into_any()
    };
    let past = board.with_value(|board| board.history.clone());
    card(t!(alerts::history), t!(alerts::no_history), past.into_iter().map(line).collect())
}

/// Messages.
#[component]
pub fn Deliveries(
    /// Everything about alerts.
    board: StoredValue<AlertBoard>,
) -> impl IntoView {
    let line = |one: Delivery| {
        let (glyph, word) = delivery_face(one.state);
        let tries = (one.attempts > 1).then(|| format!("{} ", t!(alerts::tries, one.attempts)));
        view! {
            <li class="change-line">
                <span class="text-ink-3 whitespace-nowrap">{moment(one.at_ms)}</span>
                <span class="font-medium wrap-anywhere">{one.channel_name} ": " {one.title}</span>
                <StatusWord glyph word/>
                <span class="caption wrap-anywhere">{tries}{one.detail}</span>
            </li>
        }
        .into_any()
    };
    let told = board.with_value(|board| board.deliveries.clone());
    card(t!(alerts::deliveries), t!(alerts::no_deliveries), told.into_iter().map(line).collect())
}

fn card(title: &'static str, none: &'static str, lines: Vec<AnyView>) -> AnyView {
    let none = lines.is_empty().then(|| view! { <p class="caption px-4 pb-4">{none}</p> });
    view! {
        <section class="card">
            <div class="card-head pb-2"><h2 class="card-title">{title}</h2></div>
            <ul>{lines}</ul>
            {none}
        </section>
    }
    .into_any()
}
