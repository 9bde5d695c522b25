//! The operator's key is changed while workers send, as the help for administrators tells it.

use std::collections::{HashMap, HashSet};

use paraphe::secret::Secret;
use paraphe::store::{DeliveryState, make_operator_key};

use super::processes::{Worker, copies, plain, put, wait};
use super::server::{Fault, Server};
use super::worker::states;
use crate::database::{Place, on_both};
use crate::harness::paraphe;

on_both! { the_operators_key_changes_while_a_worker_sends }

/// First every process knows the new key, then it wraps, then the old one goes. A worker sends all the while; in the end
/// a worker that knows the new key alone sends the rest.
async fn the_operators_key_changes_while_a_worker_sends(mut place: Place) {
    let first = place.open().await;
    let letters = put(&first, 300, 20).await.len();
    let server = Server::start(Fault::Slow).await;
    let settings = plain(&place, server.port);
    let (old, new) = (place.options.key.clone(), Secret::new(make_operator_key()));
    let folder = place.folder.path().to_owned();
    let keys = |current: &Secret, earlier: Option<&Secret>| {
        std::fs::write(folder.join("operator.key"), current.expose()).unwrap();
        let earlier = earlier.map(|key| {
            std::fs::write(folder.join("earlier.key"), key.expose()).unwrap();
            format!("earlier_key_files = [{:?}]", folder.join("earlier.key"))
        });
        let text = std::fs::read_to_string(&settings).unwrap();
        let lines = text.lines().filter(|it| !it.starts_with("earlier_key_files"));
        let text = lines.collect::<Vec<_>>().join("\n");
        let store = format!("[store]\n{}", earlier.unwrap_or_default());
        std::fs::write(&settings, text.replace("[store]", &store)).unwrap();
    };
    let run = |verb: &[&str]| {
        let output = paraphe(&[&["--config", settings.to_str().unwrap()], verb].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    keys(&old, Some(&new));
    let worker = Worker::start(&settings, &[]);
    wait(|| server.kept().len() > 2, &first).await;
    keys(&new, Some(&old));
    run(&["keys", "rewrap"]);
    assert!(server.kept().len() < letters, "it was to happen while the worker sends");
    wait(|| server.kept().len() >= letters / 2, &first).await;
    worker.signal("-TERM");
    first.close().await;
    run(&["keys", "rewrap"]); // whatever the old one had wrapped meanwhile
    keys(&new, None);
    place.options.key = new;
    let last = place.open().await;
    run(&["worker", "--drain"]);
    assert_eq!(states(&last).await, HashMap::from([(DeliveryState::Accepted, letters)]));
    assert_eq!(copies(&server).values().copied().collect::<HashSet<_>>(), HashSet::from([1]));
}
