//! `languages`: which there are, how complete, who has read them.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::output::{print, print_json, read, write};
use super::{Failure, Options, Shop};
use crate::document::{Catalogue, Status, stamp};

/// Arguments of `languages`.
#[derive(Debug, Args)]
pub(super) struct Languages {
    /// Pin the catalogue FILE (a templates/locales/*.toml) to the French of today
    #[arg(long, value_name = "FILE")]
    stamp: Option<PathBuf>,
}

impl Languages {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let shop = options.open()?;
        match &self.stamp {
            Some(file) => {
                let text = String::from_utf8(read(file)?)
                    .map_err(|_| Failure::Usage(format!("{}: not UTF-8", file.display())))?;
                write(file, stamp(&text, shop.rulebook.french()).as_bytes())
            }
            None => {
                shop.renderer()?; // which asks whether the fonts have every glyph of every sentence
                list(&shop, options)
            }
        }
    }
}

fn list(shop: &Shop, options: &Options) -> Result<(), Failure> {
    let catalogues = shop.rulebook.catalogues.values();
    if options.json {
        let rows: Vec<_> = catalogues.map(row).collect();
        return print_json(&rows.into());
    }
    print("tag      language              status    confidence  sentences  stale")?;
    for it in catalogues {
        let status = match it.review.status {
            Status::Draft => "draft",
            Status::Reviewed => "reviewed",
        };
        print(&format!(
            "{:8} {:21} {status:9} {:11} {:>9}  {:>5}",
            it.tag,
            it.french_name,
            it.review.confidence,
            it.messages.len(),
            it.stale().len(),
        ))?;
    }
    Ok(())
}

fn row(catalogue: &Catalogue) -> Value {
    json!({
        "tag": catalogue.tag,
        "name": catalogue.name,
        "french_name": catalogue.french_name,
        "status": if catalogue.review.status == Status::Draft { "draft" } else { "reviewed" },
        "confidence": catalogue.review.confidence,
        "reviewed_by": catalogue.review.by,
        "reviewed_on": catalogue.review.on,
        "sentences": catalogue.messages.len(),
        "stale": catalogue.stale(),
    })
}
