//! Step 2: the first provider, with the connection test beside it.

use leptos::{ev::SubmitEvent, prelude::*, server_fn::ServerFn};

use super::StepHead;
use crate::{
    api::{providers::create_provider, setup::MakeFirstProvider},
    model::{error::ApiError, provider::ProviderDraft},
    ui::{
        components::{
            feedback::Trouble,
            form::{Editor, SubmitButton, TextField},
        },
        i18n::t,
        icon::Icon,
        pages::providers::{
            form::{FirstSecret, Kinds, take_back},
            settings::AuthFields,
            test_panel::TestPanel,
        },
        returned::returned_to,
    },
};

/// Form and test, side by side.
#[component]
pub(super) fn ProviderStep() -> impl IntoView {
    let editor = Editor::new(ProviderDraft::default());
    let failure = RwSignal::new(None::<ApiError>);
    let navigate = leptos_router::hooks::use_navigate();
    let save = Action::new(move |draft: &ProviderDraft| {
        let (draft, navigate) = (draft.clone(), navigate.clone());
        async move {
            failure.set(None);
            match create_provider(draft).await {
                Ok(_) => navigate("/setup?skip=1", leptos_router::NavigateOptions::default()),
                Err(error) if editor.refuse(&error) => {}
                Err(error) => failure.set(Some(error)),
            }
        }
    });
    take_back(editor, returned_to(MakeFirstProvider::url()), failure);
    let trouble = move || failure.get().map(|error| view! { <Trouble error/> });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if let Some(draft) = editor.ready() {
            save.dispatch(draft);
        }
    };
    let target = Callback::new(move |()| Some((None, Some(editor.ready()?))));
    let name = editor.text("name", |draft| draft.name.clone(), |draft, text| draft.name = text);
    let base_url = editor.text("base_url", |draft| draft.base_url.clone(), |draft, text| draft.base_url = text);
    view! {
        <StepHead title=t!(door::provider_title) says=t!(door::provider_says)/>
        {trouble}
        <form method="post" action="/rpc/setup/provider" on:submit=submit class="flex flex-col gap-5">
            <div class="grid gap-4 lg:grid-cols-[minmax(0,1fr)_minmax(0,0.82fr)] items-start">
                <section class="card form-section">
                    <Kinds editor/>
                    <TextField bound=name label=t!(form::name) name="basics[name]"/>
                    <TextField bound=base_url label=t!(provider::base_url) hint=t!(provider::base_url_hint) mono=true name="basics[base_url]" example="https://api.example.com"/>
                    <FirstSecret editor/>
                    <details>
                        <summary class="font-medium">{t!(provider::authentication)}" "<span class="caption">{t!(provider::advanced_hint)}</span></summary>
                        <div class="form pt-4"><AuthFields editor/></div>
                    </details>
                </section>
                <TestPanel target/>
            </div>
            <div class="flex items-center justify-end gap-2">
                <a class="btn btn-ghost" href="/setup?skip=1">{t!(door::skip)}</a>
                <SubmitButton busy=save.pending()>{t!(door::go_on)}<Icon name="arrow-right"/></SubmitButton>
            </div>
        </form>
    }
    .into_any()
}
