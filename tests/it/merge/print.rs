//! The print run, judged by other people's readers: order, window, codes, text.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Command;

use paraphe::assets::Assets;
use paraphe::document::Document;
use paraphe::merge::print::{Envelope, Letter, Post, Press, PrintRun, reference_of};
use uuid::Uuid;

use super::{check, file, list, options};
use crate::harness::{OnDisk, SHOP, at, marks};

/// The letters of a list of `count` rows, a third of which goes by post.
fn run(count: usize, duplex: bool) -> Run {
    let (_, sound) = check(file(list(count).as_bytes()), &options()).unwrap();
    let post = sound.into_iter().filter(|it| it.document.emails().is_empty());
    Run::of(post.map(|it| it.document).collect(), duplex)
}

/// A run and its letters.
struct Run {
    plan: PrintRun,
    letters: HashMap<Uuid, Document>,
}

impl Run {
    fn of(documents: Vec<Document>, duplex: bool) -> Self {
        let letters: HashMap<Uuid, Document> = (1..).map(Uuid::from_u128).zip(documents).collect();
        let of = |(id, document): (&Uuid, &Document)| Letter::of(*id, document, &SHOP.rulebook);
        let slips = letters.iter().map(of).collect();
        let plan = PrintRun::plan(slips, duplex, &Post::load(&Assets::embedded()).unwrap());
        Self { plan, letters }
    }

    /// Its files, or those of the sheets asked for.
    fn files(&self, sheets: Option<RangeInclusive<usize>>) -> Vec<OnDisk> {
        let press = Press {
            rulebook: &SHOP.rulebook,
            renderer: &SHOP.renderer,
            marks: &marks,
            fetch: &|id| Ok(self.letters[&id].clone()),
            at: at(),
        };
        let write = |file: Vec<&Envelope>| {
            let (bytes, _) = self.plan.write(&file, press, Vec::new(), &mut |_| {}).unwrap();
            OnDisk::of(&bytes)
        };
        self.plan.files(sheets.as_ref()).into_iter().map(write).collect()
    }

    fn file(&self, sheets: Option<RangeInclusive<usize>>) -> OnDisk {
        let mut files = self.files(sheets);
        assert_eq!(files.len(), 1);
        files.remove(0)
    }
}

#[test]
fn envelopes_stand_by_sheets_and_postcode_and_are_counted() {
    let both_sides = run(24, true).plan;
    assert_eq!((both_sides.envelopes.len(), both_sides.sheets()), (8, 8));
    let list = both_sides.list();
    let postcodes: Vec<&str> =
        list.lines().skip(1).map(|it| it.split(';').nth(4).unwrap()).collect();
    assert!(postcodes.is_sorted() && postcodes.len() == 8, "{list}");
    let one_side = run(24, false).plan;
    // The machine is set by the sheets of an envelope: a file for each.
    let files = one_side.files(None);
    assert_eq!(files.iter().map(Vec::len).collect::<Vec<_>>(), [2, 6]);
    let counts = one_side.counts();
    assert_eq!(
        counts.iter().map(|it| (it.sheets, it.envelopes)).collect::<Vec<_>>(),
        [(1, 2), (2, 6)]
    );
    assert!(counts.iter().all(|it| it.band == Some(20)));
    assert_eq!(one_side.sheets(), 14);
}

/// On both sides each letter begins on a front: on an odd page.
#[test]
fn every_letter_begins_on_a_front() {
    let run = run(24, true);
    let disk = run.file(None);
    for (envelope, line) in run.plan.list().lines().skip(1).enumerate() {
        let reference = line.split(';').nth(5).unwrap();
        let words = disk.words(2 * envelope + 1);
        assert!(words.iter().any(|it| it.text == reference), "{reference}");
    }
}

/// The same pages as the single letters, to a hundredth of a millimetre: nothing but the mark is added.
#[test]
fn a_printed_letter_says_what_the_single_one_says() {
    let (_, sound) = check(file(list(4).as_bytes()), &options()).unwrap();
    for it in sound {
        let single = SHOP.try_render(&it.document).unwrap();
        let pages = single.pages();
        let printed = Run::of(vec![it.document], true).file(None);
        let single = OnDisk::new(&single);
        for page in 1..=pages {
            let words = |disk: &OnDisk| {
                let all = disk.words(page).into_iter();
                all.filter(|it| it.left > 45.0 / 3.0)
                    .map(|it| format!("{} {:.2} {:.2}", it.text, it.left, it.top))
                    .collect::<Vec<_>>()
            };
            assert_eq!(words(&printed), words(&single));
        }
    }
}

/// The address alone stands where the window may show: x 90 to 205, y 42 to 92 mm. A word's box is
/// higher than its capitals by what its font allows for accents.
#[test]
fn the_window_shows_the_address_alone() {
    let run = run(12, true);
    let disk = run.file(None);
    for (envelope, line) in run.plan.list().lines().skip(1).enumerate() {
        let address = line.split(';').nth(6).unwrap().trim_matches('"').replace(" / ", " ");
        let words = disk.words(2 * envelope + 1);
        let near: Vec<_> = words
            .iter()
            .filter(|it| it.right > 90.0 && it.left < 205.0 && it.bottom > 42.0 && it.top < 92.0)
            .collect();
        let text: Vec<&str> = near.iter().map(|it| it.text.as_str()).collect();
        assert_eq!(text.join(" "), address);
        let seen = near
            .iter()
            .all(|it| it.left >= 109.5 && it.right <= 190.5 && it.top >= 53.5 && it.bottom <= 80.0);
        assert!(seen, "{near:?}");
    }
}

