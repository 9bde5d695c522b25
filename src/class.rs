//! Whose turn it is after an error: the one table that exit codes, HTTP statuses and retries read.

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The caller's: the data or the request is at fault; the same again fails again.
    Caller,
    /// Ours: the program, a template, or a file that cannot be read or written.
    Us,
    /// Nobody's now: the same may succeed later (a server is down, a database is busy).
    Later,
}
