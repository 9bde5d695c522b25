//! `merges`: how merges stand, and what a person decides about them.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::journey::{journey, scope};
use super::merge::{How, print_run, range, said, work_off};
use super::output::{print, print_json, printable};
use super::{Failure, Options};
use crate::merge::outcome::Outcome;
use crate::merge::run::submission;
use crate::pipeline::Pipeline;
use crate::store::{Merge, Page};

/// Arguments of `merges`.
#[derive(Debug, Args)]
pub(super) struct Merges {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List merges, the newest first
    List {
        /// How many
        #[arg(long, default_value_t = 20)]
        most: u32,
    },
    /// Account for one: its rows and its mails
    Show {
        /// Its id
        id: Uuid,
    },
    /// Take up no more rows, and hold its mails back
    Pause {
        /// Its id
        id: Uuid,
    },
    /// Go on with one that was paused or cut off, and make its letters here
    Resume {
        /// Its id
        id: Uuid,
    },
    /// Print its letters by post, or some sheets of them once more
    Print {
        /// Its id
        id: Uuid,
        /// The file; a list of envelopes is written beside it
        #[arg(short, long, value_name = "RUN.pdf")]
        output: PathBuf,
        /// Only these sheets, such as 120-131
        #[arg(long, value_name = "N-M", value_parser = range)]
        sheets: Option<RangeInclusive<usize>>,
        /// On one side of the paper only
        #[arg(long)]
        one_sided: bool,
    },
    /// Stop it for good: rows and mails that wait are cancelled; what was done stays
    Cancel {
        /// Its id
        id: Uuid,
    },
}

impl Merges {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let at = options.at();
        journey(options, async |pipeline, _| {
            let (store, scope) = (&pipeline.store, scope());
            let id = match &self.verb {
                Verb::List { most } => return list(&pipeline, *most, options).await,
                Verb::Show { id } => id,
                Verb::Print { id, output, sheets, one_sided } => {
                    let how = How { one_sided: *one_sided, sheets: sheets.clone() };
                    return print_run(&pipeline, *id, output, &how, options).await;
                }
                Verb::Pause { id } => {
                    store.pause_merge(&scope, *id, true, at).await?;
                    id
                }
                Verb::Cancel { id } => {
                    store.cancel_merge(&scope, *id, at).await?;
                    id
                }
                Verb::Resume { id } => {
                    let merge = store.merge(&scope, *id).await?;
                    if merge.state == "paused" {
                        store.pause_merge(&scope, *id, false, at).await?;
                    }
                    work_off(&pipeline, *id, u64::from(merge.total), options).await?;
                    id
                }
            };
            show(&pipeline, *id, options).await
        })
    }
}

async fn list(pipeline: &Pipeline, most: u32, options: &Options) -> Result<(), Failure> {
    let found = pipeline.store.merges(&scope(), Page { after: None, most }).await?;
    if options.json {
        return print_json(&json!(found));
    }
    found.iter().try_for_each(|it| print(&line(it)))
}

async fn show(pipeline: &Pipeline, id: Uuid, options: &Options) -> Result<(), Failure> {
    let outcome = Outcome::of(&pipeline.store, &scope(), id).await?;
    if options.json {
        return print_json(&json!(outcome));
    }
    print(&printable(&format!("{}, {}", outcome.file, outcome.state)))?;
    print(&said(&outcome))
}

fn line(it: &Merge) -> String {
    let file = submission(it).map(|it| it.file).unwrap_or_default();
    let began = it.created_at.format("%Y-%m-%d %H:%M");
    printable(&format!(
        "{} {began} {:<9} {:>6} rows {} {file}",
        it.id, it.state, it.total, it.office
    ))
}
