//! The whole journey: what is issued leaves, what is half-signed does not, and nothing happens twice.

use std::sync::Arc;

use mail_parser::MimeHeaders;
use paraphe::config::{Config, Mode};
use paraphe::document::Rulebook;
use paraphe::pipeline::{IssueError, Order, Pipeline, fresh_id};
use paraphe::seal::{Act, Evidence, Presented, SealedPdf, Strokes};
use paraphe::store::{
    By, DeliveryFilter, DeliveryState, Filter, IdempotencyKey, Page, Receipt, Scope, State,
    StoreError,
};
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use crate::harness::{at, good, letter};

/// A pipeline of trial mode in a folder of its own.
struct Trial {
    pipeline: Arc<Pipeline>,
    config: Config,
    scope: Scope,
    _folder: TempDir,
}

impl Trial {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { data: Some(folder.path().to_owned()), ..Config::default() };
        assert_eq!(config.mode, Mode::Trial);
        let assets = paraphe::assets::Assets::embedded();
        let rulebook = Rulebook::load(&assets).unwrap();
        let pipeline = Pipeline::open(&assets, rulebook, &config).await.unwrap();
        Self { pipeline, config, scope: Scope::all("test"), _folder: folder }
    }

    fn order(&self, data: &Value) -> Order {
        Order::new(fresh_id(at()), None, data.to_string().into_bytes(), "test").unwrap()
    }

    async fn issue(&self, data: &Value) -> Receipt {
        self.pipeline.issue(&self.scope, self.order(data), at()).await.unwrap()
    }

    async fn waiting(&self) -> Vec<DeliveryState> {
        let (all, page) = (DeliveryFilter::default(), Page { after: None, most: 100 });
        let found = self.pipeline.store.deliveries(&self.scope, &all, page);
        found.await.unwrap().into_iter().map(|it| it.state).collect()
    }

    /// Whose turn it is, as the file itself says.
    async fn turn(&self, id: Uuid) -> (Option<String>, String) {
        let file = self.pipeline.store.file(&self.scope, id, None, at()).await.unwrap();
        let file = SealedPdf::read(file).unwrap();
        (file.turn().0.first().cloned(), file.hash())
    }

    /// Signs for whose turn it is.
    async fn sign_next(&self, id: Uuid, version: u32) -> Result<Receipt, IssueError> {
        let (field, shown) = self.turn(id).await;
        let field = field.unwrap();
        let act = if field == "authority" {
            Act::Certificate { signer: self.config.test_signer("Claude EXEMPLE").unwrap(), shown }
        } else {
            Act::Strokes { strokes: stroke(), evidence: evidence(shown) }
        };
        self.pipeline.sign(&self.scope, id, version, &field, act, at()).await
    }
}

fn stroke() -> Strokes {
    let lines = vec![vec![[10.0, 10.0], [60.0, 40.0], [110.0, 12.0]]];
    Strokes { width: 200.0, height: 80.0, lines }
}

fn evidence(shown: String) -> Evidence {
    Evidence {
        agent: "agent-7".to_owned(),
        interpreter: None,
        language: "ar".to_owned(),
        presented: Presented::Read,
        device: "tablet-1".to_owned(),
        signed_at: at(),
        shown,
    }
}

#[tokio::test]
async fn the_same_order_issues_one_letter_with_one_mail() {
    let trial = Trial::open().await;
    let data = letter("ar");
    let first = trial.issue(&data).await;
    assert_eq!(first.state, State::Complete);
    assert_eq!(trial.issue(&data).await, first);
    assert_eq!(trial.waiting().await, [DeliveryState::Ready]);
}

#[tokio::test]
async fn orders_that_come_at_once_issue_one_letter() {
    let trial = Trial::open().await;
    let data = letter("en");
    let all = (0..8).map(|_| trial.issue(&data));
    let receipts = futures_util::future::join_all(all).await;
    assert!(receipts.iter().all(|it| *it == receipts[0]));
    assert_eq!(trial.waiting().await.len(), 1);
}

#[tokio::test]
async fn a_key_does_not_serve_for_other_data() {
    let trial = Trial::open().await;
    let order = |data: &Value| {
        let key = Some(IdempotencyKey::new("once"));
        Order::new(fresh_id(at()), key, data.to_string().into_bytes(), "test").unwrap()
    };
    trial.pipeline.issue(&trial.scope, order(&letter("en")), at()).await.unwrap();
    let other = trial.pipeline.issue(&trial.scope, order(&letter("ar")), at()).await;
    assert!(matches!(other, Err(IssueError::Store(StoreError::KeyReused))));
}

#[tokio::test]
async fn only_the_last_signature_releases_mail_and_convocations() {
    let trial = Trial::open().await;
    let mut data = good("cai/minor-sixteen-with-representative.json");
    data["applicant"]["email"] = "amina.specimen@example.org".into();
    let issued = trial.issue(&data).await;
    assert_eq!(issued.state, State::Presented);
    let mut receipt = issued.clone();
    for _ in 0..2 {
        assert_eq!(trial.waiting().await, [], "a half-signed contract has mail");
        receipt = trial.sign_next(issued.id, receipt.version).await.unwrap();
        assert_eq!(receipt.state, State::PartlySigned);
    }
    assert_eq!(trial.waiting().await, []);
    receipt = trial.sign_next(issued.id, receipt.version).await.unwrap();
    assert_eq!((receipt.state, receipt.version), (State::Complete, 4));
    let filter = Filter { kind: Some("convocation".to_owned()), ..Filter::default() };
    let letters = trial.pipeline.store.list(&trial.scope, &filter, Page::default()).await.unwrap();
    let steps: Vec<_> = letters.iter().filter_map(|it| it.record.as_ref()?.step.clone()).collect();
    assert!(steps.contains(&"civic_training".to_owned()), "{steps:?}");
    assert!(!steps.contains(&"medical_visit".to_owned()), "the day of the signature is convened");
    assert_eq!(trial.waiting().await.len(), 1 + letters.len());
}

