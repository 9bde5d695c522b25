//! The ledger inside a transaction: what is inserted, added and moved, and what the audit trail says of it.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::store::expected::begins;
use crate::store::keyring::hex;
use crate::store::prepare::{Mail, Prepared, Stored};
use crate::store::seats::{free_seats, take_seat};
use crate::store::sql::{Tx, values};
use crate::store::writer::Writing;
use crate::store::{Origin, Receipt, Scope, State, StoreError};

/// A version to add, stored and sealed.
pub(super) struct Added {
    pub(super) file: Option<Stored>,
    pub(super) level: String,
    pub(super) origin: Origin,
    pub(super) act: String,
    pub(super) state: State,
    pub(super) mails: Vec<Mail>,
}

/// Writes a new document. None: it was there already, with the same key and input.
pub(super) async fn insert(
    it: &mut Writing,
    prepared: Prepared,
    at: DateTime<Utc>,
) -> Result<Option<Receipt>, StoreError> {
    let Prepared { entry, dossier, idempotency, digest, record, data, lookups, file, mails } =
        prepared;
    let (id, state) = (entry.id, entry.state);
    let (mut root, mut sequence) = (id, 0);
    if let Some(old) = entry.replaces {
        let sql = "SELECT root, sequence FROM documents WHERE id = $1";
        let row = it.tx.row(sql, values![old]).await?;
        let row = row.ok_or(StoreError::NotFound("document to replace"))?;
        (root, sequence) = (row.get(0)?, row.get::<i64>(1)? + 1);
    }
    let sql = "INSERT INTO documents (id, dossier, key, idempotency, digest, kind, office, language, \
               step, state, version, replaces, root, sequence, ends_on, record, data, created_at, \
               changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, $12, $13, $14, \
               $15, $16, $17, $18) ON CONFLICT DO NOTHING";
    let kept = entry.record.clone();
    let ends_on = kept.ends_on.unwrap_or_else(|| at.date_naive());
    let values = values![
        id,
        dossier,
        dossier,
        idempotency,
        digest,
        kept.kind.as_str(),
        kept.office.as_str(),
        kept.language,
        kept.step,
        state.as_str(),
        entry.replaces,
        root,
        sequence,
        ends_on,
        record,
        data,
        at,
        at
    ];
    let inserted = it.tx.change(sql, values).await.map_err(StoreError::erased_if_keyless)?;
    if inserted == 0 {
        let sql = "SELECT digest FROM documents WHERE idempotency = $1";
        return match (it.tx.row(sql, values![idempotency]).await?, entry.replaces) {
            (Some(row), _) if row.get::<[u8; 32]>(0)? == digest => Ok(None),
            (Some(_), _) => Err(StoreError::KeyReused),
            (None, Some(old)) => Err(StoreError::NotReplaceable(old)),
            (None, None) => Err(StoreError::Settled(format!("document {id}"))),
        };
    }
    if let Some(old) = entry.replaces {
        let sql = "UPDATE documents SET state = 'replaced', changed_at = $1 \
                   WHERE id = $2 AND state IN ('presented', 'partly_signed', 'complete')";
        if it.tx.change(sql, values![at, old]).await? == 0 {
            return Err(StoreError::NotReplaceable(old));
        }
        cancel_waiting(it, old, &entry.actor, at).await?;
        free_seats(it, old).await?;
        it.note(at, &entry.actor, "replaced", old, id.to_string());
    }
    for course in entry.seats {
        if !take_seat(it, &entry.actor, course.clone(), id.to_string(), at).await? {
            return Err(StoreError::Full(course));
        }
    }
    let office = kept.office.as_str();
    let expected = entry.expected.iter().map(|it| values![id, office, it.0, begins(it.1)]);
    it.tx.insert("expected", &["document", "office", "day", "begins"], expected.collect()).await?;
    let lookups = lookups.into_iter().map(|hash| values![hash, id]).collect();
    it.tx.insert("lookups", &["hash", "document"], lookups).await?;
    let version = VersionRow {
        id,
        version: 1,
        state,
        level: entry.level,
        digest: file.digest,
        size: file.size,
        blob: file.blob,
        origin: entry.origin,
    };
    let about = About { dossier, kind: kept.kind, office: kept.office, merge: entry.merge };
    it.note(at, &entry.actor, "issued", id, hex(&version.digest));
    write_version(it, version, about, mails, at).await.map(Some)
}

/// Writes one more version of a document.
pub(super) async fn add(
    it: &mut Writing,
    scope: &Scope,
    id: Uuid,
    expected: u32,
    added: Added,
    at: DateTime<Utc>,
) -> Result<Receipt, StoreError> {
    let Added { file, level, origin, act, state, mails } = added;
    let now = Now::read(&mut it.tx, id).await?;
    now.check(scope, expected, state)?;
    now.change(it, id, expected, state, at).await?;
    let (digest, size, blob) = match file {
        Some(file) => (file.digest, file.size, file.blob),
        None => {
            let sql =
                "SELECT digest, size, blob FROM versions WHERE document = $1 AND version = $2";
            let row = it.tx.row(sql, values![id, expected]).await?;
            let row = row.ok_or(StoreError::NotFound("version"))?;
            (row.get(0)?, row.get(1)?, row.get(2)?)
        }
    };
    let version = expected + 1;
    let version = VersionRow { id, version, state, level, digest, size, blob, origin };
    let about = About { dossier: now.dossier, kind: now.kind, office: now.office, merge: None };
    it.note(at, scope.actor(), "version", id, format!("{act} {}", hex(&digest)));
    write_version(it, version, about, mails, at).await
}

