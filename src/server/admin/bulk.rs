//! One act for several records. Each is a change of its own, with its own row in the audit trail, so that one that
//! cannot be changed keeps none of the others from it; the answer says what came of every one.

use uuid::Uuid;

use super::{Admin, Principal, api_keys, groups, providers};
use crate::{
    model::{
        api_key::ApiKey,
        bulk::{BulkAct, BulkDone, BulkDraft, BulkKind, BulkRefusal},
        error::{ApiError, ApiResult},
        group::Group,
        id::{ApiKeyId, GroupId, ProviderId},
        problem::Validate,
        provider::Provider,
        user::Permission,
    },
    server::store::{Change, Snapshot},
};

/// What may be done with several records at once.
#[derive(Clone, Copy)]
pub struct Bulk<'a>(pub(super) &'a Admin);

impl Bulk<'_> {
    /// Does it to each, in the order they are named. The records are read once: one that somebody else changes
    /// meanwhile is refused as a conflict. A store that fails is not asked again for the rest.
    pub async fn apply(self, who: &Principal, kind: BulkKind, draft: BulkDraft) -> ApiResult<BulkDone> {
        who.require(needed(kind, draft.act))?;
        draft.validate().map_err(|problems| ApiError::Invalid { problems })?;
        let snapshot = self.0.snapshot().await?;
        let mut told = BulkDone::default();
        let mut broken: Option<ApiError> = None;
        for id in draft.ids {
            let change = broken.clone().map_or_else(|| change(&snapshot, kind, id, draft.act), Err);
            let result = match change {
                Ok(Some(change)) => self.0.change(who, vec![change]).await,
                Ok(None) => {
                    told.unchanged.push(id);
                    continue;
                }
                Err(error) => Err(error),
            };
            match result {
                Ok(_) => told.done.push(id),
                Err(error) => {
                    if matches!(error, ApiError::StoreUnavailable { .. } | ApiError::Internal { .. }) {
                        broken = Some(error.clone());
                    }
                    told.refused.push(BulkRefusal { id, error });
                }
            }
        }
        Ok(told)
    }
}

/// The same that the act needs for one record.
fn needed(kind: BulkKind, act: BulkAct) -> Permission {
    match (act, kind) {
        (BulkAct::Enable | BulkAct::Disable, _) => Permission::Operate,
        (BulkAct::Delete, BulkKind::Providers) => Permission::ManageProviders,
        (BulkAct::Delete, BulkKind::Groups) => Permission::ManageGroups,
        (BulkAct::Delete, BulkKind::ApiKeys) => Permission::ManageApiKeys,
    }
}

/// The change that does it to one record; none where it is so already.
fn change(snapshot: &Snapshot, kind: BulkKind, id: Uuid, act: BulkAct) -> ApiResult<Option<Change>> {
    let enabled = match act {
        BulkAct::Enable => true,
        BulkAct::Disable => false,
        BulkAct::Delete => return deletion(snapshot, kind, id).map(Some),
    };
    Ok(match kind {
        BulkKind::Providers => {
            let before = &providers::find(snapshot, ProviderId(id))?.provider;
            (before.enabled != enabled).then(|| Change::PutProvider {
                provider: Provider { enabled, ..before.clone() },
                sealed: Vec::new(),
                expect: Some(before.revision),
            })
        }
        BulkKind::Groups => {
            let before = groups::find(snapshot, GroupId(id))?;
            (before.enabled != enabled)
                .then(|| Change::PutGroup { group: Group { enabled, ..before.clone() }, expect: Some(before.revision) })
        }
        BulkKind::ApiKeys => {
            let before = api_keys::find(snapshot, ApiKeyId(id))?;
            (before.enabled != enabled).then(|| Change::PutApiKey {
                key: ApiKey { enabled, ..before.clone() },
                hash: None,
                expect: Some(before.revision),
            })
        }
    })
}

fn deletion(snapshot: &Snapshot, kind: BulkKind, id: Uuid) -> ApiResult<Change> {
    Ok(match kind {
        BulkKind::Providers => {
            let id = providers::find(snapshot, ProviderId(id))?.provider.id;
            Change::DeleteProvider { id, expect: None, leave_groups: false }
        }
        BulkKind::Groups => Change::DeleteGroup { id: groups::find(snapshot, GroupId(id))?.id, expect: None },
        BulkKind::ApiKeys => Change::DeleteApiKey { id: api_keys::find(snapshot, ApiKeyId(id))?.id, expect: None },
    })
}
