//! A service on free ports with a folder of its own, and a client for it. It ends with the test and leaves nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use paraphe::assets::Assets;
use paraphe::config::{Config, HttpSection};
use paraphe::deliver::{Clock, worker};
use paraphe::document::Rulebook;
use paraphe::http::{Listeners, Service, auth::login, serve};
use paraphe::pipeline::{Pipeline, fresh_id};
use paraphe::seal::SealedPdf;
use paraphe::store::{NewAccessKey, Scope};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::harness::at;

/// A running service.
pub(crate) struct Server {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) service: Service,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) main: String,
    pub(crate) public: String,
    pub(crate) metrics: String,
    /// A key for every office.
    pub(crate) key: String,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// What a request was answered with.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The answer, which must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        if status >= 400 {
            assert_eq!(self.headers["content-type"], "application/problem+json");
            assert_eq!(self.json()["status"], status);
        }
        self
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(HttpSection::default())
    }

    pub(crate) fn with(http: HttpSection) -> Self {
        Self::of(Config { http, ..Config::default() })
    }

    /// With settings that lack a folder.
    pub(crate) fn of(config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = Some(folder.path().join("data"));
        let config = Config { data, ..config };
        let (stop, told) = watch::channel(false);
        let (send, receive) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(run(config, told, send));
        });
        let (service, runtime, [main, public, metrics]) = receive.recv().unwrap();
        let thread = Some(thread);
        let key = String::new();
        let mut this = Self { folder, service, runtime, main, public, metrics, key, stop, thread };
        this.key = this.new_key(None);
        this
    }

    /// Another key, for some offices or for every one.
    pub(crate) fn new_key(&self, offices: Option<&[&str]>) -> String {
        let new = NewAccessKey {
            id: fresh_id(at()),
            name: "a test's".to_owned(),
            offices: offices.map(|it| it.iter().map(|it| (*it).to_owned()).collect()),
            test: false,
            expires_at: None,
        };
        self.make_key(new)
    }

    pub(crate) fn make_key(&self, new: NewAccessKey) -> String {
        let store = &self.service.pipeline().store;
        self.runtime.block_on(store.make_access_key(&Scope::all("test"), new, at())).unwrap()
    }

    /// The link that lets in once.
    pub(crate) fn link(&self) -> String {
        let store = &self.service.pipeline().store;
        self.runtime.block_on(login::link(store, &self.main, at())).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, &[], body.to_string().as_bytes())
    }

    /// With the key for every office, and JSON, unless the headers say otherwise.
    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let key = format!("Bearer {}", self.key);
        let mut all =
            BTreeMap::from([("authorization", key.as_str()), ("content-type", "application/json")]);
        all.extend(headers.iter().copied());
        all.retain(|_, value| !value.is_empty());
        ask(method, &format!("{}{path}", self.main), &all, body)
    }

    /// Issues a document and answers with its receipt.
    pub(crate) fn issue(&self, data: &Value) -> Value {
        self.post("/v1/documents", data).expect(201).json()
    }

    /// The last version of a document's file.
    pub(crate) fn file(&self, id: &str) -> Vec<u8> {
        self.get(&format!("/v1/documents/{id}/file")).expect(200).body
    }

    /// Whose turn it is to sign, and what they are shown.
    pub(crate) fn turn(&self, id: &str) -> (Option<String>, String) {
        let sealed = SealedPdf::read(self.file(id)).unwrap();
        (sealed.turn().0.first().cloned(), sealed.hash())
    }

    /// The body of a signature, by hand or for the State by certificate.
    pub(crate) fn signature(&self, field: &str, shown: &str) -> Value {
        if field == "authority" {
            return json!({ "field": field, "act": "certificate", "certificate": { "shown": shown } });
        }
        json!({
            "field": field,
            "act": "strokes",
            "strokes": { "width": 300, "height": 100, "lines": [[[10, 80], [60, 20], [90, 70]]] },
            "evidence": {
                "agent": "A-17", "language": "fr", "presented": "read", "device": "tablet 3",
                "signed_at": at(), "shown": shown,
            },
        })
    }

    /// The mails in the folder, once there are as many.
    pub(crate) fn mails(&self, count: usize) -> Vec<PathBuf> {
        let folder = self.folder.path().join("data/mail");
        let mails = || -> Vec<PathBuf> {
            let entries = std::fs::read_dir(&folder).into_iter().flatten();
            entries
                .map(|it| it.unwrap().path())
                .filter(|it| it.extension().is_some_and(|it| it == "eml"))
                .collect()
        };
        for _ in 0..300 {
            if mails().len() >= count {
                return mails();
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("{} mails instead of {count}", mails().len());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        let ended = self.thread.take().unwrap().join();
        if std::thread::panicking() {
            return;
        }
        ended.expect("the service ended by itself");
        let data = self.folder.path().join("data");
        let known = [
            "ledger.db",
            "blobs",
            "tests",
            "mail",
            "operator.key",
            "test-authority.key",
            "test-authority.cer",
        ];
        for entry in std::fs::read_dir(data).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let name = name.trim_end_matches("-wal").trim_end_matches("-shm");
            assert!(known.contains(&name), "left over: {name}");
        }
    }
}

