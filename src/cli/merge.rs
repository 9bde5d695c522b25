//! `merge`: a list of appointments checked as a whole, and its letters.
//!
//! Everything is checked before anything is issued. The same list given in again goes on where it
//! stands, and issues nothing twice.

mod again;
mod found;
mod issue;
mod list;
mod printing;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, Utc};
use clap::Args;

use again::Again;
pub(super) use issue::{said, work_off};
use list::List;
pub(super) use printing::{How, print_run};

use super::journey::journey;
use super::{Failure, Options};
use crate::document::PRACTICE;
use crate::merge::preflight::{Acceptance, PreflightOptions};
use crate::merge::rows::{Columns, RowOptions};
use crate::merge::{FileNames, MergeError};

/// Arguments of `merge`.
#[derive(Debug, Args)]
pub(super) struct Merge {
    /// CSV, XLSX or JSON lines
    #[arg(value_name = "ROWS", required_unless_present = "again")]
    file: Option<PathBuf>,
    #[command(flatten)]
    again: Again,
    /// The step of rows that name none, such as medical_visit
    #[arg(long, value_name = "STEP")]
    convocation: Option<String>,
    /// The value of a column that the file lacks or leaves empty, such as "Agent=Camille EXEMPLE"
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// A TOML file: the file's header = the known one it stands for, or "" not to read it
    #[arg(long, value_name = "FILE.toml")]
    columns: Option<PathBuf>,
    /// The sheet of a workbook that has several
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// A rule of practice to set aside for the whole list; with --reason and --by
    #[arg(long, value_name = "CODE", requires_all = ["reason", "by"])]
    accept: Vec<String>,
    /// Why the accepted rules do not matter here
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who decided so
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Where to write what was found: problems.csv, preflight.html, preflight.json, the marked file
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Check only, without the store; nothing is issued
    #[arg(long)]
    dry_run: bool,
    /// Check, and render a few telling letters into --out; nothing is issued
    #[arg(long, value_name = "N")]
    proof: Option<usize>,
    /// Check, and mail a few telling letters to this address alone, marked as tests; nothing is issued
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["dry_run", "out", "send", "print"])]
    test_mail: Option<String>,
    /// Write the PDFs of the letters into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How these files are named: {row}, {reference}, {language}
    #[arg(long, value_name = "PATTERN", default_value = "{reference}.pdf")]
    names: FileNames,
    /// Send the mails now; else they wait in the outbox for a worker
    #[arg(long)]
    send: bool,
    /// No mail leaves before this moment
    #[arg(long, value_name = "RFC3339")]
    not_before: Option<DateTime<Utc>>,
    /// Go on with the sound rows; the others are written to a file to correct and run again
    #[arg(long)]
    skip_faulty: bool,
    /// Write the letters of those without email as one file to print, with a list of envelopes beside it
    #[arg(long, value_name = "RUN.pdf")]
    print: Option<PathBuf>,
    /// Print only these sheets of the run again, such as 120-131
    #[arg(long, value_name = "N-M", value_parser = range, requires = "print")]
    sheets: Option<RangeInclusive<usize>>,
    /// Print on one side of the paper only
    #[arg(long, requires = "print")]
    one_sided: bool,
    /// The day the printed letters are posted; it is their date
    #[arg(long, value_name = "DATE")]
    posted_on: Option<NaiveDate>,
}

impl Merge {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let proof = self.proof.is_some() && self.test_mail.is_none();
        if proof && (self.out.is_none() || self.again.again.is_some()) {
            let text = "--proof wants --out DIR and a file of rows, or --test-mail ADDRESS";
            return Err(Failure::Usage(text.to_owned()));
        }
        let session = self.again.asked()?;
        if let Some(path) = self.file.as_deref().filter(|_| self.dry_run || proof) {
            return self.check_only(&List::of(path)?, &options.open()?, options);
        }
        journey(options, async |pipeline, config| {
            let list = match (&self.file, &session) {
                (Some(path), _) => List::of(path)?,
                (None, Some(it)) => List::of_session(&pipeline, it, options).await?,
                (None, None) => return Err(Failure::Usage("no rows".to_owned())),
            };
            self.issue(&list, pipeline, config, options).await
        })
    }

    fn settings(&self, columns: &Columns) -> Result<PreflightOptions, Failure> {
        let step = columns.header_of("/step").zip(self.convocation.clone());
        let aliases = match &self.columns {
            Some(path) => aliases(path)?,
            None => BTreeMap::new(),
        };
        let rows = RowOptions {
            sheet: self.sheet.clone(),
            defaults: step.into_iter().chain(self.set.iter().cloned()).collect(),
            aliases,
            posted_on: self.posted_on,
            ..RowOptions::default()
        };
        let known = |code: &str| PRACTICE.contains(&code) || code.starts_with("rows.");
        if let Some(code) = self.accept.iter().find(|code| !known(code)) {
            let choices = PRACTICE.join(", ");
            let text = format!(
                "--accept {code}: no rule of practice: {choices}, rows.room_full, rows.leading_zero"
            );
            return Err(Failure::Usage(text));
        }
        let accepted = self.accept.iter().map(|code| Acceptance {
            code: code.clone(),
            reason: self.reason.clone().unwrap_or_default(),
            by: self.by.clone().unwrap_or_default(),
        });
        Ok(PreflightOptions { rows, accepted: accepted.collect(), threads: 0 })
    }
}

impl From<MergeError> for Failure {
    fn from(error: MergeError) -> Self {
        Self::Merge(error)
    }
}

fn aliases(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Failure::File { path: path.display().to_string(), source })?;
    toml::from_str(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (column, value) = text.split_once('=').ok_or("write COLUMN=VALUE")?;
    Ok((column.trim().to_owned(), value.trim().to_owned()))
}

pub(super) fn range(text: &str) -> Result<RangeInclusive<usize>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(first..=last),
        _ => Err("write N-M, counted from 1".to_owned()),
    }
}
