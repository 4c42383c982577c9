//! The price table, from which costs are estimated.

use super::{Admin, Principal, refusal};
use crate::{
    model::{
        error::{ApiError, ApiResult},
        price::{PriceDraft, PriceTable},
        problem::Validate,
        user::Permission,
    },
    server::store::Change,
};

/// What may be done with prices.
#[derive(Clone, Copy)]
pub struct Prices<'a>(pub(super) &'a Admin);

impl Prices<'_> {
    /// The table.
    pub async fn get(self, who: &Principal) -> ApiResult<PriceTable> {
        who.require(Permission::View)?;
        self.0.store().prices().await.map_err(refusal::of_store)
    }

    /// Replaces the table that is still at `revision`. Requests that have ended keep their estimate.
    pub async fn update(self, who: &Principal, revision: i64, draft: PriceDraft) -> ApiResult<PriceTable> {
        who.require(Permission::Operate)?;
        draft.validate().map_err(|problems| ApiError::Invalid { problems })?;
        let PriceDraft { currency, models } = draft.clone();
        let updated_at_ms = self.0.now_ms();
        let revision = self.0.change(who, vec![Change::PutPrices { draft, expect: Some(revision) }]).await?;
        Ok(PriceTable { currency, models, revision, updated_at_ms })
    }
}
