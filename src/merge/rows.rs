//! Rows: a CSV file, a workbook or JSON lines as offices have them, each row made the data of a
//! letter.
//!
//! File in, one [`Row`] after the other out, in bounded memory. The form of the file is recognised
//! by its content and said. What cannot be read for certain is refused with row and column.

pub mod columns;
mod csv;
mod encoding;
mod heading;
mod input;
mod jsonl;
mod values;
mod xlsx;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::sync::Arc;

pub use columns::{Columns, Header};
pub use heading::{Heading, headings};
use input::Forms;

use super::{Finding, MergeError};
use crate::document::Severity;

/// The most rows of a file.
pub const MAX_ROWS: u64 = 200_000;
/// The most columns of a file.
pub const MAX_COLUMNS: usize = 200;
/// The most characters of a cell.
pub const MAX_CELL: usize = 2_000;
/// The most bytes of a record of a text file.
pub const MAX_RECORD: u64 = 1_000_000;
/// The most bytes that all parts of a workbook may take when unpacked.
pub const MAX_UNPACKED: u64 = 400_000_000;

/// How a file of rows is read.
#[derive(Debug, Clone, Default)]
pub struct RowOptions {
    /// The sheet to read, where a workbook has several.
    pub sheet: Option<String>,
    /// Values of columns that the file does not have or leaves empty, by header.
    pub defaults: Vec<(String, String)>,
    /// Headers of the file that stand for others: `Obs.` = `Salle`; an empty one is not read.
    pub aliases: BTreeMap<String, String>,
    /// Whether numbers that a spreadsheet has shortened get their leading zero back: somebody answers
    /// for it by accepting `rows.leading_zero`.
    pub restore_zeros: bool,
    /// The day the letters without email are posted; it is their date unless a row says another.
    pub posted_on: Option<chrono::NaiveDate>,
}

/// One row.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its line, as [`Finding::row`].
    pub number: u64,
    /// The columns of its file.
    pub header: Arc<Header>,
    /// Its cells as a person reads them, for the file that comes back.
    pub cells: Vec<String>,
    /// The data of a letter, JSON.
    pub input: Vec<u8>,
    /// Where the parts of the data come from: pointer and column.
    pub origins: Vec<(String, usize)>,
    /// What cannot be read in it, and what was put right.
    pub findings: Vec<Finding>,
}

/// How a file was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Reading {
    /// `CSV ; UTF-8`, `XLSX « Feuil1 »`, `JSON`: what it was taken for.
    pub form: String,
    /// Rows read.
    pub rows: u64,
    /// Lines without any value, passed over.
    pub blank: u64,
    /// Headers of columns that were not read, because the columns are known to hold no data of a
    /// letter.
    pub ignored: Vec<String>,
}

/// A cell, as far as its file says what it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Empty,
    Text(String),
    Number(f64),
    Truth(bool),
    /// A moment that the spreadsheet knows to be one, in days since 1899-12-30.
    Moment(chrono::NaiveDateTime),
    /// A time of day or a duration that the spreadsheet knows to be one.
    Clock(chrono::NaiveTime),
    /// A formula; what it gave last is not trusted.
    Formula(String),
    /// What a spreadsheet shows where a formula failed.
    Fault(String),
}

/// A line of cells before any meaning.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(crate) number: u64,
    pub(crate) cells: Vec<Cell>,
}

/// What takes the rows; it answers whether it wants more.
pub type Sink<'a> = dyn FnMut(Row) -> bool + 'a;

/// Reads a file of rows to its end, or until the sink wants no more.
pub fn read(
    file: File,
    columns: &Columns,
    options: &RowOptions,
    sink: &mut Sink<'_>,
) -> Result<Reading, MergeError> {
    let mut file = file;
    let mut reading = Reading::default();
    match form(&mut file)? {
        Form::Xlsx => {
            let mut forms = Forms::new(columns, options, sink);
            reading.form = xlsx::read(file, options.sheet.as_deref(), &mut |it| forms.take(it))?;
            forms.end(&mut reading)?;
        }
        Form::Json => jsonl::read(file, columns, options, &mut reading, sink)?,
        Form::Text => {
            let mut forms = Forms::new(columns, options, sink);
            reading.form = csv::read(file, columns, &mut |it| forms.take(it))?;
            forms.end(&mut reading)?;
        }
    }
    if reading.rows == 0 {
        return Err(refused(None, "rows.empty", []));
    }
    Ok(reading)
}

/// The lines of a table as they stand in its file, the blank ones and the header too.
pub(super) fn records(
    mut file: File,
    columns: &Columns,
    options: &RowOptions,
    take: &mut dyn FnMut(Record) -> Result<bool, MergeError>,
) -> Result<Form, MergeError> {
    let form = form(&mut file)?;
    match form {
        Form::Xlsx => xlsx::read(file, options.sheet.as_deref(), take).map(|_| form),
        Form::Text => csv::read(file, columns, take).map(|_| form),
        Form::Json => Ok(form),
    }
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Xlsx,
    Json,
}

/// Tells a file by its first bytes; whatever its name says.
fn form(file: &mut File) -> Result<Form, MergeError> {
    let mut head = Vec::new();
    file.by_ref().take(4096).read_to_end(&mut head)?;
    file.rewind()?;
    let foreign = |name: &str| Err(refused(None, "rows.format", [("form", name.to_owned())]));
    let has = |needle: &[u8]| head.windows(needle.len()).any(|it| it == needle);
    if head.is_empty() {
        return Err(refused(None, "rows.empty", []));
    }
    if head.starts_with(b"PK\x03\x04") {
        return if has(b"opendocument") { foreign("ODS") } else { Ok(Form::Xlsx) };
    }
    if head.starts_with(b"\xD0\xCF\x11\xE0") {
        return foreign("XLS");
    }
    if head.starts_with(b"%PDF") {
        return foreign("PDF");
    }
    let wide = head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF");
    if !wide && head.contains(&0) {
        return foreign("binary");
    }
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&head).trim_ascii_start();
    match text.first() {
        Some(b'{') => Ok(Form::Json),
        Some(b'[') if text[1..].trim_ascii_start().starts_with(b"{") => foreign("JSON array"),
        Some(b'<') => foreign("HTML"),
        _ => Ok(Form::Text),
    }
}

/// A refusal of the whole file.
pub(crate) fn refused<const N: usize>(
    row: Option<u64>,
    code: &'static str,
    values: [(&'static str, String); N],
) -> MergeError {
    MergeError::Refused(Box::new(Finding::new(row, Severity::Error, code, values)))
}

impl Cell {
    /// Whether there is nothing to see in it.
    pub(crate) fn is_blank(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }

    /// As a person reads it.
    pub(crate) fn show(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) | Self::Formula(text) | Self::Fault(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Truth(truth) => if *truth { "VRAI" } else { "FAUX" }.to_owned(),
            Self::Moment(moment) if moment.time() == chrono::NaiveTime::MIN => {
                moment.format("%d/%m/%Y").to_string()
            }
            Self::Moment(moment) => moment.format("%d/%m/%Y %H:%M").to_string(),
            Self::Clock(time) => time.format("%H:%M").to_string(),
        }
    }
}
