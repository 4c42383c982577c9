//! All providers: who is in trouble and why, with the figures of the last day.

use std::collections::HashMap;

use leptos::prelude::*;

use crate::{
    api::{
        health::all_health,
        providers::{EnableProvider, all_providers, enable_provider},
        stats::read_overview,
    },
    model::{
        health::{CredentialState, HealthState, ProviderHealth},
        id::ProviderId,
        provider::ProviderRow,
        stats::{ProviderStats, Range},
        user::Permission,
    },
    ui::{
        components::{
            chart::spark::Sparkline,
            feedback::Failure,
            form::Segments,
            layout::PageBar,
            status::{HealthWord, Reason},
            table::{
                BulkBar, EmptyFiltered, EmptyFirst, ListSkeleton, ListState, Pager, RowCheck, SearchBox, Selection,
                SortHead,
            },
            toast::Toasts,
        },
        format,
        i18n::{language, t},
        icon::{Glyph, Icon, Mark},
        live::Live,
        session::Session,
    },
};

const PER_PAGE: usize = 50;

/// A row with everything that is shown of it.
#[derive(Clone)]
struct Line {
    row: ProviderRow,
    stats: Option<ProviderStats>,
}

/// `/admin/providers`
#[component]
pub fn ProviderList() -> impl IntoView {
    let (live, state) = (Live::here(), ListState::here());
    let manage = Session::here().may(Permission::ManageProviders);
    let rows = Resource::new(move || live.configuration.get(), |_| all_providers());
    let stats = Resource::new(|| (), |()| read_overview(Range::Day, None));
    let health = Resource::new(|| (), |()| all_health());
    let selection = Selection::<ProviderId>::default();
    let body = move || {
        Suspend::new(async move {
            let (rows, stats, health) = (rows.await, stats.await, health.await);
            match rows {
                Err(error) => view! { <section class="card"><Failure error><a class="btn" href="">{t!(shell::try_again)}</a></Failure></section> }.into_any(),
                Ok(rows) if rows.is_empty() => view! { <NoProviders manage/> }.into_any(),
                Ok(rows) => {
                    let mut stats: HashMap<_, _> =
                        stats.map(|stats| stats.providers).unwrap_or_default().into_iter().filter_map(|stats| Some((stats.provider?, stats))).collect();
                    let lines = rows.into_iter().map(|row| Line { stats: stats.remove(&row.provider.id), row }).collect();
                    view! { <Table lines first_health=health.unwrap_or_default() state selection/> }.into_any()
                }
            }
        })
    };
    view! {
        <PageBar title=t!(shell::providers)>
            {manage.then(|| view! { <a class="btn btn-primary" href="/admin/providers/new" data-shortcut="c"><Icon name="plus"/>{t!(provider::add)}</a> })}
        </PageBar>
        <div class="page"><Transition fallback=|| view! { <section class="card"><ListSkeleton/></section> }>{body}</Transition></div>
    }
    .into_any()
}

#[component]
fn NoProviders(manage: bool) -> impl IntoView {
    view! {
        <EmptyFirst title=t!(provider::none_yet) says=t!(provider::none_yet_hint)>
            {manage.then(|| view! {
                <a class="btn btn-primary" href="/admin/providers/new"><Icon name="plus"/>{t!(provider::add)}</a>
                <a class="btn" href="/admin/settings?tab=transfer"><Icon name="upload"/>{t!(provider::import)}</a>
            })}
        </EmptyFirst>
    }
}

/// Which segment a state is counted in.
fn segment_of(state: HealthState) -> &'static str {
    match state {
        HealthState::Healthy => "healthy",
        HealthState::Disabled | HealthState::Drained => "off",
        _ => "trouble",
    }
}

