//! Every component in its states, on one page of development builds: to look at, to compare, to photograph.
//!
//! What it shows is made up, which is why no release has it.

mod charts;
mod controls;
mod fields;
mod overlays;

use leptos::prelude::*;
use leptos_meta::Title;

use crate::{
    model::error::ApiError,
    ui::{
        components::{
            feedback::{Empty, Failure, SkeletonRows, Trouble},
            layout::switches::{LanguageSwitch, ThemeSwitch},
            table::{EmptyFirst, ListSkeleton},
        },
        i18n::t,
    },
};

/// Where it is.
pub const PATH: &str = "/admin/gallery";

/// The page.
#[component]
pub fn Gallery() -> impl IntoView {
    view! {
        <Title text="Gallery"/>
        <header class="bar"><h1>"Gallery"</h1><span class="ml-auto"></span><LanguageSwitch/><ThemeSwitch/></header>
        <main class="page max-w-6xl!">
            {controls::sections()}
            {fields::sections()}
            {overlays::sections()}
            {charts::sections()}
            {faces()}
        </main>
    }
    .into_any()
}

/// One component or a family of them, by the name it has in the sources.
fn section(name: &'static str, shown: AnyView) -> AnyView {
    view! {
        <section class="card" aria-label=name>
            <div class="card-head"><h2 class="card-title mono">{name}</h2></div>
            <div class="p-4 flex flex-col gap-4">{shown}</div>
        </section>
    }
    .into_any()
}

/// What a screen says in place of its content.
fn faces() -> AnyView {
    let unread = ApiError::StoreUnavailable { reason: "connection refused".to_owned() };
    let taken = ApiError::Forbidden { permission: crate::model::user::Permission::ManageUsers };
    view! {
        {section("Empty, EmptyFirst", view! {
            <Empty title=t!(provider::none_match) hint=t!(shell::unreachable_hint)><a class="btn" href=PATH>{t!(form::clear_filters)}</a></Empty>
            <EmptyFirst title=t!(group::none_yet) says=t!(group::none_yet_hint)><a class="btn btn-primary" href=PATH>{t!(group::add)}</a></EmptyFirst>
        }.into_any())}
        {section("Failure, Trouble", view! {
            <Failure error=unread><a class="btn" href=PATH>{t!(shell::try_again)}</a></Failure>
            <Trouble error=taken/>
        }.into_any())}
        {section("SkeletonRows, ListSkeleton", view! { <SkeletonRows rows=3/><ListSkeleton rows=3/> }.into_any())}
    }
    .into_any()
}
