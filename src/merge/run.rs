//! The run: rows that passed the preflight become letters, whatever is killed or given in again.
//!
//! Sound rows are spooled, then loaded into the store as one merge, then claimed in chunks by any
//! number of workers, rows of one template and language one after the other. A row's letter has an id
//! made of merge and row and a key made of its data, so a row that is done twice, here or in another
//! list, makes one letter. A worker renders, seals and keeps each chunk by itself; as many chunks as
//! there are cores, and one more, are under way, so that writing and rendering overlap.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::MergeError;
use super::preflight::{Acceptance, Checked, Group, Preflight};
use crate::assets::hex;
use crate::class::Class;
use crate::deliver::Clock;
use crate::pipeline::{IssueError, Order, Pipeline, fresh_id};
use crate::store::{
    Entry, IdempotencyKey, Merge, NewMerge, NewRow, Receipt, RowLease, RowOutcome, Scope, Store,
    StoreError,
};
use crate::telemetry;

/// Rows of one chunk: enough to share transactions and layouts, few enough to be done again.
const CHUNK: u32 = 32;

/// How long a worker may take over a chunk before another one takes it up. A chunk that takes longer is
/// done twice and makes each letter once.
const LEASE: Duration = Duration::from_secs(60);

/// How often a worker that has nothing left to do looks whether others have finished.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a merge is told beside its rows, kept with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Submission {
    /// The name of the file.
    pub file: String,
    /// Rows of the file.
    pub rows: u64,
    /// Rows at fault that were passed over, by line.
    pub skipped: Vec<u64>,
    /// Rows whose letters go by post, by line.
    pub post: Vec<u32>,
    /// Rules of practice set aside for the list.
    pub accepted: Vec<Acceptance>,
    /// Before this no mail leaves.
    pub not_before: Option<DateTime<Utc>>,
}

/// Sound rows on their way from the preflight to the store, in a file that nobody else sees.
pub struct Spool {
    file: BufWriter<File>,
    digest: Sha256,
    rows: u32,
    office: Option<String>,
    post: Vec<u32>,
    /// The number of each group, in the order in which they came.
    groups: BTreeMap<Group, u32>,
}

impl Spool {
    /// An empty one.
    pub fn new() -> Result<Self, MergeError> {
        let file = BufWriter::new(tempfile::tempfile()?);
        Ok(Self {
            file,
            digest: Sha256::new(),
            rows: 0,
            office: None,
            post: Vec::new(),
            groups: BTreeMap::new(),
        })
    }

    /// Adds a row.
    pub fn add(&mut self, checked: &Checked) -> Result<(), MergeError> {
        let number = u32::try_from(checked.row).unwrap_or(u32::MAX);
        let length = u32::try_from(checked.input.len()).unwrap_or(u32::MAX);
        let next = self.groups.len() as u32;
        let batch = *self.groups.entry(Group::of(&checked.input)).or_insert(next);
        for head in [number, batch, length] {
            self.file.write_all(&head.to_le_bytes())?;
        }
        self.file.write_all(&checked.input)?;
        self.digest.update(number.to_le_bytes());
        self.digest.update(checked.document.digest());
        self.rows += 1;
        self.office.get_or_insert_with(|| checked.document.office_id().to_owned());
        if checked.document.emails().is_empty() {
            self.post.push(number);
        }
        Ok(())
    }

    fn chunks(self) -> Result<impl Iterator<Item = std::io::Result<Vec<NewRow>>>, MergeError> {
        const ROWS: u32 = 500;
        let mut file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.rewind()?;
        let (mut file, mut left) = (BufReader::new(file), self.rows);
        Ok(std::iter::from_fn(move || {
            let count = left.min(ROWS);
            left -= count;
            (count > 0).then(|| (0..count).map(|_| read_row(&mut file)).collect())
        }))
    }
}

fn read_row(file: &mut impl Read) -> std::io::Result<NewRow> {
    let mut head = || {
        let mut number = [0; 4];
        file.read_exact(&mut number)?;
        Ok::<_, std::io::Error>(u32::from_le_bytes(number))
    };
    let (number, batch, length) = (head()?, head()?, head()?);
    let mut data = vec![0; length as usize];
    file.read_exact(&mut data)?;
    Ok(NewRow { number, batch, data })
}

