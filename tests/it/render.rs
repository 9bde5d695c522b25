//! Step 2: what stands on the pages, judged by other people's readers.

use std::collections::BTreeSet;

use paraphe::assets::Assets;
use paraphe::document::FRENCH;
use paraphe::render::{MAX_CONTRACT_PAGES, RenderError};
use serde_json::{Value, json};

use crate::harness::{OnDisk, SHOP, Shop, Word, fixtures, good, letter, overlay, source};

const STEPS: [&str; 10] = [
    "reception",
    "medical_visit",
    "individual_interview",
    "language_assessment",
    "contract_signing",
    "civic_training",
    "language_training",
    "life_in_france",
    "skills_review",
    "parents_training",
];
const NOTICES: [&str; 5] = ["first", "reminder", "moved", "cancelled", "missed"];

#[test]
fn good_fixtures_render() {
    for (name, bytes) in fixtures("good") {
        let data: Value = serde_json::from_slice(&bytes).unwrap();
        let pages = SHOP.render(&data).pages();
        let languages = if data["language"] == FRENCH { 1 } else { 2 };
        match data["kind"].as_str() {
            Some("convocation") => assert_eq!(pages, languages, "{name}"),
            _ => assert!(pages <= MAX_CONTRACT_PAGES, "{name}: {pages} pages"),
        }
    }
}

/// One page a language, whatever the step and the notice, with the longest data that is real.
#[test]
fn a_letter_is_one_page_a_language() {
    let mut too_long = Vec::new();
    for language in SHOP.rulebook.catalogues.keys() {
        for step in STEPS {
            for notice in NOTICES {
                let document = SHOP.check(&longest_letter(step, notice, language)).unwrap();
                let expected = if language == FRENCH { 1 } else { 2 };
                match SHOP.try_render(&document) {
                    Ok(pdf) => assert_eq!(pdf.pages(), expected, "{step} {notice} {language}"),
                    Err(error) => too_long.push(format!("{step} {notice} {language}: {error:?}")),
                }
            }
        }
    }
    assert!(too_long.is_empty(), "{}", too_long.join("\n"));
}

#[test]
fn contracts_have_at_most_eight_pages_in_every_language() {
    for language in SHOP.rulebook.catalogues.keys() {
        for name in ["cai/longest-values.json", "caif/twelve-children.json"] {
            let mut data = good(name);
            data["language"] = json!(language);
            let pages = SHOP.render(&data).pages();
            assert!(pages <= MAX_CONTRACT_PAGES, "{name} {language}: {pages} pages");
        }
    }
}

#[test]
fn same_document_same_bytes() {
    for name in ["cai/longest-values.json", "convocation/first-medical-visit.json"] {
        let data = good(name);
        let first = SHOP.render(&data);
        let others = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| SHOP.render(&data))).collect();
            threads.into_iter().map(|it| it.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(others.iter().all(|it| it.bytes() == first.bytes()), "{name}");
        let fresh = Shop::new(&Assets::embedded());
        assert!(fresh.render(&data).bytes() == first.bytes(), "{name} from a fresh renderer");
    }
}

/// The recipient shows in the window of an envelope, alone; the letter begins below.
#[test]
fn the_window_shows_the_address_and_nothing_else() {
    for (name, bytes) in fixtures("good") {
        let data: Value = serde_json::from_slice(&bytes).unwrap();
        if data["kind"] != "convocation" {
            continue;
        }
        let words = OnDisk::new(&SHOP.render(&data)).words(1);
        let inside = |it: &Word, (left, top, right, bottom): (f64, f64, f64, f64)| {
            it.right > left && it.left < right && it.bottom > top && it.top < bottom
        };
        let near: Vec<_> =
            words.iter().filter(|it| inside(it, (90.0, 42.0, 205.0, 92.0))).collect();
        let town = data["applicant"]["address"]["postcode"].as_str().unwrap();
        assert!(near.iter().any(|it| it.text == town), "{name}: {near:?}");
        for word in near {
            let safe = word.left >= 109.5
                && word.right <= 190.5
                && word.top >= 53.5
                && word.bottom <= 80.0;
            assert!(safe, "{name}: {word:?} is not in the window");
        }
        let title = words.iter().filter(|it| it.top > 80.0).map(|it| it.top).fold(300.0, f64::min);
        // The box of the title is higher than its capitals by what its font allows for accents.
        assert!(title >= 92.5, "{name}: text at {title} mm");
    }
}

