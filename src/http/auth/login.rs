//! How a person comes in: by a link that opens once, printed where the service was started, or by the provider of the
//! settings. And out.

use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::{HeaderMap, SET_COOKIE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::super::client::Client;
use super::super::problem::Refusal;
use super::super::state::Service;
use super::{Agent, Role, SESSION_LASTS, cookie, cookie_name, set_cookie};
use crate::store::{Access, Store, StoreError};

/// What such a code is for, and how long its link opens.
const LOGIN: &str = "login";
const LINK_LASTS: TimeDelta = TimeDelta::minutes(15);

#[derive(Deserialize)]
struct Once {
    code: String,
}

/// The ways in and out. The page `/login` itself is the desk's.
pub fn routes() -> Router<Service> {
    let own = Router::new().route("/login/once", get(once)).route("/logout", post(logout));
    own.merge(super::oidc::routes())
}

/// Makes the link that lets the operator in once, with every right.
pub async fn link(store: &Store, address: &str, at: DateTime<Utc>) -> Result<String, StoreError> {
    let code = store.make_code(LOGIN, "operator", LINK_LASTS, at).await?;
    Ok(format!("{address}/login/once?code={code}"))
}

async fn once(
    State(service): State<Service>,
    client: Client,
    Query(asked): Query<Once>,
) -> Result<Response, Refusal> {
    let at = service.at();
    if service.failures().is_spent(&client.0, at) {
        return Err(Refusal::locked(service.failures().seconds()));
    }
    let Some(name) = service.pipeline().store.take_code(LOGIN, &asked.code, at).await? else {
        service.failures().count(&client.0, at);
        return Err(Refusal::unauthorised());
    };
    let actor = service.pipeline().store.opaque_id("agent", &name);
    let access = Access { actor, role: Role::Supervisor, offices: None, test: false };
    enter(&service, &access).await
}

/// Begins a session and leads to the desk.
pub async fn enter(service: &Service, access: &Access) -> Result<Response, Refusal> {
    let store = &service.pipeline().store;
    let session = store.begin_session(access, SESSION_LASTS, service.at()).await?;
    let seconds = SESSION_LASTS.num_seconds();
    let cookie = set_cookie(service, cookie_name(service), &session.token, seconds);
    Ok(([(SET_COOKIE, cookie)], Redirect::to("/")).into_response())
}

#[derive(Deserialize)]
struct Leaving {
    csrf: String,
}

async fn logout(
    State(service): State<Service>,
    agent: Agent,
    headers: HeaderMap,
    axum::Form(form): axum::Form<Leaving>,
) -> Result<Response, Refusal> {
    agent.check(&form.csrf)?;
    if let Some(token) = cookie(&headers, cookie_name(&service)) {
        service.pipeline().store.end_session(&token).await?;
    }
    let cookie = set_cookie(&service, cookie_name(&service), "", 0);
    Ok(([(SET_COOKIE, cookie)], Redirect::to("/login")).into_response())
}
