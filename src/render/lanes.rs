//! One thread a rendering, from the first page to the last byte.
//!
//! Typst and its export hand pieces of a document to other threads. For pages as short as ours that costs a fifth more time
//! than it saves, and two renderings at once get into each other's way. On a thread of a pool of one thread they hand
//! them to themselves.

use std::sync::{Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// The threads that wait for a rendering: as many as have ever rendered at once.
#[derive(Default)]
pub(super) struct Lanes(Mutex<Vec<ThreadPool>>);

impl Lanes {
    /// Does the work on a thread of its own and waits for it; on the caller's where no thread is to be had.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let free = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = free().pop();
        let lane = lane.map_or_else(|| ThreadPoolBuilder::new().num_threads(1).build(), Ok);
        let Ok(lane) = lane else { return work() };
        let done = lane.install(work);
        free().push(lane);
        done
    }
}
