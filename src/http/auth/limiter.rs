//! How often something may happen in a while: wrong keys from one address, requests of one caller.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// The most names that are remembered; beyond it the ones whose while is over are forgotten first.
const MOST_NAMES: usize = 20_000;

/// Counts by name, each in windows of the same length.
pub struct Limiter<K> {
    most: u32,
    window: TimeDelta,
    counts: Mutex<HashMap<K, (u32, DateTime<Utc>)>>,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// At most so many in so many seconds.
    pub fn new(most: u32, seconds: i64) -> Self {
        let window = TimeDelta::seconds(seconds);
        Self { most, window, counts: Mutex::new(HashMap::new()) }
    }

    /// Counts one more. False: it is one too many.
    pub fn count(&self, name: &K, at: DateTime<Utc>) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST_NAMES && !counts.contains_key(name) {
            counts.retain(|_, (_, until)| *until > at);
            if counts.len() >= MOST_NAMES {
                return false;
            }
        }
        let entry = counts.entry(name.clone()).or_insert((0, at + self.window));
        if entry.1 <= at {
            *entry = (0, at + self.window);
        }
        entry.0 = entry.0.saturating_add(1);
        entry.0 <= self.most
    }

    /// Whether one more would be one too many.
    pub fn is_spent(&self, name: &K, at: DateTime<Utc>) -> bool {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(name).is_some_and(|(count, until)| *until > at && *count >= self.most)
    }

    /// Forgets a name.
    pub fn forget(&self, name: &K) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// The length of a window, in seconds.
    pub fn seconds(&self) -> u32 {
        u32::try_from(self.window.num_seconds()).unwrap_or(u32::MAX)
    }
}
