//! Documents and their versions: written once, added to, never overwritten.
//!
//! Entry in, receipt out. Document, version, look-ups and mail are written in one transaction. The states guard the
//! outbox: only a complete document has mail.

mod write;

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, stream};
use uuid::Uuid;

use super::keyring::hex;
use super::prepare::{check_mail, place};
use super::sql::values;
use super::{Entry, IdempotencyKey, Origin, Receipt, Scope, State, Store, StoreError, Version};
use write::{Added, Now, add, cancel_waiting, insert};

/// How many entries of [`Store::put_many`] are under way at once: enough to share transactions, and few, since each
/// writes its files on threads of its own.
const AT_ONCE: usize = 16;

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
