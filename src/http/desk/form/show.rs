//! The page of a form: its fields with what was typed, and what there is to say about it.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use uuid::Uuid;

use super::draft::{COURSE, Draft, said};
use super::fields::{Group, Maker, Placed, place};
use super::seats::{Seats, seats};
use super::wording::KindWords;
use crate::document::{Kind, Problem};
use crate::http::auth::Agent;
use crate::http::page;
use crate::http::problem::{Refusal, Said};
use crate::http::state::Service;

/// Why a form was not taken as it was sent.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "is", content = "id", rename_all = "snake_case")]
pub(super) enum Notice {
    /// Its session has ended since; the one that goes on is another.
    Stale,
    /// It issued a document before, with other data.
    Used,
    /// Its number is the one of a document.
    Taken(Uuid),
    /// The last seat of a course went to somebody else.
    Full,
    /// The document that it would take the place of is replaced or ended.
    NotReplaceable,
    /// It cannot be done now.
    Later,
}

/// How a form is shown.
pub(super) struct Show<'a> {
    service: &'a Service,
    agent: &'a Agent,
    checked: bool,
    notice: Option<Notice>,
    problems: Option<Vec<Problem>>,
}

#[derive(Serialize)]
struct Filled<'a> {
    csrf: &'a str,
    key: &'a str,
    kind: &'a str,
    regime: String,
    words: &'a KindWords,
    groups: Vec<Group>,
    checked: bool,
    problems: Vec<Placed>,
    notice: Option<Notice>,
    focus: String,
    course: &'a str,
    /// The number of the document that it takes the place of.
    replaces: String,
}

impl<'a> Show<'a> {
    pub(super) fn new(service: &'a Service, agent: &'a Agent) -> Self {
        Self { service, agent, checked: false, notice: None, problems: None }
    }

    /// With everything that is wrong with it.
    pub(super) fn checked(self) -> Self {
        Self { checked: true, ..self }
    }

    /// With what a later step than the check has found.
    pub(super) fn problems(self, problems: Vec<Problem>) -> Self {
        Self { problems: Some(problems), ..self }
    }

    pub(super) fn notice(self, notice: Notice) -> Self {
        Self { notice: Some(notice), ..self }
    }

    pub(super) async fn form(self, draft: Draft) -> Result<Response, Refusal> {
        self.with(StatusCode::OK, draft).await
    }

    pub(super) async fn with(self, status: StatusCode, draft: Draft) -> Result<Response, Refusal> {
        let service = self.service;
        let problems = match &self.problems {
            Some(found) => found.clone(),
            None if self.checked => match draft.check(service).await? {
                Ok(document) => document.warnings().to_vec(),
                Err(problems) => problems,
            },
            None => Vec::new(),
        };
        let words = service.wording().kind(draft.kind).ok_or_else(Refusal::ours)?;
        let mut groups = self.groups(&draft, words).await?;
        let problems = place(&mut groups, &said(service, &problems));
        let text = |at: &str| {
            let text = draft.value.pointer(at).and_then(|it| it.as_str());
            text.unwrap_or_default().to_owned()
        };
        let values = Filled {
            csrf: &self.agent.csrf,
            key: &draft.key,
            kind: draft.kind.name(),
            regime: text("/regime"),
            words,
            groups,
            checked: self.checked,
            problems,
            notice: self.notice,
            focus: draft.focus.clone().unwrap_or_default(),
            course: COURSE,
            replaces: text("/replaces/reference"),
        };
        let page = page::desk(service, "desk/form.html.j2", Some(&self.agent.csrf), values)?;
        Ok((status, page).into_response())
    }

    /// Where problems belong in a form.
    pub(super) async fn placed(
        &self,
        draft: &Draft,
        problems: &[Said],
    ) -> Result<Vec<Placed>, Refusal> {
        let words = self.service.wording().kind(draft.kind).ok_or_else(Refusal::ours)?;
        Ok(place(&mut self.groups(draft, words).await?, problems))
    }

    async fn groups(&self, draft: &Draft, words: &KindWords) -> Result<Vec<Group>, Refusal> {
        let (caller, Draft { kind, value, chosen, open, .. }) = (&self.agent.caller, draft);
        let seats: Vec<Seats> =
            seats(self.service, caller, *kind, value, chosen, open.as_deref()).await?;
        let mut maker = Maker {
            rulebook: self.service.rulebook(),
            wording: self.service.wording(),
            scope: &caller.scope(),
            kind: *kind,
            seats,
        };
        Ok(maker.groups(words, value))
    }
}

#[derive(Serialize)]
struct Kinds<'a> {
    kinds: Vec<(&'static str, &'a KindWords)>,
}

/// The choice of a kind.
pub(super) fn kinds(service: &Service, agent: &Agent) -> Result<Response, Refusal> {
    let words = |kind: Kind| service.wording().kind(kind).map(|it| (kind.name(), it));
    let kinds = Kind::ALL.into_iter().filter_map(words).collect();
    let page = page::desk(service, "desk/kinds.html.j2", Some(&agent.csrf), Kinds { kinds })?;
    Ok(page.into_response())
}

#[derive(Serialize)]
struct Expired {
    pairs: Vec<(String, String)>,
}

/// What a form is answered whose session has ended: a page that carries what was sent and hands it back.
pub(super) fn expired(
    service: &Service,
    pairs: Vec<(String, String)>,
) -> Result<Response, Refusal> {
    let typed = |it: &(String, String)| !matches!(it.0.as_str(), "csrf" | "faire");
    let values = Expired { pairs: pairs.into_iter().filter(typed).collect() };
    let page = page::desk(service, "desk/expired.html.j2", None, values)?;
    Ok((StatusCode::UNAUTHORIZED, page).into_response())
}
