//! One's own password and sessions.

use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    api::session::{ChangePassword, LogoutEverywhere},
    model::{error::ApiError, user::check_password},
    ui::{
        components::{
            feedback::Trouble,
            form::{PasswordField, SubmitButton},
        },
        i18n::t,
        icon::Icon,
        returned::{issue_of, refusal},
        session::Session,
    },
};

/// Plain forms: both end this session and lead to the sign-in.
#[component]
pub fn SecurityTab() -> impl IntoView {
    let change = ServerAction::<ChangePassword>::new();
    let leave = ServerAction::<LogoutEverywhere>::new();
    let username = untrack(|| Session::here().viewer()).map(|viewer| viewer.username).unwrap_or_default();
    let (new, judged) = (RwSignal::new(String::new()), RwSignal::new(false));
    let failure = refusal(move || change.value().get(), ChangePassword::url());
    let refused = move |fields: [&str; 2]| {
        failure.with(|failure| fields.iter().find_map(|field| issue_of(failure.as_ref(), field)))
    };
    let current_issue = Signal::derive(move || refused(["current", "current_password"]));
    let rule = username.clone();
    let new_issue = Signal::derive(move || {
        judged
            .get()
            .then(|| new.with(|new| check_password(new, &rule).err()))
            .flatten()
            .or_else(|| refused(["new", "password"]))
    });
    let trouble = move || match failure.get() {
        Some(error) if !matches!(error, ApiError::Invalid { .. }) => Some(view! { <Trouble error/> }),
        _ => None,
    };
    view! {
        {trouble}
        <ActionForm action=change>
            <section class="card form-section">
                <div><h2 class="card-title">{t!(people::password_title)}</h2><p class="caption">{t!(people::password_says)}</p></div>
                <input type="hidden" autocomplete="username" value=username/>
                <div class="form-pair" on:focusout=move |_| judged.set(!new.with_untracked(String::is_empty))>
                    <PasswordField id="current" name="current" label=t!(people::current_password) issue=current_issue/>
                    <PasswordField id="new" name="new" label=t!(people::new_password) hint=t!(door::password_hint) autocomplete="new-password" issue=new_issue on_text=Callback::new(move |text| new.set(text))/>
                </div>
                <div><SubmitButton busy=change.pending()>{t!(people::change_password)}</SubmitButton></div>
            </section>
        </ActionForm>
        <ActionForm action=leave>
            <section class="card form-section">
                <div><h2 class="card-title">{t!(people::sessions_title)}</h2><p class="caption">{t!(people::sessions_says)}</p></div>
                <div><SubmitButton class="btn btn-danger" busy=leave.pending()><Icon name="log-out"/>{t!(people::everywhere)}</SubmitButton></div>
            </section>
        </ActionForm>
    }
    .into_any()
}
