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

/// What was typed, and which fields were left: a field is checked once somebody is done with it.
#[derive(Clone, Copy)]
struct Entry {
    username: RwSignal<String>,
    password: RwSignal<String>,
    left_name: RwSignal<bool>,
    left_password: RwSignal<bool>,
    /// What the server said of a form that was sent without scripts.
    failure: StoredValue<Option<ApiError>>,
}

impl Entry {
    fn refused(self, field: &str) -> Option<Issue> {
        self.failure.with_value(|failure| issue_of(failure.as_ref(), field))
    }

    fn name_issue(self) -> Signal<Option<Issue>> {
        let checked = move || self.username.with(|name| check_username(name).err());
        Signal::derive(move || self.left_name.get().then(checked).flatten().or_else(|| self.refused("username")))
    }

    fn password_issue(self) -> Signal<Option<Issue>> {
        let checked =
            move || self.password.with(|password| self.username.with(|name| check_password(password, name).err()));
        Signal::derive(move || self.left_password.get().then(checked).flatten().or_else(|| self.refused("password")))
    }

    /// Whether something is wrong with what was typed; then every field shows it.
    fn is_wrong(self) -> bool {
        let draft = UserDraft {
            username: self.username.get_untracked(),
            display_name: String::new(),
            password: self.password.get_untracked(),
            role: Role::Owner,
        };
        let wrong = draft.validate().is_err() && !draft.password.is_empty();
        if wrong {
            self.left_name.set(true);
            self.left_password.set(true);
        }
        wrong
    }
}

/// The form.
#[component]
pub(super) fn AdministratorStep(token: String) -> impl IntoView {
    let returned = returned_to(MakeAdministrator::url());
    let typed = |name: &str| returned.as_ref().and_then(|returned| returned.typed(name)).unwrap_or_default().to_owned();
    let (first_username, display_name) = (typed("username"), typed("display_name"));
    let failure = StoredValue::new(returned.map(|returned| returned.error));
    let busy = RwSignal::new(false);
    let entry = Entry {
        username: RwSignal::new(first_username.clone()),
        password: RwSignal::new(String::new()),
        left_name: RwSignal::new(false),
        left_password: RwSignal::new(false),
        failure,
    };
    let (name_issue, password_issue) = (entry.name_issue(), entry.password_issue());
    let trouble = failure
        .get_value()
        .filter(|error| !matches!(error, ApiError::Invalid { .. }))
        .map(|error| view! { <Trouble error/> });
    // Stops a form with problems before it is sent; without the client the server finds them.
    let check = move |event: leptos::ev::SubmitEvent| {
        if entry.is_wrong() {
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
                        <input id="username" name="username" class="input" required autofocus autocomplete="username" autocapitalize="none" spellcheck="false" value=first_username aria-describedby=note_id("username") aria-invalid=move || name_issue.with(Option::is_some).then_some("true") on:input=move |event| entry.username.set(event_target_value(&event)) on:blur=move |_| entry.left_name.set(!entry.username.with_untracked(String::is_empty))/>
                    </Field>
                    <Field id="display_name" label=t!(door::display_name) optional=true>
                        <input id="display_name" name="display_name" class="input" autocomplete="name" value=display_name/>
                    </Field>
                    <div on:focusout=move |_| entry.left_password.set(!entry.password.with_untracked(String::is_empty))>
                        <PasswordField id="password" name="password" label=t!(door::password) hint=t!(door::password_hint) autocomplete="new-password" issue=password_issue on_text=Callback::new(move |text| entry.password.set(text))/>
                    </div>
                </section>
                <div class="flex justify-end max-w-xl pt-5"><SubmitButton busy>{t!(door::go_on)}<Icon name="arrow-right"/></SubmitButton></div>
            </form>
    }
    .into_any()
}
