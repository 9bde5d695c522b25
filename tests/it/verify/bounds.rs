//! Files made to be too much: the program says so within half a gigabyte and some seconds.

use std::process::Command;
use std::time::{Duration, Instant};

use super::forge::update;
use super::{path, signed};

const SIZE: usize = 20 << 20;

#[test]
fn no_file_takes_half_a_gigabyte() {
    let filler = |unit: &str| unit.repeat(SIZE / unit.len());
    let inside = |body: String| update(&signed("certified-one"), &[(90, body)]);
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("deep arrays", inside(filler("["))),
        ("deep dictionaries", inside(filler("<</A"))),
        ("numbers", inside(format!("[{}]", filler("1 ")))),
        ("names", inside(format!("[{}]", filler("/A")))),
        ("dictionaries", inside(format!("[{}]", filler("<</A 1>>")))),
        ("strings", inside(format!("[{}]", filler("()")))),
        ("references", inside(format!("[{}]", references()))),
        ("one string", inside(format!("({})", filler("a")))),
        ("one hex string", inside(format!("<{}>", filler("0")))),
        ("one name", inside(format!("/{}", filler("a")))),
        ("a comment", inside(format!("%{}\n1", filler("a")))),
        ("zeros", vec![0; SIZE]),
        ("entries", entries()),
        ("revisions", revisions()),
        ("a bomb of a table", table()),
        ("a bomb of metadata", metadata()),
    ];
    for (name, file) in files {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("file.pdf");
        std::fs::write(&place, file).unwrap();
        let begun = Instant::now();
        // The limit of address space stands above what is resident.
        let output = Command::new("sh")
            .args(["-c", "ulimit -v 524288 && exec \"$0\" verify \"$1\" --trust \"$2\" --json"])
            .args([env!("CARGO_BIN_EXE_paraphe"), place.to_str().unwrap(), &path("root.pem")])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(65), "{name}: {output:?}");
        assert!(begun.elapsed() < Duration::from_secs(60), "{name}: {:?}", begun.elapsed());
        println!("{name}: {:?}", begun.elapsed());
    }
}

/// References to as many objects, none the same.
fn references() -> String {
    (1..1_000_000).map(|it| format!("{it} 0 R ")).collect()
}

/// As many lines of a table as fit.
fn entries() -> Vec<u8> {
    let mut file = b"%PDF-1.7\n".to_vec();
    let count = SIZE / 20;
    file.extend(format!("xref\n0 {count}\n").bytes());
    file.extend("0000000009 00000 n \n".repeat(count).bytes());
    file.extend(b"trailer\n<</Size 9/Root 1 0 R>>\nstartxref\n9\n%%EOF\n");
    file
}

/// Many revisions of a signed file, each large.
fn revisions() -> Vec<u8> {
    let body = format!("[{}]", "9 0 R ".repeat(2_000));
    (0..60).fold(signed("certified-one"), |file, at| update(&file, &[(100 + at, body.clone())]))
}

/// A cross-reference stream that decompresses to a table of zeros.
fn table() -> Vec<u8> {
    let mut file = b"%PDF-1.7\n".to_vec();
    let data = deflated();
    let dict = "/Type/XRef/W[1 1 1]/Size 9000000/Root 1 0 R";
    let head = format!("1 0 obj\n<<{dict}/Filter/FlateDecode/Length {}>>\nstream\n", data.len());
    file.extend(head.bytes());
    file.extend(data);
    file.extend(b"\nendstream\nendobj\nstartxref\n9\n%%EOF\n");
    file
}

/// Metadata that decompress to as much.
fn metadata() -> Vec<u8> {
    let data = deflated();
    let mut file = b"%PDF-1.7\n1 0 obj\n<</Type/Catalog/Metadata 2 0 R>>\nendobj\n".to_vec();
    let second = file.len();
    file.extend(
        format!("2 0 obj\n<</Filter/FlateDecode/Length {}>>\nstream\n", data.len()).bytes(),
    );
    file.extend(data);
    file.extend(b"\nendstream\nendobj\n");
    let table = file.len();
    let lines = format!("xref\n1 2\n{:010} 00000 n \n{second:010} 00000 n \n", 9);
    file.extend(lines.bytes());
    file.extend(b"trailer\n<</Size 3/Root 1 0 R>>\n");
    file.extend(format!("startxref\n{table}\n%%EOF\n").bytes());
    file
}

/// 200 MB of zeros, in some hundred kilobytes.
fn deflated() -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; 200 << 20], 6)
}
