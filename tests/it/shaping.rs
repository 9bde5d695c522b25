//! The words of every catalogue as HarfBuzz sets them: `tests/shaping/goldens.py` wrote what is compared
//! here with the laid-out pages.

use std::collections::BTreeMap;

use paraphe::assets::Assets;
use serde_json::json;
use typst::layout::{Frame, FrameItem, Point};
use typst::text::TextItem;

use crate::harness::{Shop, at, letter, marks, overlay, source};

/// A word, its weight, its advance, and its glyphs from left to right: id, x, y. In units of the font.
type Word = (String, String, f64, Vec<(u16, f64, f64)>);

/// The size the words are set in; in it the largest difference ever measured was a hundredth of a point.
const SIZE: f64 = 10.0;
const NEAR: f64 = 0.011;

/// In place of a letter: the words, each in a block of its own, set as its language is.
const SHEET: &str = r#"
#import "/document/lib/text.typ": sides-of, voice
#let data = json("/data.json")
#let side = sides-of(data.sides).last()
#set document(title: "Words")
#set page(width: 80cm, height: auto)
#voice(side, size: 10pt / side.scale, for (word, weight) in json("/document/words.json").at(side.tag) {
  block(width: 100%, text(weight: lower(weight), word))
})
"#;

#[test]
fn every_language_is_set_as_harfbuzz_sets_it() {
    let goldens = goldens();
    let shop = Shop::new(&with_words(&goldens, &[]));
    assert!(goldens.len() >= 21, "{} languages", goldens.len());
    for (tag, words) in &goldens {
        let faults = faults(&shop, tag, words);
        assert!(faults.is_empty(), "{tag}:\n{}", faults.join("\n"));
    }
}

/// No language of the product is without goldens, and no golden without its language.
#[test]
fn every_catalogue_has_goldens() {
    let tags: Vec<_> = crate::harness::SHOP.rulebook.catalogues.keys().cloned().collect();
    assert_eq!(tags, goldens().into_keys().collect::<Vec<_>>(), "run tests/shaping/goldens.py");
}

/// The comparison bites: with the fonts in another order the Armenian stop is a Georgian one.
#[test]
fn another_order_of_fonts_is_seen() {
    let goldens = goldens();
    let text = source("templates/locales/hy.toml");
    let broken = text.replace("fonts = [", "fonts = [\"Noto Sans Georgian\", ");
    assert_ne!(text, broken);
    let shop = Shop::new(&with_words(&goldens, &[("templates/locales/hy.toml", &broken)]));
    assert!(!faults(&shop, "hy", &goldens["hy"]).is_empty());
}

/// The comparison bites: in another language the same letters are set otherwise.
#[test]
fn another_language_of_the_same_script_is_seen() {
    let goldens = goldens();
    let text = source("templates/locales/ur.toml");
    let broken = text.replace("lang = \"ur\"", "lang = \"fa\"");
    assert_ne!(text, broken);
    let shop = Shop::new(&with_words(&goldens, &[("templates/locales/ur.toml", &broken)]));
    assert!(!faults(&shop, "ur", &goldens["ur"]).is_empty());
}

fn goldens() -> BTreeMap<String, Vec<Word>> {
    serde_json::from_str(&source("tests/shaping/goldens.json")).unwrap()
}

/// The assets with the sheet of words in place of a letter, and other files changed.
fn with_words(goldens: &BTreeMap<String, Vec<Word>>, changed: &[(&str, &str)]) -> Assets {
    let words: BTreeMap<_, Vec<_>> = goldens
        .iter()
        .map(|(tag, words)| (tag, words.iter().map(|it| json!([it.0, it.1])).collect()))
        .collect();
    let words = json!(words).to_string();
    let mut files = vec![
        ("templates/document/convocation.typ", SHEET),
        ("templates/document/words.json", &words),
    ];
    files.extend(changed);
    let folder = overlay(&files);
    Assets::overlaid(folder.path()).unwrap()
}

/// What Typst set otherwise, one line a word.
fn faults(shop: &Shop, tag: &str, words: &[Word]) -> Vec<String> {
    let document = shop.check(&letter(tag)).unwrap();
    let pages = shop.renderer.pages(&document, &shop.rulebook, &marks(&document), at());
    let pages = pages.unwrap_or_else(|error| panic!("{tag}: {error:?}"));
    let mut blocks = Vec::new();
    gather(&pages.pages()[0].frame, &mut blocks);
    assert_eq!(blocks.len(), words.len(), "{tag}: a block a word");
    let family = shop.rulebook.catalogue(tag).fonts[0].as_str();
    let compare = |(word, block): (&Word, &Vec<_>)| {
        let fault = fault(word, block, family)?;
        Some(format!("« {} » {}: {fault}", word.0, word.1))
    };
    words.iter().zip(&blocks).filter_map(compare).collect()
}

/// How the runs of a block differ from a golden.
fn fault(word: &Word, runs: &[(Point, TextItem)], family: &str) -> Option<String> {
    let (_, weight, advance, glyphs) = word;
    let start = runs.iter().map(|(at, _)| at.x).min()?;
    let base = runs[0].0.y.to_pt() - runs[0].1.glyphs[0].y_offset.at(runs[0].1.size).to_pt();
    let (mut set, mut width) = (Vec::new(), 0.0);
    for (at, run) in runs {
        let info = run.font.info();
        let found = info.family.as_str();
        if found != family || run.font.info().variant.weight.to_number() != number(weight) {
            return Some(format!("set in {found}, not in {family} {weight}"));
        }
        let mut pen = at.x - start;
        for glyph in &run.glyphs {
            let x = (pen + glyph.x_offset.at(run.size)).to_pt();
            let y = base - (at.y.to_pt() - glyph.y_offset.at(run.size).to_pt());
            set.push((glyph.id, x, y));
            pen += glyph.x_advance.at(run.size);
        }
        width += run.width().to_pt();
    }
    let scale = SIZE / runs[0].1.font.units_per_em();
    let first = glyphs.first()?.2;
    let wanted: Vec<_> =
        glyphs.iter().map(|(id, x, y)| (*id, x * scale, (y - first) * scale)).collect();
    let near = |a: f64, b: f64| (a - b).abs() <= NEAR;
    let same = set.len() == wanted.len()
        && set.iter().zip(&wanted).all(|(a, b)| a.0 == b.0 && near(a.1, b.1) && near(a.2, b.2))
        && near(width, advance * scale);
    (!same).then(|| format!("{set:.2?} {width:.2}, HarfBuzz {wanted:.2?} {:.2}", advance * scale))
}

fn number(weight: &str) -> u16 {
    if weight == "Bold" { 700 } else { 400 }
}

/// The runs of each block, in order, from left to right.
fn gather(frame: &Frame, blocks: &mut Vec<Vec<(Point, TextItem)>>) {
    for (_, item) in frame.items() {
        let FrameItem::Group(group) = item else { continue };
        let mut runs: Vec<_> = group
            .frame
            .items()
            .filter_map(|(at, item)| match item {
                FrameItem::Text(run) => Some((*at, run.clone())),
                _ => None,
            })
            .collect();
        if runs.is_empty() {
            gather(&group.frame, blocks);
        } else {
            runs.sort_by_key(|it| it.0.x);
            blocks.push(runs);
        }
    }
}
