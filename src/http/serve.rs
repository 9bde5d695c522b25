//! The listeners, and what runs beside them: letters of merges are made, other systems are told.
//!
//! A client that does not send its headers in time is let go, and there are only so many connections, so slow ones hold
//! nobody up. When told to stop, nothing new is taken and what is under way is finished.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::state::Service;
use super::webhooks::{Webhook, tell};
use super::{ServiceError, metrics, public_routes, routes};
use crate::config::HttpSection;
use crate::merge::run::work;
use crate::pipeline::Pipeline;

/// How many connections a listener holds at once, how long headers may take, how long the end waits for answers.
const CONNECTIONS: usize = 1_024;
const HEADERS: Duration = Duration::from_secs(15);
const FINISH: Duration = Duration::from_secs(30);

/// How often merges are looked for, where nothing tells of one.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The addresses that are listened at.
#[derive(Debug)]
pub struct Listeners {
    /// API and desk.
    pub main: TcpListener,
    /// Public pages.
    pub public: TcpListener,
    /// Metrics.
    pub metrics: TcpListener,
}

impl Listeners {
    /// Listens where the settings say; without them on this machine only.
    pub async fn bind(http: &HttpSection) -> Result<Self, ServiceError> {
        let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Ok(Self {
            main: listen_at(http.listen()).await?,
            public: listen_at(http.public_listen.unwrap_or(local(8081))).await?,
            metrics: listen_at(http.metrics_listen.unwrap_or(local(9464))).await?,
        })
    }
}

async fn listen_at(place: SocketAddr) -> Result<TcpListener, ServiceError> {
    TcpListener::bind(place).await.map_err(|error| ServiceError::Listen(place, error))
}

/// Serves until told to stop.
pub async fn serve(
    service: Service,
    listeners: Listeners,
    stop: watch::Receiver<bool>,
) -> Result<(), ServiceError> {
    let mut tasks = JoinSet::new();
    for (section, secret) in service.config().webhooks()? {
        let webhook = Webhook { name: section.name, url: section.url, secret };
        let store = service.pipeline().store.clone();
        tasks.spawn(tell(store, webhook, service.clone(), stop.clone()));
    }
    tasks.spawn(merge(service.pipeline().clone(), service.clone(), stop.clone()));
    if !Arc::ptr_eq(service.pipeline(), service.tests()) {
        tasks.spawn(merge(service.tests().clone(), service.clone(), stop.clone()));
    }
    let Listeners { main, public, metrics: own } = listeners;
    tasks.spawn(listen(main, routes(service.clone()), stop.clone()));
    tasks.spawn(listen(public, public_routes(service.clone()), stop.clone()));
    tasks.spawn(listen(own, metrics::routes(service), stop));
    tasks.join_all().await;
    Ok(())
}

/// Makes the letters of merges as they come.
async fn merge(pipeline: Arc<Pipeline>, service: Service, mut stop: watch::Receiver<bool>) {
    let mut wakes = pipeline.store.wakes();
    let name = format!("serve-{}", std::process::id());
    while !*stop.borrow() {
        if let Err(error) = work(&pipeline, None, &name, service.clock(), &stop).await {
            tracing::error!("a merge stands still: {error}");
        }
        tokio::select! {
            _ = tokio::time::sleep(LOOK_EVERY) => {}
            _ = wakes.changed() => {}
            _ = stop.changed() => {}
        }
    }
}

/// Takes connections until told to stop, and waits for the answers that are under way.
async fn listen(listener: TcpListener, routes: Router, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    while !*stop.borrow() {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
        };
        let Ok((stream, peer)) = accepted else {
            // No file descriptor left, or a client that is gone: a moment later there may be.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (routes, stop) = (routes.clone(), stop.clone());
        connections.spawn(async move {
            converse(stream, peer, routes, stop).await;
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    tokio::time::timeout(FINISH, connections.join_all()).await.ok();
}

/// Answers the requests of one connection.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
    mut stop: watch::Receiver<bool>,
) {
    let routes = TowerToHyperService::new(routes);
    let answer = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = routes.call(request);
        async move { Ok::<Response, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADERS);
    let connection = builder.serve_connection(TokioIo::new(stream), answer);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A client that breaks off is no news.
        _ = connection.as_mut() => return,
        _ = stop.changed() => connection.as_mut().graceful_shutdown(),
    }
    connection.await.ok();
}
