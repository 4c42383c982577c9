//! Step 1: the administrator. A plain form; the browser checks it with the server's own rules.

use leptos::{prelude::*, server_fn::ServerFn};

use super::StepHead;
use crate::{
    api::setup::MakeAdministrator,
    model::{
        error::ApiError,
        problem::{Issue, Validate},
        user::{Role, UserDraft, check_password, check_username},
    },
    ui::{
        components::{
            feedback::Trouble,
            form::{Field, PasswordField, SubmitButton, field::note_id},
        },
        i18n::t,
        icon::Icon,
        returned::{issue_of, returned_to},
    },
};

/// The form.
#[component]
pub(super) fn AdministratorStep(token: String) -> impl IntoView {
    let returned = returned_to(MakeAdministrator::url());
    let typed = |name: &str| returned.as_ref().and_then(|returned| returned.typed(name)).unwrap_or_default().to_owned();
    let (first_username, display_name) = (typed("username"), typed("display_name"));
    let failure = StoredValue::new(returned.map(|returned| returned.error));
    let busy = RwSignal::new(false);
    let (username, password) = (RwSignal::new(first_username.clone()), RwSignal::new(String::new()));
    let (left_name, left_password) = (RwSignal::new(false), RwSignal::new(false));
    let refused = move |field: &str| failure.with_value(|failure| issue_of(failure.as_ref(), field));
    let name_issue = Signal::derive(move || {
        left_name
            .get()
            .then(|| username.with(|name| check_username(name).err()))
            .flatten()
            .or_else(|| refused("username"))
    });
    let password_issue = Signal::derive(move || {
        left_password
            .get()
            .then(|| password.with(|password| username.with(|name| check_password(password, name).err())))
            .flatten()
            .or_else(|| refused("password"))
    });
    let trouble = failure
        .get_value()
        .filter(|error| !matches!(error, ApiError::Invalid { .. }))
        .map(|error| view! { <Trouble error/> });
    // Stops a form with problems before it is sent; without the client the server finds them.
    let check = move |event: leptos::ev::SubmitEvent| {
        let draft = UserDraft {
            username: username.get_untracked(),
            display_name: String::new(),
            password: password.get_untracked(),
            role: Role::Owner,
        };
        let problems: Vec<Issue> =
            draft.validate().err().unwrap_or_default().into_iter().map(|problem| problem.issue).collect();
        if !problems.is_empty() && !password.with_untracked(String::is_empty) {
            left_name.set(true);
            left_password.set(true);
            event.prevent_default();
        } else {
            busy.set(true);
        }
    };
    view! {
        <StepHead title=t!(door::admin_title) says=t!(door::admin_says)/>
        {trouble}
        // Sent by the browser itself: the page after it belongs to the person it signs in.
            <form method="post" action=MakeAdministrator::url() on:submit=check>
                <input type="hidden" name="token" value=token/>
                <section class="card form-section max-w-xl">
                    <Field id="username" label=t!(door::username) issue=name_issue>
                        <input id="username" name="username" class="input" required autofocus autocomplete="username" autocapitalize="none" spellcheck="false" value=first_username aria-describedby=note_id("username") aria-invalid=move || name_issue.with(Option::is_some).then_some("true") on:input=move |event| username.set(event_target_value(&event)) on:blur=move |_| left_name.set(!username.with_untracked(String::is_empty))/>
                    </Field>
                    <Field id="display_name" label=t!(door::display_name) optional=true>
                        <input id="display_name" name="display_name" class="input" autocomplete="name" value=display_name/>
                    </Field>
                    <div on:focusout=move |_| left_password.set(!password.with_untracked(String::is_empty))>
                        <PasswordField id="password" name="password" label=t!(door::password) hint=t!(door::password_hint) autocomplete="new-password" issue=password_issue on_text=Callback::new(move |text| password.set(text))/>
                    </div>
                </section>
                <div class="flex justify-end max-w-xl pt-5"><SubmitButton busy>{t!(door::go_on)}<Icon name="arrow-right"/></SubmitButton></div>
            </form>
    }
    .into_any()
}