#[component]
fn Table(
    lines: Vec<Line>,
    first_health: Vec<ProviderHealth>,
    state: ListState,
    selection: Selection<ProviderId>,
) -> impl IntoView {
    let live = Live::here();
    let health = Memo::new(move |_| {
        let newest = live.snapshot.with(|snapshot| snapshot.as_ref().map(|snapshot| snapshot.health.clone()));
        let list = newest.unwrap_or_else(|| first_health.clone());
        list.into_iter().map(|health| (health.provider, health)).collect::<HashMap<_, _>>()
    });
    let lines = StoredValue::new(lines);
    let state_of = move |row: &ProviderRow| {
        let known = health.with(|health| health.get(&row.provider.id).map(|health| health.state));
        known.unwrap_or(if row.provider.enabled { HealthState::Healthy } else { HealthState::Disabled })
    };
    let found = Memo::new(move |_| {
        let wanted = state.search().to_lowercase();
        lines.with_value(|lines| {
            let mut found: Vec<usize> = (0..lines.len()).filter(|&index| matches(&lines[index].row, &wanted)).collect();
            let (column, descending) = state.sort();
            sort(&mut found, lines, &column, descending);
            found
        })
    });
    let count_in = move |segment: &'static str| {
        lines.with_value(|lines| {
            found.with(|found| {
                found
                    .iter()
                    .filter(|&&index| segment.is_empty() || segment_of(state_of(&lines[index].row)) == segment)
                    .count()
            })
        })
    };
    let shown = Memo::new(move |_| {
        let segment = state.segment();
        let all = found.get();
        lines.with_value(|lines| {
            all.into_iter()
                .filter(|&index| segment.is_empty() || segment_of(state_of(&lines[index].row)) == segment)
                .collect::<Vec<_>>()
        })
    });
    let page = Memo::new(move |_| {
        let skip = state.page() as usize * PER_PAGE;
        shown.with(|shown| shown.iter().skip(skip).take(PER_PAGE).copied().collect::<Vec<_>>())
    });
    let total = Signal::derive(move || shown.with(Vec::len));
    let order = Signal::derive(move || {
        lines.with_value(|lines| {
            page.with(|page| page.iter().map(|&index| lines[index].row.provider.id).collect::<Vec<_>>())
        })
    });
    let row = move |index: usize| {
        let line = lines.with_value(|lines| lines[index].clone());
        let id = line.row.provider.id;
        let now = Memo::new(move |_| health.with(|health| health.get(&id).cloned()));
        view! { <Row line health=now selection order/> }
    };
    let segments = move || {
        vec![
            ("", t!(form::all), None, count_in("")),
            ("healthy", t!(provider::healthy), Some(Glyph::Ok), count_in("healthy")),
            ("trouble", t!(provider::trouble), Some(Glyph::Warn), count_in("trouble")),
            ("off", t!(form::off), Some(Glyph::Disabled), count_in("off")),
        ]
    };
    let selected = Signal::derive(move || selection.count());
    let all_on = move || {
        let order = order.get();
        !order.is_empty() && order.iter().all(|id| selection.has(*id))
    };
    let some_on = move || selected.get() != 0 && !all_on();
    view! {
        <section class="card">
            <Show
                when=move || selected.get() != 0
                fallback=move || view! { <div class="list-bar"><SearchBox state says=t!(provider::find)/><Segments state segments=Signal::derive(segments)/></div> }
            >
                <Bulk selection lines/>
            </Show>
            <table class="table rows">
                <thead>
                    <tr>
                        <th class="w-8"><input type="checkbox" class="check-box align-middle" aria-label=t!(form::select_all) prop:checked=all_on prop:indeterminate=some_on on:click=move |_| selection.toggle_all(&order.get_untracked())/></th>
                        <SortHead state column="name" title=t!(provider::provider)/>
                        <th scope="col">{t!(form::status)}</th>
                        <th scope="col" class="low">{t!(provider::groups)}</th>
                        <th scope="col" class="mid">{t!(provider::credentials)}</th>
                        <SortHead state column="requests" title=t!(provider::requests_day) class="num" figures=true/>
                        <SortHead state column="success" title=t!(provider::success) class="num"/>
                        <SortHead state column="p95" title=t!(provider::first_byte_p95) class="num" figures=true/>
                        <th class="w-8"><span class="sr-only">{t!(form::actions)}</span></th>
                    </tr>
                </thead>
                <tbody><For each=move || page.get() key=|index| *index children=row/></tbody>
            </table>
            <Show when=move || total.get() == 0><EmptyFiltered title=t!(provider::none_match) clear=Signal::derive(move || state.bare())/></Show>
            <div class="card-foot"><span>{move || t!(provider::count, total.get())}</span><Pager state total per_page=PER_PAGE/></div>
        </section>
    }
    .into_any()
}

fn matches(row: &ProviderRow, wanted: &str) -> bool {
    let provider = &row.provider;
    wanted.is_empty()
        || provider.name.to_lowercase().contains(wanted)
        || provider.base_url.to_string().to_lowercase().contains(wanted)
}

