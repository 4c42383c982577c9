//! The failover drill of a provider: choose a fault, watch what it comes to, end it.

use leptos::{prelude::*, task::spawn_local};

use crate::{
    api::providers::{StartDrill, StopDrill, read_drills},
    model::{
        drill::{Drill, DrillReport, Drills, Fault, MINUTES_DEFAULT, MINUTES_MAX},
        id::ProviderId,
        user::Permission,
    },
    ui::{
        clock::Clock,
        components::{status::StatusPill, toast::Toasts},
        format,
        i18n::{language, t},
        icon::{Glyph, Icon, Mark},
        session::Session,
    },
};

/// Seconds between two looks, while a drill runs and while none does: somebody else may start one.
const LOOK_S: (i64, i64) = (2, 15);

/// The words for a fault.
fn fault_word(fault: Fault) -> &'static str {
    match fault {
        Fault::RateLimited => t!(drill::fault_429),
        Fault::ServerError => t!(drill::fault_500),
        Fault::Overloaded => t!(drill::fault_503),
        Fault::Stall => t!(drill::fault_stall),
        Fault::Truncate => t!(drill::fault_truncate),
    }
}

/// Says at the top of the page that what stands there may be pretended.
#[component]
pub fn DrillNotice(
    /// The provider's drills.
    drills: RwSignal<Drills>,
) -> impl IntoView {
    let line = move || drills.with(|drills| drills.running.as_ref().map(|drill| fault_word(drill.draft.fault)));
    let notice = move || {
        line().map(|fault| view! { <p class="notice"><Mark glyph=Glyph::Warn/><a class="link" href="#drill-title">{t!(drill::notice, fault)}</a></p> })
    };
    view! { {notice} }.into_any()
}

/// The panel.
#[component]
pub fn DrillPanel(
    /// Which provider.
    id: ProviderId,
    /// Whether it is switched on.
    enabled: bool,
    /// Its drills; the panel keeps them up to date.
    drills: RwSignal<Drills>,
) -> impl IntoView {
    let (toasts, clock) = (Toasts::here(), Clock::here());
    let look = move || {
        spawn_local(async move {
            // The page may be gone when the answer comes.
            if let Ok(newest) = read_drills(id).await {
                let _ = drills.try_set(newest);
            }
        });
    };
    Effect::new(move |_| {
        let now_s = clock.now_ms() / 1_000;
        let every_s = if drills.with_untracked(|drills| drills.running.is_some()) { LOOK_S.0 } else { LOOK_S.1 };
        if now_s % every_s == 0 {
            look();
        }
    });
    let (start, stop) = (ServerAction::<StartDrill>::new(), ServerAction::<StopDrill>::new());
    let follow = move |came: Option<Result<Drill, crate::model::error::ApiError>>, told: &'static str| match came {
        Some(Ok(_)) => {
            toasts.done(told.to_owned());
            look();
        }
        Some(Err(error)) => toasts.failed(&error),
        None => {}
    };
    Effect::new(move |_| follow(start.value().get(), t!(drill::started)));
    Effect::new(move |_| follow(stop.value().get(), t!(drill::stopped)));
    let operate = Session::here().may(Permission::Operate);
    let running = Memo::new(move |_| drills.with(|drills| drills.running.is_some()));
    let when = move || {
        drills.with(|drills| {
            drills.past.first().map_or_else(
                || t!(drill::none_yet).to_owned(),
                |drill| t!(drill::last, &format::moment(drill.started_at_ms, clock.now_ms(), clock.zone(), language())),
            )
        })
    };
    let face = move || {
        if running.get() {
            view! { <Running id drills stop operate/> }.into_any()
        } else {
            view! { <Idle id enabled operate drills start/> }.into_any()
        }
    };
    view! {
        <section class="card p-4 flex flex-col gap-3" aria-labelledby="drill-title">
            <div class="flex items-center gap-2">
                <h2 id="drill-title" class="card-title">{t!(drill::title)}</h2>
                <span class="ml-auto" role="status">
                    {move || if running.get() {
                        view! { <StatusPill glyph=Glyph::Warn word=t!(drill::running)/> }.into_any()
                    } else {
                        view! { <span class="caption">{when}</span> }.into_any()
                    }}
                </span>
            </div>
            {face}
        </section>
    }
    .into_any()
}

