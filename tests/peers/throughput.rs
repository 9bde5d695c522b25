//! How much CPU a document costs, warm: `throughput KIND LANGUAGES COUNT [THREADS [FILE]]`.
//!
//! KIND is letter or contract; LANGUAGES are tags parted by commas, taken in turn, or `all`. Every
//! document is another person's. Each of the THREADS makes its share of COUNT after a warm-up; the last
//! document is kept in FILE. Prints one JSON line: CPU milliseconds of each document and of its check
//! (of the whole process: they tell something with one thread only), documents per second, bytes and
//! pages of a file, and the resident memory on the way and at the end.
//!
//! `throughput KIND LANGUAGE data` prints what the page template of the first of them reads, for
//! engines that set the same; `throughput floor FILE COUNT` the least that a document like FILE can
//! cost (see `floor.rs`); `throughput languages` the tags; `throughput KIND LANGUAGES bare COUNT` makes
//! documents and reads no clock, which Valgrind does not bear. `ASSETS=DIR` lays a folder over the
//! embedded assets. Linux only: it reads /proc.

mod floor;

use std::fs;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use chrono::{DateTime, Utc};
use paraphe::assets::Assets;
use paraphe::document::{Document, Rulebook, example};
use paraphe::render::{Haste, Marks, Pdf, Renderer};
use serde_json::{Value, json};

/// Documents of each thread and language before the clock counts.
const WARM_UP: usize = 10;

/// Where the numbers of the warm-up begin, beyond any that is measured.
const ELSEWHERE: usize = 800_000;

/// After so many documents memory has its lasting size: a layout cache is full, an allocator settled.
const SETTLED: usize = 5_000;

fn main() {
    // As the program does.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let args: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let arg = |index: usize, default: &str| args.get(index).cloned().unwrap_or(default.to_owned());
    let (kind, languages, count) = (arg(0, "letter"), arg(1, "fr"), arg(2, "200"));
    let number = |text: &str| text.parse::<usize>().expect("a number");
    let report = match (kind.as_str(), count.as_str()) {
        ("floor", _) => json!({ "cpu_ms": floor::measure(&languages, number(&count), cpu_ms) }),
        ("languages", _) => {
            let rulebook = Rulebook::load(&Assets::embedded()).expect("sound");
            json!(rulebook.catalogues.keys().collect::<Vec<_>>())
        }
        (_, "data") => {
            let work = Work::new(&kind, &languages);
            json!(work.check(0).content(&work.rulebook))
        }
        (_, "bare") => {
            let work = Work::new(&kind, &languages);
            let made = (0..number(&arg(3, "1"))).map(|it| work.render(&work.check(it)));
            json!({ "pages": made.map(|it| it.pages()).sum::<usize>() })
        }
        _ => {
            let work = Work::new(&kind, &languages);
            work.measure(number(&count), number(&arg(3, "1")), args.get(4))
        }
    };
    println!("{report}");
}

/// The shop, and the inputs to vary: one for each language.
struct Work {
    rulebook: Rulebook,
    renderer: Renderer,
    at: DateTime<Utc>,
    inputs: Vec<Value>,
}

/// What one thread has seen.
#[derive(Default)]
struct Seen {
    cpu_ms: Vec<f32>,
    check_ms: Vec<f32>,
    rss_kb_settled: u64,
    last: Option<Pdf>,
}

