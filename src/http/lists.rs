//! The check of a list of appointments, for the API and for the desk alike.
//!
//! The bytes of a file in; what was found, the sound rows and a proof out. A row of an office that is not the caller's
//! refuses it all.

use std::fs::File;
use std::io::{Seek, Write};

use chrono::{DateTime, Utc};
use tokio::runtime::Handle;

use super::auth::Caller;
use super::state::Service;
use crate::document::Document;
use crate::merge::preflight::{self, Kit, Preflight, PreflightOptions, preflight};
use crate::merge::proof::Proof;
use crate::merge::rows::Columns;
use crate::merge::run::Spool;
use crate::merge::{MergeError, known};

/// How many letters a proof has.
const PROOFS: usize = 5;

/// A list that was checked.
pub(super) struct Checked {
    /// What was found.
    pub(super) found: Preflight,
    /// Its sound rows.
    pub(super) spool: Spool,
    /// Letters that show what can go wrong on a page.
    pub(super) proof: Proof,
}

/// Checks a list and spools its sound rows; `progress` gets the number of rows done so far.
pub(super) fn check(
    service: &Service,
    caller: &Caller,
    file: &[u8],
    options: &PreflightOptions,
    at: DateTime<Utc>,
    progress: &mut dyn FnMut(u64),
) -> Result<Checked, MergeError> {
    let pipeline = caller.pipeline(service);
    let (columns, scope) = (columns(service)?, caller.scope());
    let (marks, handle) = (|document: &Document| pipeline.marks(document), Handle::current());
    let kit = Kit {
        columns: &columns,
        rulebook: &pipeline.rulebook,
        renderer: &pipeline.renderer,
        marks: &marks,
        known: &|document| handle.block_on(known(&pipeline.store, &scope, document)),
    };
    let (mut spool, mut proof, mut fault) = (Spool::new()?, Proof::new(PROOFS), None);
    let mut keep = |it: preflight::Checked| {
        fault = fault.take().or(spool.add(&it).err());
        proof.see(it, kit.rulebook);
    };
    let found = preflight(upload(file)?, kit, options, at, &mut keep, progress)?;
    fault.map_or(Ok(Checked { found, spool, proof }), Err)
}

/// The columns that are known.
pub(super) fn columns(service: &Service) -> Result<Columns, MergeError> {
    Columns::load(service.assets(), service.rulebook())
        .map_err(|error| MergeError::Template(error.to_string()))
}

/// Bytes as a file that nobody else sees.
pub(super) fn upload(bytes: &[u8]) -> Result<File, MergeError> {
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}
