//! `keys`: the operator's key, which wraps the keys of all dossiers; and the keys that programs come in with.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::journey::{journey, scope};
use super::output::{print, print_json, printable, write};
use super::{Failure, Options};
use crate::http::auth::login;
use crate::pipeline::fresh_id;
use crate::store::{AccessKey, NewAccessKey, make_operator_key};

/// Arguments of `keys`.
#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a new operator's key, readable by its owner alone
    New {
        /// Its file, which must not exist
        file: PathBuf,
    },
    /// Make a key for a program that calls the API; it is shown once
    Api {
        /// What you call it
        #[arg(long)]
        name: String,
        /// An office it may see; repeatable; without it every office
        #[arg(long, value_name = "OFFICE")]
        office: Vec<String>,
        /// For tests: specimens, kept apart, mailed into a folder
        #[arg(long)]
        test: bool,
        /// When it ends
        #[arg(long, value_name = "RFC3339")]
        expires: Option<DateTime<Utc>>,
    },
    /// Make a link that lets you into the desk, once and within 15 minutes
    Link,
    /// List the keys of programs
    List,
    /// Take a program's key back, at once
    Revoke {
        /// Its id
        id: Uuid,
    },
    /// Wrap with the operator's key of the settings whatever an earlier one wraps
    Rewrap,
}

impl Keys {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        match &self.verb {
            Verb::New { file } => {
                if file.exists() {
                    let name = file.display();
                    return Err(Failure::Usage(format!(
                        "{name} exists: a key is never written over"
                    )));
                }
                write(file, make_operator_key().as_bytes())?;
                print("Keep a copy in another place: without it nothing that is kept can be read.")
            }
            Verb::Api { name, office, test, expires } => journey(options, async |pipeline, _| {
                let at = options.at();
                let known = &pipeline.rulebook.offices.directorates;
                if let Some(unknown) = office.iter().find(|it| !known.contains_key(*it)) {
                    let known = "see `paraphe offices`";
                    return Err(Failure::Usage(format!("there is no office {unknown}; {known}")));
                }
                let new = NewAccessKey {
                    id: fresh_id(at),
                    name: name.clone(),
                    offices: (!office.is_empty()).then(|| office.clone()),
                    test: *test,
                    expires_at: *expires,
                };
                print(&pipeline.store.make_access_key(&scope(), new, at).await?)
            }),
            Verb::Link => journey(options, async |pipeline, config| {
                let usual = || format!("http://{}", config.http.listen());
                let address = config.http.address.clone().unwrap_or_else(usual);
                let address = address.trim_end_matches('/');
                print(&login::link(&pipeline.store, address, options.at()).await?)
            }),
            Verb::List => journey(options, async |pipeline, _| {
                let keys = pipeline.store.access_keys().await?;
                if options.json {
                    return print_json(&json!(keys));
                }
                keys.iter().try_for_each(|it| print(&line(it)))
            }),
            Verb::Revoke { id } => journey(options, async |pipeline, _| {
                Ok(pipeline.store.revoke_access_key(&scope(), *id, options.at()).await?)
            }),
            Verb::Rewrap => journey(options, async |pipeline, _| {
                let count = pipeline.store.rewrap(&scope(), options.at()).await?;
                print(&format!(
                    "{count} keys wrapped anew; the earlier key is no longer needed here"
                ))
            }),
        }
    }
}

/// A key on a line, without what opens.
fn line(it: &AccessKey) -> String {
    let offices = it.offices.as_ref().map_or_else(|| "every office".to_owned(), |it| it.join(", "));
    let kind = if it.test { "test" } else { "live" };
    let end = match (it.revoked_at, it.expires_at) {
        (Some(at), _) => format!("taken back {}", at.format("%F")),
        (None, Some(at)) => format!("until {}", at.format("%F")),
        (None, None) => "without end".to_owned(),
    };
    printable(&format!("{} {kind} {} ({offices}) {end}", it.id, it.name))
}
