//! Tracing and metrics, without personal data.
//!
//! Spans and events carry ids, codes and counts. Names, addresses and mailboxes are never a field of
//! either; a test runs the product and looks for them in what it logged.

use std::io::IsTerminal;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tracing_subscriber::EnvFilter;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Log {
    /// Lines for people.
    Lines,
    /// One JSON object a line, for programs.
    Json,
}

/// Starts the log on standard error. `filter` is a level or directives such as `paraphe=debug`.
pub fn start(log: Log, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second start, as in tests, keeps the first.
    let _ = match log {
        Log::Lines => lines.try_init(),
        Log::Json => lines.json().try_init(),
    };
}

/// A step of the journey: `check`, `render`, `seal`, `sign`, `put` or `send`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Step {
    step: &'static str,
}

/// How a try to send a mail ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct End {
    end: &'static str,
}

/// What this process has done so far.
struct Done {
    seconds: Family<Step, Histogram>,
    failures: Family<Step, Counter>,
    sent: Family<End, Counter>,
}

static DONE: LazyLock<Done> = LazyLock::new(|| Done {
    seconds: Family::new_with_constructor(|| {
        Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0])
    }),
    failures: Family::default(),
    sent: Family::default(),
});

/// Carries out a step; how long it took, and whether it failed, is counted.
pub fn step<T, E>(step: &'static str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let begun = Instant::now();
    let result = work();
    took(step, begun.elapsed(), result.is_ok());
    result
}

/// The same for a step that waits.
pub async fn waited<T, E>(
    step: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let begun = Instant::now();
    let result = work.await;
    took(step, begun.elapsed(), result.is_ok());
    result
}

/// Counts a try to send a mail, by how it ended.
pub fn sent(end: &'static str, took_it: Duration) {
    took("send", took_it, end == "accepted");
    DONE.sent.get_or_create(&End { end }).inc();
}

/// Has what is counted here told with all else.
pub fn register(registry: &mut Registry) {
    let help = "Time that a step of the journey took";
    registry.register_with_unit("step", help, Unit::Seconds, DONE.seconds.clone());
    registry.register("step_failures", "Steps that failed", DONE.failures.clone());
    registry.register("mail_tries", "Tries to send a mail, by their end", DONE.sent.clone());
}

fn took(step: &'static str, time: Duration, well: bool) {
    DONE.seconds.get_or_create(&Step { step }).observe(time.as_secs_f64());
    let failures = DONE.failures.get_or_create(&Step { step });
    if !well {
        failures.inc();
    }
}
