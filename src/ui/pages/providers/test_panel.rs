//! The connection test beside the form: every check a line with its time, and nothing is billed.
//!
//! It runs when the button is pressed and at no other time: a half-typed host must never be sent a
//! key.

use leptos::prelude::*;

use crate::{
    api::providers::test_provider,
    model::{
        error::ApiResult,
        id::ProviderId,
        provider::{ConnectionTest, ProviderDraft, TestStage, TestStep},
    },
    ui::{
        components::{feedback::explain, status::StatusPill},
        i18n::t,
        icon::{Glyph, Icon, Mark},
    },
};

/// A stored provider, the form as it stands, or both.
pub type TestTarget = (Option<ProviderId>, Option<ProviderDraft>);

/// The panel. `target` gives what is tested: a stored provider, the form as it stands, or both.
#[component]
pub fn TestPanel(
    /// What is tested; `None` when the form has problems that show now.
    target: Callback<(), Option<TestTarget>>,
) -> impl IntoView {
    let test = Action::new(|(id, draft): &TestTarget| test_provider(*id, draft.clone()));
    let busy = test.pending();
    let result = test.value();
    let verdict = move || match result.get() {
        Some(Ok(test)) if test.works => Some(view! { <StatusPill glyph=Glyph::Ok word=t!(provider::works)/> }),
        Some(_) => Some(view! { <StatusPill glyph=Glyph::Bad word=t!(provider::broken)/> }),
        None => None,
    };
    let run = move |_| {
        if let Some(target) = target.run(()) {
            test.dispatch(target);
        }
    };
    view! {
        <section class="card" aria-live="polite">
            <div class="flex items-center justify-between min-h-11 px-4 py-2 border-b border-line">
                <h2 class="card-title">{t!(provider::test_title)}</h2>
                {verdict}
            </div>
            <div class="px-4 py-3 flex flex-col gap-4">{move || view! { <Steps result=result.get()/> }}</div>
            <div class="px-4 py-3 border-t border-line flex items-center gap-3">
                <button type="button" class="btn btn-sm" aria-busy=move || busy.get().then_some("true") disabled=move || busy.get() on:click=run>
                    {move || if busy.get() { view! { <span class="turning" aria-hidden="true"></span> }.into_any() } else { view! { <Icon name="plug-zap"/> }.into_any() }}
                    {move || if result.with(Option::is_some) { t!(provider::test_again) } else { t!(provider::test) }}
                </button>
                <span class="caption">{t!(provider::test_free)}</span>
            </div>
        </section>
    }
    .into_any()
}

/// The lines of a result, or what a test would do.
#[component]
pub fn Steps(
    /// What came of it.
    result: Option<ApiResult<ConnectionTest>>,
) -> impl IntoView {
    match result {
        None => view! { <p class="text-ink-3">{t!(provider::test_idle)}</p> }.into_any(),
        Some(Err(error)) => {
            let (title, hint) = explain(&error);
            view! { <div class="flex gap-3"><Mark glyph=Glyph::Bad/><div><p class="font-medium">{title}</p><p class="caption">{hint}</p></div></div> }.into_any()
        }
        Some(Ok(test)) => view! {
            {test.steps.into_iter().map(|step| view! { <Step step/> }).collect_view()}
            <div class="flex gap-3 text-ink-3"><Mark glyph=Glyph::Skip/><p><span class="font-medium text-ink">{t!(provider::billed)}</span>" "{t!(provider::not_sent)}</p></div>
        }
        .into_any(),
    }
}

#[component]
fn Step(step: TestStep) -> impl IntoView {
    let glyph = if step.passed { Glyph::Ok } else { Glyph::Bad };
    let title = match (step.step, step.passed) {
        (TestStage::Resolve, _) => t!(provider::step_address),
        (TestStage::Connect, _) => t!(provider::step_connect),
        (TestStage::Authenticate, true) => t!(provider::step_key),
        (TestStage::Authenticate, false) => t!(provider::step_key_failed),
    };
    view! {
        <div class="flex gap-3">
            <span class="pt-px"><Mark glyph/></span>
            <p class="min-w-0 flex-1"><span class="font-medium text-ink">{title}</span>" "<span class="text-ink-2 break-words">{step.detail}</span></p>
            <span class="caption whitespace-nowrap">{format!("{}\u{a0}ms", step.took_ms)}</span>
        </div>
    }
    .into_any()
}
