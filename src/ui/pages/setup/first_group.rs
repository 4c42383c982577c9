//! Step 3: a group over every provider and a key for it; then ready lines to send the first request.

use leptos::{prelude::*, server_fn::ServerFn};

use super::StepHead;
use crate::{
    api::setup::MakeFirstGroup,
    model::{
        api_key::CreatedKey,
        group::Group,
        name::{Slug, suggest_slug},
    },
    ui::{
        components::{
            feedback::Trouble,
            form::{Field, SubmitButton, field::note_id},
        },
        i18n::t,
        icon::Icon,
        origin::Origin,
        pages::api_keys::created::CreatedPanel,
        returned::{refusal, returned_to},
    },
};

/// The form. Plain fields, so that it works without the client.
#[component]
pub(super) fn GroupStep(created: RwSignal<Option<CreatedKey>>) -> impl IntoView {
    let action = ServerAction::<MakeFirstGroup>::new();
    Effect::new(move |_| {
        if let Some(Ok(made)) = action.value().get() {
            created.set(Some(made));
        }
    });
    let mut first = [t!(door::group_name_value).to_owned(), "prod".to_owned(), "first-key".to_owned()];
    let returned = returned_to(MakeFirstGroup::url());
    if let Some(returned) = &returned {
        for (control, place) in ["name", "slug", "key_name"].into_iter().zip(&mut first) {
            returned.put_back(control, place);
        }
    }
    let [name, slug, key_name] = first;
    let first_slug = slug.clone();
    let slug = RwSignal::new(slug);
    let issue = Signal::derive(move || slug.with(|slug| Slug::parse(slug).err()));
    let own = RwSignal::new(returned.is_some());
    let on_name = move |event| {
        if !own.get_untracked() {
            slug.set(suggest_slug(&event_target_value(&event)));
        }
    };
    let origin = Origin::here();
    let refused = refusal(move || action.value().get(), MakeFirstGroup::url());
    let trouble = move || refused.get().map(|error| view! { <Trouble error/> });
    view! {
        <StepHead title=t!(door::group_title) says=t!(door::group_says)/>
        {trouble}
        <ActionForm action>
            <section class="card form-section max-w-xl">
                <div class="form-pair">
                    <Field id="group-name" label=t!(door::group_name)>
                        <input id="group-name" name="name" class="input" required value=name on:input=on_name/>
                    </Field>
                    <Field id="slug" label=t!(group::slug) issue>
                        <input id="slug" name="slug" class="input mono" required pattern="[a-z0-9\\-]{1,64}" spellcheck="false" aria-describedby=note_id("slug") aria-invalid=move || issue.with(Option::is_some).then_some("true") value=first_slug prop:value=move || slug.get() on:input=move |event| { own.set(true); slug.set(event_target_value(&event)); }/>
                    </Field>
                </div>
                <Field id="key-name" label=t!(door::key_name) hint=t!(door::key_name_hint)>
                    <input id="key-name" name="key_name" class="input" required value=key_name aria-describedby=note_id("key-name")/>
                </Field>
                <p class="caption">{t!(door::address_preview)}" "<code class="text-ink-2">{move || format!("{}/api/proxy/{}/…", origin.get(), slug.get())}</code></p>
            </section>
            <div class="flex justify-end gap-2 max-w-xl pt-5">
                <a class="btn btn-ghost" href="/admin">{t!(door::skip)}</a>
                <SubmitButton busy=action.pending()>{t!(door::finish)}<Icon name="arrow-right"/></SubmitButton>
            </div>
        </ActionForm>
    }
    .into_any()
}

/// The key with its ready lines, or the way on.
#[component]
pub(super) fn DoneStep(created: RwSignal<Option<CreatedKey>>, groups: StoredValue<Vec<Group>>) -> impl IntoView {
    let navigate = leptos_router::hooks::use_navigate();
    let done = Callback::new(move |()| navigate("/admin", leptos_router::NavigateOptions::default()));
    let panel = move || {
        created.get().map(|made| view! { <section class="card max-w-2xl overflow-hidden"><CreatedPanel created=made groups done/></section> })
    };
    view! {
        <StepHead title=t!(door::done_title) says=t!(door::done_says)/>
        {panel}
        <p><a class="btn" href="/admin">{t!(door::to_dashboard)}<Icon name="arrow-right"/></a></p>
    }
    .into_any()
}
