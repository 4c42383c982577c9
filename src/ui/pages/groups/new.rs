//! A new group: name and slug first, everything else on its page.

use leptos::{ev::SubmitEvent, prelude::*, server_fn::ServerFn};

use crate::{
    api::groups::{AddGroup, create_group},
    model::{error::ApiError, group::GroupDraft, name::suggest_slug},
    ui::{
        components::{
            feedback::Trouble,
            form::{Bound, Editor, SubmitButton, TextField},
            layout::{Crumb, PageBar},
            toast::Toasts,
        },
        i18n::t,
        returned::returned_to,
    },
};

/// `/admin/groups/new`
#[component]
pub fn GroupNew() -> impl IntoView {
    let editor = Editor::new(GroupDraft::default());
    let failure = RwSignal::new(None::<ApiError>);
    let save = saving(editor, failure);
    let returned = returned_to(AddGroup::url());
    let (name, slug) = name_and_slug(editor, returned.is_some());
    if let Some(returned) = returned {
        editor.take_back(&returned.error, |draft| {
            returned.put_back("basics[name]", &mut draft.name);
            returned.put_back("basics[slug]", &mut draft.slug);
            returned.put_back("basics[description]", &mut draft.description);
        });
        failure.set(Some(returned.error));
    }
    let description =
        editor.text("description", |draft| draft.description.clone(), |draft, text| draft.description = text);
    let trouble = move || failure.get().map(|error| view! { <Trouble error/> });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if let Some(draft) = editor.ready() {
            save.dispatch(draft);
        }
    };
    view! {
        <PageBar title=t!(group::new) crumb=Crumb::new("/admin/groups", t!(shell::groups))/>
        <div class="page">
            <form method="post" action="/rpc/groups/add" on:submit=submit class="flex flex-col gap-4 w-full max-w-2xl">
                {trouble}
                <section class="card form-section">
                    <TextField bound=name label=t!(form::name) name="basics[name]" example="Production"/>
                    <TextField bound=slug label=t!(group::slug) hint=t!(group::slug_hint) mono=true name="basics[slug]" example="prod"/>
                    <TextField bound=description label=t!(group::description) optional=true name="basics[description]"/>
                </section>
                <div class="flex gap-2 justify-end">
                    <a class="btn btn-ghost" href="/admin/groups">{t!(form::cancel)}</a>
                    <SubmitButton busy=save.pending()>{t!(group::create)}</SubmitButton>
                </div>
            </form>
        </div>
    }
    .into_any()
}

/// Stores the draft, then shows the group.
fn saving(editor: Editor<GroupDraft>, failure: RwSignal<Option<ApiError>>) -> Action<GroupDraft, ()> {
    let (toasts, navigate) = (Toasts::here(), leptos_router::hooks::use_navigate());
    Action::new(move |draft: &GroupDraft| {
        let (draft, navigate) = (draft.clone(), navigate.clone());
        async move {
            failure.set(None);
            match create_group(draft).await {
                Ok(group) => {
                    toasts.done(t!(form::created, &group.name));
                    navigate(&format!("/admin/groups/{}", group.id), leptos_router::NavigateOptions::default());
                }
                Err(error) if editor.refuse(&error) => {}
                Err(error) => failure.set(Some(error)),
            }
        }
    })
}

/// The two fields; the slug follows the name until somebody writes one.
fn name_and_slug(editor: Editor<GroupDraft>, written: bool) -> (Bound, Bound) {
    let own_slug = RwSignal::new(written);
    let name = editor.text(
        "name",
        |draft| draft.name.clone(),
        move |draft, text| {
            if !own_slug.get_untracked() {
                draft.slug = if text.trim().is_empty() { String::new() } else { suggest_slug(&text) };
            }
            draft.name = text;
        },
    );
    let slug = editor.text(
        "slug",
        |draft| draft.slug.clone(),
        move |draft, text| {
            own_slug.set(!text.is_empty());
            draft.slug = text;
        },
    );
    (name, slug)
}
