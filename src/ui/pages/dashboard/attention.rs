//! The attention strip: the three worst, each with its reason and one action; or one quiet line.

use leptos::prelude::*;

use crate::{
    api::alerts::firing_alerts,
    model::{
        alert::{Alert, RuleKind},
        health::{CredentialState, HealthState, ProviderHealth},
        stats::Overview,
    },
    ui::{
        clock::Clock,
        components::status::{Reason, severity, state_glyph, state_word},
        format,
        i18n::{language, t},
        icon::{Glyph, Icon, Mark},
        live::Live,
        pages::alerts::lists::{alert_glyph, say},
        suspended::suspended,
    },
};

/// One thing that needs a look.
#[derive(Clone, PartialEq)]
struct Trouble {
    rank: u8,
    name: String,
    health: ProviderHealth,
    /// Whether it is about one credential of a provider that still serves.
    credential: bool,
}

/// The strip.
#[component]
pub fn Attention(
    /// The data.
    data: RwSignal<Overview>,
) -> impl IntoView {
    let troubles = Memo::new(move |_| data.with(troubles));
    let counted = Memo::new(move |_| {
        let off = |data: &Overview| data.health.iter().filter(|one| one.state == HealthState::Disabled).count();
        data.with(|data| (data.health.len() - off(data), off(data)))
    });
    let face = move || match (counted.get(), troubles.get()) {
        ((0, 0), _) => first_step(),
        ((on, off), list) if list.is_empty() => view! { <AllWell on off data/> }.into_any(),
        (_, list) => {
            let more = list.len().saturating_sub(3);
            let rest = (more > 0).then(|| {
                view! { <a class="attention-more link" href="/admin/health">{t!(dashboard::more_trouble, more)}</a> }
            });
            view! {
                <section class="card attention" aria-label=t!(dashboard::attention)>
                    {list.into_iter().take(3).map(|trouble| view! { <Item trouble/> }).collect_view()}
                    {rest}
                </section>
            }
            .into_any()
        }
    };
    view! { {face} }.into_any()
}

/// Open alerts that nobody has in hand, but for providers that are down: the strip above tells those by their health.
#[component]
pub fn Alarms() -> impl IntoView {
    let live = use_context::<Live>();
    let alerts = Resource::new(move || live.map_or(0, |live| live.alerts.get()), |_| firing_alerts());
    let face = move || {
        suspended(async move {
            // Without an answer there is nothing to say here; the page of alerts tells why.
            let mut open = alerts.await.unwrap_or_default();
            open.retain(|alert| alert.kind != RuleKind::ProviderDown && alert.acknowledged.is_none());
            let more = open.len().saturating_sub(3);
            let rest = (more > 0).then(|| {
                view! { <a class="attention-more link" href="/admin/alerts">{t!(dashboard::more_trouble, more)}</a> }
            });
            let item = |alert: Alert| {
                view! {
                    <div class="attention-item">
                        <span class="pt-0.5"><Mark glyph=alert_glyph(&alert)/></span>
                        <div class="min-w-0">
                            <p class="font-medium wrap-anywhere">{say(&alert.title)}</p>
                            <p class="caption">{say(&alert.reason)}</p>
                        </div>
                        <span class="ml-auto pl-2 self-center whitespace-nowrap"><a class="link" href="/admin/alerts">{t!(dashboard::view)}</a></span>
                    </div>
                }
                .into_any()
            };
            (!open.is_empty()).then(|| {
                view! {
                    <section class="card attention" aria-label=t!(shell::alerts)>
                        {open.into_iter().take(3).map(item).collect_view()}
                        {rest}
                    </section>
                }
            })
        })
    };
    view! { <Transition>{face}</Transition> }.into_any()
}

