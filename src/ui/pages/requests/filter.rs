//! The filters: read from the address, written back into it as links and a plain form.

use leptos::prelude::*;
use leptos_router::params::ParamsMap;

use super::names::{Names, name_of};
use crate::{
    model::{
        id::{ApiKeyId, GroupId, ProviderId, RequestId},
        request_log::{Outcome, RequestFilter, RequestRow},
    },
    ui::{
        components::{
            feedback::Empty,
            status::{outcome_glyph, outcome_word},
        },
        i18n::t,
        icon::{Icon, Mark},
        suspended::suspended,
    },
};

const MINUTE_MS: i64 = 60_000;

/// How far back, as the address says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// 30 minutes.
    HalfHour,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// Seven days.
    Week,
}

impl Since {
    const ALL: [Self; 4] = [Self::HalfHour, Self::Hour, Self::Day, Self::Week];

    fn as_str(self) -> &'static str {
        match self {
            Self::HalfHour => "30m",
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    fn minutes(self) -> i64 {
        match self {
            Self::HalfHour => 30,
            Self::Hour => 60,
            Self::Day => 24 * 60,
            Self::Week => 7 * 24 * 60,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::HalfHour => t!(requests::last_30m),
            Self::Hour => t!(requests::last_1h),
            Self::Day => t!(requests::last_24h),
            Self::Week => t!(requests::last_7d),
        }
    }
}

/// What the address asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    pub(super) outcome: Option<Outcome>,
    pub(super) since: Option<Since>,
    pub(super) group: Option<GroupId>,
    pub(super) provider: Option<ProviderId>,
    pub(super) api_key: Option<ApiKeyId>,
    pub(super) status: Option<u16>,
    pub(super) model: Option<String>,
    pub(super) text: Option<String>,
    pub(super) before: Option<RequestId>,
}

impl Asked {
    /// Reads an address; what makes no sense in it is no filter.
    pub(super) fn read(query: &ParamsMap) -> Self {
        let word = |name: &str| query.get(name).filter(|word| !word.is_empty());
        Self {
            outcome: word("outcome").and_then(|word| Outcome::parse(&word)),
            since: word("since").and_then(|word| Since::ALL.into_iter().find(|since| since.as_str() == word)),
            group: word("group").and_then(|id| id.parse().ok()),
            provider: word("provider").and_then(|id| id.parse().ok()),
            api_key: word("key").and_then(|id| id.parse().ok()),
            status: word("status").and_then(|code| code.parse().ok()),
            model: word("model"),
            text: word("text"),
            before: word("before").and_then(|id| id.parse().ok()),
        }
    }

    /// What the server is asked for.
    pub(super) fn filter(&self, now_ms: i64) -> RequestFilter {
        RequestFilter {
            from_ms: self.since.map(|since| now_ms - since.minutes() * MINUTE_MS),
            to_ms: None,
            group: self.group,
            provider: self.provider,
            api_key: self.api_key,
            outcome: self.outcome,
            status: self.status,
            model: self.model.clone(),
            id: self.id(),
            text: self.text.clone().filter(|_| self.id().is_none()),
            before: self.before,
            limit: 50,
        }
    }

    /// The request whose id stands in the text field.
    fn id(&self) -> Option<RequestId> {
        self.text.as_deref().and_then(|text| text.trim().parse().ok())
    }

