//! The agent's desk, as a browser without script sees it: pages, forms, and what they come to.

mod form;
mod seats;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use paraphe::store::{Access, Role};
use serde_json::Value;

use crate::harness::at;
use crate::http::server::{Answer, Server};

/// An agent with a session.
pub(crate) struct Desk<'a> {
    server: &'a Server,
    cookie: String,
    pub(crate) csrf: String,
}

impl<'a> Desk<'a> {
    /// For every office, with every right.
    pub(crate) fn enter(server: &'a Server) -> Self {
        Self::of(server, Role::Supervisor, None)
    }

    pub(crate) fn of(server: &'a Server, role: Role, offices: Option<&[&str]>) -> Self {
        let offices = offices.map(|it| it.iter().map(|it| (*it).to_owned()).collect());
        let access = Access { actor: "agent-7".to_owned(), role, offices, test: false };
        let store = &server.service.pipeline().store;
        let session = store.begin_session(&access, TimeDelta::hours(1), at());
        let session = server.runtime.block_on(session).unwrap();
        Self { server, cookie: format!("paraphe={}", session.token), csrf: session.csrf }
    }

    /// Ends the session.
    pub(crate) fn leave(&self) {
        let token = self.cookie.split_once('=').unwrap().1;
        let store = &self.server.service.pipeline().store;
        self.server.runtime.block_on(store.end_session(token)).unwrap();
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        let headers = [("authorization", ""), ("cookie", self.cookie.as_str())];
        self.server.call("GET", path, &headers, b"")
    }

    /// Sends a form as a browser does.
    pub(crate) fn send(&self, path: &str, pairs: &[(String, String)]) -> Answer {
        self.post(path, "application/x-www-form-urlencoded", encoded(pairs).as_bytes())
    }

    pub(crate) fn post(&self, path: &str, kind: &str, body: &[u8]) -> Answer {
        let cookie = self.cookie.as_str();
        let headers = [("authorization", ""), ("cookie", cookie), ("content-type", kind)];
        self.server.call("POST", path, &headers, body)
    }

    /// Presses a button of the form of a dossier.
    pub(crate) fn press(&self, button: &str, key: &str, data: &Value) -> Answer {
        self.send("/dossiers/nouveau", &self.filled(button, key, data))
    }

    /// The pairs of a form with data.
    pub(crate) fn filled(&self, button: &str, key: &str, data: &Value) -> Vec<(String, String)> {
        let mut all = vec![
            ("csrf".to_owned(), self.csrf.clone()),
            ("key".to_owned(), key.to_owned()),
            ("faire".to_owned(), button.to_owned()),
        ];
        pairs(data, "", &mut all);
        all
    }
}

/// The id of the document that an answer leads to.
#[track_caller]
pub(crate) fn led_to(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.headers["location"].strip_prefix("/dossiers/").unwrap().to_owned()
}

/// What a page's fields hold, by name: inputs that are hidden or typed in.
pub(crate) fn fields(page: &str) -> BTreeMap<String, String> {
    let part = |tag: &str, name: &str| {
        let rest = tag.split_once(&format!(" {name}=\""))?.1;
        Some(plain(rest.split_once('"')?.0))
    };
    let inputs = page.split("<input").skip(1).map(|it| it.split('>').next().unwrap());
    let pair = |it| Some((part(it, "name")?, part(it, "value").unwrap_or_default()));
    inputs.filter_map(pair).collect()
}

/// Data as the form's pairs of pointer and text.
fn pairs(value: &Value, at: &str, all: &mut Vec<(String, String)>) {
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(name, it)| pairs(it, &format!("{at}/{name}"), all));
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, it)| pairs(it, &format!("{at}/{index}"), all));
        }
        Value::Array(items) if at.ends_with("/days") => {
            all.extend(items.iter().map(|it| (at.to_owned(), text(it))));
        }
        Value::Array(items) => {
            all.push((at.to_owned(), items.iter().map(text).collect::<Vec<_>>().join("\r\n")));
        }
        Value::String(text) => all.push((at.to_owned(), text.clone())),
        Value::Null => {}
        value => all.push((at.to_owned(), value.to_string())),
    }
}

fn encoded(pairs: &[(String, String)]) -> String {
    let escape = |text: &str| {
        let one = |byte: u8| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        };
        text.bytes().map(one).collect::<String>()
    };
    let pair = |(name, value): &(String, String)| format!("{}={}", escape(name), escape(value));
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

fn plain(text: &str) -> String {
    let marks = [("&#x2f;", "/"), ("&#x27;", "'"), ("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">")];
    let text = marks.iter().fold(text.to_owned(), |text, (mark, it)| text.replace(mark, it));
    text.replace("&amp;", "&")
}
