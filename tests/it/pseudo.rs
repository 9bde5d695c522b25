//! Languages that nobody speaks, made of the French while the test runs: half as long again, from right
//! to left, with an accent on every letter. What they push out of its place, a real one may.

use std::collections::BTreeMap;
use std::path::Path;

use paraphe::assets::Assets;
use paraphe::document::{FRENCH, stamp};
use paraphe::render::{MAX_CONTRACT_PAGES, RenderError};
use serde_json::{Value, json};
use tempfile::TempDir;
use typst::layout::{Abs, Frame, FrameItem, Point};

use crate::harness::{SHOP, Shop, at, fixtures, marks, source};

/// A language made of another: its tag, how its catalogue begins, and what becomes of the French.
struct Pseudo {
    tag: &'static str,
    setting: &'static str,
    turn: fn(&str) -> String,
}

/// The plural forms of English are those of French.
const ALL: [Pseudo; 3] = [
    Pseudo {
        tag: "qps-long",
        setting: "direction = \"ltr\"\nfonts = [\"Noto Sans\"]\nscale = 1.0\nleading = 0.6",
        turn: longer,
    },
    Pseudo {
        tag: "qps-rtl",
        setting: "direction = \"rtl\"\nfonts = [\"Noto Sans Arabic\", \"Noto Sans\"]\nscale = 1.15\nleading = 0.55\ndescent = 0.22",
        turn: mirrored,
    },
    Pseudo {
        tag: "qps-accent",
        setting: "direction = \"ltr\"\nfonts = [\"Noto Sans\"]\nscale = 1.0\nleading = 0.6",
        turn: accented,
    },
];

/// What is not turned: forbidden words, and what is printed as French data.
const KEPT: [&str; 4] = ["words", "first", "time", "hour"];

/// What needs the most room: many words, three parties, many children.
const LONGEST: [&str; 4] = [
    "cai/longest-values.json",
    "cai/minor-sixteen-with-representative.json",
    "caif/twelve-children.json",
    "convocation/longest.json",
];

/// Every template in every language of the product and in those above, the long run every fixture: all text stands within
/// its cell and within the margins of the sheet. French half as long again may need more pages than a letter has; that is
/// said, and nothing is cut.
#[test]
fn nothing_leaves_its_place_in_any_language() {
    let shop = Shop::new(&with_pseudo_languages());
    let languages: Vec<_> = shop.rulebook.catalogues.keys().cloned().collect();
    let (mut walked, mut refused) = (0, Vec::new());
    for (name, mut data, language) in chosen(&languages) {
        data["language"] = json!(language);
        let Ok(document) = shop.check(&data) else { panic!("{name} {language}") };
        match shop.renderer.pages(&document, &shop.rulebook, &marks(&document), at()) {
            Ok(pages) => {
                for page in pages.pages() {
                    let outside = outside(&page.frame);
                    assert!(outside.is_empty(), "{name} {language}: {outside:?}");
                }
                walked += 1;
            }
            Err(RenderError::Data(problems)) => {
                let long = language == "qps-long" && data["kind"] == "convocation";
                let pages = problems.iter().all(|it| it.code == "page.too_many");
                assert!(long && pages, "{name} {language}: {problems:?}");
                refused.push(name);
            }
            Err(error) => panic!("{name} {language}: {error}"),
        }
    }
    assert!(walked > 10 * refused.len(), "{walked} walked, too long: {refused:?}");
}

/// A contract in French half as long again keeps to its pages.
#[test]
fn the_longest_contract_keeps_to_its_pages_half_as_long_again() {
    let shop = Shop::new(&with_pseudo_languages());
    for name in ["cai/longest-values.json", "caif/twelve-children.json"] {
        let mut data = crate::harness::good(name);
        data["language"] = json!("qps-long");
        let pages = shop.render(&data).pages();
        assert!(pages <= MAX_CONTRACT_PAGES, "{name}: {pages} pages");
    }
}

/// The walk bites: without the check of the product, text that a cell cannot hold is found.
#[test]
fn text_beyond_the_margin_is_found() {
    let mut frame = Frame::hard(typst::layout::Size::new(Abs::mm(210.0), Abs::mm(297.0)));
    let mut data = crate::harness::letter(FRENCH);
    data["sender"]["name"] = json!("Camille");
    let document = SHOP.check(&data).unwrap();
    let pages = SHOP.renderer.pages(&document, &SHOP.rulebook, &marks(&document), at()).unwrap();
    let page = &pages.pages()[0].frame;
    assert!(outside(page).is_empty());
    frame.push_frame(Point::with_x(Abs::mm(15.0)), page.clone());
    assert!(!outside(&frame).is_empty());
}

/// Fixtures and the languages to set them in: those of each kind in turn, the longest of each in the longest language;
/// in a long run all in all languages.
fn chosen(languages: &[String]) -> Vec<(String, Value, String)> {
    let all = crate::harness::count(0, 1) == 1;
    let mut kinds: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
    for (name, bytes) in fixtures("good") {
        let data: Value = serde_json::from_slice(&bytes).unwrap();
        kinds.entry(data["kind"].as_str().unwrap().to_owned()).or_default().push((name, data));
    }
    let mut chosen = Vec::new();
    for fixtures in kinds.values() {
        for (turn, language) in languages.iter().enumerate() {
            let of_turn = turn * fixtures.len() / languages.len();
            for (index, (name, data)) in fixtures.iter().enumerate() {
                let longest = language == "qps-long" && LONGEST.contains(&name.as_str());
                if all || index == of_turn || longest {
                    chosen.push((name.clone(), data.clone(), language.clone()));
                }
            }
        }
    }
    chosen
}

