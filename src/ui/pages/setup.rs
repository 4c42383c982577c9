//! The first run in three steps: administrator, provider, group and key.
//!
//! Which step it is follows from what exists, so a closed tab loses nothing. Without the one-time
//! token of the log, or a session, the page does not exist.

pub mod administrator;
pub mod first_group;
pub mod first_provider;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use self::{
    administrator::AdministratorStep,
    first_group::{DoneStep, GroupStep},
    first_provider::ProviderStep,
};
use super::login::DoorBar;
use crate::{
    api::{api_keys::just_created_key, groups::all_groups, setup::read_setup},
    model::{api_key::CreatedKey, setup::SetupState},
    ui::{i18n::t, icon::Icon, lost::tell_lost, suspended::suspended},
};

/// `/setup`
#[component]
pub fn SetupPage() -> impl IntoView {
    let query = use_query_map();
    let word = move |name: &str| query.with(|query| query.get(name).unwrap_or_default());
    let token = Memo::new(move |_| word("token"));
    let state = Resource::new(move || (token.get(), word("skip"), word("done")), |(token, ..)| read_setup(token));
    let created = RwSignal::new(None::<CreatedKey>);
    let posted = Resource::new(|| (), |()| async { just_created_key().await.ok().flatten() });
    let groups =
        Resource::new(move || created.with(Option::is_some), |_| async { all_groups().await.unwrap_or_default() });
    let body = move || {
        suspended(async move {
            let (state, posted, groups) = (state.await, posted.await, groups.await);
            if let Some(posted) = posted {
                created.set(Some(posted));
            }
            match state {
                Err(_) => view! { <NoSetup/> }.into_any(),
                Ok(state) => view! { <Steps state token created groups/> }.into_any(),
            }
        })
    };
    view! {
        <Title text=t!(door::first_setup)/>
        <div class="door">
            <DoorBar says=t!(door::first_setup)/>
            <main class="w-full max-w-[1100px] mx-auto px-4 lg:px-6 pt-4 lg:pt-8 pb-16"><Transition>{body}</Transition></main>
        </div>
    }
    .into_any()
}

#[component]
fn NoSetup() -> impl IntoView {
    tell_lost();
    view! {
        <div class="flex flex-col gap-3 max-w-lg pt-16">
            <h1 class="text-xl font-semibold">{t!(door::no_setup)}</h1>
            <p class="text-ink-2">{t!(door::no_setup_hint)}</p>
            <p><a class="btn" href="/login">{t!(door::sign_in)}</a></p>
        </div>
    }
    .into_any()
}

/// The steps at the side, the present one beside them.
#[component]
fn Steps(
    state: SetupState,
    token: Memo<String>,
    created: RwSignal<Option<CreatedKey>>,
    groups: Vec<crate::model::group::Group>,
) -> impl IntoView {
    let query = use_query_map();
    let skipped = move || query.with(|query| query.get("skip").is_some());
    let groups = StoredValue::new(groups);
    let number = move || match state {
        _ if created.with(Option::is_some) => 4,
        SetupState::NeedsAdministrator => 1,
        SetupState::NeedsProvider if !skipped() => 2,
        SetupState::NeedsProvider | SetupState::NeedsGroup => 3,
        SetupState::Done => 4,
    };
    let content = move || match number() {
        1 => view! { <AdministratorStep token=token.get_untracked()/> }.into_any(),
        2 => view! { <ProviderStep/> }.into_any(),
        3 => view! { <GroupStep created/> }.into_any(),
        _ => view! { <DoneStep created groups/> }.into_any(),
    };
    let titles = [
        (t!(door::step_admin), t!(door::step_admin_hint)),
        (t!(door::step_provider), t!(door::step_provider_hint)),
        (t!(door::step_group), t!(door::step_group_hint)),
    ];
    let rail = titles
        .into_iter()
        .zip(1..)
        .map(|((title, says), this)| {
            let mark = move || if number() > this { view! { <Icon name="check"/> }.into_any() } else { this.into_any() };
            view! {
                <li class="step" data-done=move || (number() > this).then_some("") aria-current=move || (number() == this).then_some("step")>
                    <span class="step-mark">{mark}</span>
                    <div><b>{title}</b><span class="caption">{says}</span></div>
                </li>
            }
        })
        .collect_view();
    view! { <div class="grid gap-6 lg:grid-cols-[220px_minmax(0,1fr)] lg:gap-11"><ol class="steps">{rail}</ol><div class="min-w-0 flex flex-col gap-5">{content}</div></div> }.into_any()
}

/// Title and sentence of a step.
#[component]
pub(super) fn StepHead(
    /// What this step does.
    title: &'static str,
    /// Why, in a sentence.
    says: &'static str,
) -> impl IntoView {
    view! { <div><h1 class="text-xl font-semibold tracking-tight">{title}</h1><p class="text-base text-ink-2 pt-1">{says}</p></div> }.into_any()
}
