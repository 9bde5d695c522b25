//! What servers write back is understood, whoever wrote it.

use std::path::Path;

use paraphe::deliver::bounce::{Fate, Report, read};
use uuid::Uuid;

const ID: Uuid = Uuid::from_u128(0x0195_5555_0000_7000_8000_0000_0000_002a);

fn sample(name: &str) -> Option<Report> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dsn").join(name);
    read(&std::fs::read(path).unwrap())
}

#[test]
fn reports_name_the_delivery_and_its_fate() {
    for (name, fate, status, dead) in [
        ("postfix-failed.eml", Fate::Failed, "5.1.1", true),
        ("postfix-delivered.eml", Fate::Delivered, "2.0.0", false),
        ("postfix-relayed.eml", Fate::Relayed, "2.0.0", false),
        ("postfix-delayed.eml", Fate::Delayed, "4.4.1", false),
        ("exchange-failed.eml", Fate::Failed, "5.1.10", true),
        ("mailbox-full.eml", Fate::Failed, "5.2.2", false),
        ("exim-failed.eml", Fate::Failed, "5.1.1", true),
        ("qmail-failed.eml", Fate::Failed, "5.1.1", true),
        ("headers-only.eml", Fate::Failed, "5.7.1", false),
    ] {
        let report = sample(name).unwrap_or_else(|| panic!("{name} was not understood"));
        assert_eq!((report.delivery, report.fate), (ID, fate), "{name}");
        assert_eq!(report.status, status, "{name}");
        assert_eq!(report.blames_the_address(), dead, "{name}");
        assert!(!report.diagnostic.contains(['\r', '\n']), "{name}");
    }
}

#[test]
fn what_is_no_report_changes_nothing() {
    for name in ["answer.eml", "holiday.eml", "foreign.eml"] {
        assert_eq!(sample(name), None, "{name}");
    }
    for bytes in
        [&b""[..], b"\0\0\0", b"Content-Type: message/delivery-status\r\n\r\nAction: failed\r\n"]
    {
        assert_eq!(read(bytes), None);
    }
}