/// The text that stands outside the margins of the sheet: what its runs show, not the space at their ends. The foot of a
/// page is part of it: printers keep the last 5 mm of a sheet.
fn outside(frame: &Frame) -> Vec<String> {
    let mut found = Vec::new();
    walk(frame, Point::zero(), &mut |at, text, width| {
        let (left, right) = (at.x.to_mm(), (at.x + width).to_mm());
        let held = left >= 14.8 && right <= 195.2 && (8.0..=292.0).contains(&at.y.to_mm());
        if !held && !text.trim().is_empty() {
            found.push(format!("{text} at {left:.1} to {right:.1}, {:.1} mm", at.y.to_mm()));
        }
    });
    found
}

fn walk(frame: &Frame, origin: Point, visit: &mut impl FnMut(Point, &str, Abs)) {
    for (at, item) in frame.items() {
        let at = origin + *at;
        match item {
            FrameItem::Text(run) => visit(at, &run.text, run.width()),
            FrameItem::Group(group) => {
                let moved = Point::new(group.transform.tx, group.transform.ty);
                walk(&group.frame, at + moved, visit);
            }
            _ => {}
        }
    }
}

/// The product's assets and a catalogue of each pseudo-language.
fn with_pseudo_languages() -> Assets {
    let folder = tempfile::tempdir().unwrap();
    for pseudo in &ALL {
        let catalogue = stamp(&pseudo.catalogue(), SHOP.rulebook.french());
        write(&folder, &format!("templates/locales/{}.toml", pseudo.tag), &catalogue);
        let countries = source("templates/countries/fr.toml");
        write(&folder, &format!("templates/countries/{}.toml", pseudo.tag), &countries);
    }
    Assets::overlaid(folder.path()).unwrap()
}

fn write(folder: &TempDir, path: &str, text: &str) {
    let path = folder.path().join(path);
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new(""))).unwrap();
    std::fs::write(path, text).unwrap();
}

impl Pseudo {
    /// The French catalogue with every word turned; places of values, keys and settings stay.
    fn catalogue(&self) -> String {
        let french = source("templates/locales/fr.toml");
        let (_, rest) = french.split_once("[review]").unwrap();
        let mut text = format!(
            "tag = \"{0}\"\nname = \"{0}\"\nfrench_name = \"{0}\"\nlang = \"en\"\n{1}\n\n[review]",
            self.tag, self.setting
        );
        let mut review = true;
        for line in rest.lines() {
            review &= line != "[dates]";
            let comment = line.starts_with('#');
            match line.split_once(" = ") {
                Some((key, value)) if !review && !comment && !KEPT.contains(&key) => {
                    text.push_str(&format!("{key} = {}\n", self.value(value)));
                }
                _ if line.starts_with("words") => text.push_str("words = []\n"),
                _ => text.push_str(&format!("{line}\n")),
            }
        }
        text
    }

    /// A TOML value with what stands between quotation marks turned.
    fn value(&self, value: &str) -> String {
        let turned = |(index, part): (usize, &str)| match index % 2 {
            0 => part.to_owned(),
            _ => self.sentence(part),
        };
        value.split('"').enumerate().map(turned).collect::<Vec<_>>().join("\"")
    }

    /// A sentence with its words turned and its `{places}` as they are.
    fn sentence(&self, text: &str) -> String {
        let mut sentence = String::new();
        for part in text.split_inclusive('}') {
            let (words, place) = part.split_once('{').map_or((part, None), |(a, b)| (a, Some(b)));
            sentence.push_str(&(self.turn)(words));
            sentence.extend(place.map(|it| format!("{{{it}")));
        }
        sentence
    }
}

/// Half as long again: every second word stands twice; a word alone grows by half of itself.
fn longer(text: &str) -> String {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(char::is_alphabetic);
    if is_word(text) {
        let half = text.chars().count().div_ceil(2);
        return text.chars().chain(text.chars().take(half)).collect::<String>().to_lowercase();
    }
    let mut count = 0;
    let words = text.split(' ').map(|word| {
        count += usize::from(is_word(word));
        if is_word(word) && count % 2 == 1 { format!("{word} {word}") } else { word.to_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Letters of the Arabic alphabet in place of the Latin ones.
fn mirrored(text: &str) -> String {
    const LETTERS: [char; 26] = [
        'ا', 'ب', 'ج', 'د', 'ه', 'ف', 'غ', 'ح', 'ي', 'ژ', 'ك', 'ل', 'م', 'ن', 'و', 'پ', 'ق', 'ر',
        'س', 'ت', 'ع', 'ڤ', 'ش', 'خ', 'ى', 'ز',
    ];
    use unicode_normalization::UnicodeNormalization;
    let plain = text.nfd().filter(|c| !unicode_normalization::char::is_combining_mark(*c));
    let letter = |c: char| match c.to_ascii_lowercase() {
        c @ 'a'..='z' => LETTERS[c as usize - 'a' as usize],
        'œ' | 'Œ' => 'و',
        _ => c,
    };
    plain.map(letter).collect()
}

/// An accent on every letter, above and below.
fn accented(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    let plain = text.nfd().filter(|c| !unicode_normalization::char::is_combining_mark(*c));
    let letter = |c: char| match c {
        'a' => 'ấ',
        'A' => 'Ấ',
        'e' => 'ệ',
        'E' => 'Ệ',
        'i' => 'ị',
        'o' => 'ộ',
        'O' => 'Ộ',
        'u' => 'ự',
        'U' => 'Ự',
        'y' => 'ỹ',
        'c' => 'ç',
        'n' => 'ñ',
        's' => 'ş',
        't' => 'ţ',
        'd' => 'ḍ',
        'l' => 'ḷ',
        'r' => 'ṛ',
        c => c,
    };
    plain.map(letter).collect()
}
