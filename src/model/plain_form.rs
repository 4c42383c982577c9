//! What a plain HTML form can send: flat fields, all text.
//!
//! The back office works before its client has loaded. The rich editors send whole drafts as JSON;
//! these records carry the few fields of the plain forms and know how to become such a draft,
//! keeping everything a plain form does not show.

use serde::{Deserialize, Serialize};

use super::{
    api_key::{ApiKeyDraft, Scope},
    error::ApiError,
    group::GroupDraft,
    id::{GroupId, ProviderId},
    provider::{AuthStyle, CredentialDraft, Provider, ProviderDraft, SecretInput, WEIGHT_DEFAULT},
    rate_limit::UpstreamLimits,
};

/// The basic fields of a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderBasics {
    /// The provider being edited; absent for a new one.
    #[serde(default)]
    pub id: Option<ProviderId>,
    /// Revision the form was rendered from.
    #[serde(default)]
    pub revision: i64,
    /// Unique name.
    pub name: String,
    /// Home page for people.
    #[serde(default)]
    pub website: String,
    /// Where requests go.
    pub base_url: String,
    /// One of the words of [`AuthStyle`]; anything else keeps the style that is there.
    #[serde(default)]
    pub auth: String,
    /// A new credential's secret; empty adds none.
    #[serde(default)]
    pub secret: Option<SecretInput>,
}

impl ProviderBasics {
    /// The whole draft: these fields over what is stored.
    pub fn over(self, stored: Option<&Provider>) -> ProviderDraft {
        let mut draft = stored.map(ProviderDraft::from).unwrap_or_default();
        draft.name = self.name;
        draft.website = self.website;
        draft.base_url = self.base_url;
        draft.auth = auth_style(&self.auth).unwrap_or(draft.auth);
        if let Some(secret) = self.secret.filter(|secret| !secret.expose().is_empty()) {
            let label = free_label(&draft.credentials);
            draft.credentials.push(CredentialDraft {
                id: None,
                label,
                secret: Some(secret),
                weight: WEIGHT_DEFAULT,
                enabled: true,
                limits: UpstreamLimits::default(),
            });
        }
        draft
    }
}

/// Reads the word of an authentication style without parameters.
pub fn auth_style(word: &str) -> Option<AuthStyle> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
}

/// `main` for the first credential, then the first free of `key-02`, `key-03`, …
pub fn free_label(credentials: &[CredentialDraft]) -> String {
    let taken = |label: &str| credentials.iter().any(|credential| credential.label == label);
    if credentials.is_empty() {
        return "main".to_owned();
    }
    let mut number = credentials.len() + 1;
    while taken(&format!("key-{number:02}")) {
        number += 1;
    }
    format!("key-{number:02}")
}

/// The basic fields of a new group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupBasics {
    /// Unique name.
    pub name: String,
    /// Part of the proxy address.
    pub slug: String,
    /// For people.
    #[serde(default)]
    pub description: String,
}

impl From<GroupBasics> for GroupDraft {
    fn from(basics: GroupBasics) -> Self {
        Self { name: basics.name, slug: basics.slug, description: basics.description, ..Self::default() }
    }
}

/// The basic fields of a new key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyBasics {
    /// Unique name.
    pub name: String,
    /// Groups it reaches; none makes it global.
    #[serde(default)]
    pub groups: Vec<GroupId>,
    /// Requests per minute; empty takes the default.
    #[serde(default)]
    pub rpm: String,
}

impl From<KeyBasics> for ApiKeyDraft {
    fn from(basics: KeyBasics) -> Self {
        let scope = if basics.groups.is_empty() { Scope::Global } else { Scope::Groups(basics.groups) };
        let mut draft = Self { name: basics.name, scope, ..Self::default() };
        draft.limits.rpm = basics.rpm.trim().parse().ok();
        draft
    }
}

/// A plain form that was refused, on its way back to the page it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// Where the form was sent: `/rpc/providers/save`.
    pub sent_to: String,
    /// Why it was refused.
    pub error: ApiError,
    /// What was typed, by the names of the controls in [`Returned::KEPT`]; never a secret.
    pub typed: Vec<(String, String)>,
}

impl Returned {
    /// Controls whose text comes back. A list of what may, so that a new secret stays out by itself.
    pub const KEPT: [&'static str; 16] = [
        "basics[id]",
        "basics[name]",
        "basics[website]",
        "basics[base_url]",
        "basics[auth]",
        "basics[slug]",
        "basics[description]",
        "basics[rpm]",
        "currency",
        "display_name",
        "key_name",
        "lines",
        "name",
        "role",
        "slug",
        "username",
    ];

    /// What was typed into this control.
    pub fn typed(&self, name: &str) -> Option<&str> {
        self.typed.iter().find(|(control, _)| control == name).map(|(_, text)| text.as_str())
    }

    /// What was chosen of a list: `basics[groups][0]`, `basics[groups][3]`.
    pub fn typed_list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let of_list = move |control: &str| control.strip_prefix(name).is_some_and(|rest| rest.starts_with('['));
        self.typed.iter().filter(move |(control, _)| of_list(control)).map(|(_, text)| text.as_str())
    }

    /// Whether the text of this control may travel: it is in [`Self::KEPT`], or a choice of one of its lists.
    pub fn keeps(control: &str) -> bool {
        Self::KEPT.contains(&control) || control.starts_with("basics[groups][")
    }

    /// Puts what was typed into a control back, if it was among what was sent.
    pub fn put_back(&self, name: &str, place: &mut String) {
        if let Some(text) = self.typed(name) {
            text.clone_into(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basics() -> ProviderBasics {
        ProviderBasics {
            id: None,
            revision: 0,
            name: "alpha".into(),
            website: String::new(),
            base_url: "https://api.example.com".into(),
            auth: "x-api-key".into(),
            secret: Some(SecretInput::new("sk-1")),
        }
    }

    #[test]
    fn a_plain_form_makes_a_provider_with_one_credential() {
        let draft = basics().over(None);
        assert_eq!(draft.auth, AuthStyle::XApiKey);
        assert_eq!(draft.credentials.len(), 1);
        assert_eq!(draft.credentials[0].label, "main");
    }

    #[test]
    fn an_empty_secret_adds_no_credential_and_an_unknown_style_keeps_the_old_one() {
        let plain = ProviderBasics { auth: "custom".into(), secret: Some(SecretInput::new(" ")), ..basics() };
        let draft = plain.over(None);
        assert!(draft.credentials.is_empty());
        assert_eq!(draft.auth, AuthStyle::Bearer);
    }

    #[test]
    fn no_secret_is_among_what_comes_back() {
        for name in Returned::KEPT {
            assert!(
                !["secret", "password", "token", "current", "new"].iter().any(|word| name.contains(word)),
                "{name}"
            );
        }
    }

    #[test]
    fn a_key_without_groups_is_global() {
        let draft = ApiKeyDraft::from(KeyBasics { name: "ci".into(), rpm: "600".into(), ..KeyBasics::default() });
        assert_eq!((draft.scope, draft.limits.rpm), (Scope::Global, Some(600)));
    }
}
