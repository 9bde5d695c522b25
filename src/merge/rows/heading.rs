//! The headers of a table and what each is taken for, for whoever has to say what an unknown one means.
//!
//! A file of rows in, its [`Heading`]s out; nothing else of it is read.

use std::fs::File;

use serde::Serialize;

use super::super::MergeError;
use super::columns::{Columns, fold};
use super::{Cell, RowOptions, records};

/// A header of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Heading {
    /// As it stands.
    pub name: String,
    /// The known header that it stands for by itself.
    pub known: Option<String>,
    /// Whether it is known to hold no data of a letter.
    pub ignored: bool,
    /// The known header that looks most like it; empty when none is near.
    pub near: String,
}

/// The headers of a table, in order, without the empty ones; none of JSON lines.
pub fn headings(
    file: File,
    columns: &Columns,
    options: &RowOptions,
) -> Result<Vec<Heading>, MergeError> {
    let mut headings = Vec::new();
    records(file, columns, options, &mut |record| {
        if record.cells.iter().all(Cell::is_blank) {
            return Ok(true);
        }
        let names = record.cells.iter().map(|it| it.show().trim().to_owned());
        headings = names.filter(|it| !fold(it).is_empty()).map(|it| heading(it, columns)).collect();
        Ok(false)
    })?;
    Ok(headings)
}

fn heading(name: String, columns: &Columns) -> Heading {
    let known = columns.find(&name).map(|(index, n)| columns.columns[index].header(n));
    let ignored = known.is_none() && columns.ignores(&name);
    let near = if known.is_none() && !ignored { columns.near(&name) } else { String::new() };
    Heading { name, known, ignored, near }
}
