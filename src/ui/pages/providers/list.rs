//! All providers: who is in trouble and why, with the figures of the last day.

use std::collections::HashMap;

use leptos::prelude::*;

use crate::{
    api::providers::{EnableProvider, list_provider_lines},
    model::{
        bulk::BulkKind,
        event::Snapshot,
        health::{CredentialState, HealthState, ProviderHealth},
        id::ProviderId,
        provider::ProviderLine,
        user::Permission,
    },
    ui::{
        components::{
            chart::spark::Sparkline,
            layout::PageBar,
            status::{HealthWord, Reason},
            table::{
                BulkActions, CheckHead, EmptyFirst, ListFrame, ListState, Paged, RowCheck, Selection, SortHead, paged,
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

/// `/admin/providers`
#[component]
pub fn ProviderList() -> impl IntoView {
    let state = ListState::here();
    let manage = Session::here().may(Permission::ManageProviders);
    let version = version();
    let face = move |paged| view! { <Table paged state/> }.into_any();
    let nothing = move || view! { <NoProviders manage/> }.into_any();
    view! {
        <PageBar title=t!(shell::providers)>
            {manage.then(|| view! { <a class="btn btn-primary" href="/admin/providers/new" data-shortcut="c"><Icon name="plus"/>{t!(provider::add)}</a> })}
        </PageBar>
        {paged(state, move || version.get(), list_provider_lines, face, nothing)}
    }
    .into_any()
}

/// Grows when the configuration changed, and when a provider is in another state than before: who is
/// in trouble is counted by the server.
fn version() -> Signal<u32> {
    let live = Live::here();
    let states = move || {
        let health =
            |snapshot: &Snapshot| snapshot.health.iter().map(|health| (health.provider, health.state)).collect();
        live.snapshot.with(|snapshot| snapshot.as_ref().map(health))
    };
    let moved = RwSignal::new(0_u32);
    Effect::new(move |before: Option<Option<Vec<(ProviderId, HealthState)>>>| {
        let now = states();
        if before.flatten().is_some_and(|before| now.as_ref() != Some(&before)) {
            moved.update(|count| *count += 1);
        }
        now
    });
    Signal::derive(move || live.configuration.get() + moved.get())
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

#[component]
fn Table(paged: Paged<ProviderLine>, state: ListState) -> impl IntoView {
    let live = Live::here();
    let health = Memo::new(move |_| {
        let by_provider = |snapshot: &Snapshot| {
            snapshot.health.iter().map(|health| (health.provider, health.clone())).collect::<HashMap<_, _>>()
        };
        live.snapshot.with(|snapshot| snapshot.as_ref().map(by_provider)).unwrap_or_default()
    });
    let selection = Selection::among(Memo::new(move |_| {
        let name = |line: &ProviderLine| (line.row.provider.id.0, line.row.provider.name.clone());
        paged.page.with(|page| page.rows.iter().map(name).collect())
    }));
    let row = move |line: ProviderLine| {
        let (id, first) = (line.row.provider.id, line.health.clone());
        let now = Memo::new(move |_| health.with(|health| health.get(&id).cloned()).or_else(|| first.clone()));
        view! { <Row line health=now selection/> }
    };
    let segments = move || {
        [("", None), ("healthy", Some(Glyph::Ok)), ("trouble", Some(Glyph::Warn)), ("off", Some(Glyph::Disabled))]
            .into_iter()
            .zip([t!(form::all), t!(provider::healthy), t!(provider::trouble), t!(form::off)])
            .map(|((word, glyph), title)| (word, title, glyph, paged.count(word)))
            .collect::<Vec<_>>()
    };
    let total = paged.total();
    view! {
        <ListFrame
            state
            find=t!(provider::find)
            segments=Signal::derive(segments)
            instead=Signal::derive(move || selection.count() != 0)
            bulk=move || view! { <BulkActions selection kind=BulkKind::Providers/> }
            head=view! { <Heads state selection/> }.into_any()
            total
            count=Signal::derive(move || t!(provider::count, total.get()))
            reading=paged.reading
            none_match=t!(provider::none_match)
        >
            <For each=move || paged.rows() key=line_key children=row/>
        </ListFrame>
    }
    .into_any()
}

/// A row is drawn anew when something of it changed that is not live.
fn line_key(line: &ProviderLine) -> (ProviderId, i64, u64, usize) {
    let attempts = line.day.as_ref().map_or(0, |day| day.attempts);
    (line.row.provider.id, line.row.provider.revision, attempts, line.row.groups.len())
}

#[component]
fn Heads(state: ListState, selection: Selection) -> impl IntoView {
    view! {
        <tr>
            <CheckHead selection/>
            <SortHead state column="name" title=t!(provider::provider)/>
            <th scope="col">{t!(form::status)}</th>
            <th scope="col" class="low">{t!(provider::groups)}</th>
            <th scope="col" class="mid">{t!(provider::credentials)}</th>
            <SortHead state column="requests" title=t!(provider::requests_day) class="num" figures=true/>
            <SortHead state column="success" title=t!(provider::success) class="num"/>
            <SortHead state column="p95" title=t!(provider::first_byte_p95) class="num" figures=true/>
            <th class="w-8"><span class="sr-only">{t!(form::actions)}</span></th>
        </tr>
    }
    .into_any()
}

#[component]
fn Row(line: ProviderLine, health: Memo<Option<ProviderHealth>>, selection: Selection) -> impl IntoView {
    let ProviderLine { row, day: stats, .. } = line;
    let provider = row.provider;
    let (id, name, enabled) = (provider.id, provider.name.clone(), provider.enabled);
    let href = format!("/admin/providers/{id}");
    let host = format!("{}{}", provider.base_url.authority(), provider.base_url.base_path());
    let status = move || {
        let known = health.with(|health| health.as_ref().map(|health| health.state));
        let state = known.unwrap_or(HealthState::unknown(enabled));
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
        Some(stats) => {
            (stats.attempts, stats.success_rate(), (stats.first_byte.p95_us > 0).then_some(stats.first_byte.p95_us))
        }
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
        <tr class:quiet=!enabled aria-selected=move || selection.has(id.0).then_some("true")>
            <td class="two away"><RowCheck selection id=id.0 name=name.clone()/></td>
            <td class="max-w-56"><a class="name" href=href.clone()>{name.clone()}</a><span class="mono block truncate text-ink-3 max-md:hidden" title=host.clone()>{host.clone()}</span></td>
            <td class="end">{status}<span class="block max-md:hidden">{reason}</span></td>
            <td class="low away"><span class="inline-flex flex-wrap gap-1">{groups}</span></td>
            <td class="mid away"><Credentials all health/></td>
            <td class="num away"><span class:text-ink=attempts != 0>{format::count(attempts)}</span></td>
            <td class=format!("{success_class} away")>{format::success(success)}</td>
            <td class="num away"><span class="inline-flex items-center gap-3"><span class="block w-16 flex-none"><Sparkline values=points.clone() quiet=true/></span><span class="min-w-14">{format::maybe_latency(p95, language())}</span></span></td>
            <td class="away"><RowMenu id name enabled href/></td>
            <td class="whole md:hidden">{move || health.get().filter(|health| health.state != HealthState::Healthy).map(|health| view! { <Reason health/> })}</td>
            <td class="whole md:hidden"><span class="flex items-center justify-between text-xs text-ink-2"><span class="whitespace-pre">{figures}</span><span class="block w-20 flex-none"><Sparkline values=points quiet=true/></span></span></td>
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
