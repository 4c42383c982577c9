//! The configuration as one file: out, and in again after a dry run.

use leptos::prelude::*;

use crate::{
    api::settings::{apply_configuration, export_configuration},
    model::{
        error::ApiResult,
        transfer::{ApplyReport, ChangeKind, PlannedChange},
    },
    ui::{
        components::{
            feedback::{Trouble, explain},
            form::{Bound, Check, CodeBlock, CopyButton, Flag, TextArea},
            status::StatusWord,
            toast::Toasts,
        },
        i18n::t,
        icon::{Glyph, Icon},
    },
};

/// Export and import.
#[component]
pub fn TransferTab() -> impl IntoView {
    view! { <Import/><Export/> }.into_any()
}

#[component]
fn Export() -> impl IntoView {
    let export = Action::new(|(): &()| export_configuration());
    let busy = export.pending();
    let text = Signal::derive(move || export.value().get().and_then(Result::ok).unwrap_or_default());
    let failure = move || export.value().get().and_then(Result::err).map(|error| view! { <Trouble error/> });
    let shown = move || {
        text.with(|text| !text.is_empty()).then(|| {
            let href = move || format!("data:application/yaml;charset=utf-8,{}", String::from(js_sys::encode_uri_component(&text.get())));
            view! {
                <div class="flex gap-2"><a class="btn btn-sm" href=href download="rondo.yaml" rel="external"><Icon name="download"/>{t!(people::download)}</a><CopyButton text class="btn btn-sm"/></div>
                <div class="max-h-96 overflow-auto"><CodeBlock text/></div>
            }
        })
    };
    view! {
        <section class="card form-section">
            <div><h2 class="card-title">{t!(people::export)}</h2><p class="caption">{t!(people::export_hint)}</p></div>
            {failure}
            <div><button type="button" class="btn" aria-busy=move || busy.get().then_some("true") on:click=move |_| { export.dispatch(()); }><Icon name="upload"/>{t!(people::export_show)}</button></div>
            {shown}
        </section>
    }
    .into_any()
}

#[component]
fn Import() -> impl IntoView {
    let toasts = Toasts::here();
    let (text, prune) = (RwSignal::new(String::new()), RwSignal::new(false));
    let apply = Action::new(|(text, dry_run, prune): &(String, bool, bool)| {
        let (text, dry_run, prune) = (text.clone(), *dry_run, *prune);
        async move { (dry_run, apply_configuration(text, dry_run, prune).await) }
    });
    let busy = apply.pending();
    let tried = RwSignal::new(None::<(String, bool)>);
    Effect::new(move |_| {
        if let Some((dry_run, Ok(report))) = apply.value().get() {
            if dry_run {
                tried.set(Some((text.get_untracked(), prune.get_untracked())));
            } else if let Some(revision) = report.revision {
                toasts.done(t!(people::applied, revision));
                tried.set(None);
            }
        }
    });
    // Only what was tried may be applied.
    let may_apply = move || {
        tried.with(|tried| {
            tried.as_ref().is_some_and(|(tried, pruned)| text.with(|text| text == tried) && prune.get() == *pruned)
        })
    };
    let run = move |dry_run: bool| {
        apply.dispatch((text.get_untracked(), dry_run, prune.get_untracked()));
    };
    let bound = Bound {
        field: "file".into(),
        value: text.into(),
        set: Callback::new(move |typed| text.set(typed)),
        left: Callback::new(|()| ()),
        issue: Signal::stored(None),
    };
    let flag = Flag { field: "prune".into(), value: prune.into(), set: Callback::new(move |on| prune.set(on)) };
    let report = move || apply.value().get().map(|(_, result)| view! { <Report result/> });
    view! {
        <section class="card form-section">
            <div><h2 class="card-title">{t!(people::import)}</h2><p class="caption">{t!(people::import_hint)}</p></div>
            <TextArea bound label=t!(people::file) mono=true rows=10/>
            <Check flag label=t!(people::prune)/>
            <div class="flex gap-2">
                <button type="button" class="btn" disabled=move || text.with(|text| text.trim().is_empty()) aria-busy=move || busy.get().then_some("true") on:click=move |_| run(true)>{t!(people::dry_run)}</button>
                <button type="button" class="btn btn-primary" disabled=move || !may_apply() on:click=move |_| run(false)>{t!(people::apply)}</button>
            </div>
            {report}
        </section>
    }
    .into_any()
}

/// What would change, or did.
#[component]
fn Report(result: ApiResult<ApplyReport>) -> impl IntoView {
    let report = match result {
        Ok(report) => report,
        Err(error @ crate::model::error::ApiError::Invalid { .. }) => return view! { <Trouble error/> }.into_any(),
        Err(error) => {
            let (title, hint) = explain(&error);
            return view! { <p class="field-error" role="alert">{format!("{title}. {hint}")}</p> }.into_any();
        }
    };
    let changes: Vec<PlannedChange> =
        report.changes.into_iter().filter(|change| change.kind != ChangeKind::Unchanged).collect();
    if changes.is_empty() {
        return view! { <p class="text-ink-2">{t!(people::nothing_changes)}</p> }.into_any();
    }
    let count = changes.len();
    let row = |change: PlannedChange| {
        let (glyph, word) = match change.kind {
            ChangeKind::Create => (Glyph::Ok, t!(people::kind_create)),
            ChangeKind::Update => (Glyph::Recovering, t!(people::kind_update)),
            ChangeKind::Delete => (Glyph::Bad, t!(people::kind_delete)),
            ChangeKind::Unchanged => (Glyph::Skip, t!(people::kind_unchanged)),
        };
        view! { <tr><td><StatusWord glyph word/></td><td>{change.object}" "<span class="strong">{change.name}</span></td><td class="mono whole">{change.fields.join(", ")}</td></tr> }
    };
    view! {
        <p class="font-medium">{t!(people::would_change, count)}</p>
        <table class="table rows"><tbody>{changes.into_iter().map(row).collect_view()}</tbody></table>
    }
    .into_any()
}
