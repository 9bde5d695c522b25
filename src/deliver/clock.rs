//! The one clock of the loops that run by themselves.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};

/// Tells the time: the system's, or a test's.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    /// The system's.
    #[expect(clippy::disallowed_methods, reason = "the clock that the loops get")]
    pub fn system() -> Self {
        Self(Arc::new(Utc::now))
    }

    /// One that tells what `now` says.
    pub fn new(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// What time it is.
    pub fn now(&self) -> DateTime<Utc> {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
