//! The door for people and scripts: one verb a file.
//!
//! Data goes to stdout, errors to stderr, and the exit code says whose turn it is: 0 done, 64 the
//! command line, 65 the data, 70 ourselves, 74 reading or writing, 75 nobody's now: try again later.

mod backup;
mod check;
mod completions;
mod deliveries;
mod demo;
mod doctor;
mod erase;
mod export;
mod extend;
mod issue;
mod journey;
mod key;
mod keys;
mod languages;
mod merge;
mod merges;
mod offices;
mod output;
mod progress;
mod render;
mod returned;
mod scan;
mod schema;
mod seal;
mod serve;
mod sign;
mod verify;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use crate::assets::{AssetError, Assets};
use crate::class::Class;
use crate::config::ConfigError;
use crate::document::{Problem, Rulebook, RulebookError};
use crate::http::ServiceError;
use crate::merge::MergeError;
use crate::pipeline::{IssueError, OpenError};
use crate::render::{RenderError, Renderer};
use crate::seal::SealError;
use crate::seal::verify::WordsError;
use crate::store::StoreError;
use crate::telemetry::Log;

/// The version, and the commit it was built from.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (commit ", env!("PARAPHE_COMMIT"), ")");

/// Turns contract data into signable CAI and CAIF contracts and convocation letters, in French and
/// the applicant's language.
#[derive(Debug, Parser)]
#[command(name = "paraphe", version = VERSION, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(Debug, Args)]
struct Options {
    /// Folder laid over the embedded templates and fonts (`templates/…`, `fonts/…`)
    #[arg(long, global = true, value_name = "DIR")]
    assets: Option<PathBuf>,
    /// The settings [default: trial mode, everything in ./paraphe-data]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How the log is written
    #[arg(long, global = true, value_enum, default_value_t = Log::Lines)]
    log: Log,
    /// What the log says: a level, or directives such as paraphe=debug
    #[arg(long, global = true, value_name = "FILTER", default_value = "warn")]
    log_filter: String,
    /// The moment the rules and the pages count from [default: now]
    #[arg(long, global = true, value_name = "RFC3339")]
    at: Option<DateTime<Utc>>,
    /// Print JSON where a person would read lines
    #[arg(long, global = true)]
    json: bool,
    /// Language of the problems: en or fr
    #[arg(long, global = true, value_name = "LANGUAGE", default_value = "en")]
    #[arg(value_parser = ["en", "fr"])]
    messages: String,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make contracts and letters in every language into ./paraphe-demo
    Demo(demo::Demo),
    /// Print the JSON Schema of an input, or a valid example
    Schema(schema::Schema),
    /// List every problem of every file, and who signs
    Check(check::Check),
    /// Make one document's PDF
    Render(render::Render),
    /// Issue one document: check, render, seal, keep, and put its mail into the outbox
    Issue(issue::Issue),
    /// File the scan of a contract that was signed on paper
    Scan(scan::Scan),
    /// Send what the outbox holds
    Worker(worker::Worker),
    /// Serve the API, the desk and the public pages, and send mail
    Serve(serve::Serve),
    /// List mails and decide about them
    Deliveries(deliveries::Deliveries),
    /// Look at everything the product needs, and say what to mend
    Doctor(doctor::Doctor),
    /// Copy everything that is kept into a folder
    Backup(backup::Backup),
    /// Bring a backup into an empty place
    Restore(backup::Restore),
    /// Forget a dossier for good, or all whose time is over
    Erase(erase::Erase),
    /// Put all that is kept about a dossier into one archive, for the person
    Export(export::Export),
    /// Make or change the operator's key
    Keys(keys::Keys),
    /// Say who signed a PDF, when, and what changed since
    Verify(verify::Verify),
    /// Check a list of appointments and make its letters
    Merge(Box<merge::Merge>),
    /// List merges; pause, resume or cancel one
    Merges(merges::Merges),
    /// Mark the addresses that envelopes came back from
    Returned(returned::Returned),
    /// Put the office's seal on a rendered file
    Seal(seal::Seal),
    /// Put one more signature into a file
    Sign(sign::Sign),
    /// Raise a signed file to a level that lasts longer
    Extend(extend::Extend),
    /// List the languages, their coverage and their review
    Languages(languages::Languages),
    /// List directorates and training centres
    Offices(offices::Offices),
    /// Print the completions of a shell
    Completions(completions::Completions),
}

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The data is at fault; the problems have been printed.
    #[error("the data is at fault")]
    Data,
    /// Something is at fault; it has been printed.
    #[error("something is at fault")]
    Said(Class),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
    /// The overlay folder cannot be read.
    #[error(transparent)]
    Assets(#[from] AssetError),
    /// Templates or catalogues are at fault.
    #[error(transparent)]
    Rulebook(#[from] RulebookError),
    /// The sentences of `verify` are at fault.
    #[error(transparent)]
    Words(#[from] WordsError),
    /// A page template is at fault.
    #[error(transparent)]
    Render(RenderError),
    /// The settings or what they name.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A document was not issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no service.
    #[error(transparent)]
    Serve(#[from] ServiceError),
    /// A list cannot be read or written.
    #[error(transparent)]
    Merge(MergeError),
    /// A file cannot be sealed, signed or extended.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The command line asks for something that is not there.
    #[error("{0}")]
    Usage(String),
}

/// The rulebook and, for the verbs that need pages, the renderer.
struct Shop {
    assets: Assets,
    rulebook: Rulebook,
}

impl Cli {
    /// Reads the command line and carries it out; the exit code is the answer.
    pub fn answer() -> ExitCode {
        match Self::try_parse() {
            Ok(cli) => cli.run(),
            Err(error) => {
                let _ = error.print();
                if error.kind() == ErrorKind::DisplayVersion {
                    let digest = Assets::embedded().digest();
                    let _ = output::print(&format!("templates and fonts sha256:{digest}"));
                }
                // Help and version are answers; anything else is a wrong command line (EX_USAGE).
                ExitCode::from(if error.use_stderr() { 64 } else { 0 })
            }
        }
    }

    /// Carries out the command line; the exit code is the answer.
    fn run(self) -> ExitCode {
        let options = &self.options;
        let result = match self.verb {
            Verb::Demo(it) => it.run(options),
            Verb::Schema(it) => it.run(options),
            Verb::Check(it) => it.run(options),
            Verb::Render(it) => it.run(options),
            Verb::Issue(it) => it.run(options),
            Verb::Scan(it) => it.run(options),
            Verb::Worker(it) => it.run(options),
            Verb::Serve(it) => it.run(options),
            Verb::Deliveries(it) => it.run(options),
            Verb::Doctor(it) => it.run(options),
            Verb::Backup(it) => it.run(options),
            Verb::Restore(it) => it.run(options),
            Verb::Erase(it) => it.run(options),
            Verb::Export(it) => it.run(options),
            Verb::Keys(it) => it.run(options),
            Verb::Verify(it) => it.run(options),
            Verb::Merge(it) => it.run(options),
            Verb::Merges(it) => it.run(options),
            Verb::Returned(it) => it.run(options),
            Verb::Seal(it) => it.run(options),
            Verb::Sign(it) => it.run(options),
            Verb::Extend(it) => it.run(options),
            Verb::Languages(it) => it.run(options),
            Verb::Offices(it) => it.run(options),
            Verb::Completions(it) => it.run(),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                // Data problems have been listed one by one.
                if !matches!(failure, Failure::Data | Failure::Said(_)) {
                    eprintln!("paraphe: {failure}");
                }
                failure.code()
            }
        }
    }
}

impl Options {
    /// The moment everything counts from.
    #[allow(clippy::disallowed_methods, reason = "a door asks the clock")]
    fn at(&self) -> DateTime<Utc> {
        self.at.unwrap_or_else(Utc::now)
    }

    fn assets(&self) -> Result<Assets, Failure> {
        Ok(match &self.assets {
            Some(folder) => Assets::overlaid(folder)?,
            None => Assets::embedded(),
        })
    }

    fn open(&self) -> Result<Shop, Failure> {
        let assets = self.assets()?;
        let rulebook = Rulebook::load(&assets)?;
        Ok(Shop { assets, rulebook })
    }
}

impl Shop {
    fn renderer(&self) -> Result<Renderer, Failure> {
        Ok(Renderer::new(&self.assets, &self.rulebook)?)
    }

    /// Prints problems to stderr.
    fn report(&self, file: &str, problems: &[Problem], options: &Options) {
        report(&self.rulebook, file, problems, options);
    }
}

/// Prints problems to stderr, in the language asked for.
fn report(rulebook: &Rulebook, file: &str, problems: &[Problem], options: &Options) {
    for problem in problems {
        let said = rulebook.explanations.explain(problem, &options.messages);
        let place = if problem.pointer.is_empty() { "/" } else { &problem.pointer };
        let message = output::printable(&said.message);
        let place = output::printable(place);
        eprintln!("{file}: {} at {place}: {message} [{}]", problem.severity, problem.code);
        if !said.hint.is_empty() {
            eprintln!("    {}", output::printable(&said.hint));
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Open(error.into())
    }
}

impl Failure {
    fn code(&self) -> ExitCode {
        let turn = |class| match class {
            Class::Caller => 65,
            Class::Us => 70,
            Class::Later => 75,
        };
        ExitCode::from(match self {
            Self::Open(OpenError::Config(
                ConfigError::File { .. } | ConfigError::Secret { .. },
            )) => 74,
            Self::Open(error) => turn(error.class()),
            Self::Issue(error) => turn(error.class()),
            Self::Store(error) => turn(error.class()),
            Self::Serve(ServiceError::Open(error)) => turn(error.class()),
            Self::Serve(ServiceError::Listen(..)) => 74,
            Self::Serve(_) => 70,
            Self::Usage(_) => 64,
            Self::Data => 65,
            Self::Said(class) => turn(*class),
            Self::Merge(MergeError::File(_)) => 74,
            Self::Merge(error) => turn(error.class()),
            Self::Render(_) | Self::Rulebook(_) | Self::Words(_) => 70,
            Self::File { .. } | Self::Assets(_) => 74,
            Self::Seal(error) => turn(error.class()),
        })
    }
}
