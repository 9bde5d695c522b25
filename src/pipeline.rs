//! The whole journey of a document: issue and sign.
//!
//! An [`Order`] comes in; a [`Receipt`] goes out when row, file and mail are kept for good. The desk, the
//! API, the command line and the mail merge all walk this way and add nothing.
//!
//! A letter is issued, sealed and put with its mail in one transaction. A contract is put without mail;
//! the signature that completes it is put together with its mail and with the convocations for the dates
//! it fixes, so a half-signed contract can never leave.

mod error;
mod open;
mod order;
mod sample;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use uuid::{NoContext, Timestamp, Uuid};

use crate::config::LinkSection;
use crate::deliver::{Dispatch, Enclosure, Mailer};
use crate::document::{Document, Kind, Rulebook};
use crate::render::{Marks, Renderer};
use crate::seal::{Act, SealError, SealedPdf, Sealer};
use crate::store::{
    By, Entry, Filter, Held, NewDelivery, Origin, Page, Receipt, Record, Scope, State, Store,
    StoreError, Version,
};
use crate::telemetry;

pub use error::IssueError;
pub use open::OpenError;
pub use order::Order;

/// What the journey needs, built once from the settings.
pub struct Pipeline {
    /// Law, places and sentences.
    pub rulebook: Rulebook,
    /// Page templates and fonts.
    pub renderer: Renderer,
    /// The office's key.
    pub sealer: Sealer,
    /// What is kept.
    pub store: Store,
    /// Mail templates.
    pub mailer: Mailer,
    /// Where readers verify a document; its reference is appended.
    pub verify_url: Option<String>,
    /// Whether each page says that it is a specimen.
    pub specimen: bool,
    /// Which mails bring a link in place of the file.
    links: Option<LinkSection>,
    program: String,
    /// Hash of all templates and fonts, and of each catalogue by tag.
    assets: String,
    catalogues: BTreeMap<String, String>,
    cores: Semaphore,
}

impl Pipeline {
    /// Issues one document: the whole journey. The same key and data give the first receipt again.
    pub async fn issue(
        self: &Arc<Self>,
        scope: &Scope,
        order: Order,
        at: DateTime<Utc>,
    ) -> Result<Receipt, IssueError> {
        if let Some(receipt) = self.store.receipt(&order.key, order.digest()).await? {
            return Ok(receipt);
        }
        let entry = self.prepare(scope, order, at).await?;
        Ok(telemetry::waited("put", self.store.put(entry, at)).await?)
    }

    /// Everything up to what is kept: check, render, seal, compose.
    pub async fn prepare(
        self: &Arc<Self>,
        scope: &Scope,
        order: Order,
        at: DateTime<Utc>,
    ) -> Result<Entry, IssueError> {
        let check = || Document::check(&order.input, &self.rulebook, at);
        let document = telemetry::step("check", check).map_err(IssueError::Data)?;
        if !scope.allows(document.office_id()) {
            return Err(StoreError::NotFound("office").into());
        }
        let earlier = self.earlier(scope, &document, at).await?;
        let journey = self.clone();
        let _core = self.cores.acquire().await.map_err(|_| IssueError::Ending)?;
        let make = move || {
            let make = || journey.make(&document, &order, earlier, at);
            journey.renderer.on_one_thread(order.haste(), make)
        };
        spawn_blocking(make).await.map_err(|_| IssueError::Ending)?
    }

    /// Adds one more signature to a contract at `version`. The one that completes it releases its mail and
    /// the convocations for the dates that it fixes, in the same transaction.
    pub async fn sign(
        self: &Arc<Self>,
        scope: &Scope,
        id: Uuid,
        version: u32,
        field: &str,
        act: Act,
        at: DateTime<Utc>,
    ) -> Result<Receipt, IssueError> {
        let (held, data) = self.held(scope, id, version, at).await?;
        let file = self.store.file(scope, id, Some(version), at).await?;
        let (journey, field, actor) = (self.clone(), field.to_owned(), scope.actor().to_owned());
        let work = move || journey.add(&held, &data, file, (&field, &act), &actor, at);
        self.append(scope, id, version, work, at).await
    }

    /// Files the scan of a contract that was signed on paper: with it the contract is complete, whoever
    /// had signed the file before. The scan is its last version; its hash and who filed it are kept.
    pub async fn file_scan(
        self: &Arc<Self>,
        scope: &Scope,
        id: Uuid,
        version: u32,
        scan: Vec<u8>,
        at: DateTime<Utc>,
    ) -> Result<Receipt, IssueError> {
        if !scan.starts_with(b"%PDF-") {
            return Err(SealError::NotPdf.into());
        }
        let (held, data) = self.held(scope, id, version, at).await?;
        if held.record.as_ref().is_some_and(|it| it.kind == Kind::Convocation.name()) {
            return Err(StoreError::Settled("a letter, which nobody signs".to_owned()).into());
        }
        let (journey, actor) = (self.clone(), scope.actor().to_owned());
        let ink = (scan, "ink".to_owned(), "signed on paper".to_owned());
        let work = move || journey.version(&held, &data, ink, true, &actor, at);
        self.append(scope, id, version, work, at).await
    }

