//! Failover drills: started, watched and stopped in the running gateway, on this node alone.

use uuid::Uuid;

use super::{Admin, Live, Principal, providers, refusal};
use crate::{
    model::{
        drill::{Drill, DrillDraft, DrillEnd, DrillReport, Drills},
        error::{ApiError, ApiResult},
        id::{DrillId, ProviderId},
        problem::{Issue, Validate},
        user::Permission,
    },
    server::store::StoredProvider,
};

/// What may be done with drills.
#[derive(Clone, Copy)]
pub struct DrillBook<'a>(pub(super) &'a Admin);

impl DrillBook<'_> {
    /// The drill of a provider that runs now, and the last ones, each with its report so far.
    pub async fn of(self, who: &Principal, id: ProviderId) -> ApiResult<Drills> {
        who.require(Permission::View)?;
        self.provider(id).await?;
        let Some(live) = self.0.live() else { return Ok(Drills::default()) };
        let drills = live.board.provider(id).drills();
        Ok(Drills {
            running: drills.running.map(|drill| reported(live, drill)),
            past: drills.past.into_iter().map(|drill| reported(live, drill)).collect(),
        })
    }

    /// Makes a provider pretend to fail from now on.
    pub async fn start(self, who: &Principal, id: ProviderId, draft: DrillDraft) -> ApiResult<Drill> {
        who.require(Permission::Operate)?;
        draft.validate().map_err(|problems| ApiError::Invalid { problems })?;
        let provider = self.provider(id).await?.provider;
        if !provider.enabled {
            return Err(ApiError::invalid("provider", Issue::SwitchedOff));
        }
        let live = self.0.live().ok_or_else(|| ApiError::NotFound { what: "running gateway".into() })?;
        let state = live.board.provider(id);
        let running = ApiError::invalid("provider", Issue::DrillRunning);
        if state.drills().running.is_some() {
            return Err(running);
        }
        // Before it begins: a drill that nobody can find out about afterwards is not started.
        let detail = serde_json::to_string(&draft).expect("plain data is JSON");
        self.note(who, "drill.start", &provider.name, &detail).await?;
        let drill = DrillId(Uuid::now_v7());
        state.start_drill(drill, draft, who.name(), live.clock.now_ms()).ok_or(running)
    }

    /// Ends the drill of a provider before its time; its health is what it was before.
    pub async fn stop(self, who: &Principal, id: ProviderId) -> ApiResult<Drill> {
        who.require(Permission::Operate)?;
        let none = || ApiError::NotFound { what: "drill".into() };
        let live = self.0.live().ok_or_else(none)?;
        let ended = live.board.provider(id).end_drill(live.clock.now_ms(), DrillEnd::Stopped).ok_or_else(none)?;
        let drill = reported(live, ended);
        let detail = serde_json::to_string(&drill.report).expect("plain data is JSON");
        let name = self.provider(id).await.map_or_else(|_| id.to_string(), |stored| stored.provider.name);
        // It has ended, whether the store can be told or not.
        if let Err(error) = self.note(who, "drill.stop", &name, &detail).await {
            tracing::warn!(%error, provider = name, "the end of a drill is not in the audit trail");
        }
        Ok(drill)
    }

    async fn provider(self, id: ProviderId) -> ApiResult<StoredProvider> {
        providers::find(&self.0.snapshot().await?, id).cloned()
    }

    async fn note(self, who: &Principal, action: &str, object: &str, detail: &str) -> ApiResult<()> {
        let noted = self.0.store().note(who.name(), self.0.now_ms(), action, object, detail).await;
        noted.map_err(refusal::of_store)
    }
}

/// A drill with what the requests that met it came to.
fn reported(live: &Live, drill: Drill) -> Drill {
    let report = DrillReport { taken_out_after: drill.report.taken_out_after, ..live.recorder.drill_report(drill.id) };
    Drill { report, ..drill }
}
