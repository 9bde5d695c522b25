//! Mail merge: rows in, many letters out, one report, one print run.
//!
//! [`rows`] reads a list of appointments as offices have them and turns each row into the data of a
//! letter; [`preflight`] checks every row, up to its real layout, before the first letter; [`report`]
//! and [`workbook`] say what was found; [`run`] issues the letters, and [`outcome`] accounts for them;
//! [`print`] lays out those of persons without email as one print run, and [`returned`] takes back what
//! could not be delivered; [`session`] makes a list of all who are convened to one session. Invariant:
//! nothing is guessed silently and nothing is dropped silently: each row of the file is a letter, a
//! problem, or counted as blank.

mod known;
mod names;
pub mod outcome;
pub mod preflight;
pub mod print;
pub mod proof;
pub mod report;
pub mod returned;
pub mod rows;
pub mod run;
pub mod session;
pub mod template;
mod together;
pub mod workbook;

pub use known::known;
pub use names::FileNames;

use crate::class::Class;
use crate::document::{Problem, Severity};
use crate::pipeline::IssueError;
use crate::render::{JoinError, RenderError};
use crate::store::StoreError;

/// Something that is wrong with a row, or with the file: where in the table, and what.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The line of the table as the spreadsheet counts it, the header being usually 1; of a text
    /// file, the line the record begins on. Nothing where it is about the whole file.
    pub row: Option<u64>,
    /// The column, counted from 0; nothing where it is about the whole row, or the file has none.
    pub column: Option<usize>,
    /// The header of the column, or the one that the missing column would have.
    pub header: String,
    /// What is wrong. Its pointer is that of the letter's data.
    pub problem: Problem,
}

impl Finding {
    /// A problem of the file or of a row, without a place in the data.
    pub(crate) fn new<const N: usize>(
        row: Option<u64>,
        severity: Severity,
        code: &'static str,
        values: [(&'static str, String); N],
    ) -> Self {
        let problem = Problem { code, severity, pointer: String::new(), values: Vec::from(values) };
        Self { row, column: None, header: String::new(), problem }
    }

    /// The same at a column.
    pub(crate) fn at(mut self, column: usize, header: &str) -> Self {
        self.column = Some(column);
        header.clone_into(&mut self.header);
        self
    }

    /// The place as a spreadsheet names it, `D12`; the row alone where it is about the whole row.
    pub fn cell(&self) -> String {
        let row = self.row.map_or_else(String::new, |it| it.to_string());
        self.column.map_or_else(String::new, letters) + &row
    }
}

/// The letters of a column: A, B … Z, AA …
pub fn letters(column: usize) -> String {
    let mut name = Vec::new();
    let mut rest = column + 1;
    while rest > 0 {
        name.push(char::from(b'A' + u8::try_from((rest - 1) % 26).unwrap_or(0)));
        rest = (rest - 1) / 26;
    }
    name.iter().rev().collect()
}

/// Why a merge cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The file as a whole is at fault: nothing of it is used.
    #[error("the rows file is refused: {} {}", .0.problem.code, .0.cell())]
    Refused(Box<Finding>),
    /// A file cannot be read or written.
    #[error("cannot read or write the rows or a report")]
    File(#[from] std::io::Error),
    /// A page template is at fault.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The parts of a print run were not put together.
    #[error(transparent)]
    Join(JoinError),
    /// A template of the merge itself (columns, report) is at fault.
    #[error("a template of the merge is at fault: {0}")]
    Template(String),
    /// A test mail did not leave; what the server said.
    #[error("the test mail did not leave: {0}")]
    Test(String),
    /// A letter was not issued, for a reason that is not its row's.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The store refused or cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A workbook cannot be written.
    #[error("cannot write the workbook")]
    Workbook(#[from] rust_xlsxwriter::XlsxError),
}

impl From<JoinError> for MergeError {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Write(error) => Self::File(error),
            error => Self::Join(error),
        }
    }
}

impl MergeError {
    /// Whose turn it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Refused(_) | Self::Render(RenderError::Data(_)) => Class::Caller,
            Self::Issue(error) => error.class(),
            Self::Store(error) => error.class(),
            Self::Test(_) => Class::Later,
            Self::File(_)
            | Self::Render(_)
            | Self::Join(_)
            | Self::Template(_)
            | Self::Workbook(_) => Class::Us,
        }
    }
}
