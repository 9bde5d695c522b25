//! Mail merge: lists as offices have them, judged row by row, and what is printed of them.

mod accounts;
mod preflight;
mod print;
mod rows;
mod run;
mod scale;
mod session;
mod verbs;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use paraphe::assets::Assets;
use paraphe::merge::preflight::{Checked, Kit, Preflight, PreflightOptions};
use paraphe::merge::rows::{Columns, RowOptions};
use paraphe::merge::{Finding, MergeError, preflight as merge};
use serde_json::Value;

use crate::harness::{SHOP, at, marks};

static COLUMNS: LazyLock<Columns> =
    LazyLock::new(|| Columns::load(&Assets::embedded(), &SHOP.rulebook).unwrap());

fn kit() -> Kit<'static> {
    Kit {
        columns: &COLUMNS,
        rulebook: &SHOP.rulebook,
        renderer: &SHOP.renderer,
        marks: &marks,
        known: &|_| Ok(Vec::new()),
    }
}

/// The files of rows of a folder, by name.
fn files(folder: &str) -> BTreeMap<String, PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rows").join(folder);
    let entries = std::fs::read_dir(root).unwrap().map(|it| it.unwrap().path());
    entries.map(|it| (it.file_name().unwrap().to_string_lossy().into_owned(), it)).collect()
}

/// A file of rows that stands nowhere.
fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    file
}

/// Rows of a step that the file does not name.
fn options() -> PreflightOptions {
    let step = ("Étape".to_owned(), "medical_visit".to_owned());
    let rows = RowOptions { defaults: vec![step], ..RowOptions::default() };
    PreflightOptions { rows, ..PreflightOptions::default() }
}

/// Checks a list; answers what was found and the sound rows.
fn check(file: File, options: &PreflightOptions) -> Result<(Preflight, Vec<Checked>), MergeError> {
    let mut sound = Vec::new();
    let mut keep = |it| sound.push(it);
    let found = merge::preflight(file, kit(), options, at(), &mut keep, &mut |_| {})?;
    Ok((found, sound))
}

/// Everything that is wrong with a file, be it refused as a whole or row by row.
fn findings(file: File, options: &PreflightOptions) -> Vec<Finding> {
    match check(file, options) {
        Ok((found, _)) => found.findings,
        Err(MergeError::Refused(finding)) => vec![*finding],
        Err(error) => panic!("{error:?}"),
    }
}

fn inputs(sound: &[Checked]) -> Vec<Value> {
    sound.iter().map(|it| serde_json::from_slice(&it.input).unwrap()).collect()
}

/// A list of as many rows as asked for, in several languages; every third without email.
fn list(count: usize) -> String {
    list_on(count, "23/03/2026")
}

fn list_on(count: usize, day: &str) -> String {
    let mut text = String::from(
        "Référence;Dossier;Direction;Étape;Langue;Nom;Prénoms;Date de naissance;N° étranger;Adresse;\
         Code postal;Ville;Courriel;Date;Début;Fin;Agent;Qualité de l’agent\n",
    );
    for n in 0..count {
        let language = ["arabe", "anglais", "français", "dari"][n % 4];
        let step = ["visite médicale", "entretien individuel"][n / 4 % 2];
        let postcode = ["69003", "69100", "01000", "69008"][n * 7 % 4];
        let email = if n % 3 == 0 { String::new() } else { format!("p{n}.specimen@example.org") };
        text.push_str(&format!(
            "CV-{n:05};D-{n};sample;{step};{language};SPECIMEN;Amina;1990;69{n:08};{n} rue des Lilas;\
             {postcode};Lyon;{email};{day};{}h;{}h;Camille EXEMPLE;gestionnaire\n",
            8 + n % 8,
            9 + n % 8
        ));
    }
    text
}