impl Work {
    fn new(kind: &str, languages: &str) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the benchmark reads the environment of its run"
        )]
        let assets = match std::env::var_os("ASSETS") {
            Some(folder) => Assets::overlaid(folder.as_ref()).expect("a folder of assets"),
            None => Assets::embedded(),
        };
        let rulebook = Rulebook::load(&assets).expect("the templates are sound");
        let renderer = Renderer::new(&assets, &rulebook).expect("the fonts are sound");
        let at: DateTime<Utc> = "2026-03-02T08:00:00Z".parse().expect("a moment");
        let name = match kind {
            "letter" => "convocation",
            "contract" => "cai",
            kind => panic!("{kind}: one of letter, contract, floor"),
        };
        let path = format!("templates/examples/{name}.json.j2");
        let text = example(&path, &assets, &rulebook, at).expect("the example is sound");
        let mut first: Value = serde_json::from_str(&text).expect("the example is JSON");
        // A name in its own script would bring a second font into the French page; the peers' pages have none.
        first["applicant"].as_object_mut().expect("a person").remove("native_name");
        let tags: Vec<&str> = match languages {
            "all" => rulebook.catalogues.keys().map(String::as_str).collect(),
            tags => tags.split(',').collect(),
        };
        let inputs = tags.iter().map(|tag| {
            let mut input = first.clone();
            input["language"] = json!(tag);
            input
        });
        Self { inputs: inputs.collect(), rulebook, renderer, at }
    }

    fn check(&self, number: usize) -> Document {
        let input = &self.inputs[number % self.inputs.len()];
        let data = another_person(input, number);
        Document::check(&data, &self.rulebook, self.at).expect("sound")
    }

    fn render(&self, document: &Document) -> Pdf {
        let address = format!("https://verification.example.org/{}", document.reference());
        let marks = Marks { verify_url: Some(address), specimen: true };
        self.renderer
            .render(document, &self.rulebook, &marks, self.at, Haste::Desk)
            .expect("it renders")
    }

    fn measure(&self, count: usize, threads: usize, keep: Option<&String>) -> Value {
        let (share, started) = (count / threads, Barrier::new(threads + 1));
        let (wall, seen) = thread::scope(|scope| {
            let run = |thread: usize| {
                // Others than those that are measured: what was laid out once is remembered.
                for number in 0..WARM_UP * self.inputs.len() {
                    self.render(&self.check(ELSEWHERE + number));
                }
                started.wait();
                self.walk(thread * share..(thread + 1) * share)
            };
            let running: Vec<_> = (0..threads).map(|it| scope.spawn(move || run(it))).collect();
            started.wait();
            let start = Instant::now();
            let seen: Vec<Seen> =
                running.into_iter().map(|it| it.join().expect("no panic")).collect();
            (start.elapsed().as_secs_f64(), seen)
        });
        let last = seen[0].last.as_ref().expect("at least one document");
        if let Some(path) = keep {
            fs::write(path, last.bytes()).expect("a file that can be written");
        }
        // Before the figures themselves take room: as JSON they are ten times as long.
        let rss_kb = resident_kb();
        let all = |times: fn(&Seen) -> &[f32]| -> Vec<f32> {
            seen.iter().flat_map(|it| times(it).iter().copied()).collect()
        };
        json!({
            "cpu_ms": all(|it| &it.cpu_ms),
            "check_ms": all(|it| &it.check_ms),
            "per_second": (share * threads) as f64 / wall,
            "bytes": last.bytes().len(),
            "pages": last.pages(),
            "rss_mb": rss_kb as f64 / 1024.0,
            "rss_mb_settled": seen[0].rss_kb_settled as f64 / 1024.0,
        })
    }

    fn walk(&self, numbers: std::ops::Range<usize>) -> Seen {
        let mut seen = Seen::default();
        let settled = SETTLED.min(numbers.len() / 2);
        for (index, number) in numbers.enumerate() {
            let start = cpu_ms();
            let document = self.check(number);
            let checked = cpu_ms();
            seen.last = Some(self.render(&document));
            seen.cpu_ms.push((cpu_ms() - start) as f32);
            seen.check_ms.push((checked - start) as f32);
            if index == settled {
                seen.rss_kb_settled = resident_kb();
            }
        }
        seen
    }
}

/// The same document for somebody else.
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

/// CPU time of this process, exactly: what /proc tells moves in ticks of the kernel. Of the process and
/// not of the thread, for the export deflates on threads of its own.
fn cpu_ms() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

fn resident_kb() -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|it| it.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
