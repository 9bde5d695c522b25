//! Reading: every read takes a [`Scope`], the offices allowed, and is written to the audit trail where asked.
//!
//! What lies outside the scope is not there: nobody learns that it exists.

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::keyring::hex;
use super::prepare::{SealedRecord, place};
use super::sql::{Row, Value, places, values};
use super::{Origin, Record, Scope, State, Store, StoreError};

/// A document and all its versions.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Held {
    /// The document.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub id: Uuid,
    /// Its last version.
    pub version: u32,
    /// Its state.
    pub state: State,
    /// What it is found by; none once erased.
    pub record: Option<Record>,
    /// SHA-256 of its input, in hexadecimal digits; none once erased.
    pub digest: Option<String>,
    /// The document it stands in the place of.
    #[schemars(with = "Option<String>", extend("format" = "uuid"))]
    pub replaces: Option<Uuid>,
    /// The document that stands in its place.
    #[schemars(with = "Option<String>", extend("format" = "uuid"))]
    pub replaced_by: Option<Uuid>,
    /// The first of the chain of replacements: itself, if it replaces none. A calendar's UID comes from it.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub root: Uuid,
    /// How many stand before it in that chain: the calendar's SEQUENCE.
    pub sequence: u32,
    /// When it was issued.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: DateTime<Utc>,
    /// When its state last changed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub changed_at: DateTime<Utc>,
    /// Its versions, the first one first.
    pub versions: Vec<Stand>,
}

/// A version of a document.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Stand {
    /// Its number, from 1.
    pub version: u32,
    /// The state it brought.
    pub state: State,
    /// The level of its seal.
    pub level: String,
    /// SHA-256 of the PDF, in hexadecimal digits.
    pub sha256: String,
    /// Length of the PDF in bytes.
    pub size: u32,
    /// With what it was made.
    pub origin: Origin,
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: DateTime<Utc>,
}

/// A document in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Summary {
    /// The document.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub id: Uuid,
    /// Its last version.
    pub version: u32,
    /// Its state.
    pub state: State,
    /// What it is found by; none once erased.
    pub record: Option<Record>,
    /// When it was issued.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: DateTime<Utc>,
}

/// What a document is found by: the exact value, but for case and spaces.
#[derive(Debug, Clone)]
pub enum By {
    /// The issuer's number of the document.
    Reference(String),
    /// The dossier's number.
    Dossier(String),
    /// The person's number.
    ForeignerNumber(String),
    /// An address it can be mailed to.
    Email(String),
    /// Any of these.
    Any(String),
}

/// Which documents a list holds. Nothing asked: all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// `cai`, `caif` or `convocation`.
    pub kind: Option<String>,
    /// The step of a letter.
    pub step: Option<String>,
    /// The state.
    pub state: Option<State>,
    /// What it is found by.
    pub by: Option<By>,
    /// Matters on this day still: its last session, or its end, is then or later.
    pub ends_from: Option<NaiveDate>,
    /// Issued at this moment or later.
    pub since: Option<DateTime<Utc>>,
    /// Issued before this moment.
    pub before: Option<DateTime<Utc>>,
}

/// A piece of a list, the newest first.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// The last id of the piece before.
    pub after: Option<Uuid>,
    /// How many.
    pub most: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self { after: None, most: 50 }
    }
}