/// A document as it is now.
pub(super) struct Now {
    office: String,
    dossier: Uuid,
    kind: String,
    state: State,
    version: u32,
}

impl Now {
    pub(super) async fn read(tx: &mut Tx, id: Uuid) -> Result<Self, StoreError> {
        let sql = "SELECT office, dossier, kind, state, version FROM documents WHERE id = $1";
        let row = tx.row(sql, values![id]).await?.ok_or(StoreError::NotFound("document"))?;
        Ok(Self {
            office: row.get(0)?,
            dossier: row.get(1)?,
            kind: row.get(2)?,
            state: row.get::<String>(3)?.parse()?,
            version: row.get(4)?,
        })
    }

    pub(super) fn check(
        &self,
        scope: &Scope,
        expected: u32,
        next: State,
    ) -> Result<(), StoreError> {
        scope.check(&self.office, "document")?;
        if self.version != expected {
            return Err(StoreError::Conflict { current: self.version });
        }
        if !self.state.may_become(next) {
            return Err(StoreError::Settled(self.state.to_string()));
        }
        Ok(())
    }

    /// Moves it on, unless another transaction just did. An end brings no new version.
    pub(super) async fn change(
        &self,
        it: &mut Writing,
        id: Uuid,
        expected: u32,
        next: State,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let ends = matches!(next, State::Refused | State::Lapsed | State::Cancelled);
        let version = if ends { expected } else { expected + 1 };
        let sql = "UPDATE documents SET state = $1, version = $2, changed_at = $3 \
                   WHERE id = $4 AND version = $5 AND state = $6";
        let was = self.state.as_str();
        let values = values![next.as_str(), version, at, id, expected, was];
        match it.tx.change(sql, values).await? {
            0 => Err(StoreError::Conflict { current: self.version }),
            _ if ends => free_seats(it, id).await,
            _ => Ok(()),
        }
    }
}

/// A row of `versions`.
struct VersionRow {
    id: Uuid,
    version: u32,
    state: State,
    level: String,
    digest: [u8; 32],
    size: u32,
    blob: String,
    origin: Origin,
}

/// What a mail's row repeats of its document.
struct About {
    dossier: Uuid,
    kind: String,
    office: String,
    merge: Option<Uuid>,
}

/// Writes a version with its mail.
async fn write_version(
    it: &mut Writing,
    row: VersionRow,
    about: About,
    mails: Vec<Mail>,
    at: DateTime<Utc>,
) -> Result<Receipt, StoreError> {
    let VersionRow { id, version, state, level, digest, size, blob, origin } = row;
    let Origin { program, assets, catalogue } = origin.clone();
    let sql = "INSERT INTO versions (document, version, state, level, digest, size, blob, program, \
               assets, catalogue, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let values = values![
        id,
        version,
        state.as_str(),
        level.clone(),
        digest,
        size,
        blob,
        program,
        assets,
        catalogue,
        at
    ];
    it.tx.change(sql, values).await?;
    let first = first_state(it, about.merge).await?;
    it.wake |= !mails.is_empty();
    let deliveries = mails.iter().map(|it| it.id).collect();
    let links = mails.iter().filter_map(|it| Some(values![it.id, it.link_until?])).collect();
    let rows = mails.into_iter().map(|mail| {
        values![
            mail.id,
            id,
            version,
            about.dossier,
            about.kind.as_str(),
            about.office.as_str(),
            about.merge,
            mail.recipient_hash,
            mail.recipient,
            mail.message_id,
            mail.stored.digest,
            mail.stored.size,
            mail.stored.blob,
            first,
            mail.not_before,
            mail.late_after,
            mail.not_before.map_or(at, |it| it.max(at)),
            at,
            at
        ]
    });
    let columns = [
        "id",
        "document",
        "version",
        "dossier",
        "kind",
        "office",
        "merge",
        "recipient_hash",
        "recipient",
        "message_id",
        "digest",
        "size",
        "blob",
        "state",
        "not_before",
        "late_after",
        "next_at",
        "created_at",
        "changed_at",
    ];
    it.tx.insert("deliveries", &columns, rows.collect()).await?;
    it.tx.insert("links", &["delivery", "expires_at"], links).await?;
    let sha256 = hex(&digest);
    Ok(Receipt { id, version, state, sha256, size, level, origin, at, deliveries })
}

/// The state that new mail starts in: a merge that is paused or cancelled keeps or drops it.
async fn first_state(it: &mut Writing, merge: Option<Uuid>) -> Result<&'static str, StoreError> {
    let Some(merge) = merge else { return Ok("ready") };
    let sql = it.tx.either(
        "SELECT state FROM merges WHERE id = $1",
        "SELECT state FROM merges WHERE id = $1 FOR SHARE",
    );
    let row = it.tx.row(sql, values![merge]).await?.ok_or(StoreError::NotFound("merge"))?;
    Ok(match row.get::<String>(0)?.as_str() {
        "paused" => "held",
        "cancelled" => "cancelled",
        _ => "ready",
    })
}

/// Cancels the mail of a document that no worker has begun to transmit.
pub(super) async fn cancel_waiting(
    it: &mut Writing,
    document: Uuid,
    actor: &str,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = "UPDATE deliveries SET state = 'cancelled', fence = fence + 1, \
               lease_until = NULL, changed_at = $1 WHERE document = $2 AND state IN ('ready', 'held', 'late', 'claimed') RETURNING id";
    for row in it.tx.rows(sql, values![at, document]).await? {
        it.note(at, actor, "mail_cancelled", row.get(0)?, String::new());
    }
    Ok(())
}
