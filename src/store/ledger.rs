//! Documents and their versions: written once, added to, never overwritten.
//!
//! Entry in, receipt out. Document, version, look-ups and mail are written in one transaction. The states guard the
//! outbox: only a complete document has mail.

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, stream};
use uuid::Uuid;

use super::keyring::hex;
use super::prepare::{Mail, Prepared, Stored, check_mail, place};
use super::sql::{Tx, values};
use super::writer::Writing;
use super::{Entry, IdempotencyKey, Origin, Receipt, Scope, State, Store, StoreError, Version};

/// How many entries of [`Store::put_many`] are under way at once.
const AT_ONCE: usize = 64;

impl Store {
    /// The receipt of an earlier submission with this key: the first answer again. Another input under the same key
    /// is [`StoreError::KeyReused`].
    pub async fn receipt(
        &self,
        key: &IdempotencyKey,
        digest: &[u8; 32],
    ) -> Result<Option<Receipt>, StoreError> {
        let sql = "SELECT id, digest FROM documents WHERE idempotency = $1";
        let Some(row) = self.database.row(sql, values![self.idempotency(key)]).await? else {
            return Ok(None);
        };
        if row.get::<[u8; 32]>(1)? != self.keyed_digest(digest) {
            return Err(StoreError::KeyReused);
        }
        self.receipt_of(row.get(0)?, 1).await.map(Some)
    }

    /// Keeps a document. Whoever comes second with the same key and input gets the first one's receipt.
    pub async fn put(&self, entry: Entry, at: DateTime<Utc>) -> Result<Receipt, StoreError> {
        let (key, digest) = (entry.key.clone(), entry.digest);
        if let Some(receipt) = self.receipt(&key, &digest).await? {
            return Ok(receipt);
        }
        let prepared = self.prepare(entry, at).await?;
        if let Some(receipt) = self.write(move |it| Box::pin(insert(it, prepared, at))).await? {
            return Ok(receipt);
        }
        let first = self.receipt(&key, &digest).await?;
        first.ok_or_else(|| StoreError::Damaged("a document that was there".to_owned()))
    }

    /// Keeps many documents; they share transactions. Each has its own answer, in the order of the entries.
    pub async fn put_many(
        &self,
        entries: Vec<Entry>,
        at: DateTime<Utc>,
    ) -> Vec<Result<Receipt, StoreError>> {
        stream::iter(entries).map(|it| self.put(it, at)).buffered(AT_ONCE).collect().await
    }

    /// Adds a version to a document that is still at `expected`, such as one more signature. With the version that
    /// completes it go its mail and the documents that follow from it, all or nothing. Without a file the same file
    /// is a version again, to be mailed anew.
    #[expect(clippy::too_many_arguments, reason = "what is added, to what, with what, when")]
    pub async fn append(
        &self,
        scope: &Scope,
        id: Uuid,
        expected: u32,
        version: Version,
        state: State,
        completed: Vec<Entry>,
        at: DateTime<Utc>,
    ) -> Result<Receipt, StoreError> {
        check_mail(state, &version.deliveries)?;
        let sql = "SELECT k.id, k.operator, k.wrapped, d.office FROM documents d \
                   LEFT JOIN keys k ON k.id = d.key WHERE d.id = $1";
        let row = self.database.row(sql, values![id]).await?;
        let row = row.ok_or(StoreError::NotFound("document"))?;
        scope.check(&row.get::<String>(3)?, "document")?;
        let key = self.key(&row, 0)?;
        let place = place::file(id, expected + 1);
        let file = match &version.file {
            Some(file) => Some(self.keep(&key, &place, file).await?),
            None => None,
        };
        let Version { level, origin, act, deliveries, .. } = version;
        let mails = self.keep_mails(&key, deliveries).await?;
        let follow = try_join_all(completed.into_iter().map(|it| self.prepare(it, at))).await?;
        let (scope, added) = (scope.clone(), Added { file, level, origin, act, state, mails });
        self.write(move |it| {
            Box::pin(async move {
                let receipt = add(it, &scope, id, expected, added, at).await?;
                for prepared in follow {
                    insert(it, prepared, at).await?;
                }
                Ok(receipt)
            })
        })
        .await
    }

    /// Ends the life of a document that is still at `expected`: refused, lapsed or cancelled. Its waiting mail is
    /// cancelled with it. The reason is a word of the program or an id, for it stands in the audit trail.
    pub async fn conclude(
        &self,
        scope: &Scope,
        id: Uuid,
        expected: u32,
        state: State,
        reason: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if !matches!(state, State::Refused | State::Lapsed | State::Cancelled) {
            return Err(StoreError::Settled(state.to_string()));
        }
        let (scope, reason) = (scope.clone(), reason.to_owned());
        self.write(move |it| {
            Box::pin(async move {
                let now = Now::read(&mut it.tx, id).await?;
                now.check(&scope, expected, state)?;
                now.change(it, id, expected, state, at).await?;
                cancel_waiting(it, id, scope.actor(), at).await?;
                it.note(at, scope.actor(), state.as_str(), id, reason);
                Ok(())
            })
        })
        .await
    }

    /// The receipt of a version.
    pub(super) async fn receipt_of(&self, id: Uuid, version: u32) -> Result<Receipt, StoreError> {
        let sql = "SELECT state, digest, size, level, program, assets, catalogue, created_at \
                   FROM versions WHERE document = $1 AND version = $2";
        let row = self.database.row(sql, values![id, version]).await?;
        let row = row.ok_or(StoreError::NotFound("version"))?;
        let sql = "SELECT id FROM deliveries WHERE document = $1 AND version = $2 ORDER BY id";
        let deliveries = self.database.rows(sql, values![id, version]).await?;
        Ok(Receipt {
            id,
            version,
            state: row.get::<String>(0)?.parse()?,
            sha256: hex(&row.get::<[u8; 32]>(1)?),
            size: row.get(2)?,
            level: row.get(3)?,
            origin: Origin { program: row.get(4)?, assets: row.get(5)?, catalogue: row.get(6)? },
            at: row.get(7)?,
            deliveries: deliveries.iter().map(|it| it.get(0)).collect::<Result<_, _>>()?,
        })
    }
}

/// A version to add, stored and sealed.
struct Added {
    file: Option<Stored>,
    level: String,
    origin: Origin,
    act: String,
    state: State,
    mails: Vec<Mail>,
}

/// Writes a new document. None: it was there already, with the same key and input.
async fn insert(
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
        kept.ends_on,
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
        it.note(at, &entry.actor, "replaced", old, id.to_string());
    }
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
async fn add(
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
struct Now {
    office: String,
    dossier: Uuid,
    kind: String,
    state: State,
    version: u32,
}

impl Now {
    async fn read(tx: &mut Tx, id: Uuid) -> Result<Self, StoreError> {
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

    fn check(&self, scope: &Scope, expected: u32, next: State) -> Result<(), StoreError> {
        scope.check(&self.office, "document")?;
        if self.version != expected {
            return Err(StoreError::Conflict { current: self.version });
        }
        if !self.state.may_become(next) {
            return Err(StoreError::Settled(self.state.to_string()));
        }
        Ok(())
    }

    /// Moves it on, unless another transaction just did. A version that is not the last one is never looked at again,
    /// so an end without a new file is a version number too.
    async fn change(
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
async fn cancel_waiting(
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