#[test]
fn no_text_is_smaller_than_nine_points() {
    for name in [
        "convocation/first-medical-visit.json",
        "cai/longest-values.json",
        "caif/twelve-children.json",
    ] {
        let html = OnDisk::new(&SHOP.render(&good(name)))
            .ask("pdftohtml", &["-xml", "-stdout", "-i", "{}"]);
        let sizes: BTreeSet<u32> = html
            .lines()
            .filter_map(|line| {
                line.split_once("<fontspec ")?.1.split_once("size=\"")?.1.split_once('"')
            })
            .map(|(size, _)| size.parse().unwrap())
            .collect();
        // pdftohtml counts in pixels of its own zoom of 1.5.
        assert!(sizes.first().is_some_and(|it| f64::from(*it) / 1.5 >= 8.6), "{name}: {sizes:?}");
    }
}

/// The structure that a screen reader walks.
#[test]
fn tag_trees_are_as_they_were() {
    for name in ["convocation/first-medical-visit", "cai/longest-values", "caif/spouse-french"] {
        let pdf = SHOP.render(&good(&format!("{name}.json")));
        let tree = OnDisk::new(&pdf).ask("pdfinfo", &["-struct-text", "{}"]);
        insta::with_settings!({ snapshot_path => "../snapshots/tags", prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name.replace('/', "-"), tree);
        });
    }
}

#[test]
fn metadata_name_the_document_and_no_person() {
    let pdf = SHOP.render(&letter("ar"));
    let info = OnDisk::new(&pdf).ask("pdfinfo", &["{}"]);
    assert!(info.contains("Visite médicale") && info.contains("Direction territoriale"), "{info}");
    assert!(info.contains("Tagged:          yes"), "{info}");
    assert!(!info.contains("SPECIMEN"), "{info}");
}

#[test]
fn a_contract_carries_what_it_prints() {
    let data = good("cai/longest-values.json");
    let disk = OnDisk::new(&SHOP.render(&data));
    assert!(disk.ask("pdfdetach", &["-list", "{}"]).contains("attachment.json"));
    let json = disk.ask("pdfdetach", &["-save", "1", "-o", "/dev/stdout", "{}"]);
    let attached: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(attached["reference"], data["reference"]);
    // The email is not printed, so it is not attached.
    assert!(!json.contains(data["applicant"]["email"].as_str().unwrap()));
}

#[test]
fn a_missing_glyph_is_named_with_its_field() {
    let mut data = letter("ar");
    data["applicant"]["given_names"] = json!("Amina ខ្មែរ");
    data["sender"]["name"] = json!("Camille 🙂");
    let document = SHOP.check(&data).unwrap();
    let Err(RenderError::Data(problems)) = SHOP.try_render(&document) else { panic!("rendered") };
    let fields: Vec<_> = problems.iter().map(|it| (it.code, it.pointer.as_str())).collect();
    assert_eq!(
        fields,
        [("glyph.missing", "/applicant/given_names"), ("glyph.missing", "/sender/name"),]
    );
    assert!(problems[0].values[0].1.contains("U+1781"), "{problems:?}");
}

#[test]
fn a_word_that_leaves_its_cell_is_an_error_with_its_field() {
    let mut data = good("caif/twelve-children.json");
    data["children"][3]["given_names"] = json!("W".repeat(70));
    let document = SHOP.check(&data).unwrap();
    let Err(RenderError::Data(problems)) = SHOP.try_render(&document) else { panic!("rendered") };
    assert_eq!(problems[0].code, "page.overflow");
    assert_eq!(problems[0].pointer, "/children/3/given_names");
}

