//! `demo`: the main job on invented persons, in every language, into a folder.

use std::path::{Path, PathBuf};

use clap::Args;

use super::output::{print, write};
use super::render::{MarkOptions, in_language, render};
use super::{Failure, Options, Shop};
use crate::document::{Document, example};
use crate::render::Renderer;
use crate::seal::{Office, SealError, SealOptions, Sealer, TestAuthority};

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where to write
    #[arg(long, value_name = "DIR", default_value = "paraphe-demo")]
    out: PathBuf,
    #[command(flatten)]
    marks: MarkOptions,
}

/// The examples that are also made in every language: both contracts and two letters.
const IN_EVERY_LANGUAGE: [&str; 4] = ["cai", "caif", "convocation", "convocation-course"];

/// Whose seal the contracts bear.
const DEMO_OFFICE: &str = "Office SPECIMEN";

/// What was made so far.
#[derive(Default)]
struct Made {
    documents: usize,
    pages: usize,
}

impl Demo {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let shop = options.open()?;
        let renderer = shop.renderer()?;
        let every_language = self.out.join("languages");
        make_folder(&every_language)?;
        let authority = TestAuthority::random().map_err(SealError::from)?;
        let signer = authority.signer(DEMO_OFFICE).map_err(SealError::from)?;
        let sealer = Sealer::On(Office::new(signer, &SealOptions::default())?);
        write(&self.out.join("test-authority.pem"), authority.root().to_pem().as_bytes())?;
        let mut made = Made::default();
        for (path, _) in shop.assets.list("templates/examples/", ".json.j2") {
            let data = example(path, &shop.assets, &shop.rulebook, options.at())?;
            let name = path.rsplit('/').next().unwrap_or(path);
            let name = name.strip_suffix(".json.j2").unwrap_or(name);
            write(&self.out.join(format!("{name}.json")), data.as_bytes())?;
            let file = self.out.join(format!("{name}.pdf"));
            let (language, pages) = self.make(&shop, &renderer, &sealer, &data, &file, options)?;
            made.add(pages);
            print(&format!("{:44} {pages} pages, {language}", file.display().to_string()))?;
            if IN_EVERY_LANGUAGE.contains(&name) {
                for tag in shop.rulebook.catalogues.keys().filter(|tag| **tag != language) {
                    let file = every_language.join(format!("{tag}-{name}.pdf"));
                    let data = in_language(&data, tag);
                    made.add(self.make(&shop, &renderer, &sealer, &data, &file, options)?.1);
                }
            }
        }
        let (documents, pages) = (made.documents, made.pages);
        print(&format!(
            "{:44} both contracts and two letters",
            format!("{}/", every_language.display())
        ))?;
        print(&format!("\n{documents} documents, {pages} pages in {}.", self.out.display()))?;
        print("Each PDF stands beside the data it was made from: change the data and try")?;
        print(&format!("  paraphe render {}/cai.json -o mine.pdf", self.out.display()))
    }

    /// Makes one document; answers its language and its pages.
    fn make(
        &self,
        shop: &Shop,
        renderer: &Renderer,
        sealer: &Sealer,
        data: &str,
        file: &Path,
        options: &Options,
    ) -> Result<(String, usize), Failure> {
        let name = file.display().to_string();
        let document = Document::check(data.as_bytes(), &shop.rulebook, options.at());
        let document = document.map_err(|problems| {
            shop.report(&name, &problems, options);
            Failure::Data
        })?;
        let pdf = render(shop, renderer, &document, &self.marks, &name, options)?;
        let sealed = sealer.seal(&pdf, &document, &shop.rulebook, options.at())?;
        write(file, sealed.bytes())?;
        Ok((document.language().to_owned(), pdf.pages()))
    }
}

impl Made {
    fn add(&mut self, pages: usize) {
        self.documents += 1;
        self.pages += pages;
    }
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)
        .map_err(|source| Failure::File { path: folder.display().to_string(), source })
}
