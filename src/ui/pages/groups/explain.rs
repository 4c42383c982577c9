//! "Explain the next request": who would be asked, in which order, and why the others would not.
//!
//! It asks about what is saved, not about the draft above it, and the server takes nothing by being
//! asked. The panel stands inside of the group's form, so it has no form of its own.

use std::collections::HashMap;

use leptos::{ev::KeyboardEvent, prelude::*};

use crate::{
    api::groups::explain_group,
    model::{
        error::ApiResult,
        explain::{ExplainQuery, Explanation, FullLimit, LimitName, MemberVerdict},
        group::{Group, StickyBy},
        id::CredentialId,
        request_log::SkipReason,
    },
    ui::{
        clock::Clock,
        components::feedback::explain,
        format,
        i18n::{language, t},
        icon::{Glyph, Icon, Mark},
        live::Live,
        pages::requests::detail::{skip_glyph, skip_word},
    },
};

/// The panel.
#[component]
pub fn ExplainPanel(
    /// The group as it is stored.
    group: RwSignal<Group>,
    /// Names and ids of the keys that reach it.
    keys: Vec<(String, String)>,
    /// Labels of credentials.
    labels: StoredValue<HashMap<CredentialId, String>>,
    /// What was found when the page was made.
    first: Option<ApiResult<Explanation>>,
) -> impl IntoView {
    let id = group.with_untracked(|group| group.id);
    let asked = RwSignal::new(ExplainQuery::default());
    let line = RwSignal::new(format!(
        "{} {}",
        asked.with_untracked(|query| query.method.clone()),
        asked.with_untracked(|query| query.path.clone())
    ));
    let ask = Action::new(move |query: &ExplainQuery| explain_group(id, query.clone()));
    let answer = move || ask.value().get().or_else(|| first.clone());
    let run = move || {
        asked.update(|query| (query.method, query.path) = read_line(&line.get_untracked()));
        ask.dispatch(asked.get_untracked());
    };
    let live = Live::here();
    Effect::new(move |before: Option<u32>| {
        let version = live.configuration.get();
        if before.is_some_and(|before| before != version) {
            untrack(run);
        }
        version
    });
    let entered = move |event: KeyboardEvent| {
        if event.key() == "Enter" && !event.is_composing() {
            // The form around it would be saved.
            event.prevent_default();
            run();
        }
    };
    let keys = keys.into_iter().map(|(id, name)| view! { <option value=id>{name}</option> }).collect_view();
    let header =
        move || group.with(|group| group.sticky.header.clone().filter(|_| group.sticky.by == StickyBy::Header));
    let busy = ask.pending();
    view! {
        <section class="card p-4 flex flex-col gap-3" aria-labelledby="explain-title">
            <div class="flex items-center gap-2">
                <h2 id="explain-title" class="card-title">{t!(explain::title)}</h2>
                <button type="button" class="btn btn-ghost btn-sm btn-icon ml-auto" aria-label=t!(explain::again) title=t!(explain::again) aria-busy=move || busy.get().then_some("true") on:click=move |_| run()><Icon name="refresh-cw"/></button>
            </div>
            <input class="input mono" aria-label=t!(explain::request) autocomplete="off" spellcheck="false" prop:value=move || line.get() value=line.get_untracked() on:input=move |event| line.set(event_target_value(&event)) on:keydown=entered on:change=move |_| run()/>
            <div class="grid grid-cols-2 gap-2">
                <select class="input" aria-label=t!(explain::key) on:change=move |event| { asked.update(|query| query.api_key = event_target_value(&event).parse().ok()); run(); }>
                    <option value="">{t!(explain::any_key)}</option>
                    {keys}
                </select>
                <input class="input" aria-label=t!(explain::model) placeholder=t!(explain::any_model) autocomplete="off" spellcheck="false" on:keydown=entered on:change=move |event| { asked.update(|query| query.model = given(&event_target_value(&event))); run(); }/>
            </div>
            <details>
                <summary class="link">{t!(explain::more)}</summary>
                <div class="grid gap-2 pt-2">
                    <input class="input mono" aria-label=t!(explain::client_ip) placeholder=t!(explain::client_ip) autocomplete="off" on:keydown=entered on:change=move |event| { asked.update(|query| query.client_ip = event_target_value(&event).trim().parse().ok()); run(); }/>
                    {move || header().map(|name| view! {
                        <input class="input" aria-label=t!(explain::header, &name) placeholder=t!(explain::header, &name) autocomplete="off" on:keydown=entered on:change=move |event| { asked.update(|query| query.header = given(&event_target_value(&event))); run(); }/>
                    })}
                </div>
            </details>
            <div class="flex flex-col gap-3" aria-live="polite">{move || answer().map(|answer| face(answer, labels))}</div>
            <p class="caption">{t!(explain::about)}</p>
        </section>
    }
    .into_any()
}