#[component]
fn Idle(
    id: ProviderId,
    enabled: bool,
    operate: bool,
    drills: RwSignal<Drills>,
    start: ServerAction<StartDrill>,
) -> impl IntoView {
    let truncates = RwSignal::new(false);
    let says = move || if truncates.get() { t!(drill::says_truncate) } else { t!(drill::says) };
    let faults = Fault::ALL.map(|fault| view! { <option value=fault.as_str()>{fault_word(fault)}</option> });
    let busy = start.pending();
    let form = (operate && enabled).then(|| {
        view! {
            <ActionForm action=start>
                <div class="flex flex-col gap-3">
                <input type="hidden" name="id" value=id.to_string()/>
                <div class="field">
                    <label class="field-label" for="drill-fault">{t!(drill::fault)}</label>
                    <select id="drill-fault" name="fault" class="input" on:change=move |event| truncates.set(event_target_value(&event) == Fault::Truncate.as_str())>{faults.collect_view()}</select>
                </div>
                <div class="grid grid-cols-2 gap-3">
                    <div class="field">
                        <label class="field-label" for="drill-minutes">{t!(drill::minutes)}</label>
                        <input id="drill-minutes" name="minutes" type="number" class="input" min="1" max=MINUTES_MAX value=MINUTES_DEFAULT required/>
                    </div>
                    <div class="field">
                        <label class="field-label" for="drill-percent">{t!(drill::percent)}</label>
                        <input id="drill-percent" name="percent" type="number" class="input" min="1" max="100" value="100" required/>
                    </div>
                </div>
                <div class="flex flex-wrap items-center gap-3">
                    <button class="btn" aria-busy=move || busy.get().then_some("true") disabled=move || busy.get()><Icon name="flask-conical"/>{t!(drill::start)}</button>
                    <span class="caption">{t!(drill::this_node)}</span>
                </div>
                </div>
            </ActionForm>
        }
    });
    let past = move || drills.with(|drills| drills.past.clone());
    let last = move || past().into_iter().next().map(|drill| view! { <Last drill/> });
    let earlier = move || {
        let rows: Vec<Drill> = past().into_iter().skip(1).collect();
        (!rows.is_empty()).then(|| {
            view! {
                <details>
                    <summary class="link">{t!(drill::earlier)}</summary>
                    <ul class="pt-2 flex flex-col gap-1 list-none">{rows.into_iter().map(earlier_line).collect_view()}</ul>
                </details>
            }
        })
    };
    view! {
        <p class="text-ink-2">{says}</p>
        {form}
        {(operate && !enabled).then(|| view! { <p class="caption">{t!(drill::disabled_hint)}</p> })}
        {last}
        {earlier}
    }
    .into_any()
}

/// What the last drill came to.
#[component]
fn Last(drill: Drill) -> impl IntoView {
    view! {
        <div class="border-t border-line pt-3 flex flex-col gap-2">
            <p role="status"><span class="font-medium">{fault_word(drill.draft.fault)}</span>" · "{summary(&drill.report)}</p>
            {figures(&drill.report)}
        </div>
    }
    .into_any()
}

fn earlier_line(drill: Drill) -> AnyView {
    let clock = Clock::here();
    let at = move || format::moment(drill.started_at_ms, clock.now_ms(), clock.zone(), language());
    view! {
        <li class="flex flex-wrap gap-x-3 text-ink-2">
            <span class="text-ink-3">{at}</span><span>{fault_word(drill.draft.fault)}</span><span class="ml-auto">{summary(&drill.report)}</span>
        </li>
    }
    .into_any()
}

