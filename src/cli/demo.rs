//! `demo`: the whole journey on invented persons, in every language, into a folder: contracts that are
//! issued, signed on a pretended tablet and by a test certificate, verified and mailed, and letters.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::journey::{scope, with_config};
use super::output::{print, write};
use super::render::in_language;
use super::worker::{send, when_drained};
use super::{Failure, Options};
use crate::config::{Config, MailSection};
use crate::document::example;
use crate::pipeline::{IssueError, Order, Pipeline, fresh_id};
use crate::seal::verify::{Trust, verify};
use crate::seal::{Act, Evidence, Presented, SealedPdf, Signer, Strokes};
use crate::store::{IdempotencyKey, Receipt, State};

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where to write
    #[arg(long, value_name = "DIR", default_value = "paraphe-demo")]
    out: PathBuf,
}

/// The examples that are also made in every language: both contracts and two letters.
const IN_EVERY_LANGUAGE: [&str; 4] = ["cai", "caif", "convocation", "convocation-course"];

/// Who signs for the State in a trial.
const AUTHORITY: &str = "Claude EXEMPLE";

/// What was made so far.
#[derive(Default)]
struct Made {
    documents: usize,
    signed: usize,
}

/// The pipeline, and who signs.
struct Stage<'a> {
    pipeline: Arc<Pipeline>,
    authority: Arc<dyn Signer>,
    trust: Trust,
    options: &'a Options,
}

impl Demo {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let (shop, examples) = self.examples(options)?;
        let languages: Vec<_> = shop.rulebook.catalogues.keys().cloned().collect();
        let config = Config {
            data: Some(self.out.join("data")),
            mail: MailSection { folder: Some(self.out.join("mail")), ..MailSection::default() },
            ..Config::default()
        };
        for folder in ["languages", "mail"] {
            make_folder(&self.out.join(folder))?;
        }
        let made = with_config(options, shop, config, async |pipeline, config| {
            let stage = Stage::set(pipeline, &config, options)?;
            let mut made = Made::default();
            for (name, data) in &examples {
                write(&self.out.join(format!("{name}.json")), data.as_bytes())?;
                let (receipt, said) =
                    stage.show(data, &self.out.join(format!("{name}.pdf"))).await?;
                made.add(&receipt);
                print(&said)?;
                if IN_EVERY_LANGUAGE.contains(&name.as_str()) {
                    for tag in &languages {
                        let file = self.out.join(format!("languages/{tag}-{name}.pdf"));
                        made.add(&stage.show(&in_language(data, tag), &file).await?.0);
                    }
                }
            }
            let drained = when_drained(stage.pipeline.clone());
            send(&stage.pipeline, &config, "demo", drained).await?;
            Ok(made)
        })?;
        self.sum(&made)
    }

    /// The examples, dated from the moment asked for, by name.
    fn examples(&self, options: &Options) -> Result<(super::Shop, Vec<(String, String)>), Failure> {
        let shop = options.open()?;
        let mut examples = Vec::new();
        for (path, _) in shop.assets.list("templates/examples/", ".json.j2") {
            let data = example(path, &shop.assets, &shop.rulebook, options.at())?;
            let name = path.rsplit('/').next().unwrap_or(path);
            examples.push((name.strip_suffix(".json.j2").unwrap_or(name).to_owned(), data));
        }
        Ok((shop, examples))
    }

    fn sum(&self, made: &Made) -> Result<(), Failure> {
        let out = self.out.display();
        let (documents, signed) = (made.documents, made.signed);
        let mails = std::fs::read_dir(self.out.join("mail")).map_or(0, Iterator::count);
        print(&format!("{out}/languages/  both contracts and two letters in every language"))?;
        print(&format!("{out}/mail/       {mails} mails: open one with a mail program"))?;
        print(&format!(
            "\n{documents} documents, {signed} of them contracts signed by everybody."
        ))?;
        print("Their keys are a test authority's, so that nobody else takes them for real:")?;
        print(&format!("  paraphe verify {out}/cai.pdf --trust {out}/data/test-authority.cer"))?;
        print("Each PDF stands beside the data it was made from: change the data and try")?;
        print(&format!("  paraphe render {out}/cai.json -o mine.pdf"))
    }
}