fn given(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// `POST /v1/x` as method and path; a path alone is a POST.
fn read_line(line: &str) -> (String, String) {
    let line = line.trim();
    match line.split_once(char::is_whitespace) {
        Some((method, path)) => (method.to_ascii_uppercase(), path.trim().to_owned()),
        None => ("POST".to_owned(), line.to_owned()),
    }
}

fn face(answer: ApiResult<Explanation>, labels: StoredValue<HashMap<CredentialId, String>>) -> AnyView {
    let found = match answer {
        Ok(found) => found,
        Err(error) => {
            let (title, hint) = explain(&error);
            return view! { <p class="flex gap-2"><span class="pt-0.5"><Mark glyph=Glyph::Bad/></span><span><b class="font-medium">{title}</b>" "{hint}</span></p> }.into_any();
        }
    };
    let most = found.max_attempts;
    let (line, rest): (Vec<_>, Vec<_>) =
        found.members.into_iter().partition(|member| member.place.is_some_and(|place| place <= most));
    let first_tier = line.first().map_or(1, |member| member.tier);
    let more = rest.iter().any(|member| member.skipped.is_none());
    let last = line.len();
    let refused = found.refused.map(|refused| {
        view! {
            <p class="flex gap-2">
                <span class="pt-0.5"><Mark glyph=Glyph::Bad/></span>
                <span><b class="font-medium text-bad-fg">{t!(explain::refused, refused.status)}</b>" "<code class="mono">{refused.code}</code>" "<span class="text-ink-2">{refused.message}</span></span>
            </p>
        }
    });
    let nobody = line.is_empty().then(|| view! { <p class="text-ink-2">{t!(explain::nobody)}</p> });
    let turns = line.into_iter().enumerate().map(|(index, member)| {
        let limit = (index + 1 == last && more).then_some(most);
        turn(index + 1, &member, limit, labels)
    });
    let passed = rest.into_iter().map(|member| passed(&member, first_tier, most)).collect::<Vec<_>>();
    let skipped = (!passed.is_empty()).then(|| {
        view! { <div><h3 class="caption pb-1">{t!(explain::skipped)}</h3><ul class="list-none">{passed}</ul></div> }
    });
    view! {
        {refused}
        {nobody}
        {(last > 0).then(|| view! { <div><h3 class="caption pb-1">{t!(explain::in_order)}</h3><ol class="list-none">{turns.collect_view()}</ol></div> })}
        {skipped}
    }
    .into_any()
}

fn turn(
    place: usize,
    member: &MemberVerdict,
    limit: Option<u32>,
    labels: StoredValue<HashMap<CredentialId, String>>,
) -> AnyView {
    let label = member.credential.and_then(|id| labels.with_value(|labels| labels.get(&id).cloned()));
    let mut parts = Vec::new();
    if member.trial {
        parts.push(t!(explain::trial).to_owned());
    }
    match member.credit {
        Some(credit) => parts.push(t!(explain::credit, &format!("{credit:.0}"))),
        None => parts.push(t!(explain::weight, &format!("{:.0}", f64::from(member.priority) * member.factor))),
    }
    parts.push(match member.room {
        Some(room) => t!(explain::room, member.in_flight, room),
        None => t!(explain::in_flight, member.in_flight),
    });
    let percent = (member.share * 100.0).round() as u32;
    if percent > 0 {
        parts.push(t!(explain::share, percent));
    }
    if let Some(most) = limit {
        parts.push(t!(explain::then_limit, most));
    }
    let number = if place == 1 {
        "w-6 shrink-0 text-center font-semibold text-accent-fg"
    } else {
        "w-6 shrink-0 text-center text-ink-3"
    };
    view! {
        <li class="flex gap-2 border-t border-line py-2">
            <span class=number>{place}</span>
            <div class="min-w-0">
                <p class="flex flex-wrap items-center gap-2"><span class="font-medium wrap-anywhere">{member.name.clone()}</span>{label.map(|label| view! { <span class="tag">{label}</span> })}</p>
                <p class="caption">{parts.join(t!(requests::comma))}</p>
            </div>
        </li>
    }
    .into_any()
}

fn passed(member: &MemberVerdict, first_tier: u32, most: u32) -> AnyView {
    let clock = Clock::here();
    let glyph = member.skipped.map_or(Glyph::Skip, skip_glyph);
    let (reason, tier, until_ms, full) = (member.skipped, member.tier, member.until_ms, member.full);
    let why = move || match (reason, until_ms) {
        (None, _) if tier > first_tier => t!(explain::tier, tier),
        (None, _) => t!(explain::beyond, most),
        (Some(SkipReason::Full), _) => full.map_or_else(|| t!(requests::skip_full).to_owned(), full_words),
        (Some(SkipReason::Cooling), Some(until_ms)) => {
            t!(explain::cools, &format::moment(until_ms, clock.now_ms(), clock.zone(), language()))
        }
        (Some(reason), Some(until_ms)) => {
            let wait = format::wait(until_ms, clock.now_ms(), language());
            match reason {
                SkipReason::Unhealthy => t!(explain::next_trial, &wait),
                SkipReason::Model => t!(explain::asked_again, &wait),
                SkipReason::NoCredential => t!(explain::refused_until, &wait),
                other => skip_word(other).to_owned(),
            }
        }
        (Some(reason), None) => skip_word(reason).to_owned(),
    };
    view! {
        <li class="flex gap-2 border-t border-line py-2">
            <span class="w-6 shrink-0 text-center"><Mark glyph/></span>
            <div class="min-w-0"><p class="text-ink-2 wrap-anywhere">{member.name.clone()}</p><p class="caption">{why}</p></div>
        </li>
    }
    .into_any()
}

fn full_words(full: FullLimit) -> String {
    let most = format::count(full.most);
    match full.limit {
        LimitName::Concurrency => t!(explain::full_at_once, &most),
        LimitName::Rpm => t!(explain::full_rpm, &most),
        LimitName::RequestsPerDay => t!(explain::full_day, &most),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_method_and_a_path() {
        let read = |line| read_line(line);
        assert_eq!(read(" get  /v1/models "), ("GET".to_owned(), "/v1/models".to_owned()));
        assert_eq!(read("/v1/messages"), ("POST".to_owned(), "/v1/messages".to_owned()));
    }
}