#[test]
fn too_many_pages_are_an_error() {
    let long = source("templates/locales/fr.toml").replace(
        "\"notice.first.intro\" = \"",
        &format!("\"notice.first.intro\" = \"{}", "Encore une phrase. ".repeat(300)),
    );
    let folder = overlay(&[("templates/locales/fr.toml", &long)]);
    let shop = Shop::new(&Assets::overlaid(folder.path()).unwrap());
    let document = shop.check(&letter("fr")).unwrap();
    let Err(RenderError::Data(problems)) = shop.try_render(&document) else { panic!("rendered") };
    assert!(problems.iter().any(|it| it.code == "page.too_many"), "{problems:?}");
}

#[test]
fn a_template_error_names_file_line_column_and_hint() {
    let template = source("templates/document/convocation.typ") + "\n#let x = 1 + \"a\"\n";
    let folder = overlay(&[("templates/document/convocation.typ", &template)]);
    let shop = Shop::new(&Assets::overlaid(folder.path()).unwrap());
    let document = shop.check(&letter("fr")).unwrap();
    let Err(RenderError::Template(faults)) = shop.try_render(&document) else { panic!("rendered") };
    let line = template.lines().count();
    assert_eq!(faults[0].place, format!("templates/document/convocation.typ:{line}:10"));
    assert!(faults[0].message.contains("cannot add"), "{faults:?}");
}

/// An operator's own page that knows nothing of the feet ends, with a message.
#[test]
fn a_contract_without_feet_is_a_fault_of_its_template() {
    let template = source("templates/document/lib/agreement.typ");
    let broken = template.replace("data.specimen, below, data.pages)", "data.specimen, below, 0)");
    assert_ne!(template, broken);
    let folder = overlay(&[("templates/document/lib/agreement.typ", &broken)]);
    let shop = Shop::new(&Assets::overlaid(folder.path()).unwrap());
    let document = shop.check(&good("cai/interpreter-read-aloud.json")).unwrap();
    let Err(RenderError::Template(faults)) = shop.try_render(&document) else { panic!("rendered") };
    assert!(faults[0].message.contains("feet"), "{faults:?}");
}

/// Data is data: what looks like markup, a path or a placeholder is printed as it is.
#[test]
fn payloads_are_printed_not_obeyed() {
    let mut data = letter("fr");
    data["sender"]["name"] = json!("#panic(1) $x$ *a* {date}");
    data["sender"]["capacity"] = json!("#read(\"/etc/passwd\") <b> \\ [x]");
    let text = squeeze(&OnDisk::new(&SHOP.render(&data)).ask("pdftotext", &["-raw", "{}", "-"]));
    assert!(text.contains(&squeeze("#panic(1) $x$ *a* {date}")), "{text}");
    assert!(text.contains(&squeeze("#read(\"/etc/passwd\") <b> \\ [x]")), "{text}");
}

/// The longest letter that is real: two lines of name, four of address, all options.
fn longest_letter(step: &str, notice: &str, language: &str) -> Value {
    let mut data = good("convocation/longest.json");
    data["step"] = json!(step);
    data["notice"] = json!(notice);
    data["language"] = json!(language);
    let missed = notice == "missed";
    if missed {
        for session in data["appointment"]["sessions"].as_array_mut().unwrap() {
            let date = session["date"].as_str().unwrap();
            let date = date.replace("2026-04", "2026-02").replace("2026-05-21", "2026-02-20");
            session["date"] = json!(date);
        }
        data.as_object_mut().unwrap().remove("answer_by");
    }
    data
}

/// Text without the differences that line breaks and kinds of space make.
fn squeeze(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '\u{ad}').collect()
}