impl<'a> Stage<'a> {
    fn set(
        pipeline: Arc<Pipeline>,
        config: &Config,
        options: &'a Options,
    ) -> Result<Self, Failure> {
        let authority = config.test_signer(AUTHORITY)?;
        let mut trust = Trust::nobody();
        for root in config.trusted()? {
            trust.add(&root).map_err(|error| Failure::Usage(error.to_string()))?;
        }
        Ok(Self { pipeline, authority, trust, options })
    }

    /// Issues a document, has everybody sign it, writes and verifies its last version.
    async fn show(&self, data: &str, file: &Path) -> Result<(Receipt, String), Failure> {
        let (at, scope) = (self.options.at(), scope());
        let name = file.display().to_string();
        let id = fresh_id(at);
        // Each run of the demo makes its own documents.
        let key = IdempotencyKey::new(id.to_string());
        let issued = match Order::new(id, Some(key), data.as_bytes().to_vec(), scope.actor()) {
            Ok(order) => self.pipeline.issue(&scope, order, at).await,
            Err(problems) => Err(IssueError::Data(problems)),
        };
        let mut receipt = issued.map_err(|error| match error {
            IssueError::Data(problems) => {
                super::report(&self.pipeline.rulebook, &name, &problems, self.options);
                Failure::Data
            }
            error => Failure::Issue(error),
        })?;
        let mut bytes = self.pipeline.store.file(&scope, id, None, at).await?;
        loop {
            let turn = SealedPdf::read(bytes)?;
            let Some(field) = turn.turn().0.first().cloned() else {
                bytes = turn.into_bytes();
                break;
            };
            let act = self.act(&field, &turn.hash());
            receipt = self.pipeline.sign(&scope, id, receipt.version, &field, act, at).await?;
            bytes = self.pipeline.store.file(&scope, id, None, at).await?;
        }
        write(file, &bytes)?;
        let state = match receipt.version {
            1 => "a letter",
            _ if verify(&bytes, &self.trust, at).is_valid() => "signed by everybody, verified",
            _ => "signed, and not valid",
        };
        Ok((receipt, format!("{name:44} {state}")))
    }

    /// The State signs with a certificate, everybody else with a finger on a tablet.
    fn act(&self, field: &str, shown: &str) -> Act {
        let shown = shown.to_owned();
        if field == "authority" {
            return Act::Certificate { signer: self.authority.clone(), shown };
        }
        let evidence = Evidence {
            agent: "Camille EXEMPLE".to_owned(),
            interpreter: None,
            language: "fr".to_owned(),
            presented: Presented::Heard,
            device: "demo".to_owned(),
            signed_at: self.options.at(),
            shown,
        };
        Act::Strokes { strokes: scribble(), evidence }
    }
}

impl Made {
    fn add(&mut self, receipt: &Receipt) {
        self.documents += 1;
        self.signed += usize::from(receipt.version > 1 && receipt.state == State::Complete);
    }
}

/// What a finger might draw: loops that grow smaller, and a line under them.
fn scribble() -> Strokes {
    let (width, height) = (300.0, 100.0);
    let turns = (0..120_u8).map(|step| {
        let part = f32::from(step) / 119.0;
        let swing = (part * 26.0).sin() * 32.0 * (1.0 - 0.7 * part);
        [20.0 + 230.0 * part + (part * 26.0).cos() * 14.0, 48.0 + swing]
    });
    let line = (0..20_u8).map(|step| {
        let part = f32::from(step) / 19.0;
        [30.0 + 230.0 * part, 88.0 - 8.0 * part]
    });
    Strokes { width, height, lines: vec![turns.collect(), line.collect()] }
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)
        .map_err(|source| Failure::File { path: folder.display().to_string(), source })
}
