//! Random lives of a contract: whatever the order of signing, refusing, replacing and dying, no half-signed contract
//! has mail, and what was answered is there.

use paraphe::store::{Chain, DeliveryFilter, Entry, Page, State, Store, StoreError, Version};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use super::{all, contract, later, letter, mail, signed};
use crate::database::{Place, runtime};
use crate::harness::count;

/// Something that somebody does to one of three contracts.
#[derive(Debug, Clone)]
enum Act {
    /// One signs; the last one completes it, and mail and a letter follow.
    Sign {
        last: bool,
    },
    Refuse,
    Cancel,
    Replace,
    MailAnew,
    /// The caller goes away in the middle of signing, after a number of steps.
    SignAndVanish {
        steps: u8,
        last: bool,
    },
    /// The process ends: everything that is under way is lost, and the store is opened again.
    Die {
        steps: u8,
    },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => any::<bool>().prop_map(|last| Act::Sign { last }),
        1 => Just(Act::Refuse),
        1 => Just(Act::Cancel),
        1 => Just(Act::Replace),
        1 => Just(Act::MailAnew),
        2 => (any::<u8>(), any::<bool>())
            .prop_map(|(steps, last)| Act::SignAndVanish { steps: steps % 24, last }),
        1 => any::<u8>().prop_map(|steps| Act::Die { steps: steps % 24 }),
    ]
}

#[test]
fn no_half_signed_contract_has_mail_on_sqlite() {
    lives(count(24, 400), Place::sqlite);
}

#[test]
fn no_half_signed_contract_has_mail_on_postgres() {
    lives(count(8, 200), Place::postgres);
}

fn lives(cases: u32, place: fn() -> Place) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let acts = prop::collection::vec((0usize..3, act()), 1..14);
    TestRunner::new(config)
        .run(&acts, |acts| {
            live(place(), acts);
            Ok(())
        })
        .unwrap();
}

fn live(place: Place, acts: Vec<(usize, Act)>) {
    let mut life = runtime();
    let mut store = life.block_on(place.open());
    let mut ids: Vec<Uuid> =
        (0..3).map(|it| life.block_on(store.put(contract(it), later(0))).unwrap().id).collect();
    for (step, (which, act)) in acts.into_iter().enumerate() {
        let id = ids[which];
        let step = u32::try_from(step).unwrap();
        match act {
            Act::Die { steps } => {
                let half = sign(store, id, step, true);
                let half = life.spawn(half);
                life.block_on(some(steps));
                drop(half);
                drop(life); // every task of it ends wherever it is
                life = runtime();
                store = life.block_on(place.open());
            }
            act => life.block_on(once(&store, &mut ids[which], id, step, act)),
        }
        life.block_on(check(&store));
    }
    life.block_on(async {
        assert!(matches!(store.verify_chain().await.unwrap(), Chain::Whole { .. }));
    });
}

async fn once(store: &Store, slot: &mut Uuid, id: Uuid, step: u32, act: Act) {
    let scope = all();
    let now = store.document(&all(), id, later(0)).await.unwrap();
    let result = match act {
        Act::Sign { last } => sign(store.clone(), id, step, last).await,
        Act::SignAndVanish { steps, last } => {
            let signing = sign(store.clone(), id, step, last);
            tokio::select! { biased; it = signing => it, () = some(steps) => Ok(()) }
        }
        Act::Refuse => store.conclude(&all(), id, now.version, State::Refused, "", later(1)).await,
        Act::Cancel => {
            store.conclude(&all(), id, now.version, State::Cancelled, "", later(1)).await
        }
        Act::Replace => {
            let mut new = new_contract(step);
            new.replaces = Some(id);
            let put = store.put(new, later(1)).await;
            put.map(|it| *slot = it.id)
        }
        Act::MailAnew => {
            let version = Version { file: None, deliveries: vec![mail(step)], ..signed("") };
            let add =
                store.append(&scope, id, now.version, version, State::Complete, vec![], later(1));
            // Only what is complete already may be.
            if now.state == State::Complete { add.await.map(|_| ()) } else { Ok(()) }
        }
        Act::Die { .. } => unreachable!(),
    };
    match result {
        Ok(())
        | Err(
            StoreError::Settled(_) | StoreError::NotReplaceable(_) | StoreError::Conflict { .. },
        ) => {}
        Err(error) => panic!("{error}"),
    }
}

fn new_contract(step: u32) -> Entry {
    let mut new = contract(1000 + step);
    new.key = paraphe::store::IdempotencyKey::new(Uuid::now_v7().to_string());
    new
}

async fn sign(store: Store, id: Uuid, step: u32, last: bool) -> Result<(), StoreError> {
    let scope = all();
    let now = store.document(&all(), id, later(0)).await?;
    if !last {
        // Somebody tries to mail what is half signed.
        let early = Version { deliveries: vec![mail(step)], ..signed("more") };
        let add =
            store.append(&scope, id, now.version, early, State::PartlySigned, vec![], later(1));
        assert!(
            !matches!(add.await, Ok(it) if !it.deliveries.is_empty()),
            "half signed and mailed"
        );
        let now = store.document(&scope, id, later(0)).await?;
        let add = store.append(
            &scope,
            id,
            now.version,
            signed("more"),
            State::PartlySigned,
            vec![],
            later(1),
        );
        return add.await.map(|_| ());
    }
    let version = Version { deliveries: vec![mail(step)], ..signed("all") };
    let mut follows = letter(step);
    follows.key = paraphe::store::IdempotencyKey::new(Uuid::now_v7().to_string());
    let add =
        store.append(&scope, id, now.version, version, State::Complete, vec![follows], later(1));
    add.await.map(|_| ())
}

/// Lets other tasks take some steps.
async fn some(steps: u8) {
    for _ in 0..steps {
        tokio::time::sleep(std::time::Duration::from_micros(300)).await;
    }
}

async fn check(store: &Store) {
    // A job that its caller left, or the server has still in hand, ends before this one.
    store.pause(&all(), None, later(0)).await.unwrap();
    let page = Page { after: None, most: 1000 };
    let mails = store.deliveries(&all(), &DeliveryFilter::default(), page).await.unwrap();
    for mail in &mails {
        let held = store.document(&all(), mail.document, later(0)).await.unwrap();
        let version = &held.versions[mail.version as usize - 1];
        assert_eq!(version.state, State::Complete, "mail for a version that is {}", version.state);
        assert!(!matches!(held.state, State::Presented | State::PartlySigned), "{held:?}");
        let waits = mail.state.as_str() == "ready";
        assert!(!waits || held.state == State::Complete, "mail waits for a document that ended");
    }
    for it in store.list(&all(), &Default::default(), page).await.unwrap() {
        let held = store.document(&all(), it.id, later(0)).await.unwrap();
        assert_eq!(held.versions.len(), held.version as usize);
        let has = |version: u32| mails.iter().any(|m| m.document == it.id && m.version == version);
        for version in &held.versions {
            assert_eq!(
                has(version.version),
                version.state == State::Complete,
                "mail and version go together"
            );
            store.file(&all(), it.id, Some(version.version), later(0)).await.unwrap();
        }
    }
}
