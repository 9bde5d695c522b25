//! A QR code (ISO/IEC 18004) as the path of an SVG: one stroke a run of dark modules.

use fast_qr::qr::QRBuilder;
use fast_qr::{ECL, Module};
use serde::Serialize;

/// A QR code, in modules.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Qr {
    /// Modules a side, without the quiet zone.
    size: usize,
    /// Horizontal strokes of width 1.
    path: String,
}

impl Qr {
    /// The code of a text; nothing where it is too long for any version.
    pub(super) fn of(text: &str) -> Option<Self> {
        let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
        let mut path = String::new();
        for row in 0..code.size {
            let modules = &code[row];
            let mut column = 0;
            while column < code.size {
                let run = modules[column..code.size].iter().take_while(dark).count();
                if run > 0 {
                    path.push_str(&format!("M{column} {row}.5h{run}"));
                }
                column += run.max(1);
            }
        }
        Some(Self { size: code.size, path })
    }
}

fn dark(module: &&Module) -> bool {
    module.value()
}
