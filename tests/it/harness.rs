//! What the tests share: a fixed moment, the fixtures, the shop, and the judges' tools.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

use chrono::{DateTime, Utc};
use paraphe::assets::Assets;
use paraphe::document::{Document, Problem, Rulebook};
use paraphe::render::{Haste, Marks, Pdf, RenderError, Renderer};
use serde_json::Value;

/// The moment all fixtures are made for: Monday 2 March 2026, nine in the morning in Paris.
pub(crate) fn at() -> DateTime<Utc> {
    "2026-03-02T09:00:00+01:00".parse().unwrap()
}

/// Rulebook and renderer, loaded once for all tests.
pub(crate) struct Shop {
    pub(crate) rulebook: Rulebook,
    pub(crate) renderer: Renderer,
}

pub(crate) static SHOP: LazyLock<Shop> = LazyLock::new(|| Shop::new(&Assets::embedded()));

impl Shop {
    pub(crate) fn new(assets: &Assets) -> Self {
        let rulebook = Rulebook::load(assets).unwrap();
        let renderer = Renderer::new(assets, &rulebook).unwrap();
        Self { rulebook, renderer }
    }

    pub(crate) fn check(&self, data: &Value) -> Result<Document, Vec<Problem>> {
        Document::check(data.to_string().as_bytes(), &self.rulebook, at())
    }

    /// Checks and renders data that is sound.
    pub(crate) fn render(&self, data: &Value) -> Pdf {
        let document = self.check(data).unwrap_or_else(|it| panic!("{it:#?}"));
        self.try_render(&document).unwrap_or_else(|it| match it {
            RenderError::Data(problems) => panic!("{}: {problems:#?}", document.reference()),
            error => panic!("{error}"),
        })
    }

    pub(crate) fn try_render(&self, document: &Document) -> Result<Pdf, RenderError> {
        self.renderer.render(document, &self.rulebook, &marks(document), at(), Haste::Desk)
    }
}

pub(crate) fn marks(document: &Document) -> Marks {
    let address = format!("https://verification.example.org/{}", document.reference());
    Marks { verify_url: Some(address), specimen: true }
}

/// The JSON fixtures below `tests/fixtures/<folder>`, by path from there.
pub(crate) fn fixtures(folder: &str) -> BTreeMap<String, Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let mut files = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "json") {
                let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// One good fixture as JSON.
pub(crate) fn good(name: &str) -> Value {
    serde_json::from_slice(&fixtures("good")[name]).unwrap()
}

/// A convocation to a medical visit in a language.
pub(crate) fn letter(language: &str) -> Value {
    let mut data = good("convocation/first-medical-visit.json");
    data["language"] = language.into();
    data
}

/// Runs the product's program.
pub(crate) fn paraphe(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_paraphe")).args(args).output().unwrap()
}

/// A folder of overlaid assets: paths below it, and their text.
pub(crate) fn overlay(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// The text of a file of the repository.
pub(crate) fn source(path: &str) -> String {
    std::fs::read_to_string(source_path(path)).unwrap()
}

/// Where a file of the repository is.
pub(crate) fn source_path(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A PDF on disk, for tools that read files.
pub(crate) struct OnDisk {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl OnDisk {
    pub(crate) fn new(pdf: &Pdf) -> Self {
        Self::of(pdf.bytes())
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("document.pdf");
        std::fs::write(&path, bytes).unwrap();
        Self { _folder: folder, path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn pages(&self) -> usize {
        self.ask("qpdf", &["--show-npages", "{}"]).trim().parse().unwrap()
    }

    /// What a tool prints about the file; `{}` among the arguments stands for it.
    pub(crate) fn ask(&self, tool: &str, args: &[&str]) -> String {
        let path = self.path.to_str().unwrap();
        let args = args.iter().map(|it| if *it == "{}" { path } else { it });
        let output = Command::new(tool).args(args).output();
        let output = output.unwrap_or_else(|error| panic!("{tool}: {error}: see tests/run"));
        assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The words of a page with their boxes in millimetres from its top left corner.
    pub(crate) fn words(&self, page: usize) -> Vec<Word> {
        let page = page.to_string();
        let html = self.ask("pdftotext", &["-bbox", "-f", &page, "-l", &page, "{}", "-"]);
        html.lines().filter_map(Word::parse).collect()
    }
}

/// A word on a page.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

impl Word {
    fn parse(line: &str) -> Option<Self> {
        let rest = line.trim().strip_prefix("<word ")?;
        let number = |name: &str| -> Option<f64> {
            let after = rest.split_once(&format!("{name}=\""))?.1;
            let points: f64 = after.split_once('"')?.0.parse().ok()?;
            Some(points * 25.4 / 72.0)
        };
        let text = rest.split_once('>')?.1.strip_suffix("</word>")?;
        // Poppler adds the bidirectional controls it thinks with.
        let text: String =
            text.chars().filter(|c| !('\u{202a}'..='\u{202e}').contains(c)).collect();
        Some(Self {
            text: text.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"),
            left: number("xMin")?,
            top: number("yMin")?,
            right: number("xMax")?,
            bottom: number("yMax")?,
        })
    }
}

/// A port of this machine that nobody listens at and that is given once: below those that Linux gives to connections
/// that go out (32768 and above), for one of those may be taken before the server that a test starts listens at it.
pub(crate) fn free_port() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    loop {
        // Other runs of the tests, on this machine at this time, begin elsewhere.
        let start = u16::try_from(std::process::id() % 255).unwrap() * 64;
        let port = 16_384 + (start + GIVEN.fetch_add(1, Ordering::Relaxed)) % 16_384;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Counts of long runs with `PARAPHE_LONG`, else of short ones.
pub(crate) fn count(short: u32, long: u32) -> u32 {
    if std::env::var_os("PARAPHE_LONG").is_some() { long } else { short }
}