/// `412 requests, 0 noticed`.
fn summary(report: &DrillReport) -> String {
    t!(drill::summary, &format::count(report.met), &format::count(report.noticed()))
}

#[component]
fn Running(id: ProviderId, drills: RwSignal<Drills>, stop: ServerAction<StopDrill>, operate: bool) -> impl IntoView {
    let clock = Clock::here();
    let now = Memo::new(move |_| drills.with(|drills| drills.running.clone()));
    let what = move || {
        now.get().map(|drill| {
            let share = (drill.draft.percent < 100).then(|| t!(drill::share, drill.draft.percent));
            view! {
                <p><span class="font-medium">{fault_word(drill.draft.fault)}</span>{share.map(|share| format!(" {share}"))}" "<span class="caption">{t!(drill::by, &drill.started_by)}</span></p>
            }
        })
    };
    let left =
        move || now.get().map(|drill| t!(drill::ends, &format::wait(drill.ends_at_ms, clock.now_ms(), language())));
    let gone = move || {
        now.get().map_or(0.0, |drill| {
            let (gone, whole) = (clock.now_ms() - drill.started_at_ms, drill.ends_at_ms - drill.started_at_ms);
            (gone as f64 / whole.max(1) as f64 * 100.0).clamp(0.0, 100.0)
        })
    };
    let report = move || now.get().map(|drill| figures(&drill.report));
    let busy = stop.pending();
    view! {
        {what}
        <div class="flex flex-col gap-1.5">
            <span class="bar-track w-full" aria-hidden="true"><span class="bar-fill bg-warn" style=move || format!("width: {:.1}%", gone())></span></span>
            <span class="caption" role="timer">{left}</span>
        </div>
        {report}
        {operate.then(|| view! {
            <ActionForm action=stop>
                <input type="hidden" name="id" value=id.to_string()/>
                <button class="btn" aria-busy=move || busy.get().then_some("true") disabled=move || busy.get()><Icon name="x"/>{t!(drill::stop)}</button>
            </ActionForm>
        })}
    }
    .into_any()
}

/// The report in figures.
fn figures(report: &DrillReport) -> AnyView {
    let parts = t!(drill::noticed_parts, &format::count(report.failed), &format::count(report.interrupted));
    let tone = if report.noticed() > 0 { "font-semibold text-bad-fg" } else { "font-semibold" };
    let noticed = view! {
        <span class=tone>{format::count(report.noticed())}</span>
        {(report.noticed() > 0).then(|| view! { <span class="caption">" "{parts}</span> })}
    };
    let added = report.added_p50_us.map(|us| {
        view! { <div class="flex justify-between gap-3"><dt class="text-ink-2">{t!(drill::added)}</dt><dd>{format::latency_text(us.max(1), language())}" "<span class="caption">{t!(drill::added_hint)}</span></dd></div> }
    });
    let client = (report.client > 0).then(|| {
        view! { <div class="flex justify-between gap-3"><dt class="text-ink-2">{t!(drill::client)}</dt><dd>{format::count(report.client)}</dd></div> }
    });
    let taken_out =
        report.taken_out_after.map_or_else(|| t!(drill::never).to_owned(), |after| t!(drill::attempts, after));
    view! {
        <dl class="flex flex-col gap-1.5">
            <div class="flex justify-between gap-3"><dt class="text-ink-2">{t!(drill::met)}</dt><dd>{format::count(report.met)}</dd></div>
            <div class="flex justify-between gap-3"><dt class="text-ink-2">{t!(drill::saved)}</dt><dd>{format::count(report.saved)}</dd></div>
            <div class="flex justify-between gap-3"><dt class="text-ink-2">{t!(drill::noticed)}</dt><dd>{noticed}</dd></div>
            {client}
            {added}
            <div class="flex justify-between gap-3"><dt class="text-ink-2">{t!(drill::taken_out)}</dt><dd>{taken_out}</dd></div>
        </dl>
    }
    .into_any()
}
