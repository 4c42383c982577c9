//! The request log: what happened to each request, and which way it took.
//!
//! Filters stand in the address, paging is by key ("Older", never a total that costs a scan). New
//! requests wait behind a line of their own, so that no row moves under the pointer. One request
//! opens beside the list, at an address of its own.

use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_params_map, use_query_map};

use crate::{
    api::{
        api_keys::all_api_keys,
        groups::all_groups,
        providers::all_providers,
        requests::{count_requests, list_requests},
    },
    model::{
        error::ApiError,
        id::RequestId,
        request_log::{LogLine, LogPage, RequestCount, RequestFilter},
    },
    ui::{
        clock::Clock,
        components::{
            feedback::{Failure, SkeletonRows},
            layout::PageBar,
        },
        format,
        i18n::{language, t},
        live::Live,
        suspended::suspended,
    },
};

pub mod detail;
mod diff;
pub mod export;
pub mod filter;
pub mod names;
mod replay;
pub mod rows;
pub mod waterfall;

use filter::Asked;
use names::Names;

/// The log as the open request sees it: which rows are its neighbours, and what ids mean.
#[derive(Clone, Copy)]
pub struct Around {
    page: Resource<Result<LogPage<LogLine>, ApiError>>,
    rows: RwSignal<Vec<RequestId>>,
    names: Resource<Names>,
    search: Memo<String>,
    opened: detail::Opened,
}

impl Around {
    /// Address of the list with the filters of this address, or of one of its requests.
    fn address(self, request: Option<RequestId>) -> String {
        let search = self.search.get();
        let search = search.trim_start_matches('?');
        let mark = if search.is_empty() { "" } else { "?" };
        match request {
            Some(id) => format!("/admin/requests/{id}{mark}{search}"),
            None => format!("/admin/requests{mark}{search}"),
        }
    }
}

/// The list, and the request that the address names beside it.
#[component]
pub fn Requests() -> impl IntoView {
    let (query, params) = (use_query_map(), use_params_map());
    let open = Memo::new(move |_| params.with(|params| params.get("id").is_some()));
    let clock = Clock::here();
    let asked = Memo::new(move |_| query.with(Asked::read));
    let version = RwSignal::new(0_u32);
    let page = Resource::new_blocking(
        move || (asked.get(), version.get()),
        move |(asked, _)| list_requests(asked.filter(clock.now_untracked_ms())),
    );
    let names = Resource::new(
        || (),
        |()| async { Names::new(all_groups().await, all_providers().await, all_api_keys().await) },
    );
    let (rows, search, opened) = (RwSignal::new(Vec::new()), use_location().search, detail::Opened::here());
    let around = Around { page, rows, names, search, opened };
    provide_context(around);
    let follow = RwSignal::new(false);
    let fresh = count_fresh(asked, version, follow);
    let count = Resource::new(
        move || asked.get(),
        move |asked| count_requests(RequestFilter { before: None, ..asked.filter(clock.now_untracked_ms()) }),
    );
    let list = move || suspended(async move { face(page.await, asked, around, count) });
    view! {
        <PageBar title=t!(shell::requests).to_owned()/>
        <div class="page">
            <section class="card log">
                <filter::Toolbar asked names follow/>
                <rows::Head/>
                {move || newcomers(asked, fresh, version)}
                <Transition fallback=|| view! { <SkeletonRows rows=12/> }>{list}</Transition>
            </section>
        </div>
        {move || open.get().then(|| view! { <detail::RequestDrawer/> })}
    }
    .into_any()
}

/// Counts live requests that the list would show, since it was last read.
fn count_fresh(asked: Memo<Asked>, version: RwSignal<u32>, follow: RwSignal<bool>) -> RwSignal<u64> {
    let fresh = RwSignal::new(0_u64);
    let Some(live) = use_context::<Live>() else { return fresh };
    Effect::new(move || {
        asked.track();
        version.track();
        fresh.set(0);
    });
    Effect::new(move || {
        let Some(news) = live.snapshot.get() else { return };
        let asked = asked.get_untracked();
        let more = news.requests.iter().filter(|row| asked.takes(row)).count() as u64;
        // An older stretch of the log stays where it is.
        let follows = follow.get_untracked() && asked.before.is_none();
        match more {
            0 => {}
            _ if follows => version.update(|version| *version += 1),
            more => fresh.update(|count| *count += more),
        }
    });
    Effect::new(move || {
        if live.resync.get() > 0 {
            version.update(|version| *version += 1);
        }
    });
    fresh
}

