//! Who asks again before the first answer is there.

use paraphe::store::{Answered, IdempotencyKey};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::server::Server;
use crate::harness::{at, good};

#[test]
fn a_retry_while_the_first_is_under_way_is_told_when_to_ask_again() {
    let server = Server::start();
    let id = server.issue(&good("cai/good-friday-in-lyon.json"))["id"].as_str().unwrap().to_owned();
    let (field, shown) = server.turn(&id);
    let body = server.signature(&field.unwrap(), &shown).to_string();
    let path = format!("/v1/documents/{id}/signatures");
    // The first request has come in and is not answered yet.
    let store = &server.service.pipeline().store;
    let own = server.runtime.block_on(store.access_keys()).unwrap().remove(0).id;
    let key = IdempotencyKey::new(format!("answer key:{own} {path} sign-1"));
    let digest: [u8; 32] = Sha256::digest(body.as_bytes()).into();
    let begun = server.runtime.block_on(store.begin_answer(&key, &digest, at())).unwrap();
    assert!(matches!(begun, Answered::New));
    let headers = [("if-match", "\"v1\""), ("idempotency-key", "sign-1")];
    let sign = || server.call("POST", &path, &headers, body.as_bytes());
    let told = sign().expect(409);
    assert_eq!(told.json()["code"], json!("under_way"));
    assert_eq!(told.headers["retry-after"], "2");
    // It ends without an answer, as when its worker is lost: the retry is then the first.
    server.runtime.block_on(store.end_answer(&key, None, at())).unwrap();
    assert_eq!(sign().expect(201).json()["version"], 2);
}
