//! What comes back out of a file: its text, in the order of reading and each part in its language.
//!
//! Two readers: the tags, as assistive technology walks them ([`crate::tagged`]), give back every
//! language to the letter. So does pdftotext, which looks at where glyphs stand, but that it turns a line
//! from right to left round glyph by glyph: the two letters of a ligature of lam and alef change places,
//! and so does a vowel mark with its letter.

use std::collections::BTreeSet;
use std::process::Command;

use paraphe::assets::Assets;
use paraphe::document::{Content, Direction, FRENCH, Piece};
use serde_json::{Value, json};
use typst_pdf::PdfOptions;
use unicode_normalization::char::is_combining_mark;

use crate::harness::{OnDisk, SHOP, Shop, Word, at, good, letter, marks, overlay, source};
use crate::tagged::{self, Said};

/// Languages written from right to left.
fn from_the_right() -> impl Iterator<Item = &'static str> {
    let all = SHOP.rulebook.catalogues.values();
    all.filter(|it| it.direction == Direction::Rtl).map(|it| it.tag.as_str())
}

/// A letter and a contract in a language; both name a person in Arabic letters too.
fn documents(tag: &str) -> [Value; 2] {
    ["convocation/own-script-vocalised-arabic.json", "cai/own-script-arabic.json"].map(|name| {
        let mut data = good(name);
        data["language"] = json!(tag);
        data
    })
}

#[test]
fn every_language_is_read_out_of_the_tags_as_it_was_written() {
    for tag in SHOP.rulebook.catalogues.keys() {
        for data in documents(tag) {
            let read = tagged::words(&tagged::read(&SHOP.render(&data)), None);
            let missing = missing(&SHOP, &data, &read);
            assert!(missing.is_empty(), "{tag}: {missing:#?}");
        }
    }
}

#[test]
fn every_language_is_extracted_as_it_was_written() {
    for (tag, catalogue) in &SHOP.rulebook.catalogues {
        for data in documents(tag) {
            let read = pdftotext(SHOP.render(&data).bytes());
            let missing = match catalogue.direction {
                Direction::Ltr => missing(&SHOP, &data, &read),
                Direction::Rtl => missing_words(&SHOP, &data, &read),
            };
            // The name in Arabic letters, which stands in every contract, is looked for below.
            let missing: Vec<_> = missing.iter().filter(|it| !it.contains("SPECIMEN")).collect();
            assert!(missing.is_empty(), "{tag}: {missing:#?}");
        }
    }
}

/// The check bites: from the pages as Typst laid them out, Arabic comes back with letters twice.
#[test]
fn pages_as_typst_laid_them_out_read_otherwise() {
    let [letter, _] = documents("ar");
    let read = tagged::words(&tagged::read_file(&as_laid_out(&letter)), None);
    assert!(!missing(&SHOP, &letter, &read).is_empty());
}

/// Putting runs in order moves nothing: the picture stays the same, dot by dot.
#[test]
fn no_dot_moves() {
    for tag in ["ar", "ps", "ur", "bn", "fr"] {
        for data in documents(tag) {
            let (after, before) =
                (picture(SHOP.render(&data).bytes()), picture(&as_laid_out(&data)));
            assert_eq!(after.len(), before.len(), "{tag}");
            // Where a glyph stands on the edge of a quarter of a dot, rounding sets it before or behind.
            let other = after.iter().zip(&before).filter(|(a, b)| a.abs_diff(**b) > 8).count();
            assert!(other * 20_000 < after.len(), "{tag}: {other} of {} dots", after.len());
        }
    }
}

/// Every part of a page is said in its language: French on its own side, and in French the names and
/// numbers inside another language.
#[test]
fn every_part_is_said_in_its_language() {
    for (tag, catalogue) in SHOP.rulebook.catalogues.iter().filter(|(tag, _)| *tag != FRENCH) {
        let own = match &catalogue.region {
            Some(region) => format!("{}-{region}", catalogue.lang),
            None => catalogue.lang.clone(),
        };
        for data in documents(tag) {
            let faults = in_another_language(&SHOP, &data, &own);
            assert!(faults.is_empty(), "{tag}: {faults:#?}");
        }
    }
}

