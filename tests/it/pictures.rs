//! Small pictures of pages in every language: what a reader of the text alone would not see, such as a
//! missing heading, a box out of place, a column that ran full.
//!
//! `tests/shaping/pictures/<tag>-<page>.png` are what the pages were when somebody last looked at them.
//! With `PARAPHE_LOOK=1` a test that finds another picture replaces it, for somebody to look at again.

use std::path::{Path, PathBuf};

use paraphe::document::FRENCH;
use serde_json::{Value, json};
use typst_render::{RenderOptions, render};

use crate::harness::{SHOP, Shop, at, good, letter, marks, overlay, source};

/// Pixels an inch, and steps from black to white.
const RESOLUTION: f64 = 20.0;
const STEPS: u8 = 16;

/// A page in grey: width, height, and from 0 (black) to 15 (white) for each pixel.
#[derive(Debug, Clone, PartialEq)]
struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

#[test]
fn pages_look_as_they_did() {
    let mut changed = Vec::new();
    for tag in SHOP.rulebook.catalogues.keys() {
        for (name, picture) in pictures(&SHOP, tag) {
            let path = path(tag, name);
            let difference = Picture::read(&path).map(|known| known.difference(&picture));
            if difference.is_some_and(|it| it <= 1.0) {
                continue;
            }
            if std::env::var_os("PARAPHE_LOOK").is_some() {
                picture.write(&path);
            } else {
                changed.push(format!("{tag} {name}: {difference:?}"));
            }
        }
    }
    assert!(changed.is_empty(), "look at them with PARAPHE_LOOK=1: {changed:#?}");
}

/// The comparison bites: a page without its pictograms or its direction is another.
#[test]
fn a_page_that_looks_otherwise_is_seen() {
    for (path, old, new) in [
        ("templates/document/lib/facts.typ", "pictogram(it.icon, size: 9mm)", "[]"),
        (
            "templates/document/lib/text.typ",
            "set align(direction(side).start())",
            "set align(left)",
        ),
        ("templates/document/lib/letter.typ", "pictogram(it.icon, size: density.pictogram)", "[]"),
    ] {
        let text = source(path);
        let broken = text.replace(old, new);
        assert_ne!(text, broken, "{path}");
        let folder = overlay(&[(path, &broken)]);
        let shop = Shop::new(&paraphe::assets::Assets::overlaid(folder.path()).unwrap());
        let seen = pictures(&shop, "ar").into_iter().any(|(name, picture)| {
            let known = Picture::read(&self::path("ar", name)).unwrap();
            known.difference(&picture) > 1.0
        });
        assert!(seen, "nobody sees {path} without « {old} »");
    }
}

/// The page of a letter in a language, and the first and last ones of a contract.
fn pictures(shop: &Shop, tag: &str) -> Vec<(&'static str, Picture)> {
    let contract = {
        let mut data = good("cai/own-script-arabic.json");
        data["language"] = json!(tag);
        pages(shop, &data)
    };
    let letter = pages(shop, &letter(tag));
    let translated = usize::from(tag != FRENCH);
    let first = contract.first().cloned().unwrap();
    let last = contract.last().cloned().unwrap();
    vec![("letter", letter[translated].clone()), ("contract", first), ("signatures", last)]
}

fn pages(shop: &Shop, data: &Value) -> Vec<Picture> {
    let document = shop.check(data).unwrap();
    let pages = shop.renderer.pages(&document, &shop.rulebook, &marks(&document), at()).unwrap();
    pages.pages().iter().map(Picture::of).collect()
}

fn path(tag: &str, name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shaping/pictures");
    folder.join(format!("{tag}-{name}.png"))
}

impl Picture {
    fn of(page: &typst_layout::Page) -> Self {
        let pixel_per_pt = (RESOLUTION / 72.0).into();
        let options = RenderOptions { pixel_per_pt, ..RenderOptions::default() };
        let drawn = render(page, &options);
        let grey = |rgba: &[u8]| {
            let light = 0.299 * f64::from(rgba[0])
                + 0.587 * f64::from(rgba[1])
                + 0.114 * f64::from(rgba[2]);
            (light / 255.0 * f64::from(STEPS - 1)).round() as u8
        };
        let pixels = drawn.data().chunks(4).map(grey).collect();
        Self { width: drawn.width(), height: drawn.height(), pixels }
    }

    /// How far two pictures of a page are from each other: 1 where a square of 8 by 8 pixels, five
    /// lines of text high, is lighter or darker by a fifteenth of black on white.
    fn difference(&self, other: &Self) -> f64 {
        if (self.width, self.height) != (other.width, other.height) {
            return f64::INFINITY;
        }
        const SIDE: usize = 8;
        let width = self.width as usize;
        let at = |x: usize, y: usize| {
            let pixels = y * width + x;
            f64::from(self.pixels[pixels]) - f64::from(other.pixels[pixels])
        };
        let (columns, rows) = (width / SIDE, self.height as usize / SIDE);
        let square = |column: usize, row: usize| -> f64 {
            let cells =
                (0..SIDE * SIDE).map(|it| (column * SIDE + it % SIDE, row * SIDE + it / SIDE));
            cells.map(|(x, y)| at(x, y)).sum::<f64>() / (SIDE * SIDE) as f64
        };
        let squares = (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row)));
        squares.map(|(column, row)| square(column, row).abs()).fold(0.0, f64::max)
    }

    fn read(path: &Path) -> Option<Self> {
        let file = std::fs::File::open(path).ok()?;
        let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().ok()?;
        let mut packed = vec![0; reader.output_buffer_size()?];
        let info = reader.next_frame(&mut packed).ok()?;
        let row = info.line_size;
        let pixel = |x: u32, y: u32| {
            let byte = packed[y as usize * row + x as usize / 2];
            if x.is_multiple_of(2) { byte >> 4 } else { byte & 15 }
        };
        let pixels = (0..info.height).flat_map(|y| (0..info.width).map(move |x| (x, y)));
        let pixels = pixels.map(|(x, y)| pixel(x, y)).collect();
        Some(Self { width: info.width, height: info.height, pixels })
    }

    fn write(&self, path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = std::fs::File::create(path).unwrap();
        let mut encoder = png::Encoder::new(file, self.width, self.height);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Four);
        encoder.set_compression(png::Compression::High);
        let rows = self.pixels.chunks(self.width as usize);
        let pack = |row: &[u8]| -> Vec<u8> {
            row.chunks(2).map(|it| it[0] << 4 | it.get(1).copied().unwrap_or(0)).collect()
        };
        let packed: Vec<u8> = rows.flat_map(pack).collect();
        encoder.write_header().unwrap().write_image_data(&packed).unwrap();
    }
}
