//! A mail server's log tells what it has taken; after a restore that is not sent again.

use std::process::Command;
use std::time::Duration;

use chrono::Utc;
use paraphe::deliver::maillog::taken;
use paraphe::store::DeliveryState;
use uuid::Uuid;

use super::postfix::Postfix;
use super::worker::{put, states};
use crate::database::{Place, on_both};
use crate::harness::paraphe;

on_both! { what_left_after_the_backup_is_settled_by_the_log }

#[test]
fn a_message_counts_as_taken_once_it_is_in_the_queue() {
    let id = |number: u8| format!("<{}@example.org>", Uuid::from_bytes([number; 16]));
    let log = format!(
        "Nov 26 17:00:01 mx postfix/cleanup[11]: 4F2B31: message-id={}\n\
         2026-11-26T17:00:01.1+01:00 mx postfix-out/cleanup[11]: 4F2B32: message-id={}\n\
         Nov 26 17:00:01 mx postfix/cleanup[11]: 4F2B33: message-id=<other@example.org>\n\
         Nov 26 17:00:01 mx postfix/qmgr[12]: 4F2B31: from=<a@example.org>, size=1, nrcpt=1 (queue active)\n\
         2026-11-26T17:00:02.1+01:00 mx postfix-out/qmgr[12]: 4F2B32: from=<a@example.org>, size=1\n\
         Nov 26 17:00:02 mx postfix/qmgr[12]: 4F2B33: from=<>, size=1, nrcpt=1 (queue active)\n\
         Nov 26 17:00:03 mx postfix/cleanup[11]: 4F2B31: message-id={}\n\
         Nov 26 17:00:03 mx postfix/cleanup[11]: 4F2B31: milter-reject: END-OF-MESSAGE from x: 5.7.1\n\
         Nov 26 17:00:04 mx postfix/qmgr[12]: 4F2B39: from=<a@example.org>, size=1\n\
         Nov 26 17:00:04 mx kernel: [1.0] something: else\n\u{0}\u{1}]: : \n",
        id(1),
        id(2),
        id(3)
    );
    let found: Vec<_> = taken(log.as_bytes()).unwrap().into_iter().collect();
    assert_eq!(found, [id(1), id(2)]);
}

/// A real Postfix takes half of the letters after the backup was made; its log settles them in the restored store.
async fn what_left_after_the_backup_is_settled_by_the_log(place: Place) {
    let store = place.open().await;
    let letters = put(&store, 6).await;
    let folder = place.folder.path();
    store.backup(&folder.join("backup"), Utc::now()).await.unwrap();
    let postfix = Postfix::start();
    let smtp = postfix.smtp();
    for it in &letters[..3] {
        let mail = &it.deliveries[0];
        let letter = paraphe::deliver::Outgoing {
            id: mail.id,
            recipient: "a@example.org",
            message: &mail.message,
        };
        smtp.send(&letter, async { true }).await;
    }
    smtp.close().await;
    for _ in 0..600 {
        if postfix.log().matches("postfix/qmgr").count() >= 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    std::fs::write(folder.join("mail.log"), postfix.log()).unwrap();
    let there = tempfile::tempdir().unwrap();
    std::fs::write(folder.join("operator.key"), place.options.key.expose()).unwrap();
    let settings = folder.join("restored.toml");
    let database = match place.is_sqlite() {
        true => there.path().join("ledger.db").display().to_string(),
        false => std::thread::spawn(crate::database::new_postgres_database).join().unwrap(),
    };
    let text = format!(
        "data = {:?}\n[store]\ndatabase = {database:?}\nkey_file = {:?}\n",
        there.path(),
        folder.join("operator.key")
    );
    std::fs::write(&settings, text).unwrap();
    let run = |args: &[&str]| {
        let all = [&["--config", settings.to_str().unwrap()], args].concat();
        let output = paraphe(&all);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(run(&["restore", folder.join("backup").to_str().unwrap()]).contains("reconcile"));
    run(&["worker", "--drain"]); // it is paused: nothing leaves
    let log = folder.join("mail.log");
    let said = run(&["deliveries", "reconcile", log.to_str().unwrap()]);
    assert!(said.contains("3 mails of ours in the log, 3 of them waited here"), "{said}");
    let again = run(&["deliveries", "reconcile", log.to_str().unwrap()]);
    assert!(again.contains("3 mails of ours in the log, 0 of them"), "{again}");
    let mut options = place.options.clone();
    options.database = database;
    options.blobs = paraphe::store::BlobOptions::Folder(there.path().join("blobs"));
    let restored = paraphe::store::Store::open(&options).await.unwrap();
    assert!(restored.control().await.unwrap().paused.is_some(), "sending waits for a person");
    let counts = states(&restored).await;
    assert_eq!((counts[&DeliveryState::Accepted], counts[&DeliveryState::Ready]), (3, 3));
    let history = restored.history(letters[0].deliveries[0].id).await.unwrap();
    assert!(history.iter().any(|it| it.action == "accepted_elsewhere"), "{history:?}");
    let gone = Command::new("ls").arg(there.path().join("mail")).output().unwrap();
    assert!(gone.stdout.is_empty(), "a paused store has sent");
}
