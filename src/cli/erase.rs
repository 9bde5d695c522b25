//! `erase`: forgets a dossier, or all that were kept long enough; ids, hashes, dates and states stay (GDPR, articles
//! 5(1)(e) and 17).

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use uuid::Uuid;

use super::journey::{journey, scope};
use super::output::{print, print_json};
use super::{Failure, Options};
use crate::config::Config;
use crate::document::Kind;
use crate::store::{Erasure, Retention, Store, StoreError};

/// Arguments of `erase`.
#[derive(Debug, Args)]
pub(super) struct Erase {
    /// The dossier's number
    #[arg(required_unless_present = "expired", conflicts_with = "expired")]
    dossier: Option<String>,
    /// All dossiers whose every document was kept as long as `[privacy]` says
    #[arg(long)]
    expired: bool,
    /// Say what would be erased, and erase nothing
    #[arg(long)]
    dry_run: bool,
}

/// The most dossiers of one call; the next one takes the next.
const MOST: u32 = 10_000;

impl Erase {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        journey(options, async |pipeline, config| {
            let store = &pipeline.store;
            let (dossiers, reason) = self.dossiers(store, &config, options).await?;
            let mut plan = Vec::new();
            for dossier in &dossiers {
                plan.push(store.erasure(&scope(), *dossier).await?);
            }
            let mails: Vec<_> = plan.iter().flat_map(|it| it.mails.clone()).collect();
            let lists = lists(store, &plan, options).await?;
            let transport = config.transport()?;
            let left = transport.left(&mails);
            if !self.dry_run {
                // Files first, for whoever comes again finds an erased dossier no more; and what a worker wrote meanwhile.
                delete(&left)?;
                for list in &lists {
                    store.forget_merge(&scope(), *list, options.at()).await?;
                }
                store.erase(&scope(), &dossiers, reason, options.at()).await?;
                delete(&transport.left(&mails))?;
            }
            self.say(&plan, &lists, &left, options)
        })
    }

    /// Which, and the reason that stands in the audit trail.
    async fn dossiers(
        &self,
        store: &Store,
        config: &Config,
        options: &Options,
    ) -> Result<(Vec<Uuid>, &'static str), Failure> {
        if let Some(number) = &self.dossier {
            let found = store.dossier_of(number).await?;
            return Ok((vec![found.ok_or(StoreError::NotFound("dossier"))?], "asked"));
        }
        let kinds = [Kind::Cai, Kind::Caif, Kind::Convocation].into_iter();
        let policy = kinds.filter_map(|it| {
            let months = config.privacy.months(it)?;
            Some(Retention { kind: it.name().to_owned(), months })
        });
        let policy: Vec<_> = policy.collect();
        if policy.is_empty() {
            let unset = "--expired: set privacy.retention_months in the file of --config";
            return Err(Failure::Usage(unset.to_owned()));
        }
        let today = options.at().date_naive();
        Ok((store.expired(&policy, today, MOST).await?, "expired"))
    }

    fn say(
        &self,
        erased: &[Erasure],
        lists: &BTreeSet<Uuid>,
        left: &[PathBuf],
        options: &Options,
    ) -> Result<(), Failure> {
        if options.json {
            return print_json(&json!({
                "dry_run": self.dry_run, "dossiers": erased, "lists": lists, "mail_files": left,
            }));
        }
        let verb = if self.dry_run { "would be erased" } else { "erased" };
        for it in erased {
            let (documents, mails, files) = (it.documents.len(), it.mails.len(), it.files);
            let what = format!("{documents} documents, {mails} mails, {files} files");
            print(&format!("{} {verb}: {what}", it.dossier))?;
        }
        for list in lists {
            print(&format!("rows and findings of the list {list} {verb}; its counts stay"))?;
        }
        for file in left {
            print(&format!("{} {verb}", file.display()))?;
        }
        print(&format!("{} dossiers {verb}", erased.len()))?;
        if self.dry_run || erased.is_empty() {
            return Ok(());
        }
        print(
            "Backups made before still open with the operator's key: change it (`paraphe keys`),",
        )?;
        print("and destroy the old one once those backups are gone.")?;
        print(
            "What a mail server has taken is no longer here: its logs and mailboxes are not erased.",
        )
    }
}

/// The lists that keep something of the dossiers. While one of them runs nothing is erased: it would come back.
async fn lists(
    store: &Store,
    plan: &[Erasure],
    options: &Options,
) -> Result<BTreeSet<Uuid>, Failure> {
    let mut lists = BTreeSet::new();
    for it in plan {
        let Some(document) = it.documents.first() else { continue };
        let held = store.document(&scope(), *document, options.at()).await?;
        let number = held.record.map(|it| it.dossier).unwrap_or_default();
        lists.extend(store.merges_about(it.dossier, &number).await?);
    }
    for list in &lists {
        let state = store.merge(&scope(), *list).await?.state;
        if !matches!(state.as_str(), "done" | "cancelled") {
            eprintln!(
                "paraphe: the list {list}, which names the dossier, is {state}: erase when it has ended"
            );
            return Err(Failure::Data);
        }
    }
    Ok(lists)
}

fn delete(files: &[PathBuf]) -> Result<(), Failure> {
    files.iter().try_for_each(|file| match std::fs::remove_file(file) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::File { path: file.display().to_string(), source })
        }
        _ => Ok(()),
    })
}
