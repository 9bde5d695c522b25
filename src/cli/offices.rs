//! `offices`: who issues, where trainings are given, and where nobody gives them.

use clap::Args;
use serde_json::{Value, json};

use super::output::{print, print_json};
use super::{Failure, Options, Shop};
use crate::document::Directorate;

/// Arguments of `offices`.
#[derive(Debug, Args)]
pub(super) struct Offices {
    /// List the departments in which no training centre stands
    #[arg(long, conflicts_with = "near")]
    without_centre: bool,
    /// List the training centres nearest to a postcode
    #[arg(long, value_name = "POSTCODE")]
    near: Option<String>,
    /// Only centres that give this training, such as civic_training
    #[arg(long, requires = "near", value_name = "STEP")]
    training: Option<String>,
}

impl Offices {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let shop = options.open()?;
        let rows = match &self.near {
            Some(postcode) => near(&shop, postcode, self.training.as_deref())?,
            None if self.without_centre => without_centre(&shop),
            None => directorates(&shop),
        };
        if options.json {
            return print_json(&rows.into_iter().map(|(_, value)| value).collect());
        }
        rows.iter().try_for_each(|(line, _)| print(line))
    }
}

/// A line for people, and the same as data.
type Row = (String, Value);

fn directorates(shop: &Shop) -> Vec<Row> {
    let line = |it: &Directorate| {
        let state = match (it.sample, it.verified) {
            (true, _) => "sample",
            (_, true) => "verified",
            _ => "unverified",
        };
        let checked = it.checked_on.as_deref().unwrap_or("never checked");
        format!(
            "{:22} {:11} {checked:14} {} ({})",
            it.id,
            state,
            it.name,
            it.departments.join(", ")
        )
    };
    shop.rulebook.offices.directorates.values().map(|it| (line(it), json!(it))).collect()
}

fn without_centre(shop: &Shop) -> Vec<Row> {
    let departments = &shop.rulebook.departments;
    let missing = shop.rulebook.offices.departments_without_centre(departments);
    missing.into_iter().map(|it| (format!("{:4} {}", it.code, it.name), json!(it))).collect()
}

fn near(shop: &Shop, postcode: &str, training: Option<&str>) -> Result<Vec<Row>, Failure> {
    let home = shop.rulebook.departments.of_postcode(postcode);
    let home =
        home.ok_or_else(|| Failure::Usage(format!("{postcode}: no department has this postcode")))?;
    let row = |(centre, distance): (&crate::document::Centre, f64)| {
        let sample = if centre.sample { " (sample)" } else { "" };
        let line = format!("{distance:>6.0} km  {:24} {}{sample}", centre.id, centre.name);
        (line, json!({ "kilometres": distance.round(), "centre": centre }))
    };
    Ok(shop.rulebook.offices.nearest(home, training).into_iter().take(5).map(row).collect())
}
