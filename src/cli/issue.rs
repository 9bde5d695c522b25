//! `issue`: the journey of one document up to its receipt.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::journey::{journey, scope};
use super::output::{print, print_json, read};
use super::{Failure, Options};
use crate::pipeline::{IssueError, Order, fresh_id};
use crate::store::IdempotencyKey;

/// Arguments of `issue`.
#[derive(Debug, Args)]
pub(super) struct Issue {
    /// A JSON file; `-` reads standard input
    file: PathBuf,
    /// The submission's name: the same name and data give the same receipt [default: the data's digest]
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

impl Issue {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let input = read(&self.file)?;
        let name = self.file.display().to_string();
        let at = options.at();
        journey(options, async |pipeline, _| {
            let key = self.idempotency_key.clone().map(IdempotencyKey::new);
            let scope = scope();
            let order = Order::new(fresh_id(at), key, input, scope.actor());
            let order = order.map_err(IssueError::Data);
            let receipt = match order {
                Ok(order) => pipeline.issue(&scope, order, at).await,
                Err(error) => Err(error),
            };
            let receipt = receipt.map_err(|error| match error {
                IssueError::Data(problems) => {
                    super::report(&pipeline.rulebook, &name, &problems, options);
                    Failure::Data
                }
                error => Failure::Issue(error),
            })?;
            if options.json {
                return print_json(&json!(receipt));
            }
            print(&format!("{}  {} version {}", receipt.id, receipt.state, receipt.version))?;
            print(&format!(
                "sha256 {}, {} bytes, {}",
                receipt.sha256, receipt.size, receipt.level
            ))?;
            print(&format!("{} mails in the outbox", receipt.deliveries.len()))
        })
    }
}
