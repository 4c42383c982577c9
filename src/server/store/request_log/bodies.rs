//! Bodies of requests, apart from the rows they belong to.
//!
//! They lie in segments as the rows do (see [`super::segments`]), one block for each request, found by the request's
//! id alone. Segments of their own have days and a size of their own: bodies are larger than rows and are kept for a
//! shorter time, and dropping a file or two tables of them touches no row.

use crate::{
    model::{body::RequestBodies, id::RequestId},
    server::store::{Store, StoreError},
};

use super::{LogLimits, block::Packed, day_of, now_ms, segments::Segments, sieve::first_id_at, walk};

/// Version of the form: this byte, then the record as JSON, compressed (zlib, RFC 1950, with its own checksum).
const FORM: u8 = 1;
/// How hard packing tries: chats shrink to a third at some hundred megabytes a second.
const LEVEL: u8 = 1;
/// The most a record is unpacked to, bytes: no body is larger, whatever a torn one says.
const UNPACKED: usize = 128 << 20;

/// Bodies of a request, ready to be written.
pub struct PackedBodies(Packed);

impl std::fmt::Debug for PackedBodies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackedBodies").field("request", &self.0.last_id).finish_non_exhaustive()
    }
}

impl PackedBodies {
    /// Packs bodies. Takes milliseconds for a megabyte.
    pub fn new(id: RequestId, bodies: &RequestBodies) -> Self {
        let text = serde_json::to_vec(bodies).expect("plain data is JSON");
        let mut body = vec![FORM];
        body.extend_from_slice(&miniz_oxide::deflate::compress_to_vec_zlib(&text, LEVEL));
        Self(Packed { first_id: id, last_id: id, rows: 1, body, marks: Vec::new() })
    }
}

/// Why bodies cannot be read, for a warning.
fn unpack(packed: &[u8]) -> Result<RequestBodies, String> {
    let (form, rest) = packed.split_first().ok_or("it is empty")?;
    if *form != FORM {
        return Err(format!("it was written by a newer rondo (form {form})"));
    }
    let text =
        miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(rest, UNPACKED).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

impl Store {
    /// Appends bodies in one transaction; those that are there already stay as they are.
    pub async fn append_bodies(&self, bodies: &[PackedBodies]) -> Result<(), StoreError> {
        if bodies.is_empty() {
            return Ok(());
        }
        let blocks: Vec<&Packed> = bodies.iter().map(|bodies| &bodies.0).collect();
        self.bodies.append(&blocks, &day_of(now_ms())).await
    }

    /// The bodies of a request; `None` where none were kept, or none are any more.
    pub async fn request_bodies(&self, id: RequestId) -> Result<Option<RequestBodies>, StoreError> {
        for segment in self.bodies.covering(id.0).await? {
            let packed = match segment.body(id.0).await {
                Ok(Some(packed)) => packed,
                Ok(None) => continue,
                Err(error) => {
                    walk::pass_over(&self.bodies, &segment, error).await?;
                    continue;
                }
            };
            match unpack(&packed) {
                Ok(bodies) => return Ok(Some(bodies)),
                Err(reason) => {
                    let segment = segment.name();
                    tracing::warn!(segment, request_id = %id, reason, "bodies of a request cannot be read");
                }
            }
        }
        Ok(None)
    }

    /// Says how much of bodies is kept.
    pub fn limit_bodies(&self, limits: LogLimits) {
        self.bodies.limit(limits);
    }

    /// Bytes that bodies have on disk.
    pub async fn body_log_bytes(&self) -> Result<u64, StoreError> {
        self.bodies.bytes().await
    }

    /// Drops whole segments of bodies, those that are too old and then the oldest beyond their size; returns how many.
    pub async fn trim_bodies(&self, now_ms: i64) -> Result<u64, StoreError> {
        drop_old(&self.bodies, now_ms).await
    }
}

/// Drops segments that hold nothing newer than the days that are kept, then the oldest until all are within their
/// bytes; returns how many went.
pub(super) async fn drop_old(segments: &Segments, now_ms: i64) -> Result<u64, StoreError> {
    const DAY_MS: i64 = 86_400_000;
    let before = first_id_at(now_ms.saturating_sub(i64::from(segments.limits().days) * DAY_MS));
    Ok(segments.drop_before(before).await? + segments.drop_oldest().await?)
}
