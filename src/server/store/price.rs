//! The price table: one row, replaced as a whole.

use crate::model::price::{PriceDraft, PriceTable};

use super::{
    Store, StoreError, audit,
    audit::Entry,
    change::{Stamp, check_expected},
    column::{self, Reader, json},
    database::Tx,
    sql::{record, sql, statements},
};

/// What the audit trail calls it.
const OBJECT: &str = "prices";

statements! {
    ONE = "SELECT currency, models, revision, updated_at_ms FROM price_table WHERE id = 1";
    PUT = "UPDATE price_table SET currency = $1, models = $2, revision = $3, updated_at_ms = $4 WHERE id = 1";
}

record! {
    /// The row of `price_table`.
    Row { currency: String, models: String, revision: i64, updated_at_ms: i64 }
}

impl Store {
    /// The price table.
    pub async fn prices(&self) -> Result<PriceTable, StoreError> {
        read(&mut self.config.read().await?).await
    }
}

pub(super) async fn read(tx: &mut Tx) -> Result<PriceTable, StoreError> {
    let reader = Reader { what: "price table", id: "1" };
    let row: Row = tx.one(sql(ONE)).await?.ok_or_else(|| reader.damaged("its only row is missing"))?;
    Ok(PriceTable {
        currency: row.currency,
        models: reader.json(&row.models)?,
        revision: row.revision,
        updated_at_ms: row.updated_at_ms,
    })
}

pub(super) async fn put(
    tx: &mut Tx,
    draft: PriceDraft,
    expect: Option<i64>,
    stamp: Stamp,
) -> Result<Entry, StoreError> {
    let stored = read(tx).await?;
    check_expected(tx, "price table", OBJECT, Some(stored.revision), expect).await?;
    let put = sql(PUT).bind(draft.currency.as_str()).bind(json(&draft.models)).bind(stamp.revision).bind(stamp.at_ms);
    tx.run(put).await?;
    Ok(Entry {
        action: "prices.update".to_owned(),
        object_id: OBJECT.to_owned(),
        object: OBJECT.to_owned(),
        detail: audit::difference(Some(&column::value(&stored.to_draft())), &column::value(&draft), &[]),
    })
}
