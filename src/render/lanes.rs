//! One thread a rendering, from the first page to the last byte; what nobody waits for at a screen takes what others leave.
//!
//! Typst and its export hand pieces of a document to other threads. Two renderings at once then wait for each other's pieces,
//! and pages as short as ours gain nothing. On a thread of a pool of one thread they hand them to themselves. What else takes a
//! core for a document is done there too: memory that many threads take in turn stays with each of them.

use std::sync::{Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// How much nicer than others the threads of a merge are (`nice(1)`): enough that the desk hardly notices them.
const NICE: i32 = 10;

/// Who waits for a rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Haste {
    /// A person, at a desk or a command line.
    Desk,
    /// Nobody in particular: it is one of many letters.
    Merge,
}

/// The threads that wait for a rendering: as many as have ever rendered at once.
#[derive(Default)]
pub(super) struct Lanes {
    desk: Mutex<Vec<ThreadPool>>,
    merge: Mutex<Vec<ThreadPool>>,
}

impl Lanes {
    /// Does the work on a thread of its own and waits for it; on the caller's where that is one already, or where no thread
    /// is to be had.
    pub(super) fn run<T: Send>(&self, haste: Haste, work: impl FnOnce() -> T + Send) -> T {
        if rayon::current_thread_index().is_some() {
            return work();
        }
        let lanes = match haste {
            Haste::Desk => &self.desk,
            Haste::Merge => &self.merge,
        };
        let free = || lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = free().pop();
        let Ok(lane) = lane.map_or_else(|| open(haste), Ok) else { return work() };
        let done = lane.install(work);
        free().push(lane);
        done
    }
}

fn open(haste: Haste) -> Result<ThreadPool, rayon::ThreadPoolBuildError> {
    let lane = ThreadPoolBuilder::new().num_threads(1);
    match haste {
        Haste::Desk => lane.build(),
        Haste::Merge => lane
            .start_handler(|_| {
                // On Linux a thread has a niceness of its own; where the system forbids to change it, it stays as it is.
                let _ = rustix::process::setpriority_process(None, NICE);
            })
            .build(),
    }
}
