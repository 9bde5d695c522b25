//! What a refused request is told: one form for all (RFC 9457), with every problem of the data in it.
//!
//! A [`Refusal`] out of a handler; [`say`] puts it into words at the end, in the language of the request, and does the
//! same with what the framework refuses.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::client::RequestId;
use super::page::{self, Listener};
use super::state::Service;
use crate::class::Class;
use crate::document::{Problem, Rulebook};
use crate::pipeline::IssueError;
use crate::seal::SealError;
use crate::store::StoreError;

/// Why a request is refused.
#[derive(Debug, Clone)]
pub struct Refusal {
    status: StatusCode,
    code: &'static str,
    detail: String,
    problems: Vec<Problem>,
    retry_after: Option<u32>,
    report: Option<Box<Value>>,
}

/// The body of a refusal.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Details {
    /// `about:blank`: the status says which kind it is, `code` says more.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: String,
    /// The status.
    status: u16,
    /// What happened, for a person.
    detail: String,
    /// What happened, for a program.
    code: &'static str,
    /// The request's id, as in the header `X-Request-Id`.
    instance: String,
    /// Every problem of the data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Said>,
    /// What the check of a whole list found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    report: Option<Value>,
}

/// A problem of the data in words.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Said {
    /// The rule, such as `person.under_minimum_age`.
    pub code: &'static str,
    /// `error`, `practice` or `warning`.
    pub severity: String,
    /// RFC 6901 pointer into the data; empty for the whole.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: String,
}

impl Refusal {
    /// A refusal with a status, a code and words.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { status, code, detail, problems: Vec::new(), retry_after: None, report: None }
    }

    /// A list is at fault: what its check found.
    pub fn list(report: Value) -> Self {
        let detail = "rows of the list are at fault; mend them, or pass them over with skip_faulty";
        let new = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "list", detail);
        Self { report: Some(Box::new(report)), ..new }
    }

    /// When to try again, in seconds.
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Nobody is known by what the request carries.
    pub fn unauthorised() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorised", "log in, or send a key that opens")
    }

    /// Too many wrong keys or codes.
    pub fn locked(seconds: u32) -> Self {
        let detail = "too many wrong keys or codes from this address";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "locked", detail).retry_after(seconds)
    }

    /// The role does not allow it.
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "your role does not allow this")
    }

    /// Not there, or not for this caller: the answer is the same.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is no such thing here")
    }

    /// We are at fault; the log knows more.
    pub fn ours() -> Self {
        let detail = "the fault is ours; tell the operator the request's id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// The data is at fault: 400 where it is no JSON, else 422.
    pub fn data(problems: Vec<Problem>) -> Self {
        let unreadable = problems.iter().any(|it| it.code.starts_with("json."));
        let status = match unreadable {
            true => StatusCode::BAD_REQUEST,
            false => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self { problems, ..Self::new(status, "data", "the data is at fault") }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The problems of the data.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// By whose turn it is; what is ours is said in the log only.
    fn by_class(class: Class, error: &dyn std::fmt::Display) -> Self {
        match class {
            Class::Caller => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", error.to_string())
            }
            Class::Us => {
                tracing::error!("a request failed: {error}");
                Self::ours()
            }
            Class::Later => {
                tracing::warn!("a request has to wait: {error}");
                let detail = "this cannot be done now; try again later";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "later", detail).retry_after(5)
            }
        }
    }

    fn details(self, id: &str, language: &str, rulebook: &Rulebook) -> Details {
        Details {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default().to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            code: self.code,
            instance: format!("urn:uuid:{id}"),
            problems: words(&self.problems, rulebook, language),
            report: self.report.map(|it| *it),
        }
    }
}

/// Problems in words.
pub fn words(problems: &[Problem], rulebook: &Rulebook, language: &str) -> Vec<Said> {
    let said = |it: &Problem| {
        let words = rulebook.explanations.explain(it, language);
        Said {
            code: it.code,
            severity: it.severity.to_string(),
            pointer: it.pointer.clone(),
            message: words.message,
            hint: words.hint,
        }
    };
    problems.iter().map(said).collect()
}