impl Store {
    /// A document.
    pub async fn document(
        &self,
        scope: &Scope,
        id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<Held, StoreError> {
        let sql = "SELECT k.id, k.operator, k.wrapped, d.office, d.version, d.state, d.record, \
                   d.replaces, (SELECT id FROM documents o WHERE o.replaces = d.id), d.root, \
                   d.sequence, d.created_at, d.changed_at \
                   FROM documents d LEFT JOIN keys k ON k.id = d.key WHERE d.id = $1";
        let row = self.database.row(sql, values![id]).await?;
        let row = row.ok_or(StoreError::NotFound("document"))?;
        scope.check(&row.get::<String>(3)?, "document")?;
        let sealed = self.record(&row, id, 6)?;
        let (record, digest) = sealed.map(|it| (it.record, it.digest)).unzip();
        let sql = "SELECT version, state, level, digest, size, program, assets, catalogue, created_at \
                   FROM versions WHERE document = $1 ORDER BY version";
        let versions = self.database.rows(sql, values![id]).await?;
        let versions = versions.iter().map(stand).collect::<Result<_, _>>()?;
        self.note_read(scope, "read", id, String::new(), at).await?;
        Ok(Held {
            id,
            version: row.get(4)?,
            state: row.get::<String>(5)?.parse()?,
            record,
            digest,
            replaces: row.get(7)?,
            replaced_by: row.get(8)?,
            root: row.get(9)?,
            sequence: row.get(10)?,
            created_at: row.get(11)?,
            changed_at: row.get(12)?,
            versions,
        })
    }

    /// The PDF of a version; of the last one, if none is named.
    pub async fn file(
        &self,
        scope: &Scope,
        id: Uuid,
        version: Option<u32>,
        at: DateTime<Utc>,
    ) -> Result<Vec<u8>, StoreError> {
        // A file may belong to several versions: it is sealed for the first one that has it.
        let sql = "SELECT k.id, k.operator, k.wrapped, d.office, v.blob, v.version, \
                   (SELECT MIN(version) FROM versions f WHERE f.document = v.document AND f.blob = v.blob) \
                   FROM documents d JOIN versions v ON v.document = d.id \
                   LEFT JOIN keys k ON k.id = d.key \
                   WHERE d.id = $1 AND v.version = COALESCE($2, d.version)";
        let row = self.database.row(sql, values![id, version]).await?;
        let row = row.ok_or(StoreError::NotFound("version"))?;
        scope.check(&row.get::<String>(3)?, "version")?;
        let key = self.key(&row, 0)?;
        let blob = row.get::<Option<String>>(4)?.ok_or(StoreError::Erased)?;
        let version: u32 = row.get(5)?;
        let sealed = self.blobs.get(&blob).await?;
        let file = key.open(&place::file(id, row.get(6)?), sealed)?;
        self.note_read(scope, "read_file", id, version.to_string(), at).await?;
        Ok(file)
    }

    /// The document and the version that a file is, by its SHA-256; erased ones too.
    pub async fn version_of(&self, digest: &[u8; 32]) -> Result<Option<(Uuid, u32)>, StoreError> {
        // Versions that share a file differ in what came beside it: the last one says what it has come to.
        let sql = "SELECT document, version FROM versions WHERE digest = $1 \
                   ORDER BY document DESC, version DESC LIMIT 1";
        let row = self.database.row(sql, values![*digest]).await?;
        row.map(|it| Ok((it.get(0)?, it.get(1)?))).transpose()
    }

    /// The canonical input of a document.
    pub async fn data(
        &self,
        scope: &Scope,
        id: Uuid,
        at: DateTime<Utc>,
    ) -> Result<Vec<u8>, StoreError> {
        let sql = "SELECT k.id, k.operator, k.wrapped, d.office, d.data FROM documents d \
                   LEFT JOIN keys k ON k.id = d.key WHERE d.id = $1";
        let row = self.database.row(sql, values![id]).await?;
        let row = row.ok_or(StoreError::NotFound("document"))?;
        scope.check(&row.get::<String>(3)?, "document")?;
        let data = self.key(&row, 0)?.open(&place::data(id), row.get(4)?)?;
        self.note_read(scope, "read_data", id, String::new(), at).await?;
        Ok(data)
    }

    /// Documents, the newest first.
    pub async fn list(
        &self,
        scope: &Scope,
        filter: &Filter,
        page: Page,
    ) -> Result<Vec<Summary>, StoreError> {
        let mut values = Vec::new();
        let mut conditions = vec![scope.condition(&mut values)];
        let equal = [
            ("kind", filter.kind.as_deref()),
            ("step", filter.step.as_deref()),
            ("state", filter.state.map(State::as_str)),
        ];
        for (column, value) in equal {
            if let Some(value) = value {
                values.push(value.into());
                conditions.push(format!("{column} = ${}", values.len()));
            }
        }
        if let Some(day) = filter.ends_from {
            values.push(day.to_string().into());
            conditions.push(format!("d.ends_on >= ${}", values.len()));
        }
        if let Some(by) = &filter.by {
            let hashes = self.hashes(by);
            let places = places(values.len() + 1, hashes.len());
            values.extend(hashes.into_iter().map(Value::from));
            let found = format!("SELECT document FROM lookups WHERE hash IN ({places})");
            conditions.push(format!("d.id IN ({found})"));
        }
        let bounds = [
            ("d.created_at >=", filter.since.map(Value::from)),
            ("d.created_at <", filter.before.map(Value::from)),
            ("d.id <", page.after.map(Value::from)),
        ];
        for (comparison, value) in bounds {
            if let Some(value) = value {
                values.push(value);
                conditions.push(format!("{comparison} ${}", values.len()));
            }
        }
        values.push(page.most.into());
        let sql = format!(
            "SELECT k.id, k.operator, k.wrapped, d.id, d.version, d.state, d.record, d.created_at \
             FROM documents d LEFT JOIN keys k ON k.id = d.key \
             WHERE {} ORDER BY d.id DESC LIMIT ${}",
            conditions.join(" AND "),
            values.len()
        );
        let rows = self.database.rows(AssertSqlSafe(sql), values).await?;
        rows.iter().map(|row| self.summary(row)).collect()
    }

    /// The same, with what a search for a person finds written to the audit trail, if the scope says so.
    pub async fn list_noted(
        &self,
        scope: &Scope,
        filter: &Filter,
        page: Page,
        at: DateTime<Utc>,
    ) -> Result<Vec<Summary>, StoreError> {
        let found = self.list(scope, filter, page).await?;
        if filter.by.is_some() {
            self.note_listed(scope, found.iter().map(|it| it.id).collect(), at).await?;
        }
        Ok(found)
    }

    /// Writes to the audit trail that documents were listed, if the scope says so.
    pub(super) async fn note_listed(
        &self,
        scope: &Scope,
        ids: Vec<Uuid>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if !scope.noted || ids.is_empty() {
            return Ok(());
        }
        let actor = scope.actor.clone();
        self.write(move |it| {
            ids.iter().for_each(|id| it.note(at, &actor, "listed", *id, String::new()));
            Box::pin(std::future::ready(Ok(())))
        })
        .await
    }

    pub(super) fn summary(&self, row: &Row) -> Result<Summary, StoreError> {
        let id = row.get(3)?;
        Ok(Summary {
            id,
            version: row.get(4)?,
            state: row.get::<String>(5)?.parse()?,
            record: self.record(row, id, 6)?.map(|it| it.record),
            created_at: row.get(7)?,
        })
    }

    /// The sealed record of a row that begins with its key; none once erased.
    fn record(
        &self,
        row: &Row,
        id: Uuid,
        place: usize,
    ) -> Result<Option<SealedRecord>, StoreError> {
        let Some(sealed) = row.get::<Option<Vec<u8>>>(place)? else { return Ok(None) };
        let plain = self.key(row, 0)?.open(&place::record(id), sealed)?;
        let record = serde_json::from_slice(&plain);
        record.map(Some).map_err(|error| StoreError::Damaged(format!("record {id}: {error}")))
    }

    fn hashes(&self, by: &By) -> Vec<[u8; 32]> {
        let one = |name, value: &str| vec![self.hasher.lookup(name, value)];
        match by {
            By::Reference(it) => one("reference", it),
            By::Dossier(it) => one("dossier", it),
            By::ForeignerNumber(it) => one("foreigner_number", it),
            By::Email(it) => one("email", it),
            By::Any(it) => ["reference", "dossier", "foreigner_number", "email"]
                .map(|name| self.hasher.lookup(name, it))
                .to_vec(),
        }
    }

    /// Writes into the audit trail what happened to a document and changed nothing in it.
    pub async fn note(
        &self,
        scope: &Scope,
        id: Uuid,
        action: &'static str,
        detail: &str,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (actor, detail) = (scope.actor.clone(), detail.to_owned());
        self.write(move |it| {
            it.note(at, &actor, action, id, detail);
            Box::pin(std::future::ready(Ok(())))
        })
        .await
    }

    async fn note_read(
        &self,
        scope: &Scope,
        action: &'static str,
        id: Uuid,
        detail: String,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if !scope.noted {
            return Ok(());
        }
        let actor = scope.actor.clone();
        self.write(move |it| {
            it.note(at, &actor, action, id, detail);
            Box::pin(std::future::ready(Ok(())))
        })
        .await
    }
}

fn stand(row: &Row) -> Result<Stand, StoreError> {
    Ok(Stand {
        version: row.get(0)?,
        state: row.get::<String>(1)?.parse()?,
        level: row.get(2)?,
        sha256: hex(&row.get::<[u8; 32]>(3)?),
        size: row.get(4)?,
        origin: Origin { program: row.get(5)?, assets: row.get(6)?, catalogue: row.get(7)? },
        at: row.get(8)?,
    })
}
