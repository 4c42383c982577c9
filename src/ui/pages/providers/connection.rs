//! How a provider is connected to: version of HTTP, proxy on the way, what active checks ask.

use leptos::prelude::*;

use crate::{
    model::provider::{Protocol, ProviderDraft},
    ui::{
        components::form::{Choice, Editor, TextField},
        i18n::t,
    },
};

/// The section of the form.
#[component]
pub fn ConnectionFields(
    /// The draft.
    editor: Editor<ProviderDraft>,
) -> impl IntoView {
    let protocol = editor.text(
        "connection.protocol",
        |draft| if draft.connection.protocol == Protocol::Http2 { "http2".into() } else { "http1".into() },
        |draft, word| {
            draft.connection.protocol = if word == "http2" { Protocol::Http2 } else { Protocol::Http1 };
        },
    );
    let proxy = editor.text(
        "connection.egress_proxy",
        |draft| draft.connection.egress_proxy.clone().unwrap_or_default(),
        |draft, text| draft.connection.egress_proxy = (!text.is_empty()).then_some(text),
    );
    let check = editor.text(
        "connection.check_path",
        |draft| draft.connection.check_path.clone().unwrap_or_default(),
        |draft, text| draft.connection.check_path = (!text.is_empty()).then_some(text),
    );
    let protocols = vec![
        ("http1", "HTTP/1.1".to_owned(), t!(provider::http1_hint).to_owned()),
        ("http2", "HTTP/2".to_owned(), t!(provider::http2_hint).to_owned()),
    ];
    view! {
        <div class="form-section">
            <h2 class="card-title">{t!(provider::connection)}</h2>
            <Choice bound=protocol label=t!(provider::protocol) options=protocols/>
            <div class="form-pair">
                <TextField bound=proxy label=t!(provider::egress_proxy) hint=t!(provider::egress_proxy_hint) optional=true mono=true example="http://proxy.example.com:3128"/>
                <TextField bound=check label=t!(provider::check_path) hint=t!(provider::check_path_hint) optional=true mono=true example="/v1/models"/>
            </div>
        </div>
    }
    .into_any()
}
