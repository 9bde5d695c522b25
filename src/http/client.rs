//! Where a request comes from, behind the proxies that are trusted; and the id it is known by.
//!
//! An id is random, so it says nothing of a person; it stands in the answer, in the log and in problems.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::HeaderValue;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

use super::state::Service;
use crate::pipeline::fresh_id;

/// The address of a client.
#[derive(Debug, Clone, Copy)]
pub struct Client(pub IpAddr);

/// A request's id.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

impl Client {
    /// The address in a request's parts; where nobody noted one, this machine's.
    pub fn of(parts: &Parts) -> IpAddr {
        parts.extensions.get::<Self>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |it| it.0)
    }
}

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Self::of(parts)))
    }
}

/// Notes where a request comes from and gives it an id.
pub(super) async fn note(
    State(service): State<Service>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|it| it.0.ip());
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let forwarded = request.headers().get("x-forwarded-for").and_then(|it| it.to_str().ok());
    let client = behind(peer, forwarded, &service.config().http.trusted_proxies);
    let id = fresh_id(service.at()).to_string();
    request.extensions_mut().insert(Client(client));
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

/// The last address that no trusted proxy has: what stands before it, anybody may have written.
pub fn behind(peer: IpAddr, forwarded: Option<&str>, trusted: &[String]) -> IpAddr {
    let is_trusted = |it: &IpAddr| trusted.iter().any(|known| *known == it.to_string());
    if !is_trusted(&peer) {
        return peer;
    }
    let hops = forwarded.unwrap_or_default().rsplit(',').map_while(|it| it.trim().parse().ok());
    hops.into_iter().find(|it| !is_trusted(it)).unwrap_or(peer)
}
