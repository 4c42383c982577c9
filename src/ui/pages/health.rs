//! Health: every provider with its state, the reason, and how its attempts went; then what changed.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::dashboard::heat::ago;
use crate::{
    api::{health::all_uptimes, stats::read_overview},
    model::{
        error::ApiError,
        health::{CredentialState, HealthEvent, HealthHistory, ProviderHealth},
        id::ProviderId,
        stats::{Overview, ProviderColumn, Range},
    },
    ui::{
        clock::Clock,
        components::{
            chart::strip::{HeatStrip, StripLegend},
            feedback::{Failure, SkeletonRows},
            layout::{PageBar, StalePill},
            status::{HealthWord, Reason, reason_text, severity, state_glyph, state_word},
        },
        format,
        i18n::{language, t},
        icon::{Icon, Mark},
        live::Live,
        suspended::suspended,
    },
};

/// The page. The range stands in the address; a day without one.
#[component]
pub fn Health() -> impl IntoView {
    let query = use_query_map();
    let range = Memo::new(move |_| {
        query.with(|query| query.get("range").and_then(|word| Range::parse(&word)).unwrap_or(Range::Day))
    });
    let live = use_context::<Live>();
    // A changed configuration or lost messages are reasons to read everything again.
    let version = move || live.map_or(0, |live| live.configuration.get());
    let overview = Resource::new_blocking(
        move || (range.get(), version()),
        |(range, _)| async move { (read_overview(range, None).await, all_uptimes().await.unwrap_or_default()) },
    );
    let choice = move |one: Range| {
        let href = format!("/admin/health?range={}", one.as_str());
        view! { <a href=href aria-current=move || (range.get() == one).then_some("true")>{super::dashboard::controls::word(one)}</a> }
    };
    let picker = move || {
        view! { <nav class="seg" aria-label=t!(dashboard::range)>{Range::ALL.map(choice).into_iter().collect_view()}</nav> }
    };
    let face = move || {
        suspended(async move {
            let (overview, uptimes) = overview.await;
            face(overview, uptimes)
        })
    };
    view! {
        <PageBar title=t!(shell::health).to_owned()>
            <div class="desk-only">{picker()}</div>
        </PageBar>
        <div class="page">
            <div class="phone-only">{picker()}</div>
            <Transition fallback=|| view! { <SkeletonRows rows=8/> }>{face}</Transition>
        </div>
    }
    .into_any()
}

fn face(overview: Result<Overview, ApiError>, uptimes: Vec<HealthHistory>) -> AnyView {
    match overview {
        Ok(overview) if overview.health.is_empty() => super::dashboard::attention::first_step(),
        Ok(overview) => view! { <Body overview uptimes/> }.into_any(),
        Err(error) => view! {
            <div class="card">
                <Failure error>
                    <a class="btn" href="" rel="external"><Icon name="rotate-ccw"/>{t!(shell::try_again)}</a>
                </Failure>
            </div>
        }
        .into_any(),
    }
}

#[component]
fn Body(overview: Overview, uptimes: Vec<HealthHistory>) -> impl IntoView {
    // What is live changes in place; the order stays as it was read, so that no row jumps.
    let health = RwSignal::new(overview.health.clone());
    if let Some(live) = use_context::<Live>() {
        Effect::new(move || {
            if let Some(news) = live.snapshot.get() {
                health.set(news.health);
            }
        });
    }
    let mut order: Vec<ProviderHealth> = overview.health.clone();
    order.sort_by_key(|one| (severity(one.state), name_of(&overview, one.provider)));
    let rows =
        order.iter().map(|one| row(&overview, one.provider, health, uptime_of(&uptimes, one.provider))).collect_view();
    view! {
        <section class="card pb-3">
            <div class="card-head pb-2">
                <h2 class="card-title">{t!(shell::providers)}</h2>
                <span class="caption">{t!(health::worst_first)}</span>
                <StalePill/>
                <div class="ml-auto desk-only"><StripLegend/></div>
            </div>
            {rows}
            <div class="health-row caption"><span class="strip-axis"><span>{ago(overview.range)}</span><span>{t!(dashboard::at_present)}</span></span></div>
            <div class="px-4 pt-2 phone-only"><StripLegend/></div>
        </section>
        {changes(&overview)}
    }
    .into_any()
}

/// A provider's name; its id where it has none in this range.
fn name_of(overview: &Overview, provider: ProviderId) -> String {
    let stats = overview.providers.iter().find(|one| one.provider == Some(provider));
    stats.map(|one| one.name.clone()).unwrap_or_else(|| format::short_id(&provider.to_string()))
}