    /// A document that is still at a version, and its data.
    async fn held(
        &self,
        scope: &Scope,
        id: Uuid,
        version: u32,
        at: DateTime<Utc>,
    ) -> Result<(Held, Vec<u8>), IssueError> {
        let held = self.store.document(scope, id, at).await?;
        if held.version != version {
            return Err(StoreError::Conflict { current: held.version }.into());
        }
        let data = self.store.data(scope, id, at).await?;
        Ok((held, data))
    }

    /// Makes one more version, and keeps it with all that it releases.
    async fn append(
        &self,
        scope: &Scope,
        id: Uuid,
        version: u32,
        work: impl FnOnce() -> Result<Signed, IssueError> + Send + 'static,
        at: DateTime<Utc>,
    ) -> Result<Receipt, IssueError> {
        let signed = spawn_blocking(work).await.map_err(|_| IssueError::Ending)??;
        let Signed { version: next, state, follow } = signed;
        let append = self.store.append(scope, id, version, next, state, follow, at);
        Ok(telemetry::waited("put", append).await?)
    }

    /// The document whose place this one takes, and where it stands in that one's chain.
    async fn earlier(
        &self,
        scope: &Scope,
        document: &Document,
        at: DateTime<Utc>,
    ) -> Result<Option<Chain>, IssueError> {
        let Some(reference) = document.supersedes(&self.rulebook) else { return Ok(None) };
        let by = Some(By::Reference(reference.to_owned()));
        let filter = Filter { by, ..Filter::default() };
        let found = self.store.list(scope, &filter, Page { after: None, most: 1 }).await?;
        let Some(found) = found.first() else { return Ok(None) };
        let last = self.store.document(scope, found.id, at).await?;
        let mut chain = Chain { replaces: Some(last.id), ..Chain::new(last.root) };
        chain.sequence = last.sequence + 1;
        let mut next = Some(last);
        while let Some(held) = next {
            let data = self.store.data(scope, held.id, at).await?;
            let letter = Document::check(&data, &self.rulebook, held.created_at);
            let agenda = letter.ok().and_then(|it| it.agenda(&self.rulebook));
            let sessions = agenda.map(|it| it.sessions).unwrap_or_default();
            chain.sessions.extend(sessions.into_iter().skip(chain.sessions.len()));
            next = match held.replaces {
                Some(id) => Some(self.store.document(scope, id, at).await?),
                None => None,
            };
        }
        Ok(Some(chain))
    }

    /// Renders, seals and composes: what takes a core.
    fn make(
        &self,
        document: &Document,
        order: &Order,
        earlier: Option<Chain>,
        at: DateTime<Utc>,
    ) -> Result<Entry, IssueError> {
        let (marks, haste) = (self.marks(document), order.haste());
        let render = || self.renderer.render(document, &self.rulebook, &marks, at, haste);
        let pdf = telemetry::step("render", render)?;
        let seal = || self.sealer.seal(&pdf, document, &self.rulebook, at);
        let sealed = telemetry::step("seal", seal)?;
        let letter = document.step().is_some();
        let state = if letter { State::Complete } else { State::Presented };
        let chain = earlier.unwrap_or_else(|| Chain::new(order.id));
        let mut deliveries = Vec::new();
        if letter {
            deliveries = self.mails(document, sealed.bytes(), &chain, order.not_before, at)?;
        }
        Ok(Entry {
            id: order.id,
            key: order.key.clone(),
            digest: *order.digest(),
            record: record(document, &self.rulebook),
            data: document.data(),
            level: sealed.level().to_string(),
            file: sealed.into_bytes(),
            state,
            replaces: chain.replaces,
            origin: self.origin(document),
            deliveries,
            expected: document.expected(&self.rulebook),
            seats: order.seats.clone(),
            merge: order.merge,
            actor: order.actor.clone(),
        })
    }

    /// One more signature, and what it releases.
    fn add(
        &self,
        held: &Held,
        data: &[u8],
        file: Vec<u8>,
        (field, act): (&str, &Act),
        actor: &str,
        at: DateTime<Utc>,
    ) -> Result<Signed, IssueError> {
        let file = SealedPdf::read(file)?;
        let signed = telemetry::step("sign", || self.sealer.sign(&file, field, act, at))?;
        let complete = signed.turn().0.is_empty();
        let level = signed.level().to_string();
        let act = format!("signed {field}");
        self.version(held, data, (signed.into_bytes(), level, act), complete, actor, at)
    }