/// Four half-days, then two, then three: each calendar entry says what its last letter says.
#[tokio::test]
async fn sessions_that_a_moved_letter_drops_leave_the_calendar() {
    let trial = Trial::open().await;
    let mut data = good("convocation/four-half-days-same-hours.json");
    let sessions = data["appointment"]["sessions"].as_array().unwrap().clone();
    let mut calendars = Vec::new();
    for (number, count) in [(0, 4), (1, 2), (2, 3)] {
        data["reference"] = format!("CV-{number}").into();
        data["appointment"]["sessions"] = sessions[..count].into();
        if number > 0 {
            data["notice"] = "moved".into();
            let earlier = format!("CV-{}", number - 1);
            data["replaces"] = serde_json::json!({ "reference": earlier, "date": "2026-02-12" });
        }
        let mail = trial.issue(&data).await.deliveries[0];
        let mail = trial.pipeline.store.mail(&trial.scope, mail).await.unwrap();
        let message = mail_parser::MessageParser::default().parse(&mail).unwrap();
        let part = message
            .attachments()
            .find(|it| it.attachment_name().is_some_and(|name| name.ends_with(".ics")));
        let text = part.unwrap().text_contents().unwrap().replace("\r\n ", "");
        let told = text.lines().filter(|it| it.starts_with("STATUS:"));
        calendars.push(told.map(|it| it.replace("STATUS:", "")).collect::<Vec<_>>().join(" "));
        assert!(text.contains(&format!("SEQUENCE:{number}")), "{text}");
    }
    assert_eq!(
        calendars,
        [
            "CONFIRMED CONFIRMED CONFIRMED CONFIRMED",
            "CONFIRMED CONFIRMED CANCELLED CANCELLED",
            "CONFIRMED CONFIRMED CONFIRMED CANCELLED",
        ]
    );
}

#[tokio::test]
async fn a_signature_of_a_version_gone_by_is_refused() {
    let trial = Trial::open().await;
    let issued = trial.issue(&good("cai/with-escapes.json")).await;
    trial.sign_next(issued.id, 1).await.unwrap();
    let late = trial.sign_next(issued.id, 1).await;
    let late = late.unwrap_err();
    assert!(matches!(late, IssueError::Store(StoreError::Conflict { current: 2 })));
    assert_eq!(late.class(), paraphe::class::Class::Caller);
    assert!(late.to_string().contains("is at version 2"), "{late}");
}

#[tokio::test]
async fn a_scan_of_the_signed_paper_completes_a_contract() {
    let trial = Trial::open().await;
    let issued = trial.issue(&good("cai/with-escapes.json")).await;
    let scan = b"%PDF-1.4 a scan".to_vec();
    let file = |bytes| trial.pipeline.file_scan(&trial.scope, issued.id, 1, bytes, at());
    assert!(matches!(file(b"JFIF".to_vec()).await, Err(IssueError::Seal(_))));
    let filed = file(scan.clone()).await.unwrap();
    assert_eq!((filed.state, filed.level.as_str()), (State::Complete, "ink"));
    let kept = trial.pipeline.store.file(&trial.scope, issued.id, None, at()).await.unwrap();
    assert_eq!(kept, scan);
    assert!(!trial.waiting().await.is_empty());
}

#[tokio::test]
async fn a_moved_appointment_takes_the_place_of_the_letter_before() {
    let trial = Trial::open().await;
    let mut first = good("convocation/first-language-training.json");
    first["reference"] = "CV-2026-069-003987".into();
    let first = trial.issue(&first).await;
    let moved = trial.issue(&good("convocation/moved-course.json")).await;
    let held = trial.pipeline.store.document(&trial.scope, moved.id, at()).await.unwrap();
    assert_eq!((held.replaces, held.root, held.sequence), (Some(first.id), first.id, 1));
    let before = trial.pipeline.store.document(&trial.scope, first.id, at()).await.unwrap();
    assert_eq!(before.state, State::Replaced);
    let mut states = trial.waiting().await;
    states.sort_by_key(|it| it.as_str());
    assert_eq!(states, [DeliveryState::Cancelled, DeliveryState::Ready]);
}

#[tokio::test]
async fn another_office_neither_issues_nor_sees() {
    let trial = Trial::open().await;
    let stranger = Scope::offices("stranger", ["lyon"]);
    let refused = trial.pipeline.issue(&stranger, trial.order(&letter("en")), at()).await;
    assert!(matches!(refused, Err(IssueError::Store(StoreError::NotFound(_)))));
    let issued = trial.issue(&letter("en")).await;
    let by = Some(By::Reference("CV-2026-069-004211".to_owned()));
    let filter = Filter { by, ..Filter::default() };
    let seen = trial.pipeline.store.list(&stranger, &filter, Page::default()).await.unwrap();
    assert!(seen.is_empty());
    assert!(trial.pipeline.store.file(&stranger, issued.id, None, at()).await.is_err());
}
