//! `doctor`: looks at everything the product needs and says, all at once, what to mend. It changes and sends nothing.

mod kept;
mod servers;

use std::fmt;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::journey::runtime;
use super::output::{print, print_json, printable};
use super::{Failure, Options, Shop};
use crate::class::Class;
use crate::config::Config;
use crate::telemetry;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(super) struct Doctor {}

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Good,
    Warning,
    Fault,
}

/// What was found out about a part, and what mends it.
#[derive(Debug, Serialize)]
struct Finding {
    part: &'static str,
    verdict: Verdict,
    found: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    mend: String,
    /// Whether it may pass by itself, as when a server is down.
    #[serde(skip)]
    passes: bool,
}

impl Finding {
    fn good(part: &'static str, found: impl fmt::Display) -> Self {
        Self::new(part, Verdict::Good, found, "")
    }

    fn warning(part: &'static str, found: impl fmt::Display, mend: &str) -> Self {
        Self::new(part, Verdict::Warning, found, mend)
    }

    fn fault(part: &'static str, found: impl fmt::Display, mend: &str) -> Self {
        Self::new(part, Verdict::Fault, found, mend)
    }

    /// A fault of an error's class.
    fn of(part: &'static str, class: Class, error: impl fmt::Display, mend: &str) -> Self {
        Self { passes: class == Class::Later, ..Self::fault(part, error, mend) }
    }

    fn new(part: &'static str, verdict: Verdict, found: impl fmt::Display, mend: &str) -> Self {
        Self { part, verdict, found: found.to_string(), mend: mend.to_owned(), passes: false }
    }
}

impl Doctor {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let shop = options.open()?;
        telemetry::start(options.log, &options.log_filter);
        let findings = runtime()?.block_on(look(&shop, options));
        if options.json {
            print_json(&json!(findings))?;
        } else {
            findings.iter().try_for_each(say)?;
            let count = |verdict| findings.iter().filter(|it| it.verdict == verdict).count();
            let (faults, warnings) = (count(Verdict::Fault), count(Verdict::Warning));
            print(&format!("{faults} faults, {warnings} warnings"))?;
        }
        let faults: Vec<_> = findings.iter().filter(|it| it.verdict == Verdict::Fault).collect();
        match faults.iter().all(|it| it.passes) {
            true if faults.is_empty() => Ok(()),
            true => Err(Failure::Said(Class::Later)),
            false => Err(Failure::Said(Class::Caller)),
        }
    }
}

async fn look(shop: &Shop, options: &Options) -> Vec<Finding> {
    let mut findings = Vec::new();
    let assets = shop.assets.digest();
    let languages = shop.rulebook.catalogues.len();
    let templates = format!("sound, {languages} languages, sha256:{assets}");
    findings.push(Finding::good("templates", templates));
    let Some(config) = settings(shop, options, &mut findings) else { return findings };
    if config.is_trial() && !config.data().exists() {
        let data = config.data();
        let made = format!("{} is not there yet; the first start makes it", data.display());
        findings.push(Finding::good("data", made));
        findings.push(kept::disk(&config));
        return findings;
    }
    let look = kept::store(&config, &mut findings).await;
    let seal = kept::seal(&config, &mut findings);
    findings.push(servers::mail(&config).await);
    findings.extend(servers::mailbox(&config).await);
    findings.extend(servers::clock(look.as_ref(), seal.as_ref()));
    findings.push(kept::disk(&config));
    findings
}

/// The settings, where they can be read.
fn settings(shop: &Shop, options: &Options, findings: &mut Vec<Finding>) -> Option<Config> {
    const PART: &str = "settings";
    let Some(path) = &options.config else {
        findings.push(Finding::good(PART, "none: trial mode, everything in ./paraphe-data"));
        return Some(Config::default());
    };
    let explanations = &shop.rulebook.explanations;
    let (config, fault) = match Config::examine(path, explanations, &options.messages) {
        Ok((config, fault)) => (Some(config), fault),
        Err(fault) => (None, Some(fault)),
    };
    findings.push(match (&config, fault) {
        (_, Some(fault)) => Finding::fault(PART, fault, "Mend each line; all are named."),
        (Some(config), None) if config.is_trial() => {
            let mode = format!("{}: trial mode, nothing that is made has value", path.display());
            Finding::good(PART, mode)
        }
        _ => Finding::good(PART, format!("{}: production", path.display())),
    });
    config
}

/// A finding for people.
fn say(it: &Finding) -> Result<(), Failure> {
    let verdict = format!("{:?}", it.verdict).to_lowercase();
    let mut lines = it.found.lines().map(printable);
    let first = lines.next().unwrap_or_default();
    print(&format!("{verdict:<8} {:<12} {first}", it.part))?;
    let mend = (!it.mend.is_empty()).then(|| format!("→ {}", it.mend));
    lines.chain(mend).try_for_each(|line| print(&format!("{:21} {line}", "")))
}
