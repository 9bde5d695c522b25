//! A Data Matrix (ISO/IEC 16022) as the path of an SVG: one stroke a run of dark modules.

use datamatrix::{DataMatrix, SymbolList};
use serde::Serialize;

/// A Data Matrix, in modules.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Matrix {
    /// Modules a side, without the quiet zone.
    size: usize,
    /// Horizontal strokes of width 1.
    path: String,
}

impl Matrix {
    /// The code of a text; nothing where it is too long for any size.
    pub(super) fn of(text: &str) -> Option<Self> {
        let symbols = SymbolList::default().enforce_square();
        let code = DataMatrix::encode(text.as_bytes(), symbols).ok()?;
        let bitmap = code.bitmap();
        let size = bitmap.width();
        let mut dark = vec![false; size * size];
        for (x, y) in bitmap.pixels() {
            if let Some(module) = dark.get_mut(y * size + x) {
                *module = true;
            }
        }
        let mut path = String::new();
        for (y, row) in dark.chunks(size).enumerate() {
            let mut x = 0;
            while x < size {
                let run = row[x..].iter().take_while(|it| **it).count();
                if run > 0 {
                    path.push_str(&format!("M{x} {y}.5h{run}"));
                }
                x += run.max(1);
            }
        }
        Some(Self { size, path })
    }
}
