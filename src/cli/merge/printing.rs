//! The print run of a merge as files: the letters, and the list of envelopes beside them.

use std::io::BufWriter;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use tokio::runtime::Handle;
use tokio::task::block_in_place;
use uuid::Uuid;

use super::super::journey::scope;
use super::super::output::{print, write, write_with};
use super::super::progress::Progress;
use super::super::{Failure, Options};
use crate::document::Document;
use crate::merge::outcome::{as_issued, letters_to_print};
use crate::merge::print::{Post, Press, PrintRun};
use crate::pipeline::Pipeline;

/// How a run is printed.
pub(in crate::cli) struct How {
    /// On one side of the paper only.
    pub(in crate::cli) one_sided: bool,
    /// These sheets alone.
    pub(in crate::cli) sheets: Option<RangeInclusive<usize>>,
}

/// Writes the run of a merge: a file for each number of sheets an envelope, and the list of envelopes.
pub(in crate::cli) async fn print_run(
    pipeline: &Pipeline,
    merge: Uuid,
    file: &Path,
    how: &How,
    options: &Options,
) -> Result<(), Failure> {
    let (scope, at, handle) = (scope(), options.at(), Handle::current());
    let letters = letters_to_print(pipeline, &scope, merge, at).await?;
    let run = PrintRun::plan(letters, !how.one_sided, &Post::load(&options.assets()?)?);
    let (envelopes, sheets) = (run.envelopes.len(), run.sheets());
    if how.sheets.as_ref().is_some_and(|it| *it.start() > sheets) {
        return Err(Failure::Usage(format!("--sheets: the run has {sheets} sheets")));
    }
    let press = Press {
        rulebook: &pipeline.rulebook,
        renderer: &pipeline.renderer,
        marks: &|document: &Document| pipeline.marks(document),
        fetch: &|id| handle.block_on(as_issued(pipeline, &scope, id, at)),
        at,
    };
    block_in_place(|| write_run(file, &run, how, press))?;
    write(&file.with_extension("csv"), run.list().as_bytes())?;
    for it in run.counts() {
        let band = it.band.map_or_else(|| "heavier".to_owned(), |it| format!("up to {it} g"));
        let sheets = if it.sheets == 1 { "sheet" } else { "sheets" };
        print(&format!("{} envelopes of {} {sheets}, {band}", it.envelopes, it.sheets))?;
    }
    print(&format!("run {}: {envelopes} envelopes, {sheets} sheets", run.id))
}

fn write_run(file: &Path, run: &PrintRun, how: &How, press: Press<'_>) -> Result<(), Failure> {
    let files = run.files(how.sheets.as_ref());
    let progress = Progress::of("envelopes", files.iter().map(|it| it.len() as u64).sum());
    let mut before = 0;
    for (index, envelopes) in files.iter().enumerate() {
        let path = numbered(file, index, files.len());
        write_with(&path, |out| {
            let mut advance = |done| progress.reach(before + done as u64);
            run.write(envelopes, press, BufWriter::new(out), &mut advance).map(|it| it.1)
        })?;
        before += envelopes.len() as u64;
    }
    progress.end();
    Ok(())
}

/// `run.pdf`, or `run-1.pdf` where there are several.
fn numbered(file: &Path, index: usize, count: usize) -> PathBuf {
    if count < 2 {
        return file.to_owned();
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!("{stem}-{}.pdf", index + 1))
}