fn sort(found: &mut [usize], lines: &[Line], column: &str, descending: bool) {
    let figure = |index: usize, read: fn(&ProviderStats) -> f64| lines[index].stats.as_ref().map_or(0.0, read);
    let by_figure =
        |read: fn(&ProviderStats) -> f64| move |a: &usize, b: &usize| figure(*a, read).total_cmp(&figure(*b, read));
    match column {
        "requests" => found.sort_by(by_figure(|stats| stats.attempts as f64)),
        "success" => found.sort_by(by_figure(|stats| rate(stats).unwrap_or(-1.0))),
        "p95" => found.sort_by(by_figure(|stats| stats.first_byte.p95_us as f64)),
        _ => found.sort_by_cached_key(|&index| lines[index].row.provider.name.to_lowercase()),
    }
    if descending {
        found.reverse();
    }
}

/// Share of judged attempts that succeeded.
pub(super) fn rate(stats: &ProviderStats) -> Option<f64> {
    let judged = stats.answered + stats.failed;
    (judged > 0).then(|| stats.answered as f64 / judged as f64)
}

#[component]
fn Row(
    line: Line,
    health: Memo<Option<ProviderHealth>>,
    selection: Selection<ProviderId>,
    #[prop(into)] order: Signal<Vec<ProviderId>>,
) -> impl IntoView {
    let Line { row, stats } = line;
    let provider = row.provider;
    let (id, name, enabled) = (provider.id, provider.name.clone(), provider.enabled);
    let href = format!("/admin/providers/{id}");
    let host = format!("{}{}", provider.base_url.authority(), provider.base_url.base_path());
    let status = move || {
        let state = health.with(|health| health.as_ref().map(|health| health.state)).unwrap_or(if enabled {
            HealthState::Healthy
        } else {
            HealthState::Disabled
        });
        view! { <HealthWord state/> }
    };
    let reason = move || health.get().map(|health| view! { <Reason health/> });
    let groups = row
        .groups
        .iter()
        .map(|group| view! { <a class="tag" href=format!("/admin/groups/{}", group.id)>{group.slug.clone()}</a> })
        .collect_view();
    let all = provider.credentials.len();
    let (attempts, success, p95) = match &stats {
        Some(stats) => (stats.attempts, rate(stats), (stats.first_byte.p95_us > 0).then_some(stats.first_byte.p95_us)),
        None => (0, None, None),
    };
    let success_class = match success {
        Some(rate) if rate < 0.95 => "num text-bad-fg",
        Some(rate) if rate < 0.99 => "num text-warn-fg",
        _ => "num",
    };
    let points = stats
        .map(|stats| {
            stats.columns.iter().map(|column| (column.p95_us > 0).then_some(column.p95_us as f64)).collect::<Vec<_>>()
        })
        .unwrap_or_default();
    let figures = format!(
        "{}  {}  P95 {}",
        t!(provider::times, &format::count(attempts)),
        format::success(success),
        format::maybe_latency(p95, language())
    );
    view! {
        <tr class:quiet=!enabled aria-selected=move || selection.has(id).then_some("true")>
            <td class="two away"><RowCheck selection key=id order name=name.clone()/></td>
            <td class="max-w-56"><a class="name" href=href.clone()>{name.clone()}</a><span class="mono block truncate text-ink-3 max-md:hidden" title=host.clone()>{host.clone()}</span></td>
            <td class="end">{status}<span class="block max-md:hidden">{reason}</span></td>
            <td class="low away"><span class="inline-flex flex-wrap gap-1">{groups}</span></td>
            <td class="mid away"><Credentials all health/></td>
            <td class="num away"><span class:text-ink=attempts != 0>{format::count(attempts)}</span></td>
            <td class=format!("{success_class} away")>{format::success(success)}</td>
            <td class="num away"><span class="inline-flex items-center gap-3"><Sparkline values=points.clone() quiet=true/><span class="min-w-14">{format::maybe_latency(p95, language())}</span></span></td>
            <td class="away"><RowMenu id name enabled href/></td>
            <td class="whole md:hidden">{move || health.get().filter(|health| health.state != HealthState::Healthy).map(|health| view! { <Reason health/> })}</td>
            <td class="whole md:hidden"><span class="flex items-center justify-between text-xs text-ink-2"><span class="whitespace-pre">{figures}</span><Sparkline values=points quiet=true/></span></td>
        </tr>
    }
    .into_any()
}

