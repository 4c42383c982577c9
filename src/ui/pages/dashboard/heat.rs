//! Health of every provider over the range, as strips.

use leptos::prelude::*;

use super::traffic::success_tone;
use crate::{
    model::{
        health::HealthState,
        stats::{Overview, ProviderColumn, ProviderStats, Range},
    },
    ui::{
        components::{
            chart::strip::{HeatStrip, StripLegend},
            status::HealthWord,
        },
        format,
        i18n::t,
    },
};

/// The card.
#[component]
pub fn Heat(
    /// The data.
    data: RwSignal<Overview>,
) -> impl IntoView {
    let range = Memo::new(move |_| data.with(|data| data.range));
    let names = Memo::new(move |_| {
        data.with(|data| {
            let mut names: Vec<_> = data
                .providers
                .iter()
                .filter(|one| !one.name.is_empty())
                .map(|one| (one.name.clone(), one.provider))
                .collect();
            names.sort();
            names
        })
    });
    let rows = move || names.get().into_iter().map(|(name, provider)| strip_row(data, name, provider)).collect_view();
    let shown = move || {
        (!names.with(Vec::is_empty)).then(|| view! {
        <section class="card pb-3">
            <div class="card-head pb-2">
                <h2 class="card-title">{move || title(range.get())}</h2>
                <div class="ml-auto desk-only"><StripLegend/></div>
            </div>
            {rows}
            <div class="strip-row caption">
                <span class="strip-axis"><span>{move || ago(range.get())}</span><span>{t!(dashboard::at_present)}</span></span>
            </div>
            <div class="px-4 pt-2 phone-only"><StripLegend/></div>
        </section>
    })
    };
    view! { {shown} }.into_any()
}

fn title(range: Range) -> &'static str {
    match range {
        Range::Hour => t!(dashboard::health_hour),
        Range::Day => t!(dashboard::health_day),
        Range::Week => t!(dashboard::health_week),
        Range::Month => t!(dashboard::health_month),
    }
}

/// The word at the left end of the strips.
pub(crate) fn ago(range: Range) -> &'static str {
    match range {
        Range::Hour => t!(dashboard::hour_ago),
        Range::Day => t!(dashboard::day_ago),
        Range::Week => t!(dashboard::week_ago),
        Range::Month => t!(dashboard::month_ago),
    }
}

fn strip_row(data: RwSignal<Overview>, name: String, provider: Option<crate::model::id::ProviderId>) -> AnyView {
    let find = move |data: &Overview| data.providers.iter().position(|one| one.provider == provider);
    let of = move |pick: fn(&ProviderStats) -> Option<f64>| {
        data.with(|data| find(data).and_then(|at| pick(&data.providers[at])))
    };
    let columns = Signal::derive(move || {
        data.with(|data| {
            find(data).map(|at| data.providers[at].columns.clone()).unwrap_or_else(Vec::<ProviderColumn>::new)
        })
    });
    let axis =
        Signal::derive(move || data.with(|data| (data.buckets.first().map_or(0, |bucket| bucket.at_ms), data.step_ms)));
    let rate = move || {
        of(|one| {
            let judged = one.answered + one.failed;
            (judged > 0).then(|| one.answered as f64 / judged as f64)
        })
    };
    let health = Memo::new(move |_| {
        data.with(|data| data.health.iter().find(|one| Some(one.provider) == provider).map(|one| one.state))
    });
    let label = match provider {
        Some(id) => view! { <a class="plain font-medium" href=format!("/admin/providers/{id}")>{name}</a> }.into_any(),
        None => view! { <span class="font-medium">{name}</span> }.into_any(),
    };
    view! {
        <div class="strip-row">
            <span class="strip-name">{label}</span>
            <span class="strip-state">{move || health.get().map(|state: HealthState| view! { <HealthWord state/> })}</span>
            <span class="strip-heat"><HeatStrip columns axis/></span>
            <span class=move || format!("strip-figure {}", success_tone(rate()))>{move || format::success(rate())}</span>
        </div>
    }
    .into_any()
}
