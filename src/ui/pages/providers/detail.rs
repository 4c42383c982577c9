//! One provider: its state in a sentence, the facts, the last day, why it is so, its credentials.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    delete::DeleteDialog,
    drill::{DrillNotice, DrillPanel},
    form::not_found,
    test_panel::Steps,
    why::WhyPanel,
};
use crate::{
    api::{
        health::{all_health, read_history},
        providers::{EnableProvider, get_provider, read_drills, test_provider},
        stats::read_overview,
    },
    model::{
        drill::Drills,
        health::{CredentialState, HealthHistory, HealthState, ProviderHealth},
        id::{CredentialId, ProviderId},
        provider::{AuthStyle, Credential, Provider, ProviderRow},
        rate_limit::UpstreamLimits,
        stats::{Overview, ProviderStats, Range},
        user::Permission,
    },
    ui::{
        clock::Clock,
        components::{
            chart::strip::HeatStrip,
            dialog::Dialog,
            feedback::SkeletonRows,
            form::CopyIcon,
            layout::{Crumb, Gone, PageBar},
            status::{HealthWord, StatusPill, StatusWord, reason_text, state_glyph, state_word},
            toast::Toasts,
        },
        format,
        i18n::{language, t},
        icon::{Glyph, Icon},
        live::Live,
        pages::health::uptime_line,
        recent::visited,
        session::Session,
        suspended::suspended,
    },
};

/// `/admin/providers/{id}`
#[component]
pub fn ProviderDetail() -> impl IntoView {
    let live = Live::here();
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<ProviderId>().ok())));
    let row = Resource::new(
        move || (id.get(), live.configuration.get()),
        |(id, _)| async move { get_provider(id.ok_or_else(not_found)?).await },
    );
    let day = Resource::new(|| (), |()| read_overview(Range::Day, None));
    let health = Resource::new(|| (), |()| all_health());
    let drills = Resource::new(
        move || (id.get(), live.configuration.get()),
        |(id, _)| async move { read_drills(id.ok_or_else(not_found)?).await },
    );
    let past = Resource::new(move || id.get(), |id| async move { read_history(id.ok_or_else(not_found)?).await });
    let body = move || {
        suspended(async move {
            let (row, day, health, drills, past) = (row.await, day.await, health.await, drills.await, past.await.ok());
            match row {
                Ok(row) => {
                    let (day, first_health) = (day.unwrap_or_default(), health.unwrap_or_default());
                    view! { <Page row day first_health drills=drills.unwrap_or_default() past/> }.into_any()
                }
                Err(error) => {
                    view! { <Gone error up=Crumb::new("/admin/providers", t!(shell::providers))/> }.into_any()
                }
            }
        })
    };
    view! { <Transition fallback=|| view! { <div class="page"><SkeletonRows/></div> }>{body}</Transition> }.into_any()
}

#[component]
fn Page(
    row: ProviderRow,
    day: Overview,
    first_health: Vec<ProviderHealth>,
    drills: Drills,
    past: Option<HealthHistory>,
) -> impl IntoView {
    let live = Live::here();
    let id = row.provider.id;
    visited(format!("/admin/providers/{id}"), row.provider.name.clone());
    let (day_start, day_step) = (day.buckets.first().map_or(0, |bucket| bucket.at_ms), day.step_ms);
    let stats = day.providers.iter().find(|stats| stats.provider == Some(id)).cloned();
    let first = first_health.into_iter().find(|health| health.provider == id);
    let health = Memo::new(move |_| {
        let newest = live.snapshot.with(|snapshot| {
            snapshot.as_ref().and_then(|snapshot| snapshot.health.iter().find(|health| health.provider == id).cloned())
        });
        newest.or_else(|| first.clone())
    });
    let enabled = row.provider.enabled;
    let state = Memo::new(move |_| {
        health.with(|health| health.as_ref().map(|health| health.state)).unwrap_or(if enabled {
            HealthState::Healthy
        } else {
            HealthState::Disabled
        })
    });
    let pill = (move || view! { <StatusPill glyph=state_glyph(state.get()) word=state_word(state.get())/> }).into_any();
    let (provider, acted) = (row.provider.clone(), row.provider.clone());
    let axis = (day_start, day_step);
    let drills = RwSignal::new(drills);
    view! {
        <PageBar title=provider.name.clone() crumb=Crumb::new("/admin/providers", t!(shell::providers)) pill=pill>
            <Actions provider=acted/>
        </PageBar>
        <div class="page">
            <Sentence health state/>
            <DrillNotice drills/>
            <Facts row=row.clone()/>
            <div class="grid gap-4 lg:grid-cols-[minmax(0,1fr)_340px] items-start">
                <div class="flex flex-col gap-4 min-w-0">
                    <DayStrip stats=stats.clone() past axis/>
                    <CredentialTable provider health/>
                </div>
                <div class="flex flex-col gap-4 min-w-0">
                    <WhyPanel health state groups=row.groups.clone()/>
                    <DrillPanel id enabled drills/>
                </div>
            </div>
        </div>
        <DeleteDialog row/>
    }
    .into_any()
}