/// Answers over the network.
pub(crate) fn ask(method: &str, url: &str, headers: &BTreeMap<&str, &str>, body: &[u8]) -> Answer {
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
    let agent = config.build().new_agent();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body).unwrap();
    // A server that refuses a long body early may hang up before it is read: then the answer is lost on the way.
    let lost = |error: &ureq::Error| {
        use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
        matches!(error, ureq::Error::Io(it) if matches!(it.kind(), BrokenPipe | ConnectionReset))
    };
    let answers = (0..20).map(|_| agent.run(request.clone()));
    let answer = answers.into_iter().find(|it| !it.as_ref().is_err_and(lost));
    let mut response = answer.expect("an answer within twenty tries").unwrap();
    let text =
        |value: &ureq::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value)));
    Answer {
        status: response.status().as_u16(),
        headers: headers.collect(),
        body: response.body_mut().read_to_vec().unwrap(),
    }
}

/// The service, its runtime, and the addresses of its three listeners.
type Started = (Service, tokio::runtime::Handle, [String; 3]);

async fn run(config: Config, stop: watch::Receiver<bool>, started: mpsc::Sender<Started>) {
    let assets = Assets::embedded();
    let rulebook = Rulebook::load(&assets).unwrap();
    let pipeline = Pipeline::open(&assets, rulebook, &config).await.unwrap();
    let store = pipeline.store.clone();
    let clock = Clock::new(at);
    let service = Service::open(&assets, pipeline, config.clone(), clock.clone()).await.unwrap();
    let free = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listeners = Listeners { main: free().await, public: free().await, metrics: free().await };
    let address = |it: &TcpListener| format!("http://{}", it.local_addr().unwrap());
    let places = [&listeners.main, &listeners.public, &listeners.metrics].map(address);
    started.send((service.clone(), tokio::runtime::Handle::current(), places)).unwrap();
    let transport = Arc::new(config.transport().unwrap());
    let options = config.worker_options();
    let send =
        worker::run(store.clone(), transport, options.clone(), "test", clock.clone(), stop.clone());
    let tests = service.tests().store.clone();
    let of_tests = async {
        if !config.is_trial() {
            let transport = Arc::new(config.for_tests().transport().unwrap());
            worker::run(tests.clone(), transport, options, "test", clock, stop.clone()).await;
        }
    };
    let (served, (), ()) = tokio::join!(serve(service, listeners, stop.clone()), send, of_tests);
    served.unwrap();
    let queue = store.queue(at()).await.unwrap();
    let under_way =
        ["claimed", "transmitting"].map(|it| queue.counts.get(it).copied().unwrap_or(0));
    assert_eq!(under_way, [0, 0], "mail is left under way");
    store.close().await;
    tests.close().await;
}
