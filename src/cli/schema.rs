//! `schema`: what an input looks like.

use clap::Args;

use super::output::{print, print_json};
use super::{Failure, Options};
use crate::document::{Kind, example};

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// cai, caif or convocation
    #[arg(value_parser = kind)]
    kind: Kind,
    /// Print a valid example instead, with dates to come
    #[arg(long)]
    example: bool,
}

impl Schema {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let shop = options.open()?;
        if self.example {
            let path = format!("templates/examples/{}.json.j2", self.kind.name());
            let example = example(&path, &shop.assets, &shop.rulebook, options.at())?;
            print(example.trim_end())
        } else {
            print_json(shop.rulebook.schemas.get(self.kind))
        }
    }
}

fn kind(text: &str) -> Result<Kind, String> {
    let found = Kind::ALL.into_iter().find(|it| it.name() == text);
    found.ok_or_else(|| format!("one of {}", Kind::ALL.map(Kind::name).join(", ")))
}
