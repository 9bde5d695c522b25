//! A QR code (ISO/IEC 18004) as grey pixels: less to set, and fewer bytes in the file, than its outlines.

use fast_qr::qr::QRBuilder;
use fast_qr::{ECL, Module};
use serde::Serialize;

/// Pixels a module, for viewers that smooth every image: a blurred edge is then a quarter of a module.
const SCALE: usize = 4;

/// The pixels of the codes of a document, one code after the other, a byte a pixel.
#[derive(Debug, Default)]
pub(super) struct Codes(Vec<u8>);

/// Where a code stands among the pixels.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Qr {
    /// Pixels a side, without the quiet zone.
    size: usize,
    /// Its first pixel.
    at: usize,
}

impl Codes {
    /// Adds the code of a text; nothing where it is too long for any version.
    pub(super) fn add(&mut self, text: &str) -> Option<Qr> {
        let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
        let Self(pixels) = self;
        let qr = Qr { size: SCALE * code.size, at: pixels.len() };
        for row in 0..code.size {
            let modules = code[row][..code.size].iter();
            let line: Vec<u8> = modules.flat_map(|it| [shade(*it); SCALE]).collect();
            pixels.extend(line.repeat(SCALE));
        }
        Some(qr)
    }

    /// All of them.
    pub(super) fn into_pixels(self) -> Vec<u8> {
        let Self(pixels) = self;
        pixels
    }
}

fn shade(module: Module) -> u8 {
    if module.value() { 0 } else { 255 }
}
