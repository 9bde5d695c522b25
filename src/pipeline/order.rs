//! What a door asks for: one document, under a key of the caller's.

use uuid::Uuid;

use crate::document::{Problem, canonical_digest};
use crate::render::Haste;
use crate::store::IdempotencyKey;

/// One document to issue.
#[derive(Debug, Clone)]
pub struct Order {
    /// A UUIDv7: the document's id for ever.
    pub id: Uuid,
    /// The submission's key: the same key and input give the same receipt.
    pub key: IdempotencyKey,
    /// The input, as JSON.
    pub input: Vec<u8>,
    /// The mail merge that it belongs to.
    pub merge: Option<Uuid>,
    /// Who asks for it: an opaque id.
    pub actor: String,
    /// When its mail may leave, where that is not now.
    pub not_before: Option<chrono::DateTime<chrono::Utc>>,
    /// The courses of which it takes a seat each; refused as a whole where one is full.
    pub seats: Vec<String>,
    digest: [u8; 32],
}

impl Order {
    /// An order; without a key of the caller's, the digest of the canonical input is the key, so that the
    /// same data issues one document.
    ///
    /// Input that is no JSON is refused with its problems.
    pub fn new(
        id: Uuid,
        key: Option<IdempotencyKey>,
        input: Vec<u8>,
        actor: &str,
    ) -> Result<Self, Vec<Problem>> {
        let digest = canonical_digest(&input)?;
        let key = key.unwrap_or_else(|| IdempotencyKey::new(crate::assets::hex(&digest)));
        let actor = actor.to_owned();
        Ok(Self { id, key, input, merge: None, actor, not_before: None, seats: Vec::new(), digest })
    }

    /// Who waits for it.
    pub(super) fn haste(&self) -> Haste {
        if self.merge.is_some() { Haste::Merge } else { Haste::Desk }
    }

    /// SHA-256 of the canonical input.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}
