//! What the preflight of a list found, on the terminal and as files.

use serde_json::json;

use super::super::output::{print, print_json, printable, write};
use super::super::progress::Progress;
use super::super::render::MarkOptions;
use super::super::{Failure, Options, Shop};
use super::Merge;
use super::list::List;
use crate::assets::Assets;
use crate::document::{Document, Rulebook};
use crate::merge::preflight::{Kit, Preflight, PreflightOptions, preflight};
use crate::merge::proof::Proof;
use crate::merge::rows::Columns;
use crate::merge::{MergeError, report, workbook};
use crate::render::Haste;

impl Merge {
    /// Checks the list without a store, and shows a proof if one is asked for.
    pub(super) fn check_only(
        &self,
        list: &List,
        shop: &Shop,
        options: &Options,
    ) -> Result<(), Failure> {
        let columns = Columns::load(&shop.assets, &shop.rulebook)?;
        let renderer = shop.renderer()?;
        let trial = MarkOptions::default();
        let marks = |document: &Document| trial.of(document);
        let kit = Kit {
            columns: &columns,
            rulebook: &shop.rulebook,
            renderer: &renderer,
            marks: &marks,
            known: &|_| Ok(Vec::new()),
        };
        let settings = self.settings(&columns)?;
        let mut proof = Proof::new(self.proof.unwrap_or_default());
        let progress = Progress::open("rows checked");
        let mut keep = |it| proof.see(it, kit.rulebook);
        let found = preflight(list.open()?, kit, &settings, options.at(), &mut keep, &mut |done| {
            progress.reach(done);
        });
        progress.end();
        let found = found.map_err(|error| refused(list, error, &shop.rulebook, options))?;
        self.say(&found, list, &shop.assets, kit, &settings, options)?;
        if let Some(folder) = self.out.as_ref().filter(|_| self.proof.is_some()) {
            std::fs::create_dir_all(folder)
                .map_err(|source| Failure::File { path: folder.display().to_string(), source })?;
            for it in proof.letters() {
                let (document, marks) = (&it.document, marks(&it.document));
                let pdf =
                    renderer.render(document, kit.rulebook, &marks, options.at(), Haste::Desk);
                let pdf = pdf.map_err(Failure::Render)?;
                let file = folder.join(format!("proof-{}.pdf", it.row));
                write(&file, pdf.bytes())?;
                print(&format!("{}: {}, row {}", file.display(), document.language(), it.row))?;
            }
        }
        if found.is_sound() || self.skip_faulty { Ok(()) } else { Err(Failure::Data) }
    }

    pub(super) fn say(
        &self,
        found: &Preflight,
        list: &List,
        assets: &Assets,
        kit: Kit<'_>,
        settings: &PreflightOptions,
        options: &Options,
    ) -> Result<(), Failure> {
        let said = report::say(&found.findings, kit.rulebook, &options.messages);
        if options.json {
            let mut whole = json!(found);
            whole["findings"] = json!(said);
            print_json(&whole)?;
        } else {
            report::lines(&said).iter().for_each(|it| eprintln!("{}", printable(it)));
            print(&format!(
                "{}: {} rows, {} sound, {} at fault; {} by email, {} by post, {} pages",
                found.reading.form,
                found.reading.rows,
                found.sound,
                found.faulty.len(),
                found.email,
                found.post,
                found.pages
            ))?;
        }
        let Some(folder) = &self.report else { return Ok(()) };
        std::fs::create_dir_all(folder)
            .map_err(|source| Failure::File { path: folder.display().to_string(), source })?;
        let at = options.at().format("%d/%m/%Y %H:%M UTC").to_string();
        let page =
            report::html(found, (&list.name, &at), &settings.accepted, assets, kit.rulebook)?;
        write(&folder.join("preflight.html"), page.as_bytes())?;
        write(&folder.join("problems.csv"), report::csv(&said).as_bytes())?;
        let mut whole = json!(found);
        whole["findings"] = json!(said);
        write(&folder.join("preflight.json"), format!("{whole:#}\n").as_bytes())?;
        let words = (&kit.rulebook.explanations, options.messages.as_str());
        let rows = &settings.rows;
        if let Some(it) =
            workbook::marked(list.open()?, kit.columns, rows, &found.findings, None, words)?
        {
            write(&folder.join(format!("marked.{}", it.extension)), &it.bytes)?;
        }
        let faulty = |row: u64| found.faulty.contains(&row);
        if self.skip_faulty
            && let Some(it) = workbook::marked(
                list.open()?,
                kit.columns,
                rows,
                &found.findings,
                Some(&faulty),
                words,
            )?
        {
            write(&folder.join(format!("skipped.{}", it.extension)), &it.bytes)?;
        }
        Ok(())
    }
}

/// A file that is refused as a whole, said like the problems of its rows.
pub(super) fn refused(
    list: &List,
    error: MergeError,
    rulebook: &Rulebook,
    options: &Options,
) -> Failure {
    let MergeError::Refused(finding) = error else { return error.into() };
    let said = report::say(&[*finding], rulebook, &options.messages);
    let lines = report::lines(&said).join("\n");
    let lines = lines.lines().map(printable).collect::<Vec<_>>().join("\n");
    eprintln!("{}: {lines}", list.path().display());
    Failure::Data
}
