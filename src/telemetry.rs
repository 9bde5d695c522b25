//! Tracing and metrics, without personal data.
//!
//! Spans and events carry ids, codes and counts. Names, addresses and mailboxes are never a field of
//! either; a test runs the product and looks for them in what it logged.

use std::io::IsTerminal;

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
