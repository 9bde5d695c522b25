//! `check`: every problem of every file, and who must, may or need not sign.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::output::{print, print_json, read};
use super::render::MarkOptions;
use super::{Failure, Options, Shop};
use crate::document::{Document, Problem};
use crate::render::{Haste, RenderError, Renderer};

/// Arguments of `check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// JSON files; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    marks: MarkOptions,
}

impl Check {
    pub(super) fn run(&self, options: &Options) -> Result<(), Failure> {
        let shop = options.open()?;
        let renderer = shop.renderer()?;
        let mut reports = Vec::new();
        let mut sound = true;
        for file in &self.files {
            let result = self.judge(&shop, &renderer, &read(file)?, options)?;
            sound &= result.is_ok();
            if options.json {
                reports.push(report(&shop, file, &result));
            } else {
                say(&shop, file, &result, options)?;
            }
        }
        if options.json {
            print_json(&reports.into())?;
        }
        if sound { Ok(()) } else { Err(Failure::Data) }
    }

    /// The rules, and whether the document can be laid out: glyphs, cells, pages.
    fn judge(
        &self,
        shop: &Shop,
        renderer: &Renderer,
        bytes: &[u8],
        options: &Options,
    ) -> Result<Result<Document, Vec<Problem>>, Failure> {
        let document = match Document::check(bytes, &shop.rulebook, options.at()) {
            Ok(document) => document,
            Err(problems) => return Ok(Err(problems)),
        };
        let marks = self.marks.of(&document);
        match renderer.render(&document, &shop.rulebook, &marks, options.at(), Haste::Desk) {
            Ok(_) => Ok(Ok(document)),
            Err(RenderError::Data(problems)) => Ok(Err(problems)),
            Err(error) => Err(Failure::Render(error)),
        }
    }
}

fn say(
    shop: &Shop,
    file: &Path,
    result: &Result<Document, Vec<Problem>>,
    options: &Options,
) -> Result<(), Failure> {
    let name = file.display().to_string();
    match result {
        Ok(document) => {
            print(&format!("{name}: sound"))?;
            for party in document.parties() {
                let obligation = json!(party.obligation);
                let obligation = obligation.as_str().unwrap_or_default().to_owned();
                print(&format!("    {:14} {obligation:6} ({})", party.field, party.source))?;
            }
            shop.report(&name, document.warnings(), options);
        }
        Err(problems) => shop.report(&name, problems, options),
    }
    Ok(())
}

fn report(shop: &Shop, file: &Path, result: &Result<Document, Vec<Problem>>) -> Value {
    let problems =
        |problems: &[Problem]| -> Value { problems.iter().map(|it| problem(shop, it)).collect() };
    match result {
        Ok(document) => json!({
            "file": file.display().to_string(),
            "sound": true,
            "kind": document.kind().name(),
            "reference": document.reference(),
            "language": document.language(),
            "parties": document.parties(),
            "delivery": if document.emails().is_empty() { "post" } else { "email" },
            "warnings": problems(document.warnings()),
            "accepted": accepted(shop, document),
            "digest": hex(&document.digest()),
        }),
        Err(found) => json!({
            "file": file.display().to_string(),
            "sound": false,
            "problems": problems(found),
        }),
    }
}

/// The breaches that the data accepts, each with the reason and the name.
fn accepted(shop: &Shop, document: &Document) -> Value {
    let accepted = document.accepted().iter().map(|it| {
        let mut entry = problem(shop, it);
        if let Some((reason, by)) = document.acceptance(it) {
            entry["reason"] = json!(reason);
            entry["by"] = json!(by);
        }
        entry
    });
    accepted.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A problem with its sentences in every language there is.
fn problem(shop: &Shop, problem: &Problem) -> Value {
    let explanations = &shop.rulebook.explanations;
    let said: serde_json::Map<_, _> = explanations
        .languages()
        .map(|language| (language.to_owned(), json!(explanations.explain(problem, language))))
        .collect();
    json!({
        "pointer": problem.pointer,
        "code": problem.code,
        "severity": problem.severity,
        "said": said,
    })
}
