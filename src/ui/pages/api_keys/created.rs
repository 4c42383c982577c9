//! A key that was just made. Its secret lives in this page's memory and is gone with it; the
//! dialog closes only after the person says that it is stored.

use leptos::{html, prelude::*};

use super::snippets::snippets;
use crate::{
    model::{
        api_key::{CreatedKey, Scope},
        group::Group,
        rate_limit::KeyLimits,
    },
    ui::{
        clock::{Clock, Zone},
        components::{
            dialog::Dialog,
            form::{CodeBlock, CopyButton},
        },
        format,
        i18n::t,
        icon::Icon,
        origin::Origin,
    },
};

/// The dialog over the page that made the key.
#[component]
pub fn CreatedDialog(
    /// The key; taken when the dialog is done.
    created: RwSignal<Option<CreatedKey>>,
    /// Groups, to name the scope and to write the address.
    groups: StoredValue<Vec<Group>>,
) -> impl IntoView {
    let open = Signal::derive(move || created.with(Option::is_some));
    let done = Callback::new(move |()| created.set(None));
    let content = move || created.get().map(|created| view! { <CreatedPanel created groups done/> });
    view! { <Dialog open on_close=Callback::new(|()| ()) stays=true>{content}</Dialog> }.into_any()
}

/// The key, its snippets and its facts.
#[component]
pub fn CreatedPanel(
    /// The key.
    created: CreatedKey,
    /// Groups, to name the scope and to write the address.
    groups: StoredValue<Vec<Group>>,
    /// Called when the person has stored it.
    done: Callback<()>,
) -> impl IntoView {
    let CreatedKey { key, secret } = created;
    let stored = RwSignal::new(false);
    let field = NodeRef::<html::Input>::new();
    Effect::new(move |_| {
        if let Some(field) = field.get() {
            field.select();
        }
    });
    let slugs = groups.with_value(|groups| match &key.scope {
        Scope::Global => Vec::new(),
        Scope::Groups(ids) => groups
            .iter()
            .filter(|group| ids.contains(&group.id))
            .map(|group| group.slug.to_string())
            .collect::<Vec<_>>(),
    });
    let slug = slugs
        .first()
        .cloned()
        .or_else(|| groups.with_value(|groups| groups.first().map(|group| group.slug.to_string())));
    let shown = secret.clone();
    view! {
        <div class="dialog-head">
            <span class="inline-flex items-center justify-center w-9 h-9 flex-none rounded-lg bg-ok-soft text-ok-fg"><Icon name="key-round"/></span>
            <div><h2 id="dialog-title">{t!(key::ready, &key.name)}</h2><p class="text-ink-2">{t!(key::copy_now)}</p></div>
        </div>
        <div class="dialog-body">
            <div class="flex gap-2">
                <input node_ref=field class="input mono h-10! bg-sunken" readonly aria-label=t!(key::secret) value=shown/>
                <CopyButton text=secret.clone() class="btn btn-primary h-10!"/>
            </div>
            {match slug {
                Some(slug) => view! { <Snippets slug secret/> }.into_any(),
                None => view! { <p class="text-ink-3">{t!(key::no_group_yet)}</p> }.into_any(),
            }}
            <dl class="flex flex-wrap justify-between gap-4 m-0">
                <div><dt class="caption">{t!(key::scope)}</dt><dd class="m-0"><ScopeTags slugs global=key.scope == Scope::Global/></dd></div>
                <div><dt class="caption">{t!(key::limits)}</dt><dd class="m-0 text-ink">{limits_line(key.limits)}</dd></div>
                <div><dt class="caption">{t!(key::expires)}</dt><dd class="m-0 text-ink"><Expiry at_ms=key.expires_at_ms/></dd></div>
            </dl>
        </div>
        <div class="dialog-foot">
            <label class="check mr-auto"><input type="checkbox" class="check-box" prop:checked=move || stored.get() on:change=move |event| stored.set(event_target_checked(&event))/>{t!(key::stored)}</label>
            <button type="button" class="btn btn-primary" disabled=move || !stored.get() on:click=move |_| done.run(())>{t!(key::done)}</button>
        </div>
    }
    .into_any()
}

/// Tabs of ready lines.
#[component]
pub fn Snippets(
    /// Slug of the group to call.
    slug: String,
    /// The key.
    secret: String,
) -> impl IntoView {
    let chosen = RwSignal::new(0_usize);
    let origin = Origin::here();
    let all = Memo::new(move |_| snippets(&origin.get(), &slug, &secret));
    let text = Signal::derive(move || all.with(|all| all[chosen.get()].1.clone()));
    let tabs = ["curl", "OpenAI SDK", "Anthropic SDK", ".env"]
        .into_iter()
        .enumerate()
        .map(|(index, title)| view! { <button type="button" role="tab" aria-selected=move || (chosen.get() == index).to_string() on:click=move |_| chosen.set(index)>{title}</button> })
        .collect_view();
    view! {
        <div class="flex flex-col gap-3 min-w-0">
            <div class="flex items-center gap-2"><div class="tabs flex-1" role="tablist">{tabs}</div><CopyButton text class="btn btn-sm btn-ghost"/></div>
            <CodeBlock text/>
        </div>
    }
    .into_any()
}

/// `Global`, or the groups.
#[component]
pub fn ScopeTags(
    /// Slugs of the groups.
    slugs: Vec<String>,
    /// Whether every group is reached.
    global: bool,
) -> impl IntoView {
    if global {
        view! { <span class="tag tag-accent">{t!(key::global)}</span> }.into_any()
    } else {
        view! { <span class="inline-flex flex-wrap gap-1">{slugs.into_iter().map(|slug| view! { <span class="tag">{slug}</span> }).collect_view()}</span> }.into_any()
    }
}

/// A day, or never.
#[component]
pub fn Expiry(
    /// Unix milliseconds.
    at_ms: Option<i64>,
) -> impl IntoView {
    let clock = Clock::here();
    move || at_ms.map_or_else(|| t!(form::never).to_owned(), |at_ms| day(at_ms, clock.zone()))
}

/// `2027-01-31` on the reader's calendar.
pub(crate) fn day(at_ms: i64, zone: Zone) -> String {
    format::iso(at_ms, zone).chars().take(10).collect()
}

/// Limits in one line: `600 rpm · 20 at once`.
pub(crate) fn limits_line(limits: KeyLimits) -> String {
    let mut parts = vec![match limits.rpm {
        None => t!(key::limit_default).to_owned(),
        Some(0) => t!(key::limit_none).to_owned(),
        Some(rpm) => t!(provider::limit_rpm, &format::count(rpm.into())),
    }];
    if limits.concurrency > 0 {
        parts.push(t!(provider::limit_at_once, &format::count(limits.concurrency.into())));
    }
    if limits.requests_per_day > 0 {
        parts.push(t!(provider::limit_day, &format::count(limits.requests_per_day)));
    }
    parts.join(" · ")
}
