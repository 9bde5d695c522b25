//! Who asks: a program with a key, or a person with a session. And what they may do.
//!
//! A request in, a [`Caller`] out, or 401 without a word about what exists. A session changes something only with its
//! form's token, so that no other site can have a browser do it.

pub mod limiter;
pub mod login;
mod oidc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::TimeDelta;

use super::client::Client;
use super::problem::Refusal;
use super::state::Service;
use crate::pipeline::Pipeline;
use crate::store::{Access, Scope, Session};

pub use crate::store::Role;

/// How long a session lasts, and how long it may be left alone.
pub const SESSION_LASTS: TimeDelta = TimeDelta::hours(10);
const SESSION_IDLES: TimeDelta = TimeDelta::minutes(45);

/// The header that carries a session's token with what changes something.
const CSRF_HEADER: &str = "x-csrf-token";

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// An opaque id.
    pub actor: String,
    /// What they may do.
    pub role: Role,
    /// The offices whose documents they may see; none: every office.
    pub offices: Option<Vec<String>>,
    /// Whether what they do is a test.
    pub test: bool,
}

/// A person at the desk: who, and the token that forms send along.
#[derive(Debug, Clone)]
pub struct Agent {
    /// Who.
    pub caller: Caller,
    /// What forms carry in a hidden field `csrf`.
    pub csrf: String,
}

impl Caller {
    /// What they may reach; every read is written to the audit trail.
    pub fn scope(&self) -> Scope {
        self.unnoted_scope().noted()
    }

    /// The same for what is no reading, such as what a list is made of.
    pub fn unnoted_scope(&self) -> Scope {
        match &self.offices {
            Some(offices) => Scope::offices(self.actor.clone(), offices),
            None => Scope::all(self.actor.clone()),
        }
    }

    /// The journey that what they do takes.
    pub fn pipeline<'a>(&self, service: &'a Service) -> &'a std::sync::Arc<Pipeline> {
        if self.test { service.tests() } else { service.pipeline() }
    }

    /// Refuses whoever only reads.
    pub fn may_write(&self) -> Result<(), Refusal> {
        match self.role {
            Role::Auditor => Err(Refusal::forbidden()),
            Role::Agent | Role::Supervisor | Role::Machine => Ok(()),
        }
    }

    /// Refuses whoever does not decide about merges and mails in doubt.
    pub fn may_decide(&self) -> Result<(), Refusal> {
        match self.role {
            Role::Auditor | Role::Agent => Err(Refusal::forbidden()),
            Role::Supervisor | Role::Machine => Ok(()),
        }
    }
}

impl From<Access> for Caller {
    fn from(access: Access) -> Self {
        let Access { actor, role, offices, test } = access;
        Self { actor, role, offices, test }
    }
}

impl Agent {
    /// Whether a form carries the session's token.
    pub fn check(&self, token: &str) -> Result<(), Refusal> {
        if same(token.as_bytes(), self.csrf.as_bytes()) { Ok(()) } else { Err(stale_form()) }
    }
}

impl FromRequestParts<Service> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Refusal> {
        let caller = match bearer(&parts.headers) {
            Some(key) => by_key(service, parts, &key).await?,
            None => {
                let session = session(&parts.headers, service).await?;
                let session = session.ok_or_else(Refusal::unauthorised)?;
                if !parts.method.is_safe() {
                    let token = parts.headers.get(CSRF_HEADER).map(|it| it.as_bytes());
                    let token = token.unwrap_or_default();
                    if !same(token, session.csrf.as_bytes()) {
                        return Err(stale_form());
                    }
                }
                Self::from(session.access)
            }
        };
        if !service.pace().count(&caller.actor, service.at()) {
            let detail = "too many requests from this caller; slow down";
            let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail);
            return Err(refusal.retry_after(service.pace().seconds()));
        }
        Ok(caller)
    }
}

impl FromRequestParts<Service> for Agent {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Response> {
        let session = session(&parts.headers, service).await;
        match session.map_err(IntoResponse::into_response)? {
            Some(it) => Ok(Self { caller: Caller::from(it.access), csrf: it.csrf }),
            None => Err(Redirect::to("/login").into_response()),
        }
    }
}

async fn by_key(service: &Service, parts: &Parts, key: &str) -> Result<Caller, Refusal> {
    let (client, at) = (Client::of(parts), service.at());
    if service.failures().is_spent(&client, at) {
        return Err(Refusal::locked(service.failures().seconds()));
    }
    match service.pipeline().store.key_holder(key, at).await? {
        Some(access) => Ok(Caller::from(access)),
        None => {
            service.failures().count(&client, at);
            Err(Refusal::unauthorised())
        }
    }
}

/// The session of a request's cookie, if it holds.
pub async fn session(headers: &HeaderMap, service: &Service) -> Result<Option<Session>, Refusal> {
    let Some(token) = cookie(headers, cookie_name(service)) else { return Ok(None) };
    Ok(service.pipeline().store.session(&token, SESSION_IDLES, service.at()).await?)
}

/// The name of the session's cookie. The prefix binds it to this host and to https (RFC 6265bis, 4.1.3.2).
pub fn cookie_name(service: &Service) -> &'static str {
    if service.is_secure() { "__Host-paraphe" } else { "paraphe" }
}

/// The value of a cookie.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(COOKIE).iter().filter_map(|it| it.to_str().ok());
    let mut pairs = all.flat_map(|it| it.split(';')).filter_map(|it| it.trim().split_once('='));
    pairs.find(|(it, _)| *it == name).map(|(_, value)| value.to_owned())
}

/// A cookie that scripts cannot read and other sites' forms do not send.
pub fn set_cookie(service: &Service, name: &str, value: &str, seconds: i64) -> String {
    let secure = if service.is_secure() { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().to_owned())
}

fn stale_form() -> Refusal {
    let detail = "the form is not of this session; load the page again";
    Refusal::new(StatusCode::FORBIDDEN, "csrf", detail)
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}
