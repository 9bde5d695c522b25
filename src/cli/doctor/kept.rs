//! What is kept and with which keys: operator's key, database, files, certificates, room on the disks.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Finding;
use crate::class::Class;
use crate::config::Config;
use crate::deliver::Clock;
use crate::seal::{Certificate, Sealer};
use crate::store::{BlobOptions, Look, Store, StoreOptions, fingerprint};

/// Days before its end from which on a certificate is warned of.
const SOON: i64 = 60;
/// Bytes left on a disk below which it is a warning, and a fault.
const TIGHT: u64 = 2 << 30;
const FULL: u64 = 200 << 20;

/// The operator's key, the database and the files.
pub(super) async fn store(config: &Config, findings: &mut Vec<Finding>) -> Option<Look> {
    let options = match config.store_options() {
        Ok(options) => options,
        Err(error) => {
            let mend =
                "See store.key_file and its neighbours; `paraphe keys new FILE` makes a key.";
            findings.push(Finding::of("key", error.class(), error, mend));
            return None;
        }
    };
    findings.push(key(config, &options));
    findings.extend(owner(config));
    let look = database(&options, findings).await;
    findings.push(match Store::try_files(&options).await {
        Ok(()) => Finding::good("files", format!("{}: written, read, deleted", place(&options))),
        Err(error) => {
            let mend = "See store.blobs or [store.s3], and whether this user may write there.";
            Finding::of("files", error.class(), format!("{}: {error}", place(&options)), mend)
        }
    });
    look
}

fn place(options: &StoreOptions) -> String {
    match &options.blobs {
        BlobOptions::Folder(folder) => folder.display().to_string(),
        BlobOptions::S3(it) => format!("{} at {}", it.bucket, it.endpoint),
        BlobOptions::Memory => "memory".to_owned(),
    }
}

fn key(config: &Config, options: &StoreOptions) -> Finding {
    const PART: &str = "key";
    let fingerprint = match fingerprint(&options.key) {
        Ok(fingerprint) => fingerprint,
        Err(error) => return Finding::fault(PART, error, "See store.key_file."),
    };
    let file = config.store.key_file.as_deref().map(Path::new);
    let mode = file.and_then(|it| it.metadata().ok()).map(|it| it.permissions().mode());
    let good = format!("the operator's key {fingerprint}");
    match (file, mode) {
        (Some(file), Some(mode)) if mode & 0o007 != 0 => {
            let open = format!("{good}: everybody on this machine can read {}", file.display());
            Finding::warning(PART, open, "chmod o= that file; if others had it, change the key.")
        }
        _ => Finding::good(PART, good),
    }
}

/// Whoever looks as another user than the service's finds other things than the service does.
fn owner(config: &Config) -> Option<Finding> {
    let owner = config.data().metadata().ok()?.uid();
    let own = rustix::process::geteuid().as_raw();
    let found = format!("the data belong to user {owner}, and this is user {own}");
    let mend = "Run this, and every verb, as the service's user: `sudo -u paraphe paraphe …`.";
    (owner != own).then(|| Finding::warning("user", found, mend))
}

async fn database(options: &StoreOptions, findings: &mut Vec<Finding>) -> Option<Look> {
    const PART: &str = "database";
    let look = match Store::look(options).await {
        Ok(look) => look,
        Err(error) => {
            let mend = "See that it runs, store.database names it, and the password is its own.";
            findings.push(Finding::of(PART, error.class(), error, mend));
            return None;
        }
    };
    let newest = look.newest;
    findings.push(match look.schema {
        None => Finding::good(PART, "still empty; the first start fills it"),
        Some(schema) if schema > newest => {
            let newer = format!("of a newer version: schema {schema}, this program knows {newest}");
            Finding::fault(PART, newer, "Use the newer program; this one will not touch it.")
        }
        Some(schema) if schema < newest => {
            let older = format!("of an older version: schema {schema} of {newest}");
            Finding::warning(PART, older, "The next start migrates it: make a backup before.")
        }
        Some(schema) => Finding::good(PART, format!("reachable, schema {schema}")),
    });
    if !look.missing_keys.is_empty() {
        let missing = format!("the operator's keys {} are needed", look.missing_keys.join(", "));
        findings.push(Finding::fault(PART, missing, "Add their files to store.earlier_key_files."));
    }
    if let Some(reason) = &look.paused {
        let mend = "When all is well: `paraphe deliveries resume`.";
        findings.push(Finding::warning(PART, format!("sending is paused: {reason}"), mend));
    }
    Some(look)
}

