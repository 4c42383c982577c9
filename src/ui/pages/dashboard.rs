//! The dashboard: what needs a person, then the figures, then where they come from.
//!
//! Range and group stand in the address. The first data come with the page; live messages then
//! renew what is true this second, and the charts are read again when there is something new.

use leptos::{prelude::*, task::spawn_local};
use leptos_router::hooks::use_query_map;

use crate::{
    api::stats::read_overview,
    model::{
        error::ApiError,
        id::GroupId,
        stats::{Overview, Range},
    },
    ui::{
        clock::Clock,
        components::{
            chart::zoom::Zoom,
            feedback::{Failure, SkeletonRows},
            layout::PageBar,
        },
        i18n::t,
        live::Live,
        suspended::suspended,
    },
};

pub mod attention;
pub mod charts;
pub mod controls;
pub mod exceptions;
pub mod figures;
pub mod heat;
pub mod traffic;

/// What the address asks for.
type Asked = (Range, Option<GroupId>);

/// The dashboard.
#[component]
pub fn Dashboard() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        query.with(|query| {
            let range = query.get("range").and_then(|word| Range::parse(&word)).unwrap_or_default();
            (range, query.get("group").and_then(|id| id.parse::<GroupId>().ok()))
        })
    });
    let first = Resource::new_blocking(move || asked.get(), |(range, group)| read_overview(range, group));
    let troubled = exceptions::read_first();
    let body = move || suspended(async move { face(first.await, troubled, asked) });
    view! {
        <PageBar title=t!(shell::dashboard).to_owned()>
            <div class="desk-only"><controls::GroupPicker asked/></div>
            <div class="desk-only"><controls::RangePicker asked/></div>
        </PageBar>
        <div class="page">
            <div class="phone-only"><controls::RangePicker asked/></div>
            <Transition fallback=|| view! { <SkeletonRows rows=8/> }>{body}</Transition>
        </div>
    }
    .into_any()
}

fn face(first: Result<Overview, ApiError>, troubled: exceptions::First, asked: Memo<Asked>) -> AnyView {
    match first {
        Ok(overview) => view! { <Body overview troubled asked/> }.into_any(),
        Err(error) => view! {
            <div class="card">
                <Failure error>
                    <a class="btn" href="" rel="external">{t!(shell::try_again)}</a>
                </Failure>
            </div>
        }
        .into_any(),
    }
}

#[component]
fn Body(overview: Overview, troubled: exceptions::First, asked: Memo<Asked>) -> impl IntoView {
    let data = RwSignal::new(overview);
    let version = follow_live(data, asked);
    let zoom = Zoom::default();
    view! {
        <attention::Attention data/>
        <attention::Alarms/>
        <figures::Figures data/>
        <div class="grid gap-4 lg:grid-cols-12">
            <div class="lg:col-span-8 grid"><charts::RequestsCard data zoom/></div>
            <div class="lg:col-span-4 grid"><traffic::Traffic data/></div>
            <div class="lg:col-span-7 grid"><charts::LatencyCard data zoom/></div>
            <div class="lg:col-span-5 grid"><exceptions::Exceptions first=troubled version/></div>
        </div>
        <heat::Heat data/>
    }
    .into_any()
}

/// Takes what is live from every message, and reads the charts again when requests came in.
/// Gives a number that grows with each new exception.
fn follow_live(data: RwSignal<Overview>, asked: Memo<Asked>) -> RwSignal<u32> {
    let exceptions = RwSignal::new(0);
    let Some(live) = use_context::<Live>() else { return exceptions };
    let clock = Clock::here();
    let read_at_ms = StoredValue::new(clock.now_untracked_ms());
    let stale = StoredValue::new(false);
    Effect::new(move || {
        let Some(news) = live.snapshot.get() else { return };
        data.update(|data| {
            data.rate_now = news.rate_now;
            data.in_flight = news.in_flight;
            data.health.clone_from(&news.health);
        });
        if news.requests.iter().any(|row| !crate::ui::components::status::is_ordinary(row.outcome)) {
            exceptions.update(|version| *version += 1);
        }
        let (range, group) = asked.get_untracked();
        stale.update_value(|stale| *stale |= !news.requests.is_empty());
        let due = news.at_ms - read_at_ms.get_value() >= pause_ms(range);
        // A new column begins even without traffic.
        let turned = news.at_ms >= data.with_untracked(|data| data.at_ms + data.step_ms);
        if due && (stale.get_value() || turned) {
            stale.set_value(false);
            read_at_ms.set_value(news.at_ms);
            spawn_local(async move {
                // A failed reading leaves the last one; the bar already tells a lost connection.
                let Ok(fresh) = read_overview(range, group).await else { return };
                if asked.try_get_untracked() == Some((range, group)) {
                    data.try_set(fresh);
                }
            });
        }
    });
    exceptions
}

/// How often the charts of a range are read again: the longer a column, the less it moves.
fn pause_ms(range: Range) -> i64 {
    match range {
        Range::Hour => 2_000,
        Range::Day => 5_000,
        Range::Week | Range::Month => 30_000,
    }
}