/// How many credentials are ready, and what the others wait for.
#[component]
fn Credentials(all: usize, health: Memo<Option<ProviderHealth>>) -> impl IntoView {
    move || {
        if all == 0 {
            return view! { <span class="text-ink-3">"–"</span> }.into_any();
        }
        let (mut cooling, mut failed, mut off) = (0, 0, 0);
        health.with(|health| {
            for credential in health.iter().flat_map(|health| &health.credentials) {
                match credential.state {
                    CredentialState::Ready => {}
                    CredentialState::Cooling { .. } => cooling += 1,
                    CredentialState::Failed => failed += 1,
                    CredentialState::Disabled => off += 1,
                }
            }
        });
        let ready = all.saturating_sub(cooling + failed + off);
        view! {
            <span class="inline-flex items-center gap-2" title=t!(provider::credentials_trouble, cooling, failed)>
                {format!("{ready}/{all}")}
                {(cooling > 0).then(|| view! { <Mark glyph=Glyph::Cooling/> })}
                {(failed > 0).then(|| view! { <Mark glyph=Glyph::KeyFailed/> })}
            </span>
        }
        .into_any()
    }
}

#[component]
fn RowMenu(id: ProviderId, name: String, enabled: bool, href: String) -> impl IntoView {
    let session = Session::here();
    let toasts = Toasts::here();
    let action = ServerAction::<EnableProvider>::new();
    let shown = name.clone();
    Effect::new(move |_| match action.value().get() {
        Some(Ok(provider)) => toasts.done(if provider.enabled {
            t!(form::enabled_thing, &shown)
        } else {
            t!(form::disabled_thing, &shown)
        }),
        Some(Err(error)) => toasts.failed(&error),
        None => {}
    });
    view! {
        <details class="more" name="row-menu">
            <summary class="btn btn-ghost btn-sm btn-icon" aria-label=t!(form::more_actions, &name)><Icon name="ellipsis"/></summary>
            <div class="menu">
                {session.may(Permission::ManageProviders).then(|| view! { <a class="menu-item" href=format!("{href}/edit")><Icon name="pencil"/>{t!(form::edit)}</a> })}
                {session.may(Permission::Operate).then(|| view! {
                    <ActionForm action>
                        <input type="hidden" name="id" value=id.to_string()/>
                        <input type="hidden" name="enabled" value=(!enabled).to_string()/>
                        <button class="menu-item"><Icon name="power"/>{if enabled { t!(form::disable) } else { t!(form::enable) }}</button>
                    </ActionForm>
                })}
                {session.may(Permission::ManageProviders).then(|| view! { <hr/><a class="menu-item menu-danger" href=format!("{href}?delete=1")><Icon name="trash-2"/>{t!(form::delete)}</a> })}
            </div>
        </details>
    }
    .into_any()
}

#[component]
fn Bulk(selection: Selection<ProviderId>, lines: StoredValue<Vec<Line>>) -> impl IntoView {
    let toasts = Toasts::here();
    let busy = RwSignal::new(false);
    let turn = move |on: bool| {
        let ids: Vec<ProviderId> = lines.with_value(|lines| {
            let chosen = selection.keys();
            lines
                .iter()
                .map(|line| &line.row.provider)
                .filter(|provider| chosen.contains(&provider.id) && provider.enabled != on)
                .map(|provider| provider.id)
                .collect()
        });
        selection.clear();
        busy.set(true);
        leptos::task::spawn_local(async move {
            turn_all(ids, on, toasts).await;
            let _ = busy.try_set(false);
        });
    };
    view! {
        <BulkBar count=Signal::derive(move || selection.count()) on_clear=Callback::new(move |()| selection.clear())>
            <button type="button" class="btn btn-sm" disabled=move || busy.get() on:click=move |_| turn(true)><Icon name="power"/>{t!(form::enable)}</button>
            <button type="button" class="btn btn-sm" disabled=move || busy.get() on:click=move |_| turn(false)><Icon name="power"/>{t!(form::disable)}</button>
        </BulkBar>
    }
    .into_any()
}

/// Switches each of them, then says how many and offers the way back.
async fn turn_all(ids: Vec<ProviderId>, on: bool, toasts: Toasts) {
    let mut turned = Vec::new();
    for id in ids {
        match enable_provider(id, on).await {
            Ok(_) => turned.push(id),
            Err(error) => {
                toasts.failed(&error);
                break;
            }
        }
    }
    if turned.is_empty() {
        return;
    }
    let title = if on { t!(provider::enabled_many, turned.len()) } else { t!(provider::disabled_many, turned.len()) };
    let undo = Callback::new(move |()| {
        let ids = turned.clone();
        leptos::task::spawn_local(async move {
            for id in ids {
                if let Err(error) = enable_provider(id, !on).await {
                    return toasts.failed(&error);
                }
            }
            toasts.done(t!(form::undone).to_owned());
        });
    });
    toasts.done_with_undo(title, undo);
}