/// The check bites: values that do not say that they are French are found.
#[test]
fn a_value_in_no_language_is_seen() {
    let value = source("templates/document/lib/value.typ");
    let broken = value.replace("text(lang: \"fr\", region: \"FR\", dir: ltr", "text(dir: ltr");
    assert_ne!(value, broken);
    let folder = overlay(&[("templates/document/lib/value.typ", &broken)]);
    let shop = Shop::new(&Assets::overlaid(folder.path()).unwrap());
    assert!(!in_another_language(&shop, &letter("ar"), "ar").is_empty());
}

/// A name in its own script says that nobody knows in which language it is.
#[test]
fn a_name_in_its_own_script_is_printed_on_both_sides() {
    for name in [
        "cai/own-script-arabic.json",
        "cai/own-script-greek-beside-russian.json",
        "cai/own-script-chinese-french-only.json",
        "caif/own-script-tamil-and-bengali.json",
        "convocation/own-script-vocalised-arabic.json",
    ] {
        let data = good(name);
        let said = tagged::read(&SHOP.render(&data));
        let sides = if data["language"] == FRENCH { 1 } else { 2 };
        let text = said.iter().filter(|it| it.lang == "und").map(|it| it.text.as_str());
        let text: String = text.collect();
        for person in data["parents"].as_array().unwrap_or(&vec![data["applicant"].clone()]) {
            let name = person["native_name"].as_str().unwrap();
            assert_eq!(text.matches(name).count(), sides, "{name} in {text}");
        }
    }
}

/// From right to left, what is inside a number, a date, a time, a telephone number, a reference or an
/// address stands in the order in which it is read.
#[test]
fn digits_stand_in_order_from_the_right() {
    let tags: Vec<_> = from_the_right().collect();
    assert_eq!(tags, ["ar", "fa", "prs", "ps", "ur"]);
    for tag in tags {
        for data in documents(tag) {
            let faults = out_of_order(&SHOP, &data);
            assert!(faults.is_empty(), "{tag}: {faults:#?}");
        }
    }
}

/// The check above bites in each of these languages: without isolation the digits move.
#[test]
fn digits_move_without_isolation() {
    let value = source("templates/document/lib/value.typ");
    let broken = value.replace("box(body)", "text(dir: rtl, body)").replace("dir: ltr", "dir: rtl");
    assert_ne!(value, broken);
    let folder = overlay(&[("templates/document/lib/value.typ", &broken)]);
    let shop = Shop::new(&Assets::overlaid(folder.path()).unwrap());
    for tag in from_the_right() {
        assert!(!out_of_order(&shop, &letter(tag)).is_empty(), "{tag}: the check does not bite");
    }
}

/// The sentences of all sides that a reader does not give back.
fn missing(shop: &Shop, data: &Value, read: &str) -> Vec<String> {
    let content = shop.check(data).unwrap().content(&shop.rulebook);
    let read = letters(read);
    let sentences = sentences(shop, &content).into_iter().map(|(_, sentence)| sentence);
    sentences.filter(|it| !read.contains(&letters(it))).collect()
}

/// The sentences with words that a reader does not give back, but for what pdftotext moves in a line from
/// right to left: the letters of a ligature of lam and alef, vowel marks and joiners.
fn missing_words(shop: &Shop, data: &Value, read: &str) -> Vec<String> {
    let moved = ['ل', 'ا', 'أ', 'إ', 'آ', 'ى', 'ی', 'ي'];
    let words = |text: &str| -> BTreeSet<String> {
        let words =
            text.split(|c: char| !c.is_alphanumeric() && !is_combining_mark(c) && !hidden(c));
        let plain = words.filter(|it| !it.contains(|c| is_combining_mark(c) || hidden(c)));
        plain.map(|it| letters(it).replace(moved, "")).collect()
    };
    let content = shop.check(data).unwrap().content(&shop.rulebook);
    let read = words(&read.replace(|c| matches!(c, '\u{202a}'..='\u{202e}'), ""));
    let sentences = sentences(shop, &content).into_iter().map(|(_, sentence)| sentence);
    sentences.filter(|it| !words(it).is_subset(&read)).collect()
}

