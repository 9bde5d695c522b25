//! What every page has: a template filled, the files it names, and the reader's language.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use super::problem::Refusal;
use super::state::Service;
use crate::document::{Catalogue, Direction, FRENCH};

/// The files that pages name; anything else is not there.
const FILES: [(&str, &str); 6] = [
    ("form/form.js", "text/javascript; charset=utf-8"),
    ("style.css", "text/css; charset=utf-8"),
    ("desk/live.js", "text/javascript; charset=utf-8"),
    ("signing/signing.js", "text/javascript; charset=utf-8"),
    ("vendor/signature_pad.js", "text/javascript; charset=utf-8"),
    ("vendor/signature_pad.LICENSE.txt", "text/plain; charset=utf-8"),
];

/// The language that a page speaks.
pub(super) struct Language<'a>(&'a Catalogue);

/// A language in the list of languages, or of the page itself.
#[derive(Debug, Serialize)]
pub(super) struct Side<'a> {
    tag: &'a str,
    lang: &'a str,
    dir: Direction,
    name: &'a str,
}

/// Stylesheet and scripts.
pub(super) fn files() -> Router<Service> {
    Router::new().route("/files/{*name}", get(file))
}

async fn file(
    State(service): State<Service>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let (name, kind) = *FILES.iter().find(|it| it.0 == name).ok_or_else(Refusal::not_found)?;
    let bytes = service.assets().get(&format!("templates/desk/{name}"));
    let bytes = bytes.ok_or_else(Refusal::not_found)?.to_vec();
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=3600")], bytes).into_response())
}

/// Fills a page.
pub(super) fn render(
    service: &Service,
    name: &str,
    values: impl Serialize,
) -> Result<Html<String>, Refusal> {
    let filled = service
        .pages()
        .get_template(name)
        .and_then(|it| it.render(minijinja::value::Serde(values)));
    filled.map(Html).map_err(|error| {
        tracing::error!("the page {name} is at fault: {error:#}");
        Refusal::ours()
    })
}

/// Whose pages a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listener {
    /// The office's: desk and tablet.
    Office,
    /// Everybody's, who learn nothing of the desk.
    Public,
}

/// Fills a page of the desk and frames it. Its first line is its title; `csrf` is the session's, where there is one.
pub(super) fn desk(
    service: &Service,
    name: &str,
    csrf: Option<&str>,
    values: impl Serialize,
) -> Result<Html<String>, Refusal> {
    framed(service, name, Listener::Office, csrf, values)
}

/// The statement of accessibility.
pub(super) fn accessibility(service: &Service, listener: Listener) -> Result<Response, Refusal> {
    let nothing = serde_json::json!({});
    Ok(framed(service, "desk/accessibility.html.j2", listener, None, nothing)?.into_response())
}

/// The same on either side.
pub(super) fn framed(
    service: &Service,
    name: &str,
    listener: Listener,
    csrf: Option<&str>,
    values: impl Serialize,
) -> Result<Html<String>, Refusal> {
    let Html(filled) = render(service, name, values)?;
    let (title, body) = filled.trim_start().split_once('\n').unwrap_or_default();
    let page = name.trim_start_matches("desk/").trim_end_matches(".html.j2");
    let public = listener == Listener::Public;
    render(service, "desk/frame.html.j2", Framed { page, title, body, csrf, public })
}

#[derive(Serialize)]
struct Framed<'a> {
    /// The template's name, by which the frame knows the section.
    page: &'a str,
    title: &'a str,
    body: &'a str,
    csrf: Option<&'a str>,
    public: bool,
}

/// Text as a part of an address (RFC 3986, 2.3).
pub(super) fn escape(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

impl<'a> Language<'a> {
    /// The one that is asked for by its tag, else the first that the browser names and there is, else French.
    pub(super) fn of(service: &'a Service, asked: Option<&str>, headers: &HeaderMap) -> Self {
        let known = &service.rulebook().catalogues;
        let header = headers.get(ACCEPT_LANGUAGE).and_then(|it| it.to_str().ok());
        let accepted = header.unwrap_or_default().split(',').filter_map(|it| {
            let tag = it.split(';').next()?.trim();
            let language = tag.split('-').next()?;
            let fits = |it: &&Catalogue| it.tag.eq_ignore_ascii_case(tag);
            let speaks = |it: &&Catalogue| it.tag.split('-').next() == Some(language);
            known.values().find(fits).or_else(|| known.values().find(speaks))
        });
        let asked = asked.and_then(|it| known.get(it));
        let found = asked.or_else(|| { accepted }.next());
        Self(found.unwrap_or_else(|| service.rulebook().catalogue(FRENCH)))
    }

    /// Its sentences.
    pub(super) fn catalogue(&self) -> &'a Catalogue {
        self.0
    }

    /// Its tag, name and direction.
    pub(super) fn side(&self) -> Side<'a> {
        Side::of(self.0)
    }

    /// Every language by its own name, but the one that is spoken.
    pub(super) fn all(&self, service: &'a Service) -> Vec<Side<'a>> {
        let all = service.rulebook().catalogues.values().map(Side::of);
        all.filter(|it| it.tag != self.0.tag).collect()
    }
}

impl<'a> Side<'a> {
    pub(super) fn of(catalogue: &'a Catalogue) -> Self {
        Self {
            tag: &catalogue.tag,
            lang: &catalogue.lang,
            dir: catalogue.direction,
            name: &catalogue.name,
        }
    }
}
