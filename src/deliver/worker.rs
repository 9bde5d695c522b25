//! The loop that empties the outbox: claim, transmit, settle. Any number of it run at once, anywhere.
//!
//! The outbox table is the queue and the truth; nothing here remembers a letter. A letter is noted as
//! being transmitted, durably, when the server has taken sender and recipient and before it gets a byte
//! of the letter; what ends between there and the settling is in doubt and never sent again by itself.
//! At most one letter a connection is in that state.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::clock::Clock;
use super::transport::{Attempt, Outgoing, Transport};
use crate::class::Class;
use crate::store::{Lease, Outcome, Store, StoreError};
use crate::telemetry;

/// How a worker goes about it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerOptions {
    /// How often it looks for work that nobody told it of, in seconds.
    pub poll: u64,
    /// How often it takes back what lost workers have left, in seconds.
    pub sweep: u64,
    /// How long a letter stays with a worker that gives no more sign of life, in seconds.
    pub lease: u64,
    /// After which time a letter is tried again first, in seconds; then twice as long each time.
    pub first_retry: u64,
    /// The longest time between two tries, in seconds.
    pub longest_retry: u64,
    /// How often a server may put a letter off before it counts as refused.
    pub most_tries: u32,
}

impl Default for WorkerOptions {
    /// Five minutes, ten, … four hours; thirty tries take about four days, as RFC 5321, 4.5.4.1 asks.
    fn default() -> Self {
        let (first_retry, longest_retry) = (300, 4 * 3600);
        Self { poll: 5, sweep: 20, lease: 180, first_retry, longest_retry, most_tries: 30 }
    }
}

/// How often the record of what happened is tried to be written, and the first pause between.
const RECORD: (u32, Duration) = (8, Duration::from_millis(250));

/// How many letters wait in a worker for each connection.
const AHEAD: usize = 2;

/// Sends what the outbox holds until `stop` says true; then finishes what is under way.
pub async fn run(
    store: Store,
    transport: Arc<Transport>,
    options: WorkerOptions,
    name: &str,
    clock: Clock,
    mut stop: watch::Receiver<bool>,
) {
    let desk = Arc::new(Desk { store, transport, options, clock });
    let mut wakes = desk.store.wakes();
    let mut under_way = JoinSet::new();
    let mut waiting: VecDeque<Lease> = VecDeque::new();
    let mut line = Line::default();
    let mut next_sweep = Instant::now();
    let connections = desk.transport.connections();
    let poll = Duration::from_secs(desk.options.poll.max(1));
    while !*stop.borrow() {
        if next_sweep <= Instant::now() {
            next_sweep = Instant::now() + Duration::from_secs(desk.options.sweep.max(1));
            tell(desk.store.sweep(desk.clock.now()).await.map(|_| ()), "sweep");
        }
        let room = line.allowance(connections, under_way.len());
        let mut idle = false;
        // One that waited long is let go: it is ready again when its lease is over.
        let now = desk.clock.now();
        waiting.retain(|it| now + it.length / 2 < it.until);
        if waiting.len() < room {
            let lease = desk.lease();
            let most = if line.broken() { room } else { AHEAD * connections };
            match desk.store.claim(name, most, lease, desk.clock.now()).await {
                Ok(leases) => {
                    idle = leases.len() < most;
                    waiting.extend(leases);
                }
                Err(error) => {
                    idle = true;
                    tell(Err(error), "claim");
                }
            }
        }
        for lease in waiting.drain(..room.min(waiting.len())) {
            under_way.spawn(deliver(desk.clone(), lease));
        }
        let rest = line.until().unwrap_or(Instant::now() + poll).min(next_sweep);
        tokio::select! {
            Some(end) = under_way.join_next() => line.learn(end.ok().flatten().as_ref()),
            Ok(()) = wakes.changed(), if idle && !line.broken() => {}
            () = sleep_until(rest) => {}
            Ok(()) = stop.changed() => {}
        }
    }
    let now = desk.clock.now();
    for lease in waiting {
        let reply = "the worker stopped before it was sent".to_owned();
        desk.settle(&lease, Outcome::Deferred { reply, next_at: now }).await;
    }
    while under_way.join_next().await.is_some() {}
    desk.transport.close().await;
}

/// What the tasks of one worker share.
struct Desk {
    store: Store,
    transport: Arc<Transport>,
    options: WorkerOptions,
    clock: Clock,
}

/// How a try ended for the line, as far as that concerns the next letter.
#[derive(Debug)]
enum End {
    /// The server talks with us.
    Talking,
    /// It does not, and why.
    Broken { class: Class, reason: String },
}

/// Takes one letter through.
async fn deliver(desk: Arc<Desk>, lease: Lease) -> Option<End> {
    let message = match desk.store.message(&lease).await {
        Ok(message) => message,
        Err(StoreError::Erased) => {
            let reply = "the dossier was erased".to_owned();
            desk.settle(&lease, Outcome::Failed { reply }).await;
            return None;
        }
        Err(error) => {
            let reply = error.to_string();
            let next_at = desk.next(&lease);
            tell(Err(error), "message");
            desk.settle(&lease, Outcome::Deferred { reply, next_at }).await;
            return None;
        }
    };
    let letter = Outgoing { id: lease.delivery, recipient: &lease.recipient, message: &message };
    let may_leave = async {
        let noted = desk.store.transmitting(&[&lease], desk.clock.now()).await;
        let sure = matches!(noted.as_deref(), Ok([true]));
        tell(noted.map(|_| ()), "transmitting");
        sure
    };
    let begun = Instant::now();
    let part = desk.transport.part(&lease.recipient, lease.attempt).unwrap_or_default();
    let played = part.attempt.is_some();
    let attempt = match part.attempt {
        Some(Attempt::InDoubt(reply)) => {
            if may_leave.await {
                Attempt::InDoubt(reply)
            } else {
                Attempt::Withdrawn
            }
        }
        Some(attempt) => attempt,
        None => desk.holding(&lease, desk.transport.send(&letter, may_leave)).await,
    };
    let took = begun.elapsed();
    let (outcome, end) = desk.outcome(&lease, attempt)?;
    telemetry::sent(outcome.name(), took);
    desk.settle(&lease, outcome).await;
    if let Some(report) = part.report {
        let noted = desk.store.returned(lease.delivery, &report, desk.clock.now()).await;
        tell(noted.map(|_| ()), "report");
    }
    // What is played says nothing of the line.
    Some(if played { End::Talking } else { end })
}

