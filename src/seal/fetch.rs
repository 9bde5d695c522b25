//! The network as sealing asks it: small answers, soon, over HTTP.
//!
//! An address and perhaps a body in, bytes out. What signs itself needs no TLS (RFC 5280, 8; RFC 3161,
//! 3.4), so plain HTTP is as good.

use std::time::Duration;

use ureq::Agent;

/// How long an answer may take, all in all.
const PATIENCE: Duration = Duration::from_secs(15);

/// Asks addresses, over connections that it keeps.
#[derive(Debug, Clone)]
pub(super) struct Fetch(Agent);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {source}")]
pub struct FetchError {
    url: String,
    source: Box<ureq::Error>,
}

impl Fetch {
    pub(super) fn new() -> Self {
        Self(Agent::config_builder().timeout_global(Some(PATIENCE)).build().new_agent())
    }

    pub(super) fn get(&self, url: &str, most: u64) -> Result<Vec<u8>, FetchError> {
        let answer = self.0.get(url).call();
        read(url, answer, most)
    }

    pub(super) fn post(
        &self,
        url: &str,
        kind: &str,
        body: &[u8],
        most: u64,
    ) -> Result<Vec<u8>, FetchError> {
        let answer = self.0.post(url).header("Content-Type", kind).send(body);
        read(url, answer, most)
    }
}

fn read(
    url: &str,
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    most: u64,
) -> Result<Vec<u8>, FetchError> {
    let whole = answer.and_then(|mut it| it.body_mut().with_config().limit(most).read_to_vec());
    whole.map_err(|source| FetchError { url: url.to_owned(), source: Box::new(source) })
}
