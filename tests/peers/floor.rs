//! The physical floor: what a document costs when all but its page contents is known beforehand.
//!
//! A file of ours is taken apart once. For each document its page contents are spliced, deflated and
//! put back between the bytes around them, with a new cross-reference table: nothing is checked,
//! typeset or tagged. No program that writes compressed pages of its own can be quicker.

use std::io::Write;
use std::ops::Range;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use lopdf::{Document, Object};

/// CPU milliseconds of each of `count` documents like the one at `path`, by the given clock.
pub(super) fn measure(path: &str, count: usize, clock: fn() -> f64) -> Vec<f64> {
    let file = std::fs::read(path).expect("a file of ours");
    let pages = contents(&file);
    let objects = file.windows(5).filter(|it| it == b" obj\n").count();
    let times = (0..count).map(|number| {
        let start = clock();
        let made = assemble(&file, &pages, objects, number);
        let time = clock() - start;
        assert!(made.len() > file.len() / 2, "a whole file");
        time
    });
    times.collect()
}

/// Where each page's deflated content lies, and what it holds, in the order of the file.
fn contents(file: &[u8]) -> Vec<(Range<usize>, Vec<u8>)> {
    let document = Document::load_mem(file).expect("a PDF");
    let streams =
        document.get_pages().into_values().flat_map(|page| document.get_page_contents(page));
    let mut found: Vec<_> = streams
        .map(|id| {
            let Ok(Object::Stream(stream)) = document.get_object(id) else { panic!("a stream") };
            let raw = stream.content.as_slice();
            let start = file.windows(raw.len()).position(|it| it == raw).expect("as it was read");
            (start..start + raw.len(), stream.decompressed_content().expect("deflated"))
        })
        .collect();
    found.sort_by_key(|(place, _)| place.start);
    found
}

fn assemble(
    file: &[u8],
    pages: &[(Range<usize>, Vec<u8>)],
    objects: usize,
    number: usize,
) -> Vec<u8> {
    let mut made = Vec::with_capacity(file.len() + 1024);
    let mut from = 0;
    for (place, content) in pages {
        made.extend_from_slice(&file[from..place.start]);
        let mut content = content.clone();
        let middle = content.len() / 2;
        content[middle..middle + 4].copy_from_slice(format!("{:04}", number % 10_000).as_bytes());
        let mut deflater = ZlibEncoder::new(made, Compression::default());
        deflater.write_all(&content).expect("memory");
        made = deflater.finish().expect("memory");
        from = place.end;
    }
    made.extend_from_slice(&file[from..]);
    // The offsets behind a page move: a line of the table for each object.
    let table = made.len();
    for object in 0..objects {
        writeln!(made, "{:010} 00000 n ", table - object).expect("memory");
    }
    made
}