#[component]
fn Actions(provider: Provider) -> impl IntoView {
    let session = Session::here();
    let toasts = Toasts::here();
    let (id, name, enabled) = (provider.id, provider.name, provider.enabled);
    let turn = ServerAction::<EnableProvider>::new();
    let shown = name.clone();
    Effect::new(move |_| match turn.value().get() {
        Some(Ok(provider)) => toasts.done(if provider.enabled {
            t!(form::enabled_thing, &shown)
        } else {
            t!(form::disabled_thing, &shown)
        }),
        Some(Err(error)) => toasts.failed(&error),
        None => {}
    });
    let test = Action::new(move |(): &()| test_provider(Some(id), None));
    let (testing, result) = (test.pending(), test.value());
    let open = RwSignal::new(false);
    let close = Callback::new(move |()| open.set(false));
    let run = move |_| {
        open.set(true);
        test.dispatch(());
    };
    let manage = session.may(Permission::ManageProviders);
    view! {
        {session.may(Permission::Operate).then(|| view! {
            <button type="button" class="btn" data-shortcut="t" aria-busy=move || testing.get().then_some("true") on:click=run><Icon name="plug-zap"/><span class="max-md:sr-only">{t!(provider::test)}</span></button>
        })}
        {manage.then(|| view! { <a class="btn" data-shortcut="e" href=format!("/admin/providers/{id}/edit")><Icon name="pencil"/><span class="max-md:sr-only">{t!(form::edit)}</span></a> })}
        <details class="more">
            <summary class="btn btn-icon" aria-label=t!(form::more_actions, &name)><Icon name="ellipsis"/></summary>
            <div class="menu">
                {session.may(Permission::Operate).then(|| view! {
                    <ActionForm action=turn>
                        <input type="hidden" name="id" value=id.to_string()/>
                        <input type="hidden" name="enabled" value=(!enabled).to_string()/>
                        <button class="menu-item"><Icon name="power"/>{if enabled { t!(form::disable) } else { t!(form::enable) }}</button>
                    </ActionForm>
                })}
                <a class="menu-item" href=format!("/admin/requests?provider={id}")><Icon name="scroll-text"/>{t!(provider::requests_link)}</a>
                {manage.then(|| view! { <hr/><a class="menu-item menu-danger" href="?delete=1"><Icon name="trash-2"/>{t!(form::delete)}</a> })}
            </div>
        </details>
        <Dialog open on_close=close shape=crate::ui::components::dialog::Shape::Narrow>
            <div class="dialog-head"><h2 id="dialog-title">{t!(provider::test_title)}</h2></div>
            <div class="dialog-body" aria-live="polite">
                {move || if testing.get() { view! { <p class="flex items-center gap-3"><span class="turning"></span>{t!(provider::test_idle)}</p> }.into_any() } else { view! { <Steps result=result.get()/> }.into_any() }}
                <p class="caption">{t!(provider::test_free)}</p>
            </div>
            <div class="dialog-foot"><button type="button" class="btn" on:click=move |_| close.run(())>{t!(shell::close)}</button></div>
        </Dialog>
    }
    .into_any()
}

