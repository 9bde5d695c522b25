//! `schema`: what an input looks like.

use std::path::PathBuf;

use clap::Args;

use super::output::{print, print_json, write};
use super::{Failure, Options};
use crate::document::{Kind, example};
use crate::merge::rows::Columns;
use crate::merge::template;

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// cai, caif or convocation
    #[arg(value_parser = kind)]
    kind: Kind,
    /// Print a valid example instead, with dates to come
    #[arg(long, group = "form")]
    example: bool,
    /// Print an example file of rows for `merge` (convocation only)
    #[arg(long, group = "form")]
    csv: bool,
    /// Write the same as a workbook
    #[arg(long, group = "form", value_name = "FILE.xlsx")]
    xlsx: Option<PathBuf>,
}

impl Schema {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let shop = options.open()?;
        let path = format!("templates/examples/{}.json.j2", self.kind.name());
        let example = || example(&path, &shop.assets, &shop.rulebook, options.at());
        let rows = self.csv || self.xlsx.is_some();
        if rows && self.kind != Kind::Convocation {
            return Err(Failure::Usage("only convocations come as rows".to_owned()));
        }
        if rows {
            let columns = Columns::load(&shop.assets, &shop.rulebook)?;
            let example = serde_json::from_str(&example()?).unwrap_or_default();
            match &self.xlsx {
                Some(file) => write(file, &template::xlsx(&columns, &example)?),
                None => print(template::csv(&columns, &example).trim_end()),
            }
        } else if self.example {
            print(example()?.trim_end())
        } else {
            print_json(shop.rulebook.schemas.get(self.kind))
        }
    }
}

fn kind(text: &str) -> Result<Kind, String> {
    let found = Kind::ALL.into_iter().find(|it| it.name() == text);
    found.ok_or_else(|| format!("one of {}", Kind::ALL.map(Kind::name).join(", ")))
}
