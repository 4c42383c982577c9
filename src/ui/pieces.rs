//! The client in pieces: what every page stands on comes first, a page's own code with the first page of its kind.
//!
//! Pages that are visited together, and share most of their code, are one piece. The build cuts the module
//! at the functions marked here; on the server they are plain functions. What two pieces share becomes a file
//! of its own, so every piece more may double the number of files: four make eleven of them at most. The page to
//! sign in is small and stays in the first module.

use std::{collections::HashMap, sync::Arc};

use leptos::{
    prelude::*,
    wasm_split::{SplitLoaderError, wasm_split},
};
use leptos_router::{Lazy, LazyRoute};

use super::{
    components::{feedback::Failure, palette::PaletteContent},
    i18n::t,
    pages,
};
use crate::model::error::ApiError;

/// Pages by piece: `piece { name: Component }` makes `name()`, the view of a [`Route`](leptos_router::components::Route).
macro_rules! pieces {
    ($($piece:ident { $($name:ident: $page:path,)+ })+) => {
        $($(
            #[doc = concat!("A page of the piece `", stringify!($piece), "`.")]
            pub mod $name {
                use super::*;

                /// The page, whose code is fetched with its piece.
                #[derive(Debug)]
                pub struct Page;

                #[wasm_split(
                    $piece,
                    wasm_split_path = leptos::wasm_split,
                    preload(#[doc = "Fetches the piece."] fetch),
                    fallible
                )]
                pub(super) fn $name() -> Result<AnyView, Unfetched> {
                    use $page as Shown;
                    Ok(view! { <Shown/> }.into_any())
                }

                impl LazyRoute for Page {
                    fn data() -> Self {
                        Self
                    }

                    async fn view(_this: Self) -> AnyView {
                        $name().await.unwrap_or_else(|_| unfetched())
                    }

                    async fn preload() {
                        // A failure shows with the page, which tries again.
                        let _ = fetch().await;
                    }
                }
            }

            #[doc = concat!("The page `", stringify!($name), "`, as routes take it.")]
            pub fn $name() -> Lazy<$name::Page> {
                Lazy::new()
            }
        )+)+
    };
}

pieces! {
    traffic {
        dashboard: pages::dashboard::Dashboard,
        health: pages::health::Health,
        requests: pages::requests::Requests,
    }
    supply {
        setup: pages::setup::SetupPage,
        providers: pages::providers::ProviderList,
        provider_new: pages::providers::ProviderNew,
        provider: pages::providers::ProviderDetail,
        provider_edit: pages::providers::ProviderEdit,
    }
    routing {
        groups: pages::groups::GroupList,
        group_new: pages::groups::GroupNew,
        group: pages::groups::GroupDetail,
        api_keys: pages::api_keys::KeyList,
    }
    office {
        alerts: pages::alerts::AlertsPage,
        users: pages::users::UserList,
        audit: pages::audit::AuditPage,
        settings: pages::settings::SettingsPage,
    }
}

/// What is in the command palette, from the piece that it shares the most code with.
#[wasm_split(routing, wasm_split_path = leptos::wasm_split, fallible)]
fn palette() -> Result<AnyView, Unfetched> {
    Ok(view! { <PaletteContent/> }.into_any())
}

/// The command palette; why it is not there, where its piece does not come.
pub async fn palette_view() -> AnyView {
    palette().await.unwrap_or_else(|_| unfetched())
}

/// A piece did not come: the server was away, or has another build by now.
#[derive(Clone, Copy, Debug)]
pub struct Unfetched;

impl From<SplitLoaderError> for Unfetched {
    fn from(_: SplitLoaderError) -> Self {
        Self
    }
}

/// In place of a page whose piece did not come. Loading the address anew fetches what this build of the server has.
fn unfetched() -> AnyView {
    let error = ApiError::Transport { reason: String::new() };
    view! { <Failure error><a class="btn" href="" rel="external">{t!(shell::try_again)}</a></Failure> }.into_any()
}

/// The files of each piece, as the build wrote them down; the server provides it before rendering.
#[derive(Clone, Debug, Default)]
pub struct Manifest(pub Arc<HashMap<String, Vec<String>>>);

impl Manifest {
    /// The files that the page at this path needs besides the first module.
    pub fn files_of(&self, path: &str) -> Vec<String> {
        piece_of(path).and_then(|piece| self.0.get(piece)).cloned().unwrap_or_default()
    }
}

/// The piece that the page at this path is in.
fn piece_of(path: &str) -> Option<&'static str> {
    let Some(rest) = path.strip_prefix("/admin") else {
        return (path == "/setup").then_some("supply");
    };
    match rest.trim_start_matches('/').split('/').next().unwrap_or_default() {
        "" | "health" | "requests" => Some("traffic"),
        "providers" => Some("supply"),
        "groups" | "api-keys" => Some("routing"),
        "alerts" | "users" | "audit" | "settings" => Some("office"),
        _ => None,
    }
}

/// Fetches every piece of the back office, so that going from page to page waits for nothing. One that does not
/// come now is asked for again by its page.
pub async fn fetch_all() {
    let _ = dashboard::fetch().await;
    let _ = providers::fetch().await;
    let _ = groups::fetch().await;
    let _ = settings::fetch().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_names_its_piece() {
        for (path, piece) in [
            ("/setup", "supply"),
            ("/admin", "traffic"),
            ("/admin/health", "traffic"),
            ("/admin/requests/0198", "traffic"),
            ("/admin/providers/new", "supply"),
            ("/admin/groups", "routing"),
            ("/admin/api-keys", "routing"),
            ("/admin/settings", "office"),
        ] {
            assert_eq!(piece_of(path), Some(piece), "{path}");
        }
        assert_eq!(piece_of("/login"), None);
        assert_eq!(piece_of("/admin/nothing"), None);
    }
}
