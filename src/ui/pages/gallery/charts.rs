//! Charts over made-up hours: busy, troubled, empty.

use leptos::prelude::*;

use super::section;
use crate::{
    model::{
        health::{HealthEvent, HealthReason, HealthState},
        id::ProviderId,
        stats::{Bucket, Counts, Overview, ProviderColumn, ProviderStats, Quantiles, Range},
    },
    ui::{
        components::chart::{
            latency::{LatencyChart, LatencyLegend, Measure},
            legend::LeftOut,
            requests::{RequestsChart, RequestsLegend},
            share::ShareBar,
            spark::Sparkline,
            strip::{HeatStrip, StripLegend},
        },
        i18n::t,
    },
};

/// 2026-11-23T12:00Z.
const END_MS: i64 = 1_795_435_200_000;
const STEP_MS: i64 = 900_000;
const COLUMNS: u64 = 96;

pub(super) fn sections() -> AnyView {
    let busy = RwSignal::new(day());
    let idle =
        RwSignal::new(Overview { buckets: buckets(|_| Bucket::default()), step_ms: STEP_MS, ..Overview::default() });
    let (left_out, lines_out) = (LeftOut::default(), LeftOut::default());
    let measure = Signal::stored(Measure::FirstByte);
    view! {
        {section("RequestsChart", view! { <RequestsLegend left_out/><RequestsChart overview=busy left_out/> }.into_any())}
        {section("LatencyChart", view! { <LatencyLegend left_out=lines_out/><LatencyChart overview=busy measure left_out=lines_out/> }.into_any())}
        {section("RequestsChart, idle", view! { <RequestsChart overview=idle/> }.into_any())}
        {section("HeatStrip, StripLegend", strips())}
        {section("ShareBar, Sparkline", shares())}
    }
    .into_any()
}

/// A number between 0 and 99 that looks like chance and never changes.
fn wave(column: u64, seed: u64) -> u64 {
    (column.wrapping_mul(2_654_435_761).wrapping_add(seed.wrapping_mul(40_503)) >> 7) % 100
}

fn buckets(fill: impl Fn(u64) -> Bucket) -> Vec<Bucket> {
    let first = END_MS - STEP_MS * COLUMNS as i64;
    (0..COLUMNS).map(|column| Bucket { at_ms: first + STEP_MS * column as i64, ..fill(column) }).collect()
}

fn bucket(column: u64) -> Bucket {
    let bad = (50..54).contains(&column);
    let served = 900 + wave(column, 1) * 8;
    let counts = Counts {
        total: served + 40,
        served,
        saved: if bad { 240 } else { wave(column, 2) / 8 },
        failed: if bad { 60 } else { u64::from(wave(column, 3) > 92) },
        ..Counts::default()
    };
    let quantiles = |low: u64| Quantiles {
        p50_us: low + wave(column, 4) * 800,
        p90_us: low * 3,
        p95_us: low * 4 + wave(column, 5) * 4_000,
        p99_us: low * 9 + wave(column, 6) * 30_000,
    };
    Bucket { counts, first_byte: quantiles(340_000), total: quantiles(1_900_000), ..Bucket::default() }
}

fn columns() -> Vec<ProviderColumn> {
    let column = |column: u64| {
        let answered = 400 + wave(column, 7) as u32;
        match column {
            0..6 => ProviderColumn { unknown: true, ..ProviderColumn::default() },
            6..12 => ProviderColumn::default(),
            50..53 => ProviderColumn { taken_out: true, ..ProviderColumn::default() },
            48 | 49 => ProviderColumn { answered: 90, failed: 60, ..ProviderColumn::default() },
            53..58 => ProviderColumn { answered, failed: 30, ..ProviderColumn::default() },
            _ => ProviderColumn { answered, failed: 0, ..ProviderColumn::default() },
        }
    };
    (0..COLUMNS).map(column).collect()
}

fn day() -> Overview {
    let buckets = buckets(bucket);
    let mut counts = Counts::default();
    buckets.iter().for_each(|bucket| counts.add(&bucket.counts));
    let provider = ProviderId(uuid::Uuid::from_u128(1));
    let at_ms = END_MS - STEP_MS * 45;
    let event = HealthEvent { provider, at_ms, state: HealthState::Unhealthy, reason: HealthReason::None };
    let stats = ProviderStats {
        provider: Some(provider),
        name: "openrouter".to_owned(),
        color: 2,
        columns: columns(),
        ..ProviderStats::default()
    };
    Overview {
        range: Range::Day,
        at_ms: END_MS,
        counts,
        step_ms: STEP_MS,
        buckets,
        providers: vec![stats],
        events: vec![event],
        ..Overview::default()
    }
}

fn strips() -> AnyView {
    let axis = Signal::stored((END_MS - STEP_MS * COLUMNS as i64, STEP_MS));
    view! {
        <HeatStrip columns=Signal::stored(columns()) axis/>
        <HeatStrip columns=Signal::stored(columns()) axis tall=true/>
        <StripLegend/>
    }
    .into_any()
}

fn shares() -> AnyView {
    let parts = Signal::stored(vec![(1, 412), (2, 279), (3, 145), (4, 123), (5, 41), (6, 20), (7, 12), (8, 9)]);
    let values: Vec<Option<f64>> =
        (0..60).map(|column| (column % 23 != 7).then(|| 40.0 + wave(column, 8) as f64)).collect();
    view! {
        <ShareBar parts/>
        <div class="flex gap-8">
            <span class="block w-28"><Sparkline values=Signal::stored(values.clone())/></span>
            <span class="block w-28"><Sparkline values=Signal::stored(values) quiet=true/></span>
        </div>
        <p class="caption">{t!(dashboard::share)}</p>
    }
    .into_any()
}
