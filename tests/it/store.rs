//! The store, on SQLite and on PostgreSQL: the same tests.

mod backups;
mod documents;
mod drafts;
mod faults;
mod lists;
mod lives;
mod merges;
mod outbox;
mod s3;
mod scale;
mod seats;
mod secrecy;

use chrono::{DateTime, TimeDelta, Utc};
use paraphe::store::{Entry, IdempotencyKey, NewDelivery, Origin, Record, Scope, State, Version};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::harness::at;

/// A moment some seconds after the fixtures'.
fn later(seconds: i64) -> DateTime<Utc> {
    at() + TimeDelta::seconds(seconds)
}

pub(crate) fn all() -> Scope {
    Scope::all("tester")
}

fn record(number: u32) -> Record {
    Record {
        kind: "convocation".to_owned(),
        reference: format!("REF-{number}"),
        dossier: format!("DOSSIER-{number}"),
        office: "paris".to_owned(),
        language: "ar".to_owned(),
        foreigner_number: Some(format!("99{number:08}")),
        step: Some("medical_visit".to_owned()),
        emails: vec![format!("specimen{number}@example.org")],
        ends_on: Some("2026-04-10".parse().unwrap()),
    }
}

fn origin() -> Origin {
    let [program, assets, catalogue] = ["0.1.0", "assets", "catalogue"].map(str::to_owned);
    Origin { program, assets, catalogue }
}

fn mail(number: u32) -> NewDelivery {
    let id = Uuid::now_v7();
    NewDelivery {
        id,
        recipient: format!("specimen{number}@example.org"),
        message: format!("To: specimen{number}@example.org\r\n\r\nBonjour SPECIMEN {number}\r\n")
            .into(),
        message_id: format!("<{id}@example.org>"),
        not_before: None,
        late_after: None,
        link_until: None,
    }
}

/// A letter that goes out at once.
pub(crate) fn letter(number: u32) -> Entry {
    let data = format!("{{\"name\":\"SPECIMEN {number}\"}}");
    Entry {
        id: Uuid::now_v7(),
        key: IdempotencyKey::new(format!("letter {number}")),
        digest: Sha256::digest(&data).into(),
        record: record(number),
        file: format!("%PDF-1.7 SPECIMEN {number}").into(),
        data: data.into(),
        level: "B-B".to_owned(),
        state: State::Complete,
        replaces: None,
        origin: origin(),
        deliveries: vec![mail(number)],
        expected: Vec::new(),
        seats: Vec::new(),
        merge: None,
        actor: "tester".to_owned(),
    }
}

/// A contract that nobody has signed.
fn contract(number: u32) -> Entry {
    let mut entry = letter(number);
    entry.key = IdempotencyKey::new(format!("contract {number}"));
    entry.record.kind = "cai".to_owned();
    entry.record.step = None;
    entry.state = State::Presented;
    entry.deliveries = Vec::new();
    entry
}

fn signed(file: &str) -> Version {
    Version {
        file: Some(file.into()),
        level: "B-B".to_owned(),
        origin: origin(),
        act: "signed applicant".to_owned(),
        deliveries: Vec::new(),
    }
}
