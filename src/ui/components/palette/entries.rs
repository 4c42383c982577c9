//! The entries of the command palette, by section.

use leptos::prelude::*;

use super::Finding;
use crate::{
    model::{
        api_key::ApiKey,
        drill::{Fault, MINUTES_DEFAULT},
        group::Group,
        health::{HealthReason, HealthState, ProviderHealth},
        id::ProviderId,
        provider::Provider,
        user::Permission,
    },
    ui::{
        clock::Clock,
        components::{
            layout::navigation::{Place, places},
            shortcut,
            status::{reason_text, state_glyph, state_word},
        },
        i18n::t,
        icon::Glyph,
        live::Live,
        recent::{Visit, recent},
        session::Session,
    },
};

/// Records that were looked at last, as many as are listed.
const RECENT: usize = 5;

/// What stands before an entry.
#[derive(Clone, Copy)]
pub(super) enum Face {
    /// Lucide name.
    Icon(&'static str),
    /// A state.
    Mark(Glyph),
}

/// What an entry does.
#[derive(Clone)]
pub(super) enum Does {
    /// Leads to an address.
    Go(String),
    /// Does it to the provider of this id and name.
    Act(Act, ProviderId, String),
}

/// What is done to a provider from here.
#[derive(Clone, Copy)]
pub(super) enum Act {
    Enable,
    Disable,
    /// Tries to reach it, at no cost.
    Test,
    /// Lets it pretend to fail, as the form on its page does without any choice.
    Drill,
}

/// One line of the list.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) face: Face,
    pub(super) name: String,
    /// Its state, or what tells it from others.
    pub(super) note: String,
    /// Keys that do the same without the palette.
    pub(super) keys: &'static [&'static str],
    pub(super) does: Does,
}

/// Entries under a title.
#[derive(Clone)]
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) entries: Vec<Entry>,
}

/// What is to be listed for a text, once and again when the server has answered.
pub(super) fn sections(typed: RwSignal<String>, finding: RwSignal<Finding>) -> Signal<Vec<Section>> {
    let (session, live, clock) = (Session::here(), Live::here(), Clock::here());
    // States as they are now; the list does not follow them while it is open, so that no line moves.
    let states = live.snapshot.with_untracked(|snapshot| snapshot.as_ref().map(|news| news.health.clone()));
    let states = StoredValue::new(states.unwrap_or_default());
    let visits = StoredValue::new(recent(session));
    Signal::derive(move || {
        let text = typed.get().trim().to_owned();
        let mut sections = Vec::new();
        let mut add = |title, entries: Vec<Entry>| {
            if !entries.is_empty() {
                sections.push(Section { title, entries });
            }
        };
        let mut acts = Vec::new();
        let title = if text.is_empty() { t!(palette::trouble) } else { t!(shell::providers) };
        if text.is_empty() {
            add(t!(palette::recent), visits.with_value(|visits| visits.iter().take(RECENT).map(visited).collect()));
        }
        finding.with(|finding| {
            let Some((providers, groups, keys)) = &finding.things else { return };
            // What was found for another text stays while the answer is on its way, as far as it fits.
            let answered = finding.text.as_ref().is_some_and(|found| found.trim() == text);
            let fits = |name: &str| answered || (!text.is_empty() && holds(name, &text));
            let rows = || providers.rows.iter().filter(|row| fits(&row.provider.name));
            add(title, rows().map(|row| states.with_value(|all| provider(&row.provider, all, clock))).collect());
            add(t!(shell::groups), groups.rows.iter().filter(|one| fits(&one.name)).map(group).collect());
            let keys = keys.rows.iter().filter(|one| fits(&one.name));
            add(t!(shell::api_keys), keys.map(|one| key(one, session)).collect());
            if let Some(row) = rows().next().filter(|_| !text.is_empty()) {
                acts = acts_on(&row.provider, session);
            }
        });
        acts.extend(makers(session).into_iter().filter(|entry| holds(&entry.name, &text)));
        add(t!(palette::actions), acts);
        if !text.is_empty() {
            add(t!(shell::requests), vec![requests_with(&text)]);
        }
        let places = places().into_iter().filter(|place| holds(place.label, &text));
        add(t!(palette::places), places.map(to_place).collect());
        sections
    })
}

/// A record that was looked at, under the icon of its kind.
fn visited(visit: &Visit) -> Entry {
    let of = |place: &Place| visit.href.starts_with(place.href) && place.href != "/admin";
    let icon = places().into_iter().find(of).map_or("history", |place| place.icon);
    go(Face::Icon(icon), visit.name.clone(), String::new(), visit.href.clone())
}