fn troubles(data: &Overview) -> Vec<Trouble> {
    let mut list = Vec::new();
    for health in &data.health {
        let name = data.providers.iter().find(|one| one.provider == Some(health.provider));
        let name = name.map(|one| one.name.clone()).unwrap_or_else(|| format::short_id(&health.provider.to_string()));
        let rank = severity(health.state);
        let failed = health.credentials.iter().any(|one| one.state == CredentialState::Failed);
        if rank < severity(HealthState::Healthy) {
            list.push(Trouble { rank, name, health: health.clone(), credential: false });
        } else if health.state == HealthState::Healthy && failed {
            list.push(Trouble {
                rank: severity(HealthState::Degraded),
                name,
                health: health.clone(),
                credential: true,
            });
        }
    }
    list.sort_by_key(|trouble| trouble.rank);
    list
}

#[component]
fn Item(trouble: Trouble) -> impl IntoView {
    let state = trouble.health.state;
    let href = format!("/admin/providers/{}", trouble.health.provider);
    let (glyph, title, reason) = if trouble.credential {
        let all = trouble.health.credentials.len();
        let ready = trouble.health.credentials.iter().filter(|one| one.state == CredentialState::Ready).count();
        let reason = view! { <span class="caption">{t!(dashboard::still_serving, ready, all)}</span> }.into_any();
        (Glyph::KeyFailed, t!(dashboard::credential_title, &trouble.name), reason)
    } else {
        let reason = view! { <Reason health=trouble.health.clone()/> }.into_any();
        (state_glyph(state), t!(dashboard::title, &trouble.name, state_word(state)), reason)
    };
    let action = match state {
        _ if trouble.credential => view! { <a class="link" href=href>{t!(dashboard::replace)}</a> }.into_any(),
        HealthState::CredentialFailed => view! { <a class="link" href=href>{t!(dashboard::replace)}</a> }.into_any(),
        HealthState::Cooling | HealthState::Recovering => {
            view! { <span class="caption">{t!(dashboard::nothing_to_do)}</span> }.into_any()
        }
        _ => view! { <a class="link" href=href>{t!(dashboard::view)}</a> }.into_any(),
    };
    view! {
        <div class="attention-item">
            <span class="pt-0.5"><Mark glyph/></span>
            <div class="min-w-0">
                <p class="font-medium wrap-anywhere">{title}</p>
                <p>{reason}</p>
            </div>
            <span class="ml-auto pl-2 self-center whitespace-nowrap">{action}</span>
        </div>
    }
    .into_any()
}

/// One line when there is nothing to do. Providers that are switched off are neither well nor in trouble.
#[component]
fn AllWell(on: usize, off: usize, data: RwSignal<Overview>) -> impl IntoView {
    let clock = Clock::here();
    let last = Memo::new(move |_| {
        let bad =
            |state| matches!(state, HealthState::Unhealthy | HealthState::CredentialFailed | HealthState::Degraded);
        data.with(|data| data.events.iter().filter(|event| bad(event.state)).map(|event| event.at_ms).max())
    });
    let incident = move || match last.get() {
        Some(at_ms) => t!(dashboard::last_incident, &format::age(at_ms, clock.now_ms(), language())),
        None => t!(dashboard::no_incident).to_owned(),
    };
    let (glyph, says) = match on {
        0 => (state_glyph(HealthState::Disabled), t!(dashboard::all_off).to_owned()),
        1 => (Glyph::Ok, t!(dashboard::one_well).to_owned()),
        _ => (Glyph::Ok, t!(dashboard::all_well, on)),
    };
    let besides = (on > 0 && off > 0).then(|| t!(dashboard::off_besides, off));
    view! {
        <section class="card flex items-center gap-2 px-4 py-2.5">
            <Mark glyph/>
            <p class="text-ink-2">{says}{besides} <span class="text-ink-3">", " {incident}</span></p>
        </section>
    }
    .into_any()
}

/// Before the first provider: the next step.
pub(in crate::ui::pages) fn first_step() -> AnyView {
    view! {
        <section class="card px-6 py-8 rounds">
            <h2 class="text-lg font-semibold">{t!(dashboard::empty_title)}</h2>
            <p class="text-ink-2 max-w-[46ch] pt-1">{t!(dashboard::empty_hint)}</p>
            <a class="btn btn-primary mt-4" href="/admin/providers/new"><Icon name="plus"/>{t!(dashboard::add_provider)}</a>
        </section>
    }
    .into_any()
}
