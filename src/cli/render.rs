//! `render`: one document's PDF.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::output::{read, write};
use super::{Failure, Options, Shop};
use crate::document::{Document, Problem};
use crate::render::{Haste, Marks, Pdf, RenderError, Renderer};
use crate::seal::Sealer;

/// Arguments of `render`.
#[derive(Debug, Args)]
pub(super) struct Render {
    /// A JSON file; `-` reads standard input
    file: PathBuf,
    /// Where to write the PDF; `-` writes standard output
    #[arg(short, long, value_name = "OUT.pdf")]
    output: PathBuf,
    /// The language beside French, instead of the file's
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    #[command(flatten)]
    marks: MarkOptions,
}

/// Where trial documents say that they can be verified.
const VERIFY_URL: &str = "https://verification.example.org/";

/// What is printed beside the content.
#[derive(Debug, Clone, Args)]
pub(super) struct MarkOptions {
    /// The address at which readers verify a document; its reference is appended
    #[arg(long, value_name = "URL", default_value = VERIFY_URL)]
    verify_url: String,
}

impl Default for MarkOptions {
    fn default() -> Self {
        Self { verify_url: VERIFY_URL.to_owned() }
    }
}

impl MarkOptions {
    /// The marks of a document. Without a real key and mode, every page says that it is a specimen.
    pub(super) fn of(&self, document: &Document) -> Marks {
        let address = format!("{}{}", self.verify_url, document.reference());
        Marks { verify_url: Some(address), specimen: true }
    }
}

impl Render {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let shop = options.open()?;
        let renderer = shop.renderer()?;
        let bytes = read(&self.file)?;
        let name = self.file.display().to_string();
        let mut result = Document::check(&bytes, &shop.rulebook, options.at());
        let is_json =
            |problems: &Vec<Problem>| !problems.iter().any(|it| it.code.starts_with("json."));
        if let Some(tag) = &self.language
            && result.as_ref().err().is_none_or(is_json)
        {
            let data = in_language(&String::from_utf8_lossy(&bytes), tag);
            result = Document::check(data.as_bytes(), &shop.rulebook, options.at());
        }
        let document = result.map_err(|problems| {
            shop.report(&name, &problems, options);
            Failure::Data
        })?;
        shop.report(&name, document.warnings(), options);
        let pdf = render(&shop, &renderer, &document, &self.marks, &name, options)?;
        // Without a key the boxes still become fields, to be signed by pen or elsewhere.
        let file = Sealer::Off.seal(&pdf, &document, &shop.rulebook, options.at())?;
        write(&self.output, file.bytes())
    }
}

/// Renders a checked document; problems of the page are reported like those of the data.
pub(super) fn render(
    shop: &Shop,
    renderer: &Renderer,
    document: &Document,
    marks: &MarkOptions,
    name: &str,
    options: &Options,
) -> Result<Pdf, Failure> {
    let marks = marks.of(document);
    renderer.render(document, &shop.rulebook, &marks, options.at(), Haste::Desk).map_err(|error| {
        match error {
            RenderError::Data(problems) => {
                shop.report(name, &problems, options);
                Failure::Data
            }
            error => Failure::Render(error),
        }
    })
}

/// The same data in another language.
pub(super) fn in_language(data: &str, tag: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(data) else { return data.to_owned() };
    if let Some(object) = value.as_object_mut() {
        object.insert("language".to_owned(), tag.into());
    }
    value.to_string()
}
