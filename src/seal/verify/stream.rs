//! A stream's bytes, decompressed within the file's budget.

use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

use super::fault::{Checked, Fault, ensure};
use super::object::{Dict, Object, Stream};
use super::syntax::Budget;

/// What the stream says, through no filter or `FlateDecode`, with a PNG predictor or none
/// (ISO 32000-1, 7.4.4). Other filters are for images, which nobody asks for here.
pub(super) fn decoded(bytes: &[u8], stream: &Stream, budget: &Budget) -> Checked<Vec<u8>> {
    let raw = bytes.get(stream.data.clone()).unwrap_or_default();
    let only = |key| match stream.dict.get(key) {
        Some(Object::Array(items)) if items.len() == 1 => items.first(),
        other => other,
    };
    match only("Filter") {
        None => {
            budget.inflate(raw.len());
            ensure(budget.left() > 0, "file.too_complex")?;
            Ok(raw.to_vec())
        }
        Some(filter) if filter.is_name("FlateDecode") => {
            let data = decompress_to_vec_zlib_with_limit(raw, budget.left()).map_err(|error| {
                let bomb = error.status == miniz_oxide::inflate::TINFLStatus::HasMoreOutput;
                Fault::new(if bomb { "file.too_complex" } else { "file.stream" })
            })?;
            budget.inflate(data.len());
            unpredicted(data, only("DecodeParms").and_then(Object::dict))
        }
        Some(_) => Err(Fault::new("file.stream")),
    }
}

/// Takes a PNG predictor away.
fn unpredicted(data: Vec<u8>, parameters: Option<&Dict>) -> Checked<Vec<u8>> {
    let number = |key, default| match parameters.and_then(|it| it.get(key)) {
        Some(it) => it.size().ok_or_else(|| Fault::new("file.stream")),
        None => Ok(default),
    };
    let predictor = number("Predictor", 1)?;
    if predictor == 1 {
        return Ok(data);
    }
    let columns = number("Columns", 1)?;
    let bytes = number("Colors", 1)? == 1 && number("BitsPerComponent", 8)? == 8;
    ensure(predictor >= 10 && bytes && (1..=65_536).contains(&columns), "file.stream")?;
    let mut plain: Vec<u8> = Vec::with_capacity(data.len());
    for row in data.chunks(columns + 1) {
        ensure(row.len() == columns + 1 && row[0] <= 4, "file.stream")?;
        let start = plain.len();
        for (at, byte) in row[1..].iter().enumerate() {
            let left = if at > 0 { plain[start + at - 1] } else { 0 };
            let up = if start > 0 { plain[start + at - columns] } else { 0 };
            let corner = if at > 0 && start > 0 { plain[start + at - columns - 1] } else { 0 };
            let guess = match row[0] {
                0 => 0,
                1 => left,
                2 => up,
                3 => left.midpoint(up),
                _ => paeth(left, up, corner),
            };
            plain.push(byte.wrapping_add(guess));
        }
    }
    Ok(plain)
}

fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let [a, b, c] = [left, up, corner].map(i16::from);
    let estimate = a + b - c;
    let [near_a, near_b, near_c] = [a, b, c].map(|it| (estimate - it).abs());
    if near_a <= near_b && near_a <= near_c {
        left
    } else if near_b <= near_c {
        up
    } else {
        corner
    }
}
