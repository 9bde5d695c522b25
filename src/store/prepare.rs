//! Before the transaction: files and mails are sealed and stored, columns sealed, look-ups hashed.
//!
//! An entry in, what the ledger writes out. Nothing refers to the stored files yet: if the transaction never comes,
//! they are orphans and are swept.

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::{NoContext, Timestamp, Uuid};

use super::keyring::{DataKey, hex};
use super::sql::values;
use super::{Entry, IdempotencyKey, NewDelivery, Record, State, Store, StoreError};

/// How many mails of one document are stored at once.
const AT_ONCE: usize = 4;

/// A file or message as it is stored.
pub(super) struct Stored {
    pub(super) digest: [u8; 32],
    pub(super) size: u32,
    pub(super) blob: String,
}

/// A mail, sealed.
pub(super) struct Mail {
    pub(super) id: Uuid,
    pub(super) recipient_hash: [u8; 32],
    pub(super) recipient: Vec<u8>,
    pub(super) message_id: String,
    pub(super) not_before: Option<DateTime<Utc>>,
    pub(super) late_after: Option<DateTime<Utc>>,
    pub(super) link_until: Option<DateTime<Utc>>,
    pub(super) stored: Stored,
}

/// An entry whose files are stored and whose columns are sealed.
pub(super) struct Prepared {
    /// Without file, data and mails.
    pub(super) entry: Entry,
    pub(super) dossier: Uuid,
    pub(super) idempotency: [u8; 32],
    pub(super) digest: [u8; 32],
    pub(super) record: Vec<u8>,
    pub(super) data: Vec<u8>,
    pub(super) lookups: Vec<[u8; 32]>,
    pub(super) file: Stored,
    pub(super) mails: Vec<Mail>,
}

/// The sealed column `record`.
#[derive(Serialize, Deserialize)]
pub(super) struct SealedRecord {
    pub(super) record: Record,
    /// SHA-256 of the input, in hexadecimal digits.
    pub(super) digest: String,
}

/// What a sealed value is the value of. It is authenticated with it.
pub(super) mod place {
    use uuid::Uuid;

    pub(in crate::store) fn file(document: Uuid, version: u32) -> String {
        format!("file {document} {version}")
    }

    pub(in crate::store) fn data(document: Uuid) -> String {
        format!("data {document}")
    }

    pub(in crate::store) fn record(document: Uuid) -> String {
        format!("record {document}")
    }

    pub(in crate::store) fn mail(delivery: Uuid) -> String {
        format!("mail {delivery}")
    }

    pub(in crate::store) fn recipient(delivery: Uuid) -> String {
        format!("recipient {delivery}")
    }

    pub(in crate::store) fn reply(delivery: Uuid) -> String {
        format!("reply {delivery}")
    }
}

impl Store {
    /// Stores the files of an entry and seals its columns.
    pub(super) async fn prepare(
        &self,
        mut entry: Entry,
        at: DateTime<Utc>,
    ) -> Result<Prepared, StoreError> {
        check_mail(entry.state, &entry.deliveries)?;
        let (dossier, key) = self.dossier(&entry.record.dossier, at).await?;
        let id = entry.id;
        let file = std::mem::take(&mut entry.file);
        let deliveries = std::mem::take(&mut entry.deliveries);
        let place = place::file(id, 1);
        let (file, mails) =
            tokio::try_join!(self.keep(&key, &place, &file), self.keep_mails(&key, deliveries))?;
        let record = SealedRecord { record: entry.record, digest: hex(&entry.digest) };
        let json = serde_json::to_vec(&record)
            .map_err(|error| StoreError::Damaged(format!("a record: {error}")))?;
        entry.record = record.record;
        Ok(Prepared {
            dossier,
            idempotency: self.idempotency(&entry.key),
            digest: self.keyed_digest(&entry.digest),
            record: key.seal(&place::record(id), &json),
            data: key.seal(&place::data(id), &std::mem::take(&mut entry.data)),
            lookups: self.lookups(&entry.record),
            file,
            mails,
            entry,
        })
    }