    /// Address of the log as a file under these filters.
    pub(super) fn export(&self, format: &str, watch: RequestId, now_ms: i64) -> String {
        let filter = self.filter(now_ms);
        let mut query = ParamsMap::new();
        let mut put = |name: &'static str, value: Option<String>| {
            if let Some(value) = value {
                query.insert(name, value);
            }
        };
        put("format", Some(format.to_owned()));
        put("watch", Some(watch.to_string()));
        put("from_ms", filter.from_ms.map(|at| at.to_string()));
        put("group", filter.group.map(|id| id.to_string()));
        put("provider", filter.provider.map(|id| id.to_string()));
        put("api_key", filter.api_key.map(|id| id.to_string()));
        put("outcome", filter.outcome.map(|outcome| outcome.as_str().to_owned()));
        put("status", filter.status.map(|status| status.to_string()));
        put("model", filter.model);
        put("id", filter.id.map(|id| id.to_string()));
        put("text", filter.text);
        format!("/api/admin/v1/requests/export{}", query.to_query_string())
    }

    /// Whether a row that has just ended belongs to the list.
    pub(super) fn takes(&self, row: &RequestRow) -> bool {
        let fits = |want: bool, same: bool| !want || same;
        fits(self.outcome.is_some(), self.outcome == Some(row.outcome))
            && fits(self.group.is_some(), self.group == row.group)
            && fits(self.provider.is_some(), self.provider == row.provider)
            && fits(self.api_key.is_some(), self.api_key == row.api_key)
            && fits(self.status.is_some(), self.status == Some(row.status))
            && fits(self.model.is_some(), self.model == row.model)
            && self.text.is_none()
    }

    fn filtered(&self) -> bool {
        *self != Self { before: self.before, ..Self::default() }
    }

    fn address(&self) -> String {
        let mut query = ParamsMap::new();
        let mut put = |name: &'static str, value: Option<String>| {
            if let Some(value) = value {
                query.insert(name, value);
            }
        };
        put("outcome", self.outcome.map(|outcome| outcome.as_str().to_owned()));
        put("since", self.since.map(|since| since.as_str().to_owned()));
        put("group", self.group.map(|id| id.to_string()));
        put("provider", self.provider.map(|id| id.to_string()));
        put("key", self.api_key.map(|id| id.to_string()));
        put("status", self.status.map(|status| status.to_string()));
        put("model", self.model.clone());
        put("text", self.text.clone());
        put("before", self.before.map(|id| id.to_string()));
        format!("/admin/requests{}", query.to_query_string())
    }

    /// The same filters from the newest request.
    pub(super) fn newest(&self) -> String {
        Self { before: None, ..self.clone() }.address()
    }

    /// The same filters before a request.
    pub(super) fn older(&self, key: &str) -> String {
        Self { before: key.parse().ok(), ..self.clone() }.address()
    }

    fn with_outcome(&self, outcome: Option<Outcome>) -> String {
        Self { outcome, before: None, ..self.clone() }.address()
    }
}

/// Outcomes in one tap, the filters that are set, and the form for all of them.
#[component]
pub fn Toolbar(
    /// What the address asks for.
    asked: Memo<Asked>,
    /// What ids mean.
    names: Resource<Names>,
    /// Whether new requests come in by themselves.
    follow: RwSignal<bool>,
) -> impl IntoView {
    let segment = move |outcome: Option<Outcome>| {
        let href = move || asked.with(|asked| asked.with_outcome(outcome));
        let current = move || asked.with(|asked| asked.outcome == outcome).then_some("true");
        let face = match outcome {
            Some(outcome) => view! { <Mark glyph=outcome_glyph(outcome)/>{outcome_word(outcome)} }.into_any(),
            None => t!(requests::all).into_any(),
        };
        view! { <a href=href aria-current=current>{face}</a> }
    };
    let chips = move || suspended(async move { chips(asked, &names.await) });
    let form = move || suspended(async move { form(asked, names.await) });
    view! {
        <div class="log-tools">
            <nav class="seg" aria-label=t!(requests::outcome)>
                {segment(None)} {segment(Some(Outcome::Saved))} {segment(Some(Outcome::Failed))}
            </nav>
            <Transition fallback=|| ()>{chips}</Transition>
            <button type="button" class="btn btn-ghost btn-sm" popovertarget="log-filter"><Icon name="plus"/>{t!(requests::filter)}</button>
            <button type="button" class="btn btn-ghost btn-sm ml-auto" aria-pressed=move || follow.get().to_string() on:click=move |_| follow.update(|on| *on = !*on)>
                {move || if follow.get() { t!(requests::pause) } else { t!(requests::follow) }}
            </button>
            <super::export::Export asked/>
            <div id="log-filter" popover="auto" class="menu log-form">
                <Transition fallback=|| ()>{form}</Transition>
            </div>
        </div>
    }
    .into_any()
}

/// One chip for each filter that is set; its cross takes it away.
fn chips(asked: Memo<Asked>, names: &Names) -> AnyView {
    let now = asked.get();
    let id = |id: String| crate::ui::format::short_id(&id);
    let without = |change: fn(&mut Asked)| {
        let mut rest = Asked { before: None, ..now.clone() };
        change(&mut rest);
        rest.address()
    };
    let mut list = Vec::new();
    let mut chip = |label: &'static str, value: Option<String>, change: fn(&mut Asked)| {
        let Some(value) = value else { return };
        let href = without(change);
        list.push(view! {
            <a class="chip" href=href title=t!(requests::remove, label)>
                {label} " " <b>{value}</b> <Icon name="x"/>
            </a>
        });
    };
    chip(t!(requests::since), now.since.map(|since| since.word().to_owned()), |all| all.since = None);
    let segmented = [Outcome::Saved, Outcome::Failed];
    let outcome = now.outcome.filter(|outcome| !segmented.contains(outcome));
    chip(t!(requests::outcome), outcome.map(|outcome| outcome_word(outcome).to_owned()), |all| all.outcome = None);
    let group = now.group.map(|group| name_of(&names.groups, group).unwrap_or_else(|| id(group.to_string())));
    chip(t!(requests::group), group, |all| all.group = None);
    let provider = now.provider.map(|one| name_of(&names.providers, one).unwrap_or_else(|| id(one.to_string())));
    chip(t!(requests::provider), provider, |all| all.provider = None);
    let key = now.api_key.map(|key| name_of(&names.keys, key).unwrap_or_else(|| id(key.to_string())));
    chip(t!(requests::key), key, |all| all.api_key = None);
    chip(t!(requests::model), now.model.clone(), |all| all.model = None);
    chip(t!(requests::text), now.text.clone(), |all| all.text = None);
    chip(t!(requests::code), now.status.map(|status| status.to_string()), |all| all.status = None);
    list.collect_view().into_any()
}