/// The state and its reason as prose.
#[component]
fn Sentence(health: Memo<Option<ProviderHealth>>, state: Memo<HealthState>) -> impl IntoView {
    let clock = Clock::here();
    let text = move || {
        let says = match state.get() {
            HealthState::Healthy => t!(provider::healthy_says),
            HealthState::Degraded => t!(provider::degraded_says),
            HealthState::Unhealthy => t!(provider::unhealthy_says),
            HealthState::Recovering => t!(provider::recovering_says),
            HealthState::Cooling => t!(provider::cooling_says),
            HealthState::CredentialFailed => t!(provider::credential_failed_says),
            HealthState::Disabled => t!(provider::disabled_says),
            HealthState::Drained => t!(provider::drained_says),
        };
        let quiet = matches!(state.get(), HealthState::Disabled | HealthState::Drained);
        let reason = health.with(|health| {
            health.as_ref().map(|health| reason_text(health.state, &health.reason, health.factor, clock))
        });
        match reason.filter(|reason| !reason.is_empty() && !quiet) {
            Some(reason) => format!("{} · {says}", capital(&reason)),
            None => says.to_owned(),
        }
    };
    view! { <p class="text-base text-ink-2">{text}</p> }.into_any()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// How a key is sent, in one word.
fn auth_word(auth: &AuthStyle) -> String {
    match auth {
        AuthStyle::Bearer => "Bearer".into(),
        AuthStyle::XApiKey => "x-api-key".into(),
        AuthStyle::ApiKey => "api-key".into(),
        AuthStyle::XGoogApiKey => "x-goog-api-key".into(),
        AuthStyle::Query => "?key=".into(),
        AuthStyle::None => t!(provider::auth_none).into(),
        AuthStyle::Header { header, .. } => header.clone(),
    }
}

/// Limits in one line: `300 rpm · 40 at once`.
pub(crate) fn limits_line(limits: UpstreamLimits) -> String {
    let mut parts = Vec::new();
    if limits.rpm > 0 {
        parts.push(t!(provider::limit_rpm, &format::count(limits.rpm.into())));
    }
    if limits.concurrency > 0 {
        parts.push(t!(provider::limit_at_once, &format::count(limits.concurrency.into())));
    }
    if limits.requests_per_day > 0 {
        parts.push(t!(provider::limit_day, &format::count(limits.requests_per_day)));
    }
    if parts.is_empty() { t!(provider::limits_none).to_owned() } else { parts.join(" · ") }
}

#[component]
fn Facts(row: ProviderRow) -> impl IntoView {
    let ProviderRow { provider, groups } = row;
    let url = provider.base_url.to_string();
    let seconds =
        |ms: u32| if ms.is_multiple_of(1000) { format!("{}\u{a0}s", ms / 1000) } else { format!("{ms}\u{a0}ms") };
    let timeouts = [provider.timeouts.connect_ms, provider.timeouts.first_byte_ms, provider.timeouts.idle_ms]
        .map(seconds)
        .join(" · ");
    let tags = groups
        .iter()
        .map(|group| view! { <a class="tag" href=format!("/admin/groups/{}", group.id)>{group.slug.clone()}</a> })
        .collect_view();
    view! {
        <dl class="card facts">
            <div><dt>{t!(provider::base_url)}</dt><dd class="flex items-center gap-1.5"><span class="mono">{url.clone()}</span><CopyIcon text=url/></dd></div>
            <div><dt>{t!(provider::authentication)}</dt><dd class="mono">{auth_word(&provider.auth)}</dd></div>
            <div><dt>{t!(provider::facts_timeouts)}</dt><dd>{timeouts}</dd></div>
            <div><dt>{t!(provider::limits)}</dt><dd>{limits_line(provider.limits)}</dd></div>
            <div><dt>{t!(provider::groups)}</dt><dd class="flex flex-wrap gap-1">{if groups.is_empty() { t!(provider::not_in_group).into_any() } else { tags.into_any() }}</dd></div>
        </dl>
    }
    .into_any()
}

#[component]
fn DayStrip(stats: Option<ProviderStats>, past: Option<HealthHistory>, axis: (i64, i64)) -> impl IntoView {
    let clock = Clock::here();
    let summary = match &stats {
        Some(stats) if stats.attempts > 0 => {
            t!(provider::attempts_of, &format::success(stats.success_rate()), &format::count(stats.attempts))
        }
        _ => t!(provider::no_attempts).to_owned(),
    };
    let columns = stats.map(|stats| stats.columns).unwrap_or_default();
    let uptime = past.as_ref().map(uptime_line);
    let events = past.map(|past| past.events).unwrap_or_default();
    let none = events.is_empty();
    let changes = events
        .into_iter()
        .take(3)
        .map(|event| {
            let at = move || format::moment(event.at_ms, clock.now_ms(), clock.zone(), language());
            let reason = move || reason_text(event.state, &event.reason, 1.0, clock);
            view! { <li class="flex flex-wrap items-center gap-2"><span class="text-ink-2">{at}</span><HealthWord state=event.state/><span class="caption">{reason}</span></li> }
        })
        .collect_view();
    view! {
        <section class="card">
            <div class="card-head"><h2 class="card-title">{t!(provider::health_day)}</h2><span class="ml-auto text-ink-2">{summary}</span></div>
            <div class="px-4 py-3"><HeatStrip columns axis tall=true/></div>
            <p class="caption px-4 pb-3">{uptime}</p>
            <ul class="mx-4 border-t border-line py-3 flex flex-wrap justify-between gap-x-6 gap-y-2 list-none">{changes}{none.then(|| view! { <li class="caption">{t!(provider::no_transitions)}</li> })}</ul>
        </section>
    }
    .into_any()
}

#[component]
fn CredentialTable(provider: Provider, health: Memo<Option<ProviderHealth>>) -> impl IntoView {
    let credentials = provider.credentials;
    let all = credentials.len();
    let ready = move || {
        let bad = health.with(|health| {
            health
                .iter()
                .flat_map(|health| &health.credentials)
                .filter(|credential| credential.state != CredentialState::Ready)
                .count()
        });
        t!(provider::ready_of, all.saturating_sub(bad), all)
    };
    let edit = format!("/admin/providers/{}/edit", provider.id);
    let manage = Session::here().may(Permission::ManageProviders);
    let rows = credentials.into_iter().map(|credential| view! { <CredentialRow credential health/> }).collect_view();
    view! {
        <section class="card">
            <div class="card-head pb-2">
                <h2 class="card-title">{t!(provider::credentials)}</h2>
                <span class="caption">{ready}</span>
                {manage.then(|| view! { <a class="btn btn-sm ml-auto" href=edit><Icon name="pencil"/>{t!(form::edit)}</a> })}
            </div>
            {if all == 0 {
                view! { <p class="px-4 pb-4 text-ink-3">{t!(provider::no_credentials)}</p> }.into_any()
            } else {
                view! {
                    <table class="table rows">
                        <thead><tr><th>{t!(provider::label)}</th><th>{t!(provider::state)}</th><th class="num">{t!(provider::weight)}</th><th class="num">{t!(provider::in_flight)}</th><th>{t!(provider::limits)}</th></tr></thead>
                        <tbody>{rows}</tbody>
                    </table>
                }.into_any()
            }}
        </section>
    }
    .into_any()
}

#[component]
fn CredentialRow(credential: Credential, health: Memo<Option<ProviderHealth>>) -> impl IntoView {
    let clock = Clock::here();
    let id: CredentialId = credential.id;
    let enabled = credential.enabled;
    let now = Memo::new(move |_| {
        health.with(|health| {
            health.iter().flat_map(|health| &health.credentials).find(|known| known.credential == id).cloned()
        })
    });
    let state = move || {
        match now.get().map(|now| now.state) {
        Some(CredentialState::Cooling { until_ms }) => view! {
            <StatusWord glyph=Glyph::Cooling word=t!(provider::cooling)/>" "
            <span class="caption">{move || t!(provider::cooling_until, &format::moment(until_ms, clock.now_ms(), clock.zone(), language()))}</span>
        }
        .into_any(),
        Some(CredentialState::Failed) => view! { <StatusWord glyph=Glyph::KeyFailed word=t!(provider::failed)/> }.into_any(),
        Some(CredentialState::Disabled) => view! { <StatusWord glyph=Glyph::Disabled word=t!(status::disabled)/> }.into_any(),
        None if !enabled => view! { <StatusWord glyph=Glyph::Disabled word=t!(status::disabled)/> }.into_any(),
        Some(CredentialState::Ready) | None => view! { <StatusWord glyph=Glyph::Ok word=t!(provider::ready)/> }.into_any(),
    }
    };
    let in_flight = move || now.get().map_or(0, |now| now.in_flight);
    view! {
        <tr>
            <td><span class="strong">{credential.label}</span>" "<span class="mono text-ink-3">{credential.hint}</span></td>
            <td class="end">{state}</td>
            <td class="num"><span class="md:hidden text-ink-3">{t!(provider::weight)}" "</span>{credential.weight}</td>
            <td class="num end">{in_flight}</td>
            <td class="away">{limits_line(credential.limits)}</td>
        </tr>
    }
    .into_any()
}
