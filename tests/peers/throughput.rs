//! How much CPU a document costs, warm, on one thread: `throughput KIND COUNT [ASSETS]`.
//!
//! KIND is letter, letter-ar, contract or contract-ar. Every document is another person's. Prints one
//! JSON line: CPU milliseconds of each document after the first ten, bytes of a file, and the
//! resident memory at the half and at the end. `throughput KIND data` prints what the page template of
//! the first of them reads, for engines that set the same. Linux only: it reads /proc.

use std::fs;

use chrono::{DateTime, Utc};
use paraphe::assets::Assets;
use paraphe::document::{Document, Rulebook, example};
use paraphe::render::{Marks, Renderer};
use serde_json::{Value, json};

const WARM_UP: usize = 10;

fn main() {
    let mut args = std::env::args().skip(1).filter(|it| it != "--bench");
    let kind = args.next().unwrap_or_else(|| "letter".to_owned());
    let count = args.next().unwrap_or_else(|| "200".to_owned());
    let assets = match args.next() {
        Some(folder) => Assets::overlaid(folder.as_ref()).expect("a folder of assets"),
        None => Assets::embedded(),
    };
    let rulebook = Rulebook::load(&assets).expect("the embedded templates are sound");
    let renderer = Renderer::new(&assets, &rulebook).expect("the embedded fonts are sound");
    let at: DateTime<Utc> = "2026-03-02T08:00:00Z".parse().expect("a moment");
    let (name, language) = match kind.as_str() {
        "letter" => ("convocation", "fr"),
        "letter-ar" => ("convocation", "ar"),
        "contract" => ("cai", "fr"),
        "contract-ar" => ("cai", "ar"),
        kind => panic!("{kind}: one of letter, letter-ar, contract, contract-ar"),
    };
    let path = format!("templates/examples/{name}.json.j2");
    let text = example(&path, &assets, &rulebook, at).expect("the example is sound");
    let mut data: Value = serde_json::from_str(&text).expect("the example is JSON");
    data["language"] = json!(language);

    if count == "data" {
        let document = Document::check(&another_person(&data, 0), &rulebook, at).expect("sound");
        println!("{}", json!(document.content(&rulebook)));
        return;
    }
    let count: usize = count.parse().expect("COUNT is a number");
    let (mut times, mut bytes, mut pages, mut half) = (Vec::new(), 0, 0, 0);
    for number in 0..count + WARM_UP {
        let data = another_person(&data, number);
        let before = cpu_ms();
        let document = Document::check(&data, &rulebook, at).expect("sound");
        let address = format!("https://verification.example.org/{}", document.reference());
        let marks = Marks { verify_url: Some(address), specimen: true };
        let pdf = renderer.render(&document, &rulebook, &marks, at).expect("it renders");
        times.push(cpu_ms() - before);
        (bytes, pages) = (pdf.bytes().len(), pdf.pages());
        if number == count / 2 {
            half = resident_kb();
        }
    }
    let report = json!({
        "kind": kind,
        "documents": count,
        "cpu_ms": times[WARM_UP..],
        "bytes": bytes,
        "pages": pages,
        "rss_mb": resident_kb() / 1024,
        "rss_mb_at_half": half / 1024,
    });
    println!("{report}");
}

/// The same letter for somebody else.
fn another_person(data: &Value, number: usize) -> Vec<u8> {
    let given = ["Amina", "Bao", "Chinwe", "Daria", "Elif", "Farid", "Getachew", "Hana"];
    let mut data = data.clone();
    data["reference"] = json!(format!("SPECIMEN-{number:06}"));
    data["applicant"]["given_names"] =
        json!(format!("{} {}", given[number % 8], given[number / 8 % 8]));
    data["applicant"]["foreigner_number"] = json!(format!("{:010}", 6_900_000_000_usize + number));
    data["applicant"]["address"]["lines"] = json!([format!("{} rue des Lilas", number % 199 + 1)]);
    data.to_string().into_bytes()
}

/// CPU time of this thread, exactly: what /proc tells moves in ticks of the kernel.
fn cpu_ms() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

fn resident_kb() -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|it| it.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