/// What a list is submitted with.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The name of its file.
    pub file: &'a str,
    /// What its preflight found.
    pub preflight: &'a Preflight,
    /// Rules of practice set aside for it.
    pub accepted: &'a [Acceptance],
    /// Before this no mail leaves.
    pub not_before: Option<DateTime<Utc>>,
}

/// Loads spooled rows as a merge and lets workers at it. The same rows are the same merge: given in
/// again, it goes on where it stands.
pub async fn submit(
    store: &Store,
    scope: &Scope,
    spool: Spool,
    terms: Terms<'_>,
    at: DateTime<Utc>,
) -> Result<Uuid, MergeError> {
    let digest: [u8; 32] = spool.digest.clone().finalize().into();
    let submission = Submission {
        file: terms.file.to_owned(),
        rows: terms.preflight.reading.rows,
        skipped: terms.preflight.faulty.iter().copied().collect(),
        post: spool.post.clone(),
        accepted: terms.accepted.to_vec(),
        not_before: terms.not_before,
    };
    let merge = NewMerge {
        id: fresh_id(at),
        key: IdempotencyKey::new(format!("merge {}", hex(&digest))),
        digest,
        office: spool.office.clone().ok_or(StoreError::NotFound("row"))?,
        options: serde_json::to_vec(&submission).unwrap_or_default(),
        total: spool.rows,
    };
    let (id, loading) = store.begin_merge(scope, merge, at).await?;
    if loading {
        for rows in spool.chunks()? {
            store.load_rows(id, rows?).await?;
        }
        store.start_merge(id, at).await?;
    }
    Ok(id)
}

/// Works at one merge, or at all of them, until no row is left or `stop` says true. Answers how many
/// rows were done here. Of one merge it waits for the rows that others have, and takes up those that a
/// lost worker has left. What fails for a reason that is not the row's stops the work; the rows wait.
pub async fn work(
    journey: &Arc<Pipeline>,
    merge: Option<Uuid>,
    worker: &str,
    clock: &Clock,
    stop: &watch::Receiver<bool>,
) -> Result<u64, MergeError> {
    let mut done = 0;
    loop {
        done += work_once(journey, merge, worker, clock, stop).await?;
        let Some(id) = merge else { return Ok(done) };
        let scope = Scope::all("merge");
        let running = journey.store.merge(&scope, id).await?.state == "running";
        if !running || *stop.borrow() {
            return Ok(done);
        }
        let mut told = stop.clone();
        let _ = tokio::time::timeout(LOOK_EVERY, told.wait_for(|it| *it)).await;
        journey.store.sweep(clock.now()).await?;
    }
}