    /// Seals mails and stores them; one a recipient.
    pub(super) async fn keep_mails(
        &self,
        key: &DataKey,
        mut deliveries: Vec<NewDelivery>,
    ) -> Result<Vec<Mail>, StoreError> {
        let mut seen = std::collections::HashSet::new();
        deliveries.retain(|it| seen.insert(self.hasher.lookup("email", &it.recipient)));
        let mails = deliveries.into_iter().map(|new| async move {
            let stored = self.keep(key, &place::mail(new.id), &new.message).await?;
            Ok(Mail {
                id: new.id,
                recipient_hash: self.hasher.lookup("email", &new.recipient),
                recipient: key.seal(&place::recipient(new.id), new.recipient.as_bytes()),
                message_id: new.message_id,
                not_before: new.not_before,
                late_after: new.late_after,
                link_until: new.link_until,
                stored,
            })
        });
        stream::iter(mails).buffered(AT_ONCE).try_collect().await
    }

    /// Seals bytes and stores them.
    pub(super) async fn keep(
        &self,
        key: &DataKey,
        place: &str,
        plain: &[u8],
    ) -> Result<Stored, StoreError> {
        let size = u32::try_from(plain.len());
        let size = size.map_err(|_| StoreError::Setting("a file above 4 GB".to_owned()))?;
        let digest = Sha256::digest(plain).into();
        Ok(Stored { digest, size, blob: self.blobs.put(key.seal(place, plain)).await? })
    }

    /// Id and key of a dossier, which are made when it is new.
    async fn dossier(
        &self,
        number: &str,
        at: DateTime<Utc>,
    ) -> Result<(Uuid, DataKey), StoreError> {
        const FIND: &str = "SELECT k.id, k.operator, k.wrapped FROM dossiers d \
                            JOIN keys k ON k.id = d.id WHERE d.lookup = $1";
        let lookup = self.hasher.lookup("dossier", number);
        if let Some(row) = self.database.row(FIND, values![lookup]).await? {
            return Ok((row.get(0)?, self.key(&row, 0)?));
        }
        let id = fresh_id(at);
        let key = self.keyring.make(&id.to_string())?;
        let row = self
            .write(move |it| {
                Box::pin(async move {
                    let add = "INSERT INTO dossiers (id, lookup, created_at) VALUES ($1, $2, $3) \
                               ON CONFLICT (lookup) DO NOTHING";
                    if it.tx.change(add, values![id, lookup, at]).await? == 1 {
                        let add = "INSERT INTO keys (id, operator, wrapped) VALUES ($1, $2, $3)";
                        it.tx.change(add, values![id, key.operator, key.bytes]).await?;
                    }
                    it.tx.row(FIND, values![lookup]).await?.ok_or(StoreError::Erased)
                })
            })
            .await?;
        Ok((row.get(0)?, self.key(&row, 0)?))
    }

    /// The keyed hash of an idempotency key.
    pub(super) fn idempotency(&self, key: &IdempotencyKey) -> [u8; 32] {
        self.hasher.hash(&[b"idempotency", key.as_bytes()])
    }

    /// The keyed hash of an input's digest: without the key nobody can try inputs out.
    pub(super) fn keyed_digest(&self, digest: &[u8; 32]) -> [u8; 32] {
        self.hasher.hash(&[b"digest", digest])
    }

    /// What a document is found by.
    fn lookups(&self, record: &Record) -> Vec<[u8; 32]> {
        let emails = record.emails.iter().map(|it| ("email", it));
        let number = record.foreigner_number.iter().map(|it| ("foreigner_number", it));
        let one = [("dossier", &record.dossier), ("reference", &record.reference)];
        let all = one.into_iter().chain(number).chain(emails);
        let mut hashes: Vec<_> = all.map(|(name, it)| self.hasher.lookup(name, it)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    }
}

/// Only what is complete is mailed.
pub(super) fn check_mail(state: State, deliveries: &[NewDelivery]) -> Result<(), StoreError> {
    let mailed = state == State::Complete || deliveries.is_empty();
    if mailed { Ok(()) } else { Err(StoreError::Unsigned(state)) }
}

/// A new UUIDv7 of a moment (RFC 9562, 5.7).
pub(super) fn fresh_id(at: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, at.timestamp_subsec_nanos()))
}
