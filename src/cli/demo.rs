//! `demo`: the main job on invented persons, in every language, into a folder.

use std::path::{Path, PathBuf};

use clap::Args;

use super::output::{print, write};
use super::render::{MarkOptions, render};
use super::{Failure, Options};
use crate::document::{Document, example};

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where to write
    #[arg(long, value_name = "DIR", default_value = "paraphe-demo")]
    out: PathBuf,
    #[command(flatten)]
    marks: MarkOptions,
}

impl Demo {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let shop = options.open()?;
        let renderer = shop.renderer()?;
        make_folder(&self.out)?;
        let mut pages = 0;
        let mut made = 0;
        for (path, _) in shop.assets.list("templates/examples/", ".json.j2") {
            let data = example(path, &shop.assets, &shop.rulebook, options.at())?;
            let name = path.rsplit('/').next().unwrap_or(path);
            let name = name.strip_suffix(".json.j2").unwrap_or(name);
            let document = Document::check(data.as_bytes(), &shop.rulebook, options.at()).map_err(
                |problems| {
                    shop.report(path, &problems, options);
                    Failure::Data
                },
            )?;
            let pdf = render(&shop, &renderer, &document, &self.marks, path, options)?;
            let file = self.out.join(format!("{name}.pdf"));
            write(&self.out.join(format!("{name}.json")), data.as_bytes())?;
            write(&file, pdf.bytes())?;
            print(&format!(
                "{:50} {} pages, {} + {}",
                file.display().to_string(),
                pdf.pages(),
                "fr",
                document.language()
            ))?;
            pages += pdf.pages();
            made += 1;
        }
        print(&format!("\n{made} documents, {pages} pages in {}.", self.out.display()))?;
        print("Each PDF stands beside the data it was made from: change the data and try")?;
        print(&format!("  paraphe render {}/cai.json -o mine.pdf", self.out.display()))
    }
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)
        .map_err(|source| Failure::File { path: folder.display().to_string(), source })
}