/// Uptime of a provider in a line; nothing where it is not known.
fn uptime_of(all: &[HealthHistory], provider: ProviderId) -> Option<String> {
    all.iter().find(|one| one.provider == provider).map(uptime_line)
}

/// Uptime of the last 24 hours, 7 and 30 days: `–` where no gateway saw it.
pub(crate) fn uptime_line(history: &HealthHistory) -> String {
    let [day, week, month] = history.uptime.map(|one| format::success(one.ratio()));
    t!(health::uptime, &day, &week, &month)
}

fn row(
    overview: &Overview,
    provider: ProviderId,
    health: RwSignal<Vec<ProviderHealth>>,
    uptime: Option<String>,
) -> AnyView {
    let clock = Clock::here();
    let stats = overview.providers.iter().find(|one| one.provider == Some(provider));
    let none = || vec![ProviderColumn::default(); overview.buckets.len()];
    let columns =
        Signal::stored(stats.map(|one| one.columns.clone()).filter(|columns| !columns.is_empty()).unwrap_or_else(none));
    let axis = Signal::stored((overview.buckets.first().map_or(0, |bucket| bucket.at_ms), overview.step_ms));
    let judged = stats.map_or(0, |one| one.answered + one.failed);
    let rate = stats.filter(|_| judged > 0).map(|one| one.answered as f64 / judged as f64);
    let now = Memo::new(move |_| health.with(|all| all.iter().find(|one| one.provider == provider).cloned()));
    let state = move || now.get().map(|one| view! { <HealthWord state=one.state/> <Reason health=one/> });
    let facts = move || now.get().map(|one| facts(&one, clock));
    view! {
        <div class="health-row">
            <a class="plain font-medium wrap-anywhere" href=format!("/admin/providers/{provider}")>{name_of(overview, provider)}</a>
            <span class="health-state">{state}</span>
            <span class="health-heat"><HeatStrip columns axis/></span>
            <span class=format!("strip-figure {}", super::dashboard::traffic::success_tone(rate))>{format::success(rate)}</span>
            <span class="health-facts">{facts}{uptime.map(|text| format!(" · {text}"))}</span>
        </div>
    }
    .into_any()
}

/// What selection goes by this second.
fn facts(one: &ProviderHealth, clock: Clock) -> String {
    let rate = if one.samples == 0 {
        t!(health::minute_quiet).to_owned()
    } else {
        let rate = f64::from(one.successes) / f64::from(one.samples);
        t!(health::minute, &format::success(Some(rate)), one.samples)
    };
    let ready = one.credentials.iter().filter(|one| one.state == CredentialState::Ready).count();
    let credentials = match one.credentials.len() {
        0 => t!(health::no_credentials).to_owned(),
        all => t!(health::credentials, ready, all),
    };
    let mut parts = vec![rate, t!(health::in_flight, one.in_flight), credentials];
    if one.factor < 1.0 {
        parts.push(t!(health::weight, &format!("{:.0}%", one.factor * 100.0)));
    }
    if one.since_ms > 0 {
        parts.push(t!(health::since, &format::moment(one.since_ms, clock.now_ms(), clock.zone(), language())));
    }
    parts.join(" · ")
}

/// The newest changes of health.
fn changes(overview: &Overview) -> AnyView {
    let clock = Clock::here();
    let line = |event: &HealthEvent| {
        let (at_ms, reason, state) = (event.at_ms, event.reason.clone(), event.state);
        let time = move || format::moment(at_ms, clock.now_ms(), clock.zone(), language());
        let why = move || reason_text(state, &reason, 0.5, clock);
        view! {
            <li class="change-line">
                <span class="text-ink-3 whitespace-nowrap">{time}</span>
                <span class="font-medium wrap-anywhere">{name_of(overview, event.provider)}</span>
                <span class=format!("inline-flex items-center gap-1.5 word-{}", state_glyph(state).tone())>
                    <Mark glyph=state_glyph(state)/>{state_word(state)}
                </span>
                <span class="caption">{why}</span>
            </li>
        }
    };
    let lines = overview.events.iter().take(30).map(line).collect_view();
    let none = overview.events.is_empty().then(|| view! { <p class="caption px-4 pb-4">{t!(health::no_events)}</p> });
    view! {
        <section class="card pb-2">
            <div class="card-head pb-2"><h2 class="card-title">{t!(health::events)}</h2></div>
            <ul>{lines}</ul>
            {none}
        </section>
    }
    .into_any()
}
