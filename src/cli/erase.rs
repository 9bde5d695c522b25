//! `erase`: forgets a dossier, or all that were kept long enough; ids, hashes, dates and states stay (GDPR, articles
//! 5(1)(e) and 17).

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
    /// All dossiers that were kept as long as `privacy.retention_months` says
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
            let erased = if self.dry_run {
                let mut plan = Vec::new();
                for dossier in dossiers {
                    plan.push(store.erasure(&scope(), dossier).await?);
                }
                plan
            } else {
                store.erase(&scope(), &dossiers, reason, options.at()).await?
            };
            self.say(&erased, options)
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
        let Some(months) = config.privacy.retention_months else {
            let unset = "--expired: set privacy.retention_months in the file of --config";
            return Err(Failure::Usage(unset.to_owned()));
        };
        let policy = [Kind::Cai, Kind::Caif, Kind::Convocation]
            .map(|it| Retention { kind: it.name().to_owned(), months });
        let today = options.at().date_naive();
        Ok((store.expired(&policy, today, MOST).await?, "expired"))
    }

    fn say(&self, erased: &[Erasure], options: &Options) -> Result<(), Failure> {
        if options.json {
            return print_json(&json!({ "dry_run": self.dry_run, "dossiers": erased }));
        }
        let verb = if self.dry_run { "would be erased" } else { "erased" };
        for it in erased {
            let (documents, mails, files) = (it.documents.len(), it.mails, it.files);
            let what = format!("{documents} documents, {mails} mails, {files} files");
            print(&format!("{} {verb}: {what}", it.dossier))?;
        }
        print(&format!("{} dossiers {verb}", erased.len()))?;
        if self.dry_run || erased.is_empty() {
            return Ok(());
        }
        print(
            "Backups made before still open with the operator's key: change it (`paraphe keys`),",
        )?;
        print("and destroy the old one once those backups are gone.")
    }
}
