//! The help: the Markdown files of `templates/desk/help`, as pages that anybody may read.
//!
//! A name out of an address in, a page out. The files are the operator's to overlay; markup of HTML in them is shown,
//! not obeyed.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use serde::Serialize;

use super::super::auth::session;
use super::super::page;
use super::super::problem::Refusal;
use super::super::state::Service;

/// Where the files are, and the one that names the others.
const FOLDER: &str = "templates/desk/help/";
const INDEX: &str = "index";

#[derive(Serialize)]
struct Help {
    title: String,
    body: String,
    index: bool,
}

/// The table of contents.
pub(super) async fn index(
    State(service): State<Service>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    read(&service, &headers, INDEX).await
}

/// One page.
pub(super) async fn show(
    State(service): State<Service>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    read(&service, &headers, &name).await
}

async fn read(service: &Service, headers: &HeaderMap, name: &str) -> Result<Response, Refusal> {
    let file =
        service.assets().get(&format!("{FOLDER}{name}.md")).ok_or_else(Refusal::not_found)?;
    let text = String::from_utf8_lossy(file);
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let title = first.trim_start_matches('#').trim().to_owned();
    let csrf = session(headers, service).await?.map(|it| it.csrf);
    let values = Help { title, body: to_html(rest), index: name == INDEX };
    Ok(page::desk(service, "desk/help.html.j2", csrf.as_deref(), values)?.into_response())
}

/// Markdown as HTML. A table scrolls by itself where it is too wide, also from the keyboard.
fn to_html(text: &str) -> String {
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).flat_map(|event| match event {
        Event::Start(Tag::Table(_)) => {
            let open = r#"<div class="scroll" tabindex="0" role="region" aria-label="Tableau">"#;
            vec![Event::Html(CowStr::Borrowed(open)), event]
        }
        Event::End(TagEnd::Table) => vec![event, Event::Html(CowStr::Borrowed("</div>"))],
        Event::Html(text) | Event::InlineHtml(text) => vec![Event::Text(text)],
        event => vec![event],
    });
    let mut page = String::new();
    html::push_html(&mut page, events);
    page
}