impl Desk {
    /// What the store is told, and what the line is thought of; nothing when the letter was withdrawn:
    /// then the lease is over, or the store could not note that it leaves.
    fn outcome(&self, lease: &Lease, attempt: Attempt) -> Option<(Outcome, End)> {
        Some(match attempt {
            Attempt::Accepted(reply) => (Outcome::Accepted { reply }, End::Talking),
            // A server that takes letters and says nothing would put the whole queue in doubt.
            Attempt::InDoubt(reply) => {
                let reason = "the mail server takes letters and does not answer".to_owned();
                (Outcome::InDoubt { reply }, End::Broken { class: Class::Later, reason })
            }
            Attempt::Refused { permanent, reply } => {
                let last = permanent || lease.attempt >= self.options.most_tries;
                let outcome = match last {
                    true => Outcome::Failed { reply },
                    false => Outcome::Deferred { reply, next_at: self.next(lease) },
                };
                (outcome, End::Talking)
            }
            Attempt::Broken { class, reason } => {
                let (reply, next_at) = (reason.clone(), self.next(lease));
                (Outcome::Deferred { reply, next_at }, End::Broken { class, reason })
            }
            Attempt::Withdrawn => return None,
        })
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(self.options.lease.max(1))
    }

    /// Does something with a letter and gives signs of life meanwhile: a server may take its time, and a lease ends
    /// soon after its worker all the same.
    async fn holding<T>(&self, lease: &Lease, work: impl Future<Output = T>) -> T {
        let signs = async {
            loop {
                sleep(self.lease() / 4).await;
                tell(self.store.renew(lease, self.clock.now()).await.map(|_| ()), "renew");
            }
        };
        tokio::select! {
            done = work => done,
            never = signs => never,
        }
    }

    /// When a letter is tried again.
    fn next(&self, lease: &Lease) -> DateTime<Utc> {
        let tries = lease.attempt.saturating_sub(1).min(20);
        let seconds = self.options.first_retry.saturating_mul(1 << tries);
        let seconds = seconds.min(self.options.longest_retry).max(1);
        // A fifth more or less, different for each letter and try, so that not all come back at once.
        let seed = lease.delivery.as_u128() as u64 ^ (u64::from(lease.attempt) << 32);
        let spread = (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % 401;
        let milliseconds = seconds.saturating_mul(800 + spread);
        let wait = i64::try_from(milliseconds).unwrap_or(i64::MAX / 2);
        self.clock.now() + TimeDelta::milliseconds(wait)
    }

    /// Records what happened. A store that cannot now is asked again; if it never can, the lease runs
    /// out, and a letter that was under way is in doubt.
    async fn settle(&self, lease: &Lease, outcome: Outcome) {
        let mut pause = RECORD.1;
        for _ in 0..RECORD.0 {
            match self.store.settle(lease, &outcome, self.clock.now()).await {
                Ok(true) => return,
                Ok(false) => {
                    tracing::warn!(delivery = %lease.delivery, "the lease was over before it was settled");
                    return;
                }
                Err(error) => tell(Err(error), "settle"),
            }
            sleep(pause).await;
            pause *= 2;
        }
    }
}

/// Whether the way out works. After a failure that every letter would meet, one letter at a time tries
/// it, more and more rarely; the operator is told once when it breaks and once when it works again.
#[derive(Debug, Default)]
struct Line {
    failures: u32,
    told: bool,
    until: Option<Instant>,
}

impl Line {
    /// How many more letters may be started.
    fn allowance(&self, connections: usize, under_way: usize) -> usize {
        match self.until {
            Some(until) if until > Instant::now() => 0,
            Some(_) => usize::from(under_way == 0),
            None => connections.saturating_sub(under_way),
        }
    }

    fn broken(&self) -> bool {
        self.until.is_some()
    }

    fn until(&self) -> Option<Instant> {
        self.until.filter(|it| *it > Instant::now())
    }

    fn learn(&mut self, end: Option<&End>) {
        const LONGEST: Duration = Duration::from_secs(300);
        match end {
            Some(End::Talking) => {
                let told = std::mem::take(self).told;
                told.then(|| tracing::info!("mail leaves again"));
            }
            Some(End::Broken { class, reason }) => {
                // One failure may be one connection's; a second one in a row is the line's.
                self.failures += 1;
                if self.failures > 1 || *class == Class::Us {
                    let pause = Duration::from_secs(1 << self.failures.min(8)).min(LONGEST);
                    self.until = Some(Instant::now() + pause);
                    if !std::mem::replace(&mut self.told, true) {
                        let reason = if reason.contains('@') { "see its reply" } else { reason };
                        tracing::error!(?class, "mail does not leave, the queue waits: {reason}");
                    }
                }
            }
            None => {}
        }
    }
}

/// An error of the store, for the operator.
pub(super) fn tell(result: Result<(), StoreError>, doing: &str) {
    if let Err(error) = result {
        tracing::error!(class = ?error.class(), "the store, {doing}: {error}");
    }
}
