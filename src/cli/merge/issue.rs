//! The letters of a checked list: issued, sent, written and printed as asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use uuid::Uuid;

use super::super::journey::scope;
use super::super::output::{print, print_json, write};
use super::super::worker::{send, when_drained, when_told};
use super::super::{Failure, Options};
use super::Merge;
use super::found::progress;
use crate::assets::Assets;
use crate::config::Config;
use crate::deliver::Clock;
use crate::document::Document;
use crate::merge::outcome::{Outcome, letters_to_print, write_files};
use crate::merge::preflight::{Kit, preflight};
use crate::merge::print::{Post, PrintRun};
use crate::merge::rows::Columns;
use crate::merge::run::{Spool, Terms, submit, work};
use crate::merge::{MergeError, known};
use crate::pipeline::Pipeline;

impl Merge {
    /// Checks the list against rules, layout and store, then issues its letters.
    pub(super) async fn issue(
        &self,
        pipeline: Arc<Pipeline>,
        config: Config,
        options: &Options,
    ) -> Result<(), Failure> {
        let (assets, scope, at) = (options.assets()?, scope(), options.at());
        let columns = Columns::load(&assets, &pipeline.rulebook)?;
        let handle = Handle::current();
        let kit = Kit {
            columns: &columns,
            rulebook: &pipeline.rulebook,
            renderer: &pipeline.renderer,
            marks: &|document: &Document| pipeline.marks(document),
            known: &|document| handle.block_on(known(&pipeline.store, &scope, document)),
        };
        let settings = self.settings(&columns)?;
        let bar = progress("{pos} rows checked, {per_sec}, {elapsed}");
        let (found, spool) = block_in_place(|| {
            let mut spool = Spool::new()?;
            let mut fault: Option<MergeError> = None;
            let mut keep = |it| fault = fault.take().or(spool.add(&it).err());
            let mut advance = |done| bar.set_position(done);
            let found = preflight(self.open()?, kit, &settings, at, &mut keep, &mut advance);
            bar.finish_and_clear();
            let found = found.map_err(|error| self.refused(error, &pipeline.rulebook, options))?;
            fault.map_or(Ok((found, spool)), |error| Err(Failure::from(error)))
        })?;
        self.say(&found, &assets, kit, &settings, options)?;
        if found.sound == 0 || !(found.is_sound() || self.skip_faulty && !found.stopped) {
            return Err(Failure::Data);
        }
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let (file, accepted) = (name.as_ref(), settings.accepted.as_slice());
        let terms = Terms { file, preflight: &found, accepted, not_before: self.not_before };
        let store = &pipeline.store;
        let merge = submit(store, &scope, spool, terms, at).await?;
        self.work_off(&pipeline, merge, found.sound, options).await?;
        if self.send {
            let name = format!("merge-{}", std::process::id());
            send(&pipeline, &config, &name, when_drained(pipeline.clone())).await?;
        }
        if let Some(folder) = &self.out {
            let count = write_files(store, &scope, merge, (folder, &self.names), at).await?;
            print(&format!("{count} files in {}", folder.display()))?;
        }
        if let Some(file) = &self.print {
            let letters = letters_to_print(&pipeline, &scope, merge, at).await?;
            let run = PrintRun::plan(letters, !self.one_sided, &Post::load(&assets)?);
            block_in_place(|| self.print_run(file, &run, kit, options))?;
        }
        self.account(&pipeline, merge, &assets, options).await
    }

    /// Issues the rows; a second signal is not needed: what is left waits for the next start.
    async fn work_off(
        &self,
        pipeline: &Arc<Pipeline>,
        merge: Uuid,
        total: u64,
        options: &Options,
    ) -> Result<(), Failure> {
        let clock = match options.at {
            Some(at) => Clock::new(move || at),
            None => Clock::system(),
        };
        let bar = progress("{bar:40} {pos}/{len} letters, {per_sec}, {eta} left");
        bar.set_length(total);
        let stop = when_told();
        let name = format!("merge-{}", std::process::id());
        let mut work = std::pin::pin!(work(pipeline, Some(merge), &name, &clock, &stop));
        let mut look = tokio::time::interval(Duration::from_secs(1));
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                _ = look.tick() => {
                    let counts = pipeline.store.merge_counts(&scope(), merge).await?;
                    let done = ["done", "faulty"].iter().filter_map(|it| counts.rows.get(*it));
                    bar.set_position(done.sum::<i64>().unsigned_abs());
                }
            }
        };
        bar.finish_and_clear();
        done?;
        Ok(())
    }

    fn print_run(
        &self,
        file: &Path,
        run: &PrintRun,
        kit: Kit<'_>,
        options: &Options,
    ) -> Result<(), Failure> {
        let pdfs = run.pdfs(self.sheets.clone(), kit, options.at())?;
        for (index, pdf) in pdfs.iter().enumerate() {
            write(&numbered(file, index, pdfs.len()), pdf.bytes())?;
        }
        write(&file.with_extension("csv"), run.list().as_bytes())?;
        for it in run.counts() {
            let band = it.band.map_or_else(|| "heavier".to_owned(), |it| format!("up to {it} g"));
            let sheets = if it.sheets == 1 { "sheet" } else { "sheets" };
            print(&format!("{} envelopes of {} {sheets}, {band}", it.envelopes, it.sheets))?;
        }
        let (envelopes, sheets) = (run.envelopes.len(), run.sheets());
        print(&format!("run {}: {envelopes} envelopes, {sheets} sheets", run.id))
    }

    /// What became of every row and every letter.
    async fn account(
        &self,
        pipeline: &Pipeline,
        merge: Uuid,
        assets: &Assets,
        options: &Options,
    ) -> Result<(), Failure> {
        let outcome = Outcome::of(&pipeline.store, &scope(), merge).await?;
        if let Some(folder) = &self.report {
            write(&folder.join("outcome.html"), outcome.html(assets)?.as_bytes())?;
            write(&folder.join("outcome.csv"), outcome.csv().as_bytes())?;
            write(&folder.join("outcome.json"), format!("{:#}\n", json!(outcome)).as_bytes())?;
        }
        if options.json {
            return print_json(&json!(outcome));
        }
        let mails = outcome.mails.iter().map(|(state, count)| format!(", {count} mails {state}"));
        print(&format!(
            "{}: {} rows = {} issued + {} refused + {} skipped + {} issued before + {} open; {} to print{}",
            outcome.id,
            outcome.rows,
            outcome.issued,
            outcome.refused,
            outcome.skipped,
            outcome.duplicates,
            outcome.open,
            outcome.printed,
            mails.collect::<String>()
        ))
    }
}

/// `run.pdf`, or `run-1.pdf` where there are several.
fn numbered(file: &Path, index: usize, count: usize) -> PathBuf {
    if count < 2 {
        return file.to_owned();
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!("{stem}-{}.pdf", index + 1))
}
