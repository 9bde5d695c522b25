//! `merge`: a list of appointments checked as a whole, and its letters.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::output::{print, print_json, printable, write};
use super::render::MarkOptions;
use super::{Failure, Options, Shop};
use crate::class::Class;
use crate::document::{Document, PRACTICE};
use crate::merge::preflight::{Acceptance, Checked, Kit, Preflight, PreflightOptions, preflight};
use crate::merge::print::{Letter, Post, PrintRun};
use crate::merge::rows::{Columns, RowOptions};
use crate::merge::{MergeError, report, workbook};

/// Arguments of `merge`.
#[derive(Debug, Args)]
pub(super) struct Merge {
    /// CSV, XLSX or JSON lines
    #[arg(value_name = "ROWS")]
    file: PathBuf,
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
    /// Check only; nothing is issued
    #[arg(long)]
    dry_run: bool,
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
    #[command(flatten)]
    marks: MarkOptions,
}

impl Merge {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let shop = options.open()?;
        let columns = Columns::load(&shop.assets, &shop.rulebook)?;
        let renderer = shop.renderer()?;
        let marks = |document: &Document| self.marks.of(document);
        let kit = Kit {
            columns: &columns,
            rulebook: &shop.rulebook,
            renderer: &renderer,
            marks: &marks,
            known: &|_| Vec::new(),
        };
        let settings = self.settings(&columns)?;
        let mut letters = Vec::new();
        let mut keep = |it: Checked| {
            if self.print.is_some() && it.document.emails().is_empty() {
                letters.push(Letter { document: it.document, fit: it.fit });
            }
        };
        let bar = progress();
        let found = preflight(self.open()?, kit, &settings, options.at(), &mut keep, &mut |done| {
            bar.set_position(done)
        });
        bar.finish_and_clear();
        let found = found.map_err(|error| self.refused(error, &shop, options))?;
        self.say(&found, &shop, &columns, &settings, options)?;
        if !found.is_sound() && !self.skip_faulty {
            return Err(Failure::Data);
        }
        if let Some(file) = &self.print {
            self.print(file, letters, kit, &shop, options)?;
        }
        Ok(())
    }

    fn open(&self) -> Result<File, Failure> {
        let path = || self.file.display().to_string();
        File::open(&self.file).map_err(|source| Failure::File { path: path(), source })
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

    /// A file that is refused as a whole, said like the problems of its rows.
    fn refused(&self, error: MergeError, shop: &Shop, options: &Options) -> Failure {
        let MergeError::Refused(finding) = error else { return error.into() };
        let said = report::say(&[*finding], &shop.rulebook, &options.messages);
        let lines = report::lines(&said).join("\n");
        eprintln!(
            "{}: {}",
            self.file.display(),
            lines.lines().map(printable).collect::<Vec<_>>().join("\n")
        );
        Failure::Data
    }

    fn say(
        &self,
        found: &Preflight,
        shop: &Shop,
        columns: &Columns,
        settings: &PreflightOptions,
        options: &Options,
    ) -> Result<(), Failure> {
        let said = report::say(&found.findings, &shop.rulebook, &options.messages);
        if options.json {
            let mut whole = json!(found);
            whole["findings"] = json!(said);
            print_json(&whole)?;
        } else {
            report::lines(&said).iter().for_each(|it| eprintln!("{}", printable(it)));
            print(&format!(
                "{}: {} rows, {} sound, {} at fault; {} by email, {} by post, {} pages",
                found.reading.form,
                found.reading.rows,
                found.sound,
                found.faulty.len(),
                found.email,
                found.post,
                found.pages
            ))?;
        }
        let Some(folder) = &self.report else { return Ok(()) };
        std::fs::create_dir_all(folder)
            .map_err(|source| Failure::File { path: folder.display().to_string(), source })?;
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let at = options.at().format("%d/%m/%Y %H:%M UTC").to_string();
        let page =
            report::html(found, (&name, &at), &settings.accepted, &shop.assets, &shop.rulebook)?;
        write(&folder.join("preflight.html"), page.as_bytes())?;
        write(&folder.join("problems.csv"), report::csv(&said).as_bytes())?;
        let mut whole = json!(found);
        whole["findings"] = json!(said);
        write(&folder.join("preflight.json"), format!("{whole:#}\n").as_bytes())?;
        let words = (&shop.rulebook.explanations, options.messages.as_str());
        let rows = &settings.rows;
        if let Some(it) =
            workbook::marked(self.open()?, columns, rows, &found.findings, None, words)?
        {
            write(&folder.join(format!("marked.{}", it.extension)), &it.bytes)?;
        }
        let faulty = |row: u64| found.faulty.contains(&row);
        if self.skip_faulty
            && let Some(it) = workbook::marked(
                self.open()?,
                columns,
                rows,
                &found.findings,
                Some(&faulty),
                words,
            )?
        {
            write(&folder.join(format!("skipped.{}", it.extension)), &it.bytes)?;
        }
        Ok(())
    }

    fn print(
        &self,
        file: &Path,
        letters: Vec<Letter>,
        kit: Kit<'_>,
        shop: &Shop,
        options: &Options,
    ) -> Result<(), Failure> {
        let run = PrintRun::plan(letters, !self.one_sided, &Post::load(&shop.assets)?);
        let pdfs = run.pdfs(self.sheets.clone(), kit, options.at())?;
        for (index, pdf) in pdfs.iter().enumerate() {
            write(&numbered(file, index, pdfs.len()), pdf.bytes())?;
        }
        write(&file.with_extension("csv"), run.list().as_bytes())?;
        for it in run.counts() {
            let band = it.band.map_or_else(|| "heavier".to_owned(), |it| format!("up to {it} g"));
            print(&format!("{} envelopes of {} sheets, {band}", it.envelopes, it.sheets))?;
        }
        print(&format!(
            "run {}: {} envelopes, {} sheets",
            run.id,
            run.envelopes.len(),
            run.sheets()
        ))
    }
}

impl From<MergeError> for Failure {
    fn from(error: MergeError) -> Self {
        match error.class() {
            Class::Caller => Self::Data,
            Class::Us | Class::Later => Self::Merge(error),
        }
    }
}

/// A bar on a terminal; nothing in a pipe.
fn progress() -> ProgressBar {
    let bar = ProgressBar::no_length();
    let style = ProgressStyle::with_template("{pos} rows, {per_sec}, {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar
}

/// `run.pdf`, or `run-1.pdf` where there are several.
fn numbered(file: &Path, index: usize, count: usize) -> PathBuf {
    if count < 2 {
        return file.to_owned();
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!("{stem}-{}.pdf", index + 1))
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

fn range(text: &str) -> Result<RangeInclusive<usize>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(first..=last),
        _ => Err("write N-M, counted from 1".to_owned()),
    }
}
