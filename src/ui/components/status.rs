//! States and outcomes: glyph, word, and the reason, in one place for every screen.

use leptos::prelude::*;

use crate::{
    model::{
        health::{HealthReason, HealthState, ProviderHealth},
        request_log::Outcome,
    },
    ui::{
        clock::Clock,
        format,
        i18n::{failure, language, t},
        icon::{Glyph, Mark},
    },
};

/// The silhouette of a state.
pub fn state_glyph(state: HealthState) -> Glyph {
    match state {
        HealthState::Healthy => Glyph::Ok,
        HealthState::Degraded => Glyph::Warn,
        HealthState::Unhealthy => Glyph::Bad,
        HealthState::Recovering => Glyph::Recovering,
        HealthState::Cooling => Glyph::Cooling,
        HealthState::CredentialFailed => Glyph::KeyFailed,
        HealthState::Disabled => Glyph::Disabled,
        HealthState::Drained => Glyph::Drained,
    }
}

/// The word for a state.
pub fn state_word(state: HealthState) -> &'static str {
    match state {
        HealthState::Healthy => t!(status::healthy),
        HealthState::Degraded => t!(status::degraded),
        HealthState::Unhealthy => t!(status::unhealthy),
        HealthState::Recovering => t!(status::recovering),
        HealthState::Cooling => t!(status::cooling),
        HealthState::CredentialFailed => t!(status::credential_failed),
        HealthState::Disabled => t!(status::disabled),
        HealthState::Drained => t!(status::drained),
    }
}

/// Worst first: what needs a person stands above what mends itself, switched off comes last.
pub fn severity(state: HealthState) -> u8 {
    match state {
        HealthState::Unhealthy => 0,
        HealthState::CredentialFailed => 1,
        HealthState::Degraded => 2,
        HealthState::Cooling => 3,
        HealthState::Recovering => 4,
        HealthState::Healthy => 5,
        HealthState::Drained => 6,
        HealthState::Disabled => 7,
    }
}

/// The silhouette of an outcome.
pub fn outcome_glyph(outcome: Outcome) -> Glyph {
    match outcome {
        Outcome::Served => Glyph::Ok,
        Outcome::Saved => Glyph::Saved,
        Outcome::Failed => Glyph::Bad,
        Outcome::Interrupted => Glyph::Cut,
        Outcome::ClientLeft => Glyph::Left,
        Outcome::RateLimited => Glyph::Limited,
        Outcome::ClientError => Glyph::Skip,
    }
}

/// The word for an outcome.
pub fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Served => t!(status::served),
        Outcome::Saved => t!(status::saved),
        Outcome::Failed => t!(status::failed),
        Outcome::Interrupted => t!(status::interrupted),
        Outcome::ClientLeft => t!(status::client_left),
        Outcome::RateLimited => t!(status::rate_limited),
        Outcome::ClientError => t!(status::client_error),
    }
}

/// Whether an outcome is what happens when nothing is wrong on our side.
pub fn is_ordinary(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Saved | Outcome::Failed | Outcome::Interrupted)
}

/// Glyph and word, as tables show them.
#[component]
pub fn StatusWord(
    /// Which silhouette.
    glyph: Glyph,
    /// Its word.
    word: &'static str,
) -> impl IntoView {
    let class = format!("inline-flex items-center gap-1.5 whitespace-nowrap word-{}", glyph.tone());
    view! { <span class=class><Mark glyph/>{word}</span> }.into_any()
}

/// Glyph and word on a tint, for page bars and dialogs.
#[component]
pub fn StatusPill(
    /// Which silhouette.
    glyph: Glyph,
    /// Its word.
    word: &'static str,
) -> impl IntoView {
    view! { <span class=format!("pill pill-{}", glyph.tone())><Mark glyph/>{word}</span> }.into_any()
}

/// A state with its word; the reason is a line of its own, see [`Reason`].
#[component]
pub fn HealthWord(
    /// The state.
    state: HealthState,
) -> impl IntoView {
    view! { <StatusWord glyph=state_glyph(state) word=state_word(state)/> }
}

/// An outcome with its word.
#[component]
pub fn OutcomeWord(
    /// The outcome.
    outcome: Outcome,
) -> impl IntoView {
    view! { <StatusWord glyph=outcome_glyph(outcome) word=outcome_word(outcome)/> }
}

/// The reason of a state in one line that keeps counting; empty when there is nothing to say.
#[component]
pub fn Reason(
    /// The health it belongs to.
    health: ProviderHealth,
) -> impl IntoView {
    let clock = Clock::here();
    let line = move || reason_text(health.state, &health.reason, health.factor, clock);
    view! { <span class="caption">{line}</span> }.into_any()
}

/// The words of a reason. Follows the clock where it names a moment.
pub fn reason_text(state: HealthState, reason: &HealthReason, factor: f64, clock: Clock) -> String {
    let until = |at_ms: i64| format::moment(at_ms, clock.now_ms(), clock.zone(), language());
    match reason {
        HealthReason::None => match state {
            HealthState::Disabled => t!(status::disabled_reason).to_owned(),
            HealthState::Drained => t!(status::drained_reason).to_owned(),
            _ => String::new(),
        },
        HealthReason::SuccessRate { percent } => t!(status::rate_reason, *percent, &format!("{factor:.1}")),
        HealthReason::Failures { count, outcome, next_trial_at_ms } => {
            let (what, now_ms) = (failure::attempt(language(), outcome), clock.now_ms());
            if *next_trial_at_ms <= now_ms {
                return t!(status::failures_only, *count, what);
            }
            t!(status::failures_reason, *count, what, &format::wait(*next_trial_at_ms, now_ms, language()))
        }
        HealthReason::Trial => t!(status::trial_reason).to_owned(),
        HealthReason::Ramp { percent } => t!(status::ramp_reason, *percent),
        HealthReason::Cooling { count: 1, until_ms } => t!(status::cooling_one_reason, &until(*until_ms)),
        HealthReason::Cooling { count, until_ms } => t!(status::cooling_reason, *count, &until(*until_ms)),
        HealthReason::Refused { count: 1 } => t!(status::refused_one_reason).to_owned(),
        HealthReason::Refused { count } => t!(status::refused_reason, *count),
    }
}
