//! The letters of a checked list: issued, sent, written and printed as asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use uuid::Uuid;

use super::super::journey::scope;
use super::super::output::{print, print_json, printable, write};
use super::super::progress::Progress;
use super::super::worker::{send, when_drained, when_told};
use super::super::{Failure, Options};
use super::Merge;
use super::found::refused;
use super::list::List;
use super::printing::{How, print_run};
use crate::assets::Assets;
use crate::config::Config;
use crate::deliver::Clock;
use crate::document::Document;
use crate::merge::outcome::{Outcome, write_files};
use crate::merge::preflight::{Checked, Kit, preflight};
use crate::merge::proof::{Proof, mail};
use crate::merge::rows::Columns;
use crate::merge::run::{Spool, Terms, submit, work};
use crate::merge::{MergeError, known};
use crate::pipeline::Pipeline;

/// How many letters a test is, where nothing else is asked for.
const TEST_MAILS: usize = 3;

impl Merge {
    /// Checks the list against rules, layout and store, then issues its letters.
    pub(super) async fn issue(
        &self,
        list: &List,
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
        let progress = Progress::open("rows checked");
        let mut proof =
            self.test_mail.as_ref().map(|_| Proof::new(self.proof.unwrap_or(TEST_MAILS)));
        let (found, spool) = block_in_place(|| {
            let mut spool = Spool::new()?;
            let mut fault: Option<MergeError> = None;
            let mut keep = |it: Checked| match &mut proof {
                Some(proof) => proof.see(it, kit.rulebook),
                None => fault = fault.take().or(spool.add(&it).err()),
            };
            let mut advance = |done| progress.reach(done);
            let found = preflight(list.open()?, kit, &settings, at, &mut keep, &mut advance);
            progress.end();
            let found = found.map_err(|error| refused(list, error, &pipeline.rulebook, options))?;
            fault.map_or(Ok((found, spool)), |error| Err(Failure::from(error)))
        })?;
        self.say(&found, list, &assets, kit, &settings, options)?;
        if found.sound == 0 || !(found.is_sound() || self.skip_faulty && !found.stopped) {
            return Err(Failure::Data);
        }
        if self.dry_run {
            return Ok(());
        }
        if let (Some(recipient), Some(proof)) = (&self.test_mail, proof) {
            let transport = config.transport()?;
            let rows = mail(&pipeline, proof.letters(), recipient, &transport, at).await?;
            let rows = rows.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            return print(&format!("test mails of rows {rows} to {}", printable(recipient)));
        }
        let (file, accepted) = (list.name.as_str(), settings.accepted.as_slice());
        let terms = Terms { file, preflight: &found, accepted, not_before: self.not_before };
        let store = &pipeline.store;
        let merge = submit(store, &scope, spool, terms, at).await?;
        work_off(&pipeline, merge, found.sound, options).await?;
        if self.send {
            let name = format!("merge-{}", std::process::id());
            send(&pipeline, &config, &name, when_drained(pipeline.clone())).await?;
        }
        if let Some(folder) = &self.out {
            let count = write_files(store, &scope, merge, (folder, &self.names), at).await?;
            print(&format!("{count} files in {}", folder.display()))?;
        }
        if let Some(file) = &self.print {
            let how = How { one_sided: self.one_sided, sheets: self.sheets.clone() };
            print_run(&pipeline, merge, file, &how, options).await?;
        }
        self.account(&pipeline, merge, &assets, options).await
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
        print(&said(&outcome))
    }
}

/// The account of a merge on a line.
pub(in crate::cli) fn said(outcome: &Outcome) -> String {
    let mails = outcome.mails.iter().map(|(state, count)| format!(", {count} mails {state}"));
    format!(
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
    )
}

/// Issues the rows of a merge; what is left at a signal waits for the next start.
pub(in crate::cli) async fn work_off(
    pipeline: &Arc<Pipeline>,
    merge: Uuid,
    total: u64,
    options: &Options,
) -> Result<(), Failure> {
    let clock = match options.at {
        // It goes on from there, so that what a lost worker has left is free in time.
        Some(at) => {
            let began = Instant::now();
            Clock::new(move || at + TimeDelta::from_std(began.elapsed()).unwrap_or_default())
        }
        None => Clock::system(),
    };
    let progress = Progress::of("letters", total);
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
                progress.reach(done.sum::<i64>().unsigned_abs());
            }
        }
    };
    progress.end();
    // A full disk, a lost database: nothing of what was made is lost.
    done.inspect_err(|_| eprintln!("the rows that are left wait: paraphe merges resume {merge}"))?;
    Ok(())
}
