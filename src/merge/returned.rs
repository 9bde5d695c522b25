//! Envelopes that came back: the code on a sheet, typed or scanned, marks the address.
//!
//! A code or a reference in; the letter it stood on, and its address marked for the next preflight, out.

use chrono::{DateTime, Utc};

use super::MergeError;
use super::known::post_address;
use super::outcome::as_issued;
use super::print::reference_of;
use crate::pipeline::Pipeline;
use crate::store::{By, Filter, Page, Scope, StoreError};

/// What came of a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returned {
    /// The address is marked from now on.
    Marked(String),
    /// It was marked already.
    Known(String),
}

/// Marks the address of the letter whose code, or whose reference, somebody has read from an envelope.
/// Answers the letter's reference; a code of no letter is [`StoreError::NotFound`].
pub async fn returned(
    journey: &Pipeline,
    scope: &Scope,
    code: &str,
    at: DateTime<Utc>,
) -> Result<Returned, MergeError> {
    let reference = reference_of(code).unwrap_or(code.trim());
    let by = Some(By::Reference(reference.to_owned()));
    let filter = Filter { kind: Some("convocation".to_owned()), by, ..Filter::default() };
    let found = journey.store.list(scope, &filter, Page { after: None, most: 1 }).await?;
    let found = found.first().ok_or(StoreError::NotFound("letter with this code"))?;
    let letter = as_issued(journey, scope, found.id, at).await?;
    let address = post_address(&letter);
    let news = journey.store.envelope_returned(scope, found.id, &address, at).await?;
    let reference = letter.reference().to_owned();
    Ok(if news { Returned::Marked(reference) } else { Returned::Known(reference) })
}