/// The line that new requests wait behind.
fn newcomers(asked: Memo<Asked>, fresh: RwSignal<u64>, version: RwSignal<u32>) -> Option<AnyView> {
    let count = fresh.get();
    // An older stretch of the log does not change any more.
    if count == 0 || asked.with(|asked| asked.before.is_some()) {
        return None;
    }
    let says =
        if count == 1 { t!(requests::one_new).to_owned() } else { t!(requests::new_requests, &format::count(count)) };
    Some(
        view! { <button type="button" class="log-fresh" on:click=move |_| version.update(|version| *version += 1)>{says}</button> }.into_any(),
    )
}

fn face(page: Result<LogPage<LogLine>, ApiError>, asked: Memo<Asked>, around: Around, count: Count) -> AnyView {
    match page {
        Ok(page) if page.rows.is_empty() && page.older.is_none() => {
            around.rows.set(Vec::new());
            filter::nothing(asked)
        }
        Ok(page) => {
            around.rows.set(page.rows.iter().map(|line| line.row.id).collect());
            view! { <rows::Rows lines=page.rows.clone() around/><Foot page asked count/> }.into_any()
        }
        Err(error) => view! {
            <Failure error>
                <a class="btn" href="" rel="external">{t!(shell::try_again)}</a>
            </Failure>
        }
        .into_any(),
    }
}

/// How many rows the filters find.
type Count = Resource<Result<RequestCount, ApiError>>;

/// `1,234` or `10,000+`.
fn counted(count: &Result<RequestCount, ApiError>) -> Option<String> {
    let count = count.as_ref().ok()?;
    let rows = format::count(count.rows);
    Some(t!(requests::found, &if count.more { format!("{rows}+") } else { rows }))
}

#[component]
fn Foot(page: LogPage<LogLine>, asked: Memo<Asked>, count: Count) -> impl IntoView {
    let live = use_context::<Live>();
    let dropped = move || {
        let count =
            live.and_then(|live| live.snapshot.with(|news| news.as_ref().map(|news| news.dropped_rows))).unwrap_or(0);
        (count > 0).then(|| view! { <span class="text-warn-fg">{t!(requests::dropped, &format::count(count))}</span> })
    };
    let (clock, here, reached) = (Clock::here(), page.rows.len(), page.reached_ms);
    let found = move || suspended(async move { counted(&count.await) });
    let reached = move || {
        let until = format::moment(reached?, clock.now_ms(), clock.zone(), language());
        Some(view! { <span>{t!(requests::reached, &until)}</span> })
    };
    let lost = (page.lost > 0)
        .then(|| view! { <span class="text-warn-fg">{t!(requests::lost, &format::count(page.lost))}</span> });
    let damaged = (!page.damaged.is_empty())
        .then(|| view! { <span class="text-warn-fg">{t!(requests::damaged, &page.damaged.join(", "))}</span> });
    let go_on = if page.reached_ms.is_some() { t!(requests::go_on) } else { t!(requests::older) };
    let newest = move || {
        asked.with(|asked| asked.before.is_some()).then(|| {
            view! { <a class="btn btn-ghost btn-sm" href=asked.with(Asked::newest)>{t!(requests::newest)}</a> }
        })
    };
    let older = match page.older {
        Some(key) => {
            view! { <a class="btn btn-ghost btn-sm" href=move || asked.with(|asked| asked.older(&key))>{go_on}</a> }
                .into_any()
        }
        None => view! { <span>{t!(requests::end)}</span> }.into_any(),
    };
    view! {
        <div class="card-foot">
            <span>{t!(requests::shown, here)}</span>
            <Transition fallback=|| ()>{found}</Transition>
            {reached}{lost}{damaged}{dropped}
            <span class="ml-auto flex items-center gap-2">{newest}{older}</span>
        </div>
    }
    .into_any()
}
