//! The print run, judged by other people's readers: order, window, codes, text.

use std::path::Path;
use std::process::Command;

use paraphe::assets::Assets;
use paraphe::merge::print::{Letter, Post, PrintRun, reference_of};
use paraphe::render::Pdf;

use super::{check, file, kit, list, options};
use crate::harness::{OnDisk, SHOP, at};

/// The letters of a list of `count` rows, a third of which goes by post.
fn run(count: usize, duplex: bool) -> PrintRun {
    let (_, sound) = check(file(list(count).as_bytes()), &options()).unwrap();
    let post = sound.into_iter().filter(|it| it.document.emails().is_empty());
    let letters = post.map(|it| Letter { document: it.document, fit: it.fit }).collect();
    PrintRun::plan(letters, duplex, &Post::load(&Assets::embedded()).unwrap())
}

fn pdf(run: &PrintRun, sheets: Option<std::ops::RangeInclusive<usize>>) -> Pdf {
    let mut pdfs = run.pdfs(sheets, kit(), at()).unwrap();
    assert_eq!(pdfs.len(), 1);
    pdfs.remove(0)
}

#[test]
fn envelopes_stand_by_sheets_and_postcode_and_are_counted() {
    let both_sides = run(24, true);
    assert_eq!((both_sides.envelopes.len(), both_sides.sheets()), (8, 8));
    let list = both_sides.list();
    let postcodes: Vec<&str> =
        list.lines().skip(1).map(|it| it.split(';').nth(4).unwrap()).collect();
    assert!(postcodes.is_sorted() && postcodes.len() == 8, "{list}");
    let one_side = run(24, false);
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
    let pdf = pdf(&run, None);
    let disk = OnDisk::new(&pdf);
    for (envelope, line) in run.list().lines().skip(1).enumerate() {
        let reference = line.split(';').nth(5).unwrap();
        let words = disk.words(2 * envelope + 1);
        assert!(words.iter().any(|it| it.text == reference), "{reference}");
    }
}

/// The same pages as the single letters: nothing but the mark is added.
#[test]
fn a_printed_letter_says_what_the_single_one_says() {
    let (_, sound) = check(file(list(4).as_bytes()), &options()).unwrap();
    for it in sound {
        let single = SHOP.try_render(&it.document).unwrap();
        let pages = single.pages();
        let letter = Letter { document: it.document, fit: it.fit };
        let run = PrintRun::plan(vec![letter], true, &Post::load(&Assets::embedded()).unwrap());
        let printed = OnDisk::new(&pdf(&run, None));
        let single = OnDisk::new(&single);
        for page in 1..=pages {
            let words = |disk: &OnDisk| {
                let all = disk.words(page).into_iter();
                all.filter(|it| it.left > 45.0 / 3.0)
                    .map(|it| format!("{it:?}"))
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
    let disk = OnDisk::new(&pdf(&run, None));
    for (envelope, line) in run.list().lines().skip(1).enumerate() {
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
        let file = pdf(&run, None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.pdf");
        std::fs::write(&path, file.bytes()).unwrap();
        let fronts: Vec<usize> = if duplex {
            (1..=file.pages()).step_by(2).collect()
        } else {
            (1..=file.pages()).collect()
        };
        let codes: Vec<String> = fronts.iter().map(|page| read_mark(&path, *page)).collect();
        let list = run.list();
        let references: Vec<&str> =
            list.lines().skip(1).map(|it| it.split(';').nth(5).unwrap()).collect();
        let expected: Vec<String> = run
            .envelopes
            .iter()
            .zip(&references)
            .flat_map(|(it, reference)| {
                (1..=it.sheets).map(move |n| format!("{} {n}/{} {reference}", it.number, it.sheets))
            })
            .map(|it| format!("{} {it}", run.id))
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
    let part = pdf(&run, Some(2..=3));
    assert_eq!(part.pages(), 4);
    let (whole, part) = (OnDisk::new(&pdf(&run, None)), OnDisk::new(&part));
    let words = |disk: &OnDisk, page| format!("{:?}", disk.words(page));
    assert_eq!(words(&part, 1), words(&whole, 3));
    assert_eq!(words(&part, 3), words(&whole, 5));
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