/// The language of the problems that a request asks for: French or English, whichever comes first (RFC 9110, 12.5.4,
/// without weights); else English.
pub fn language(headers: &HeaderMap) -> &'static str {
    let asked = headers.get(ACCEPT_LANGUAGE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let known = asked.split(',').find_map(|it| match it.trim().get(..2)? {
        "fr" => Some("fr"),
        "en" => Some("en"),
        _ => None,
    });
    known.unwrap_or("en")
}

/// Puts refusals into words, ours and the framework's.
pub(super) async fn say(
    State((service, listener)): State<(Service, Listener)>,
    request: Request,
    next: Next,
) -> Response {
    let browses = browses(&request);
    let language = if browses { "fr" } else { language(request.headers()) };
    let id = request.extensions().get::<RequestId>().map(|it| it.0.clone()).unwrap_or_default();
    let mut response = next.run(request).await;
    let refusal = match response.extensions_mut().remove::<Refusal>() {
        Some(it) => it,
        None if is_bare(&response) => bare(response.status()),
        None => return response,
    };
    let headers = response.headers().clone();
    let (status, retry_after) = (refusal.status, refusal.retry_after);
    let details = refusal.details(&id, language, service.rulebook());
    let page =
        browses.then(|| page::framed(&service, "desk/refusal.html.j2", listener, None, &details));
    let page = page.and_then(Result::ok);
    let (is_page, json) = (page.is_some(), HeaderValue::from_static("application/problem+json"));
    let mut said = match page {
        Some(page) => (status, page).into_response(),
        None => (status, [(CONTENT_TYPE, json)], Json(details)).into_response(),
    };
    for (name, value) in &headers {
        if name != CONTENT_TYPE && name != axum::http::header::CONTENT_LENGTH {
            said.headers_mut().insert(name.clone(), value.clone());
        }
    }
    if let Some(seconds) = retry_after {
        said.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED && !is_page {
        said.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    said
}

/// Whether a person asks, with a browser, for something that is not of the API.
fn browses(request: &Request) -> bool {
    let accepts = request.headers().get(ACCEPT).and_then(|it| it.to_str().ok());
    accepts.is_some_and(|it| it.contains("text/html")) && !request.uri().path().starts_with("/v1/")
}

/// Whether a response is a refusal of the framework's: plain text or nothing.
fn is_bare(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let refused = response.status().is_client_error() || response.status().is_server_error();
    refused && kind.is_none_or(|it| it.starts_with("text/plain"))
}

fn bare(status: StatusCode) -> Refusal {
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => return Refusal::not_found(),
        StatusCode::METHOD_NOT_ALLOWED => ("method", "this address does not take that method"),
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "the body is larger than what is read here"),
        StatusCode::REQUEST_TIMEOUT => ("timeout", "the request took too long"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("media_type", "this kind of body is not read here"),
        _ if status.is_server_error() => return Refusal { status, ..Refusal::ours() },
        _ => ("request", "the request cannot be understood"),
    };
    Refusal::new(status, code, detail)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        *response.body_mut() = Body::empty();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<IssueError> for Refusal {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Data(problems) => Self::data(problems),
            IssueError::Store(error) => error.into(),
            IssueError::Seal(error) => error.into(),
            error => Self::by_class(error.class(), &error),
        }
    }
}

impl From<SealError> for Refusal {
    fn from(error: SealError) -> Self {
        let conflict = match &error {
            SealError::AlreadySigned { .. } => "already_signed",
            SealError::OutOfTurn { .. } => "out_of_turn",
            SealError::Stale => "stale",
            _ => return Self::by_class(error.class(), &error),
        };
        Self::new(StatusCode::CONFLICT, conflict, error.to_string())
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let (status, code) = match &error {
            StoreError::NotFound(_) => return Self::not_found(),
            StoreError::KeyReused => (StatusCode::CONFLICT, "key_reused"),
            StoreError::Conflict { .. } => (StatusCode::PRECONDITION_FAILED, "version"),
            StoreError::Settled(_) => (StatusCode::CONFLICT, "settled"),
            StoreError::NotReplaceable(_) => (StatusCode::CONFLICT, "not_replaceable"),
            StoreError::Full(_) => (StatusCode::CONFLICT, "full"),
            StoreError::Erased => (StatusCode::GONE, "erased"),
            _ => return Self::by_class(error.class(), &error),
        };
        Self::new(status, code, error.to_string())
    }
}

impl aide::OperationOutput for Refusal {
    type Inner = Details;
}
