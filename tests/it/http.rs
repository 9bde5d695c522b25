//! Tests of http: a service in this process, a client over the network, and nothing left over when it ends.

mod access;
mod desk;
mod journey;
mod links;
mod merging;
mod refusals;
mod retry;
pub(crate) mod server;
mod webhooks;

#[test]
fn nobody_forges_an_address_past_a_trusted_proxy() {
    let trusted = ["10.0.0.1".to_owned()];
    let seen = |peer: &str, forwarded| {
        paraphe::http::behind(peer.parse().unwrap(), forwarded, &trusted).to_string()
    };
    assert_eq!(seen("192.0.2.7", Some("198.51.100.1")), "192.0.2.7");
    assert_eq!(seen("10.0.0.1", Some("198.51.100.1, 192.0.2.9")), "192.0.2.9");
    assert_eq!(seen("10.0.0.1", Some("192.0.2.9, 10.0.0.1")), "192.0.2.9");
    assert_eq!(seen("10.0.0.1", None), "10.0.0.1");
}