    /// One more version of a contract. The one that completes it has mail, and the convocations for the
    /// dates that it fixes follow from it.
    fn version(
        &self,
        held: &Held,
        data: &[u8],
        (file, level, act): (Vec<u8>, String, String),
        complete: bool,
        actor: &str,
        at: DateTime<Utc>,
    ) -> Result<Signed, IssueError> {
        // As of its issue: what was sound then is not judged anew.
        let document = Document::check(data, &self.rulebook, held.created_at);
        let document = document.map_err(IssueError::Data)?;
        let (mut deliveries, mut follow) = (Vec::new(), Vec::new());
        if complete {
            let chain = Chain { sequence: held.sequence, ..Chain::new(held.root) };
            deliveries = self.mails(&document, &file, &chain, None, at)?;
            for input in document.convocations(&self.rulebook) {
                let order = Order::new(fresh_id(at), None, input, actor);
                let order = order.map_err(IssueError::Data)?;
                let letter = Document::check(&order.input, &self.rulebook, at);
                let letter = letter.map_err(IssueError::Data)?;
                follow.push(self.make(&letter, &order, None, at)?);
            }
        }
        let origin = self.origin(&document);
        let version = Version { file: Some(file), level, origin, act, deliveries };
        let state = if complete { State::Complete } else { State::PartlySigned };
        Ok(Signed { version, state, follow })
    }

    /// One mail to each address; none where the person has none: it goes by post.
    fn mails(
        &self,
        document: &Document,
        file: &[u8],
        chain: &Chain,
        not_before: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    ) -> Result<Vec<NewDelivery>, IssueError> {
        let first = chain.root.to_string();
        let kind = document.kind().name();
        let links = self.links.as_ref().filter(|it| it.kinds.iter().any(|it| it.name() == kind));
        let mail = |recipient: &str| {
            let id = fresh_id(at);
            let (sequence, earlier) = (chain.sequence, &chain.sessions);
            let dispatch =
                Dispatch { id, recipient, first: &first, sequence, earlier, test: false };
            let sent = not_before.unwrap_or(at);
            let until = links.map(|it| sent.date_naive() + Days::new(it.days().into()));
            let url = links.map(|it| it.address.clone() + &self.store.link_code(id));
            let enclosure = match (&url, until) {
                (Some(url), Some(until)) => Enclosure::Link { url, until },
                _ => Enclosure::Attached(file),
            };
            let mail = self.mailer.compose(document, &self.rulebook, enclosure, &dispatch, sent)?;
            Ok(NewDelivery {
                id,
                recipient: mail.recipient,
                message: mail.bytes,
                message_id: mail.message_id,
                not_before,
                late_after: document.late_after(&self.rulebook),
                link_until: until.map(end_of_day),
            })
        };
        document.emails().into_iter().map(mail).collect()
    }

    /// What is printed beside the content.
    pub fn marks(&self, document: &Document) -> Marks {
        let url = self.verify_url.as_ref();
        let verify_url = url.map(|it| format!("{it}{}", document.reference()));
        Marks { verify_url, specimen: self.specimen }
    }

    fn origin(&self, document: &Document) -> Origin {
        let catalogue = self.catalogues.get(document.language());
        Origin {
            program: self.program.clone(),
            assets: self.assets.clone(),
            catalogue: catalogue.cloned().unwrap_or_default(),
        }
    }
}

/// Where a document stands in the chain of those that took each other's place.
struct Chain {
    replaces: Option<Uuid>,
    root: Uuid,
    sequence: u32,
    /// Every session that the letters before it named, as the last of them to name it did.
    sessions: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Chain {
    /// The first of its chain.
    fn new(root: Uuid) -> Self {
        Self { replaces: None, root, sequence: 0, sessions: Vec::new() }
    }
}

/// A signed contract, and the letters it releases.
struct Signed {
    version: Version,
    state: State,
    follow: Vec<Entry>,
}

fn record(document: &Document, rulebook: &Rulebook) -> Record {
    Record {
        kind: document.kind().name().to_owned(),
        reference: document.reference().to_owned(),
        dossier: document.dossier().to_owned(),
        office: document.office_id().to_owned(),
        language: document.language().to_owned(),
        foreigner_number: document.foreigner_numbers().first().map(|it| (*it).to_owned()),
        step: document.step().map(|it| it.0.to_owned()),
        emails: document.emails().into_iter().map(str::to_owned).collect(),
        ends_on: Some(document.ends_on(rulebook)),
    }
}

/// How long after its beginning at Greenwich a day is over everywhere: UTC-12 is the last.
const DAY: TimeDelta = TimeDelta::hours(36);

/// When a day is over, wherever in the world its reader is.
pub fn end_of_day(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc() + DAY
}

/// The day that is over then.
pub fn day_of_end(end: DateTime<Utc>) -> NaiveDate {
    (end - DAY).date_naive()
}

/// A new UUIDv7 of a moment (RFC 9562, 5.7).
pub fn fresh_id(at: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(at.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, at.timestamp_subsec_nanos()))
}