/// dmtxread finds the mark of each sheet where it is said to be, and it names envelope, sheet and
/// letter.
#[test]
fn the_mark_of_each_sheet_is_read() {
    for duplex in [true, false] {
        let run = run(6, duplex);
        let read = |file: &OnDisk| {
            let fronts = (1..=file.pages()).step_by(if duplex { 2 } else { 1 });
            fronts.map(|page| read_mark(file.path(), page)).collect::<Vec<_>>()
        };
        let codes: Vec<String> = run.files(None).iter().flat_map(read).collect();
        let list = run.plan.list();
        let references: Vec<&str> =
            list.lines().skip(1).map(|it| it.split(';').nth(5).unwrap()).collect();
        let expected: Vec<String> = run
            .plan
            .envelopes
            .iter()
            .zip(&references)
            .flat_map(|(it, reference)| {
                (1..=it.sheets).map(move |n| format!("{} {n}/{} {reference}", it.number, it.sheets))
            })
            .map(|it| format!("{} {it}", run.plan.id))
            .collect();
        assert_eq!(codes, expected);
        assert_eq!(reference_of(&codes[0]), Some(references[0]));
        assert_eq!(reference_of("CV-1"), None);
    }
}

/// After a jam the sheets asked for come again, with the numbers and codes that they had.
#[test]
fn a_part_is_printed_again_as_it_was() {
    let run = run(12, true);
    let (whole, part) = (run.file(None), run.file(Some(2..=3)));
    assert_eq!(part.pages(), 4);
    let words = |disk: &OnDisk, page| format!("{:?}", disk.words(page));
    assert_eq!(words(&part, 1), words(&whole, 3));
    assert_eq!(words(&part, 3), words(&whole, 5));
}

/// However long the run: one file, in order across the parts that are laid out together, with one tree of
/// tags, one outline, and what the parts share in it once.
#[test]
fn a_long_run_is_one_file() {
    let (_, sound) = check(file(list(104).as_bytes()), &options()).unwrap();
    let documents: Vec<Document> = sound.into_iter().map(|it| it.document).collect();
    let headings: usize = documents.iter().map(|it| it.content(&SHOP.rulebook).sides.len()).sum();
    let run = Run::of(documents, true);
    let whole = run.file(None);
    assert_eq!((run.plan.envelopes.len(), whole.pages()), (104, 208));
    whole.ask("qpdf", &["--check", "{}"]);
    let references: Vec<String> = run
        .plan
        .list()
        .lines()
        .skip(1)
        .map(|it| it.split(';').nth(5).unwrap().to_owned())
        .collect();
    for page in [1, 99, 101, 103, 199, 201, 207] {
        let words = whole.words(page);
        assert!(words.iter().any(|it| it.text == references[page / 2]), "page {page}");
    }
    // One tree of tags, each letter in it with its headings.
    let tags = whole.ask("pdfinfo", &["-struct", "{}"]);
    assert_eq!(tags.lines().filter(|it| it.trim_start().starts_with("H1")).count(), headings);
    assert_eq!(tags.lines().filter(|it| it.starts_with("Document")).count(), 1);
    let outline = whole.ask("qpdf", &["--json", "--json-key=outlines", "{}"]);
    let outline: serde_json::Value = serde_json::from_str(&outline).unwrap();
    assert_eq!(outline["outlines"].as_array().unwrap().len(), headings);
    // The colour profile and each font are there once, whatever the part that uses them.
    let objects = whole.ask("qpdf", &["--json", "--json-key=qpdf", "{}"]);
    assert_eq!(objects.matches("\"/N\": 3").count(), 1);
    let fonts = whole.ask("pdffonts", &["{}"]);
    let names: Vec<&str> = fonts
        .lines()
        .skip(2)
        .filter_map(|it| it.split_whitespace().next()?.split('+').nth(1))
        .collect();
    assert!(
        names.len() >= 4 && names.iter().collect::<HashSet<_>>().len() == names.len(),
        "{fonts}"
    );
}

/// What dmtxread makes of the left margin of a page, between the folds.
fn read_mark(pdf: &Path, page: usize) -> String {
    let page = page.to_string();
    let image = pdf.with_extension(&page);
    // 300 dots an inch: 3 to 20 mm from the left, 104 to 124 mm from the top.
    let place = ["-x", "35", "-y", "1228", "-W", "200", "-H", "236"];
    let drawn = Command::new("pdftoppm")
        .args(["-r", "300", "-png", "-singlefile", "-f", &page, "-l", &page])
        .args(place)
        .args([pdf, &image])
        .status();
    assert!(drawn.unwrap().success());
    let read = Command::new("dmtxread")
        .args(["-N1", "-m", "5000"])
        .arg(image.with_extension(format!("{page}.png")))
        .output();
    let read = read.unwrap_or_else(|error| panic!("dmtxread: {error}: see tests/run"));
    String::from_utf8_lossy(&read.stdout).into_owned()
}