/// The sentences that a document prints, with the language of their side.
fn sentences(shop: &Shop, content: &Content) -> Vec<(String, String)> {
    let mut sentences = Vec::new();
    for (index, side) in content.sides.iter().enumerate() {
        let catalogue = shop.rulebook.catalogue(&side.tag);
        for key in keys_of(content) {
            let message = catalogue.message(&key);
            // The date and the place of a letter stand on its French page alone.
            let elsewhere = index > 0 && key == "label.date_place";
            // Those of the rows of a table have values of their own.
            if elsewhere || !message.names().iter().all(|it| side.values.contains_key(it)) {
                continue;
            }
            sentences.push((side.tag.clone(), message.fill(&side.values).plain()));
        }
    }
    assert!(sentences.len() > 20, "{}", sentences.len());
    sentences
}

/// What is compared: without spaces, soft hyphens, joiners and the controls that pdftotext adds.
fn letters(text: &str) -> String {
    // Portuguese repeats a hyphen at which a line breaks.
    text.replace(|c: char| c.is_whitespace() || c == '-' || hidden(c), "")
}

fn hidden(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
}

fn pdftotext(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("document.pdf");
    std::fs::write(&path, bytes).unwrap();
    let output = Command::new("pdftotext").arg("-raw").arg(path).arg("-").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The file of the pages that Typst laid out, nothing mended.
fn as_laid_out(data: &Value) -> Vec<u8> {
    let document = SHOP.check(data).unwrap();
    let pages = SHOP.renderer.pages(&document, &SHOP.rulebook, &marks(&document), at()).unwrap();
    typst_pdf::pdf(&pages, &PdfOptions::default()).unwrap()
}

/// The pages as poppler draws them.
fn picture(bytes: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("document.pdf");
    std::fs::write(&path, bytes).unwrap();
    let output = Command::new("pdftoppm").args(["-r", "100", "-gray"]).arg(path).output().unwrap();
    assert!(output.status.success() && output.stdout.len() > 100_000);
    output.stdout
}

/// Words of the side's language that are not said in it, and values in it that are not said in French.
fn in_another_language(shop: &Shop, data: &Value, own: &str) -> Vec<String> {
    let document = shop.check(data).unwrap();
    let content = document.content(&shop.rulebook);
    let said = tagged::read(&shop.render(data));
    let known: BTreeSet<_> = said.iter().map(|it| it.lang.as_str()).collect();
    let mut faults: Vec<String> = known
        .into_iter()
        .filter(|lang| ![own, "fr", "fr-FR", "und"].contains(lang))
        .map(|lang| format!("in the language {lang}"))
        .collect();
    let squeezed = |wanted: &dyn Fn(&Said) -> bool| {
        let text: String = said.iter().filter(|it| wanted(it)).map(|it| it.text.as_str()).collect();
        letters(&text)
    };
    let french = squeezed(&|it| it.lang.starts_with("fr"));
    let inside = squeezed(&|it| it.lang == "fr-FR");
    let other = squeezed(&|it| it.lang == own);
    for key in keys_of(&content) {
        for (index, side) in content.sides.iter().enumerate() {
            let message = shop.rulebook.catalogue(&side.tag).message(&key);
            let elsewhere = index > 0 && key == "label.date_place";
            if elsewhere || !message.names().iter().all(|it| side.values.contains_key(it)) {
                continue;
            }
            for piece in message.fill(&side.values).0 {
                let (text, place) = match &piece {
                    Piece::Text(text) => (text, if index == 0 { &french } else { &other }),
                    Piece::Raw { raw } => (raw, if index == 0 { &french } else { &inside }),
                    _ => continue,
                };
                if !place.contains(&letters(text)) {
                    faults.push(format!("{key} of {}: « {text} »", side.tag));
                }
            }
        }
    }
    faults
}

/// The data of the second side whose parts do not stand on one line from left to right.
fn out_of_order(shop: &Shop, data: &Value) -> Vec<String> {
    let document = shop.check(data).unwrap();
    let content = document.content(&shop.rulebook);
    let Ok(pdf) = shop.try_render(&document) else { return vec!["not rendered".to_owned()] };
    let disk = OnDisk::new(&pdf);
    let words: Vec<Vec<Word>> = (1..=pdf.pages()).map(|page| disk.words(page)).collect();
    // On the pages of a letter in another language, or anywhere in a contract.
    let pages = if data["kind"] == "convocation" { &words[1..] } else { &words[..] };
    let mut faults = Vec::new();
    let mut seen = 0;
    let printed = sentences(shop, &content);
    for (name, value) in &content.sides[1].values {
        for piece in value.pieces() {
            let Piece::Raw { raw } = piece else { continue };
            // What is longer may go over two lines.
            let digits = raw.chars().filter(char::is_ascii_digit).count();
            let short = raw.chars().count() <= 28 && digits >= 2;
            let used = printed.iter().any(|(tag, it)| tag != FRENCH && it.contains(&raw));
            if short && used {
                seen += 1;
                if !pages.iter().any(|page| stands_in_order(page, &raw)) {
                    faults.push(format!("{name}: {raw}"));
                }
            }
        }
    }
    assert!(seen >= 8, "{seen} data with digits");
    let dated = pages.iter().any(|page| year_is_left_of_day(page, &content));
    if !dated {
        faults.push("no date with its year to the left of its day".to_owned());
    }
    faults
}

/// Whether the parts of a datum stand on a line one to the right of the other.
fn stands_in_order(page: &[Word], raw: &str) -> bool {
    let parts: Vec<_> = raw.split_whitespace().collect();
    let is = |word: &Word, part: &str| {
        let edge = |c: char| !c.is_alphanumeric();
        word.text == part || word.text.trim_matches(edge) == part.trim_matches(edge)
    };
    page.iter().filter(|it| is(it, parts[0])).any(|first| {
        let mut last = first;
        parts[1..].iter().all(|part| {
            let next = page.iter().filter(|it| is(it, part) && (it.top - first.top).abs() < 1.5);
            let next =
                next.filter(|it| it.left > last.left).min_by(|a, b| a.left.total_cmp(&b.left));
            let near = next.filter(|it| it.left - last.right < 4.0);
            near.is_some_and(|it| {
                last = it;
                true
            })
        })
    })
}

/// In these languages the day is read first, so it stands to the right of the month and the year.
fn year_is_left_of_day(page: &[Word], content: &Content) -> bool {
    let dates = ["date", "signing_date"];
    let Some(date) = dates.iter().find_map(|it| content.sides[1].values.get(it)) else {
        return false;
    };
    let numbers: Vec<_> = date
        .pieces()
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Raw { raw } => Some(raw),
            _ => None,
        })
        .collect();
    let [day, year] = numbers.as_slice() else { return false };
    let is = |word: &&Word, text: &str| word.text.trim_matches(|c: char| !c.is_numeric()) == text;
    page.iter().filter(|it| is(it, year)).any(|year| {
        page.iter().any(|it| {
            let beside = (it.top - year.top).abs() < 1.5 && it.left > year.right;
            let above = it.top < year.top && year.top - it.top < 8.0;
            is(&it, day) && (above || beside && it.left - year.right < 40.0)
        })
    })
}

/// The keys of sentences that a content names.
pub(crate) fn keys_of(content: &Content) -> BTreeSet<String> {
    fn walk(value: &Value, keys: &mut BTreeSet<String>) {
        match value {
            Value::String(text) if SHOP.rulebook.french().has(text) => {
                keys.insert(text.clone());
            }
            Value::Array(items) => items.iter().for_each(|it| walk(it, keys)),
            Value::Object(entries) => {
                let own = entries.iter().filter(|(key, _)| *key != "sides");
                own.for_each(|(_, it)| walk(it, keys));
            }
            _ => {}
        }
    }
    let mut keys = BTreeSet::new();
    walk(&serde_json::to_value(content).unwrap(), &mut keys);
    keys
}
