//! Anything at all, and signed files with something altered: a report each time, in bounded time.

use std::time::{Duration, Instant};

use paraphe::seal::verify::Verdict;
use paraphe::seal::{
    Act, Evidence, Level, Office, Presented, SealOptions, SealedPdf, Sealer, TestAuthority,
};

use super::forge::raw_update;
use super::{covered, judged, own, signed};
use crate::harness::at;

/// Names and words that lead a reader into its corners.
const WORDS: [&str; 30] = [
    "/Prev 0",
    "/Prev 9",
    "/Root 1 0 R",
    "/Encrypt",
    "/XRefStm 9",
    "/Length 99999999",
    "/Kids",
    "/Fields",
    "/V 1 0 R",
    "/Type/ObjStm",
    "/Type/XRef",
    "/W[1 4 2]",
    "/Index[0 99999]",
    "/Filter/FlateDecode",
    "/DSS",
    "/ByteRange[0 1 2 3]",
    "/Contents<30>",
    "obj",
    "endobj",
    "stream",
    "endstream",
    "xref",
    "trailer",
    "startxref",
    "%%EOF",
    "<<",
    ">>",
    "[",
    "]",
    "(",
];
const FILES: [&str; 8] =
    ["b-b-p384", "b-b", "b-t", "b-lt", "b-lta", "certified-both-lta", "revoked", "streams"];

/// Numbers that look random and are the same each time (xorshift).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit.max(1)
    }
}

/// Runs for `PARAPHE_FUZZ_MINUTES`, else for an hour with `PARAPHE_LONG`, else for some seconds.
#[test]
fn any_bytes_give_a_report() {
    let minutes = std::env::var("PARAPHE_FUZZ_MINUTES").ok().and_then(|it| it.parse().ok());
    let minutes = minutes.unwrap_or(f64::from(crate::harness::count(0, 60)));
    let seconds = (minutes * 60.0).max(4.0);
    let mut corpus: Vec<Vec<u8>> = FILES.iter().map(|it| signed(it)).collect();
    corpus.push(own::contract().1.into_bytes());
    let signer = TestAuthority::from_seed([9; 32]).unwrap().signer("Office").unwrap();
    let office = Sealer::On(Office::new(signer, &SealOptions::default()).unwrap());
    let start = Instant::now();
    let (mut seed, mut slowest) = (0, Duration::ZERO);
    while start.elapsed().as_secs_f64() < seconds {
        seed += 1;
        let file = mutated(&corpus, &mut Dice::new(seed));
        let begun = Instant::now();
        let report = judged(&file);
        slowest = slowest.max(begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(20), "seed {seed} takes too long");
        append(&office, file.clone());
        // What is valid was not touched where a signature covers it, or was cut off behind an earlier one.
        let kept =
            corpus.iter().any(|it| file.starts_with(&it[..covered(it)]) || it.starts_with(&file));
        assert!(report.verdict != Verdict::Valid || kept, "seed {seed}: {report:#?}");
    }
    println!("{seed} files, the slowest {slowest:?}");
}

/// What the signer reads before it appends to a file: it refuses or signs, and does not panic.
fn append(office: &Sealer, file: Vec<u8>) {
    let Ok(file) = SealedPdf::read(file) else { return };
    let evidence = Evidence {
        agent: "Agent 12".to_owned(),
        interpreter: None,
        language: "ar".to_owned(),
        presented: Presented::Read,
        device: "tablet-3".to_owned(),
        signed_at: at(),
        shown: file.hash(),
    };
    let act = Act::DeclaredUnable { evidence };
    let _ = office.sign(&file, "applicant", &act, at());
    let _ = office.seal_file(&file, at());
    let _ = office.extend(&file, Level::BaselineT, at());
}

fn mutated(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut file = corpus[dice.below(corpus.len())].clone();
    for _ in 0..=dice.below(4) {
        let place = dice.below(file.len());
        match dice.below(10) {
            0 => file[place] ^= 1 << dice.below(8),
            1 => file[place] = dice.below(256) as u8,
            2 => file.truncate(place + 1),
            3 => write_over(&mut file, place, WORDS[dice.below(WORDS.len())].as_bytes()),
            4 => {
                let word = WORDS[dice.below(WORDS.len())].bytes();
                file.splice(place..place, word);
            }
            5 => {
                let other = &corpus[dice.below(corpus.len())];
                let from = dice.below(other.len());
                let piece = &other[from..(from + dice.below(400)).min(other.len())];
                write_over(&mut file, place, piece);
            }
            6 => {
                let end = (place + dice.below(60)).min(file.len());
                file.drain(place..end);
            }
            7 => number(&mut file, place, dice),
            8 => der(&mut file, dice),
            _ if file.len() > 40 && file.ends_with(b"%%EOF\n") => {
                let objects: Vec<_> =
                    (0..=dice.below(5)).map(|_| (dice.below(40) as u32, object(dice, 0))).collect();
                file = raw_update(&file, &objects, "", "");
            }
            _ => {}
        }
        if file.is_empty() {
            return file;
        }
    }
    file
}

fn write_over(file: &mut [u8], place: usize, piece: &[u8]) {
    let size = piece.len().min(file.len() - place);
    file[place..place + size].copy_from_slice(&piece[..size]);
}

/// Another digit in the next number.
fn number(file: &mut [u8], place: usize, dice: &mut Dice) {
    if let Some(at) = file[place..].iter().position(u8::is_ascii_digit) {
        file[place + at] = b'0' + dice.below(10) as u8;
    }
}

/// Other bytes in the DER of a hole, which stays canonical hex.
fn der(file: &mut [u8], dice: &mut Dice) {
    let holes: Vec<usize> =
        file.windows(6).enumerate().filter(|it| it.1 == b"<30820").map(|it| it.0 + 1).collect();
    if holes.is_empty() {
        return;
    }
    let start = holes[dice.below(holes.len())];
    let place = start + dice.below(3000);
    let digits = b"0123456789abcdef";
    if file.get(place).is_some_and(u8::is_ascii_hexdigit) {
        file[place] = digits[dice.below(16)];
    }
}

/// An object of any kind.
fn object(dice: &mut Dice, depth: usize) -> String {
    let most = if depth > 6 { 6 } else { 10 };
    match dice.below(most) {
        0 => "null".to_owned(),
        1 => dice.below(300).to_string(),
        2 => format!("{} 0 R", dice.below(40)),
        3 => "(text)".to_owned(),
        4 => "<3082010a>".to_owned(),
        5 => WORDS[dice.below(16)].split(['[', '<', ' ']).next().unwrap().to_owned(),
        6 | 7 => {
            let items = (0..dice.below(5)).map(|_| object(dice, depth + 1) + " ");
            format!("[{}]", items.collect::<String>())
        }
        _ => {
            let keys = ["Type", "Kids", "Fields", "V", "AP", "Annots", "Certs", "VRI", "FT", "T"];
            let items = (0..dice.below(5)).map(|it| {
                let key = keys[(dice.below(5) + it * 2) % keys.len()];
                format!("/{key} {} ", object(dice, depth + 1))
            });
            format!("<<{}>>", items.collect::<String>())
        }
    }
}

proptest::proptest! {
    #[test]
    fn bytes_that_are_no_file_give_a_report(bytes: Vec<u8>) {
        proptest::prop_assert_eq!(judged(&bytes).verdict, Verdict::Unreadable);
        let mut file = b"%PDF-1.7\n".to_vec();
        file.extend(&bytes);
        file.extend(b"\nstartxref\n9\n%%EOF\n");
        proptest::prop_assert!(!judged(&file).is_valid());
    }
}
