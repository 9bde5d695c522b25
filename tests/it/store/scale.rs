//! Size: many waiting mails start quickly, and memory does not grow with them.

use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use paraphe::store::{BlobOptions, Entry, Outcome, Store};

use super::{later, letter};
use crate::database::{Place, on_both, runtime};
use crate::harness::{at, count};

on_both! {
    a_restart_with_many_waiting_is_quick,
}

const LEASE: Duration = Duration::from_secs(600);

async fn put(store: &Store, numbers: std::ops::Range<u32>, change: fn(Entry) -> Entry) {
    let entries = numbers.map(|it| change(letter(it))).collect();
    for answer in store.put_many(entries, at()).await {
        answer.unwrap();
    }
}

async fn a_restart_with_many_waiting_is_quick(mut place: Place) {
    let total = count(3_000, 100_000);
    place.options.blobs = BlobOptions::Memory;
    let store = place.open().await;
    let start = Instant::now();
    for first in (0..total).step_by(1000) {
        put(&store, first..first + 1000, |it| it).await;
    }
    let rate = f64::from(total) / start.elapsed().as_secs_f64();
    println!("{rate:.0} letters a second are put");
    store.close().await;
    let start = Instant::now();
    let store = place.open().await;
    store.sweep(later(1)).await.unwrap();
    let leases = store.claim("worker", 50, LEASE, later(1)).await.unwrap();
    let took = start.elapsed();
    println!("{took:?} from start to the first mails of {total}");
    assert_eq!(leases.len(), 50);
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(store.queue(later(1)).await.unwrap().counts["ready"], i64::from(total) - 50);
}

/// In a process of its own, for others' memory is not this test's.
#[test]
fn memory_is_flat() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "store::scale::deliver_many"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "is run by memory_is_flat in a process of its own"]
fn deliver_many() {
    let place = Place::sqlite();
    runtime().block_on(async {
        let store = place.open().await;
        let rounds = count(8, 200);
        let mut first = 0;
        for round in 0..rounds {
            let start = Instant::now();
            put(&store, round * 500..(round + 1) * 500, |mut it| {
                it.file = vec![7; 6_000];
                it.deliveries[0].message = vec![8; 9_000];
                it
            })
            .await;
            let put = start.elapsed();
            let sent = deliver(&store).await;
            assert_eq!(sent, 500);
            let memory = resident();
            println!("round {round}: put {put:?}, sent {:?}, {memory} kB", start.elapsed() - put);
            if round == 3 {
                first = memory;
            }
            assert!(first == 0 || memory < first + 24_000, "{first} kB became {memory} kB");
        }
    });
}

/// Sixteen connections of a worker, each mail recorded before it would leave.
async fn deliver(store: &Store) -> usize {
    let connection = async || {
        let mut sent = 0;
        loop {
            let leases = store.claim("worker", 8, LEASE, later(1)).await.unwrap();
            if leases.is_empty() {
                return sent;
            }
            for lease in leases {
                assert_eq!(store.message(&lease).await.unwrap().len(), 9_000);
                assert_eq!(store.transmitting(&[&lease], later(2)).await.unwrap(), [true]);
                let outcome = Outcome::Accepted { reply: "250 queued".to_owned() };
                assert!(store.settle(&lease, &outcome, later(3)).await.unwrap());
                sent += 1;
            }
        }
    };
    join_all((0..16).map(|_| connection())).await.iter().sum()
}

/// Kilobytes of memory that this process has.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|it| it.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