fn holds(name: &str, text: &str) -> bool {
    text.is_empty() || name.to_lowercase().contains(&text.to_lowercase())
}

fn go(face: Face, name: String, note: String, href: String) -> Entry {
    Entry { face, name, note, keys: &[], does: Does::Go(href) }
}

fn provider(provider: &Provider, states: &[ProviderHealth], clock: Clock) -> Entry {
    let known = states.iter().find(|one| one.provider == provider.id);
    let state = known.map_or(HealthState::unknown(provider.enabled), |one| one.state);
    let why = known.filter(|one| one.reason != HealthReason::None);
    let note = match why.map(|one| untrack(|| reason_text(state, &one.reason, one.factor, clock))) {
        Some(why) => format!("{}, {why}", state_word(state)),
        None if state == HealthState::Healthy => String::new(),
        None => state_word(state).to_owned(),
    };
    go(Face::Mark(state_glyph(state)), provider.name.clone(), note, format!("/admin/providers/{}", provider.id))
}

fn group(group: &Group) -> Entry {
    let note = if group.enabled { group.slug.to_string() } else { t!(status::disabled).to_owned() };
    go(Face::Icon("boxes"), group.name.clone(), note, format!("/admin/groups/{}", group.id))
}

fn key(key: &ApiKey, session: Session) -> Entry {
    let manage = session.may(Permission::ManageApiKeys);
    let (word, of) = if manage { ("edit", key.id.to_string()) } else { ("q", encoded(&key.name)) };
    let href = format!("/admin/api-keys?{word}={of}");
    go(Face::Icon("key-round"), key.name.clone(), key.hint.clone(), href)
}

/// What may be done with the provider that fits best.
fn acts_on(provider: &Provider, session: Session) -> Vec<Entry> {
    let (id, name) = (provider.id, &provider.name);
    let mut acts = Vec::new();
    if session.may(Permission::ManageProviders) {
        let title = t!(palette::edit_thing, name);
        acts.push(go(Face::Icon("pencil"), title, String::new(), format!("/admin/providers/{id}/edit")));
    }
    if session.may(Permission::Operate) {
        let act = |icon: &'static str, title: String, note: String, act: Act| Entry {
            face: Face::Icon(icon),
            name: title,
            note,
            keys: &[],
            does: Does::Act(act, id, name.clone()),
        };
        acts.push(act("plug-zap", t!(palette::test_thing, name), String::new(), Act::Test));
        if provider.enabled {
            acts.push(act("power", t!(palette::disable_thing, name), String::new(), Act::Disable));
            let note = t!(palette::drill_note, Fault::default().as_str(), MINUTES_DEFAULT);
            acts.push(act("flask-conical", t!(palette::drill_thing, name), note, Act::Drill));
        } else {
            acts.push(act("power", t!(palette::enable_thing, name), String::new(), Act::Enable));
        }
    }
    let failed = format!("/admin/requests?outcome=failed&provider={id}");
    acts.push(go(Face::Mark(Glyph::Bad), t!(palette::failed_on, name), String::new(), failed));
    acts
}

/// What may be made.
fn makers(session: Session) -> Vec<Entry> {
    [
        (Permission::ManageProviders, "server", t!(provider::add), "/admin/providers/new"),
        (Permission::ManageGroups, "boxes", t!(group::add), "/admin/groups/new"),
        (Permission::ManageApiKeys, "key-round", t!(key::create), "/admin/api-keys?create=1"),
        (Permission::ManageAlerts, "bell", t!(alerts::add_rule), "/admin/alerts?rule=new"),
        (Permission::ManageUsers, "users", t!(people::add), "/admin/users?create=1"),
    ]
    .into_iter()
    .filter(|(permission, ..)| session.may(*permission))
    .map(|(_, icon, name, href)| go(Face::Icon(icon), name.to_owned(), String::new(), href.to_owned()))
    .collect()
}

fn requests_with(text: &str) -> Entry {
    let href = format!("/admin/requests?text={}", encoded(text));
    go(Face::Icon("scroll-text"), t!(palette::with_text, text), String::new(), href)
}

fn to_place(place: Place) -> Entry {
    let keys = shortcut::keys_to(place.href);
    Entry {
        face: Face::Icon(place.icon),
        name: place.label.to_owned(),
        note: String::new(),
        keys,
        does: Does::Go(place.href.to_owned()),
    }
}

/// A text as a value in an address.
fn encoded(text: &str) -> String {
    js_sys::encode_uri_component(text).into()
}