/// On all cores, until no row waits.
async fn work_once(
    journey: &Arc<Pipeline>,
    merge: Option<Uuid>,
    worker: &str,
    clock: &Clock,
    stop: &watch::Receiver<bool>,
) -> Result<u64, MergeError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut lanes = JoinSet::new();
    for lane in 0..=cores {
        let name = format!("{worker}/{lane}");
        lanes.spawn(work_lane(journey.clone(), merge, name, clock.clone(), stop.clone()));
    }
    let mut done = 0;
    let mut fault = None;
    while let Some(lane) = lanes.join_next().await {
        match lane {
            Ok(Ok(rows)) => done += rows,
            // The first one is the cause; the others may be what follows from it.
            Ok(Err(error)) => fault = fault.or(Some(error)),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
    fault.map_or(Ok(done), Err)
}

/// One chunk after the other.
async fn work_lane(
    journey: Arc<Pipeline>,
    merge: Option<Uuid>,
    worker: String,
    clock: Clock,
    stop: watch::Receiver<bool>,
) -> Result<u64, MergeError> {
    let mut done = 0;
    let mut known: Option<Known> = None;
    while !*stop.borrow() {
        let store = &journey.store;
        let rows = store.claim_rows(&worker, merge, CHUNK, LEASE, clock.now()).await?;
        let Some(first) = rows.first() else { break };
        if known.as_ref().is_none_or(|it| it.merge.id != first.merge) {
            known = Some(Known::read(store, first.merge).await?);
        }
        let Some(it) = &known else { break };
        done += work_chunk(&journey, it, rows, clock.now()).await?;
    }
    Ok(done)
}

/// A merge, with what it was told.
struct Known {
    merge: Merge,
    submission: Submission,
    scope: Scope,
}

impl Known {
    async fn read(store: &Store, merge: Uuid) -> Result<Self, MergeError> {
        // Whoever began it was allowed to; the worker acts for them.
        let merge = store.merge(&Scope::all("merge"), merge).await?;
        let submission = submission(&merge)?;
        let scope = Scope::all(merge.actor.clone());
        Ok(Self { merge, submission, scope })
    }
}

/// What a merge was told.
pub fn submission(merge: &Merge) -> Result<Submission, MergeError> {
    let options = merge.options.as_deref().unwrap_or_default();
    serde_json::from_slice(options)
        .map_err(|_| StoreError::Damaged("the options of a merge".to_owned()).into())
}

/// What a row has come to before it is kept.
enum Made {
    Entry(Box<Entry>),
    There(Receipt),
}

/// Renders, seals and keeps the rows of a chunk.
async fn work_chunk(
    journey: &Arc<Pipeline>,
    known: &Known,
    rows: Vec<RowLease>,
    at: DateTime<Utc>,
) -> Result<u64, MergeError> {
    let mut outcomes: Vec<Option<Result<Uuid, IssueError>>> = Vec::new();
    let mut entries = Vec::new();
    for row in &rows {
        let result = make(journey, known, row, at).await;
        outcomes.push(match result {
            Ok(Made::There(receipt)) => Some(Ok(receipt.id)),
            Ok(Made::Entry(entry)) => {
                entries.push(*entry);
                None
            }
            Err(error) => Some(Err(error)),
        });
    }
    let put = async { Ok::<_, MergeError>(journey.store.put_many(entries, at).await) };
    let mut receipts = telemetry::waited("put", put).await?.into_iter();
    let mut fault = None;
    let mut done = 0;
    let mut finished = Vec::new();
    for (row, outcome) in rows.into_iter().zip(outcomes) {
        let kept = || receipts.next().map(|it| it.map(|it| it.id).map_err(IssueError::from));
        let outcome = match outcome.or_else(kept) {
            Some(Ok(document)) => RowOutcome::Done(document),
            Some(Err(error)) if error.class() == Class::Caller => {
                RowOutcome::Faulty(said(&error, journey))
            }
            Some(Err(error)) => {
                fault = Some(error);
                RowOutcome::Later
            }
            None => RowOutcome::Later,
        };
        done += u64::from(!matches!(outcome, RowOutcome::Later));
        finished.push((row, outcome));
    }
    journey.store.finish_rows(&finished).await?;
    fault.map_or(Ok(done), |error| Err(error.into()))
}

async fn make(
    journey: &Arc<Pipeline>,
    known: &Known,
    row: &RowLease,
    at: DateTime<Utc>,
) -> Result<Made, IssueError> {
    let id = letter_id(&known.merge, row.number);
    let mut order =
        Order::new(id, None, row.data.clone(), &known.merge.actor).map_err(IssueError::Data)?;
    order.merge = Some(known.merge.id);
    order.not_before = known.submission.not_before;
    if let Some(receipt) = journey.store.receipt(&order.key, order.digest()).await? {
        return Ok(Made::There(receipt));
    }
    let entry = journey.prepare(&known.scope, order, at).await?;
    Ok(Made::Entry(Box::new(entry)))
}

/// The id of a row's letter, the same each time (UUIDv7 of the merge's moment; RFC 9562, 5.7). A row
/// whose document has another id was issued before.
pub(super) fn letter_id(merge: &Merge, number: u32) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(merge.id.as_bytes());
    hash.update(number.to_le_bytes());
    let hash: [u8; 32] = hash.finalize().into();
    let mut random = [0; 10];
    random.copy_from_slice(&hash[..10]);
    let millis = u64::try_from(merge.created_at.timestamp_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Why a row made no letter, in French.
fn said(error: &IssueError, journey: &Pipeline) -> String {
    let IssueError::Data(problems) = error else { return error.to_string() };
    let explanations = &journey.rulebook.explanations;
    let said = problems.iter().filter(|it| it.severity.refuses()).map(|it| {
        let words = explanations.explain(it, crate::document::FRENCH);
        format!("{} : {} [{}]", it.pointer, words.message, it.code)
    });
    said.collect::<Vec<_>>().join(" | ")
}
