//! How far a long piece of work has come: a bar on a terminal, a plain line now and then elsewhere.
//!
//! Counts in; on stderr, for whoever waits: how many of how many, the rate, what time is left.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How long a reader of lines waits for the next one.
const EVERY: Duration = Duration::from_secs(10);

/// Work under way.
pub(super) struct Progress {
    what: &'static str,
    total: Option<u64>,
    done: Cell<u64>,
    began: Instant,
    said: Cell<Option<Instant>>,
    /// Only on a terminal.
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Of so many things.
    pub(super) fn of(what: &'static str, total: u64) -> Self {
        Self::new(what, Some(total), "{bar:40} {pos}/{len} {msg}, {per_sec}, {eta} left")
    }

    /// Of nobody knows how many.
    pub(super) fn open(what: &'static str) -> Self {
        Self::new(what, None, "{pos} {msg}, {per_sec}, {elapsed}")
    }

    fn new(what: &'static str, total: Option<u64>, template: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
            let style = ProgressStyle::with_template(template);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.with_message(what)
        });
        let (done, said) = (Cell::new(0), Cell::new(None));
        Self { what, total, done, began: Instant::now(), said, bar }
    }

    /// So many are done.
    pub(super) fn reach(&self, done: u64) {
        self.done.set(done);
        match &self.bar {
            Some(bar) => bar.set_position(done),
            None if self.said.get().unwrap_or(self.began).elapsed() >= EVERY => self.say(),
            None => {}
        }
    }

    /// Work that took long enough to be told of ends with what was reached.
    pub(super) fn end(&self) {
        match &self.bar {
            Some(bar) => bar.finish_and_clear(),
            None if self.said.get().is_some() => self.say(),
            None => {}
        }
    }

    fn say(&self) {
        self.said.set(Some(Instant::now()));
        eprintln!("{}", line(self.what, self.done.get(), self.total, self.began.elapsed()));
    }
}

/// `1200/10000 letters, 40/s, 3 min 40 s left`.
fn line(what: &str, done: u64, total: Option<u64>, taken: Duration) -> String {
    let rate = done as f64 / taken.as_secs_f64().max(0.001);
    let rest = total.filter(|_| done > 0).map(|total| total.saturating_sub(done) as f64 / rate);
    let of = total.map_or_else(String::new, |it| format!("/{it}"));
    let left = match rest {
        Some(seconds) => format!("{} left", span(seconds)),
        None => span(taken.as_secs_f64()),
    };
    format!("{done}{of} {what}, {rate:.1}/s, {left}")
}

fn span(seconds: f64) -> String {
    match seconds.round() as u64 {
        it @ 0..60 => format!("{it} s"),
        it @ 60..3600 => format!("{} min {} s", it / 60, it % 60),
        it => format!("{} h {} min", it / 3600, it % 3600 / 60),
    }
}
