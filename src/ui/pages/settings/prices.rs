//! What tokens cost: one line a model, as a spreadsheet has it.

use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    api::prices::{SavePrices, get_prices},
    model::{error::ApiError, price::PriceSheet, user::Permission},
    ui::{
        components::{
            feedback::{Failure, SkeletonRows, Trouble},
            form::{Field, SubmitButton},
            toast::Toasts,
        },
        i18n::t,
        returned::{issue_of, refusal, returned_to},
        session::Session,
        suspended::suspended,
    },
};

const EXAMPLE: &str = "gpt-4.1, 2, 8, 0.5\ntext-embedding-*, 0.02, 0";

/// The price table.
#[component]
pub fn PricesTab() -> impl IntoView {
    let sheet = Resource::new(|| (), |()| get_prices());
    let face = move || {
        suspended(async move {
            match sheet.await {
                Ok(sheet) => view! { <PriceForm sheet/> }.into_any(),
                Err(error) => view! { <section class="card"><Failure error/></section> }.into_any(),
            }
        })
    };
    view! { <Transition fallback=|| view! { <section class="card"><SkeletonRows rows=4/></section> }>{face}</Transition> }
        .into_any()
}

/// A plain form: the text is the control's own, so it also works before scripts do.
#[component]
fn PriceForm(mut sheet: PriceSheet) -> impl IntoView {
    let (toasts, may_write) = (Toasts::here(), Session::here().may(Permission::Operate));
    let save = ServerAction::<SavePrices>::new();
    let failure = refusal(move || save.value().get(), SavePrices::url());
    let is_empty = sheet.lines.is_empty();
    if let Some(returned) = returned_to(SavePrices::url()) {
        returned.put_back("currency", &mut sheet.currency);
        returned.put_back("lines", &mut sheet.lines);
    }
    let revision = move || {
        save.value().with(|saved| saved.as_ref()?.as_ref().ok().map(|saved| saved.revision)).unwrap_or(sheet.revision)
    };
    let is_saved = move || save.value().with(|saved| matches!(saved, Some(Ok(_))));
    Effect::new(move |_| {
        if is_saved() {
            toasts.done(t!(form::saved, t!(people::prices)));
        }
    });
    let currency_issue = Signal::derive(move || failure.with(|failure| issue_of(failure.as_ref(), "currency")));
    let trouble = move || failure.get().map(|error| view! { <Trouble error=by_line(error)/> });
    // The content of a textarea is not escaped by the renderer.
    let text = sheet.lines.replace('&', "&amp;").replace('<', "&lt;");
    view! {
        <ActionForm action=save>
            <section class="card form-section">
                <div><h2 class="card-title">{t!(people::prices)}</h2><p class="caption">{t!(people::prices_says)}</p></div>
                {move || (is_empty && !is_saved()).then(|| view! { <p class="text-ink-2">{t!(people::no_prices)}</p> })}
                {trouble}
                <input type="hidden" name="revision" value=revision/>
                <Field id="currency" label=t!(people::currency) hint=t!(people::currency_hint) issue=currency_issue>
                    <input id="currency" name="currency" class="input mono w-24" maxlength="3" value=sheet.currency readonly=!may_write/>
                </Field>
                <Field id="lines" label=t!(people::price_lines) hint=t!(people::price_lines_hint)>
                    <textarea id="lines" name="lines" class="input mono" rows="12" spellcheck="false" placeholder=EXAMPLE readonly=!may_write inner_html=text></textarea>
                </Field>
                {may_write.then(|| view! { <div><SubmitButton busy=save.pending()>{t!(form::save)}</SubmitButton></div> })}
            </section>
        </ActionForm>
    }
    .into_any()
}

/// Problems of lines, said as people count them.
fn by_line(mut error: ApiError) -> ApiError {
    if let ApiError::Invalid { problems } = &mut error {
        for problem in problems {
            if let Some(number) = problem.field.strip_prefix("lines[").and_then(|rest| rest.strip_suffix(']')) {
                problem.field = t!(people::price_line, number);
            }
        }
    }
    error
}