/// All filters as a plain form: it works before and without the client.
fn form(asked: Memo<Asked>, names: Names) -> AnyView {
    let now = asked.get();
    let choice = |name: &'static str, label: &'static str, chosen: String, options: Vec<(String, String)>| {
        let option = |(value, word): (String, String)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{word}</option> }
        };
        view! {
            <label class="log-field">
                <span>{label}</span>
                <select class="input" name=name>
                    <option value="">{t!(requests::any)}</option>
                    {options.into_iter().map(option).collect_view()}
                </select>
            </label>
        }
    };
    fn texts<T: std::fmt::Display>(list: Vec<(T, String)>) -> Vec<(String, String)> {
        list.into_iter().map(|(id, name)| (id.to_string(), name)).collect()
    }
    fn text<T: std::fmt::Display>(id: Option<T>) -> String {
        id.map(|id| id.to_string()).unwrap_or_default()
    }
    let since = Since::ALL.map(|since| (since.as_str().to_owned(), since.word().to_owned()));
    let outcomes = Outcome::ALL.map(|outcome| (outcome.as_str().to_owned(), outcome_word(outcome).to_owned()));
    view! {
        <form method="get" action="/admin/requests" class="grid gap-3 p-3">
            {choice("since", t!(requests::since), now.since.map(|since| since.as_str().to_owned()).unwrap_or_default(), since.into())}
            {choice("outcome", t!(requests::outcome), now.outcome.map(|one| one.as_str().to_owned()).unwrap_or_default(), outcomes.into())}
            {choice("group", t!(requests::group), text(now.group), texts(names.groups))}
            {choice("provider", t!(requests::provider), text(now.provider), texts(names.providers))}
            {choice("key", t!(requests::key), text(now.api_key), texts(names.keys))}
            <label class="log-field">
                <span>{t!(requests::model)}</span>
                <input class="input" name="model" value=now.model.unwrap_or_default() placeholder=t!(requests::model_hint) autocomplete="off"/>
            </label>
            <label class="log-field">
                <span>{t!(requests::code)}</span>
                <input class="input" name="status" inputmode="numeric" pattern="[0-9]{3}" value=text(now.status) autocomplete="off"/>
            </label>
            <label class="log-field">
                <span>{t!(requests::text)}</span>
                <input class="input" name="text" value=now.text.unwrap_or_default() maxlength="200" placeholder=t!(requests::text_hint) autocomplete="off"/>
            </label>
            <div class="flex justify-end gap-2 pt-1">
                <a class="btn btn-ghost" href="/admin/requests">{t!(requests::clear)}</a>
                <button class="btn btn-primary">{t!(requests::apply)}</button>
            </div>
        </form>
    }
    .into_any()
}

/// No rows: because nothing was asked yet, or because the filters let nothing through.
pub(super) fn nothing(asked: Memo<Asked>) -> AnyView {
    if asked.with(|asked| !asked.filtered() && asked.before.is_none()) {
        return view! {
            <Empty title=t!(requests::empty) hint=t!(requests::empty_hint)>
                <a class="btn" href="/admin/api-keys">{t!(requests::to_keys)}</a>
            </Empty>
        }
        .into_any();
    }
    view! {
        <Empty title=t!(requests::no_match) hint=t!(requests::no_match_hint)>
            <a class="btn" href="/admin/requests">{t!(requests::clear)}</a>
        </Empty>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_keeps_every_filter() {
        let asked = Asked {
            outcome: Some(Outcome::Saved),
            since: Some(Since::Day),
            group: Some(GroupId(uuid::Uuid::from_u128(7))),
            provider: None,
            api_key: None,
            status: Some(200),
            model: Some("a b&c".into()),
            text: Some("100%_".into()),
            before: None,
        };
        let address = asked.address();
        assert!(address.contains("outcome=saved") && address.contains("status=200"), "{address}");
        assert!(!address.contains("b&c"), "{address}");
    }

    #[test]
    fn nonsense_in_the_address_is_no_filter() {
        let mut query = ParamsMap::new();
        query.insert("outcome", "wonderful".to_owned());
        query.insert("status", "many".to_owned());
        query.insert("group", "x".to_owned());
        assert_eq!(Asked::read(&query), Asked::default());
    }
}