/// The seal's key, its certificates and those that are trusted.
pub(super) fn seal(config: &Config, findings: &mut Vec<Finding>) -> Option<Sealer> {
    const PART: &str = "seal";
    let sealer = match config.sealer() {
        Ok(sealer) => Some(sealer),
        Err(error) => {
            let mend = "See [seal]: key, password and chain must belong together.";
            findings.push(Finding::of(PART, error.class(), error, mend));
            None
        }
    };
    if let Some(Sealer::On(office)) = &sealer {
        findings.extend(office.identity().chain().iter().map(|it| dates(PART, it)));
    }
    match config.trusted() {
        Ok(files) => {
            let certificates = files.iter().flat_map(|it| Certificate::from_pem(it));
            let dated = certificates.flatten().map(|it| dates("trust", &it));
            findings.extend(dated.filter(|it| it.verdict != super::Verdict::Good));
        }
        Err(error) => {
            let mend = "See seal.trust_files and seal.tsa_trust_files.";
            findings.push(Finding::of("trust", error.class(), error, mend));
        }
    }
    sealer
}

/// When a certificate ends.
fn dates(part: &'static str, certificate: &Certificate) -> Finding {
    let now = Clock::system().now();
    let (subject, end) = (certificate.subject(), certificate.not_after());
    let days = (end - now).num_days();
    let day = end.format("%F");
    let renew = "Ask its authority for a new one, and put it in its place before that day.";
    if now < certificate.not_before() {
        let from = format!("« {subject} » is not valid before {}", certificate.not_before());
        Finding::fault(part, from, "Wait, use the one before it, or set the clock right.")
    } else if now > end {
        Finding::fault(part, format!("« {subject} » ended on {day}"), renew)
    } else if days <= SOON {
        Finding::warning(part, format!("« {subject} » ends on {day}, in {days} days"), renew)
    } else {
        Finding::good(part, format!("« {subject} » until {day}, {days} days"))
    }
}

/// The room on each disk that something is written to; the tightest.
pub(super) fn disk(config: &Config) -> Finding {
    const PART: &str = "disk";
    let mut folders = BTreeSet::from([config.data()]);
    folders.extend(config.store.blobs.clone());
    folders.extend(config.mail.folder.clone());
    let database = config.store.database.as_deref().filter(|it| !it.contains("://"));
    folders.extend(database.and_then(|it| Path::new(it).parent()).map(Path::to_owned));
    let rooms = folders.into_iter().filter_map(|folder| {
        let stat = rustix::fs::statvfs(nearest(&folder)).ok()?;
        Some((stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize, folder))
    });
    let Some((left, all, folder)) = rooms.min() else {
        return Finding::warning(PART, "the room cannot be told", "Look at `df`.");
    };
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let found = format!("{:.1} of {:.1} GiB left for {}", gib(left), gib(all), folder.display());
    let mend = "Make room, or move the data; a full disk stops the issue of documents.";
    match left {
        0..FULL => Finding::of(PART, Class::Caller, found, mend),
        FULL..TIGHT => Finding::warning(PART, found, mend),
        _ => Finding::good(PART, found),
    }
}

/// The folder itself or the nearest one above it that is there.
fn nearest(folder: &Path) -> PathBuf {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    absolute.ancestors().find(|it| it.exists()).unwrap_or(Path::new("/")).to_owned()
}
