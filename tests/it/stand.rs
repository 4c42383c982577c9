//! The control plane on a real store in a directory of its own, without a listener.

use std::{collections::BTreeMap, path::PathBuf};

use rondo::{
    model::{
        api_key::ApiKeyDraft,
        error::ApiError,
        group::{GroupDraft, Member},
        id::ProviderId,
        problem::Issue,
        provider::{CredentialDraft, Provider, ProviderDraft, SecretInput},
        rate_limit::UpstreamLimits,
        user::{Role, User, UserDraft},
    },
    serve::foundation::Foundation,
    server::{
        admin::Admin,
        config::{Settings, Sources},
        session::Principal,
    },
};
use tempfile::TempDir;

/// A store, its services and the directory that goes with them.
pub(crate) struct Stand {
    pub(crate) admin: Admin,
    pub(crate) foundation: Foundation,
    /// Goes with the stand.
    _dir: TempDir,
}

impl Stand {
    /// On an empty SQLite store.
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let foundation =
            Foundation::open(&settings(&dir.path().join("data"), &[])).await.expect("an empty directory will do");
        Self { admin: foundation.admin(), foundation, _dir: dir }
    }

    /// A person with a password that is always the same.
    pub(crate) async fn person(&self, username: &str, role: Role) -> User {
        let draft =
            UserDraft { username: username.into(), display_name: String::new(), password: PASSWORD.into(), role };
        self.admin.users().create(&owner(), draft).await.expect("a new person")
    }

    /// A stored provider.
    pub(crate) async fn provider(&self, name: &str) -> Provider {
        self.admin.providers().create(&owner(), provider_draft(name)).await.expect("a new provider")
    }
}

pub(crate) const PASSWORD: &str = "correct horse battery";

/// Settings of a data directory.
pub(crate) fn settings(data_dir: &std::path::Path, more: &[(&str, &str)]) -> Settings {
    let mut environment = BTreeMap::from([("RONDO_DATA_DIR".to_owned(), data_dir.display().to_string())]);
    environment.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let sources = Sources { environment, flags: BTreeMap::new(), working_dir: PathBuf::from("/") };
    Settings::load(&sources).expect("valid settings")
}

pub(crate) fn owner() -> Principal {
    Principal::system("test")
}

pub(crate) fn provider_draft(name: &str) -> ProviderDraft {
    ProviderDraft {
        name: name.into(),
        base_url: "https://api.example.com/v1".into(),
        credentials: vec![credential_draft("main", Some("sk-canary-0123456789"))],
        ..ProviderDraft::default()
    }
}

pub(crate) fn credential_draft(label: &str, secret: Option<&str>) -> CredentialDraft {
    CredentialDraft {
        id: None,
        label: label.into(),
        secret: secret.map(SecretInput::new),
        weight: 100,
        enabled: true,
        limits: UpstreamLimits::default(),
    }
}

pub(crate) fn group_draft(slug: &str, members: &[ProviderId]) -> GroupDraft {
    let members = members.iter().map(|provider| Member { provider: *provider, priority: 100, tier: 1 }).collect();
    GroupDraft { name: format!("Group {slug}"), slug: slug.into(), members, ..GroupDraft::default() }
}

pub(crate) fn key_draft(name: &str) -> ApiKeyDraft {
    ApiKeyDraft { name: name.into(), ..ApiKeyDraft::default() }
}

/// The only problem of a refusal, as field and issue.
pub(crate) fn problem<T: std::fmt::Debug>(result: Result<T, ApiError>) -> (String, Issue) {
    match result.expect_err("refused") {
        ApiError::Invalid { mut problems } if problems.len() == 1 => {
            let problem = problems.remove(0);
            (problem.field, problem.issue)
        }
        other => panic!("not one problem: {other:?}"),
    }
}
