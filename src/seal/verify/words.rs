//! A report in words for people: sentences from `templates/verify/<language>.toml`, lines out.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::change::{Change, ChangeKind};
use super::fault::Fault;
use super::report::{Report, SignatureKind, SignatureLevel, SignatureReport, Verdict};
use crate::assets::Assets;
use crate::document::{Message, Part};

/// The sentences of the reports, by language and key.
#[derive(Debug)]
pub struct Words(BTreeMap<String, BTreeMap<String, Vec<Part>>>);

/// A catalogue of sentences is at fault: a template, so ours to mend.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {fault}")]
pub struct WordsError {
    path: String,
    fault: String,
}

/// A name in a sentence and what stands for it.
type Value<'a> = (&'a str, &'a str);

impl Words {
    /// Reads every language there is. All must have the same keys with the same names in them.
    pub fn load(assets: &Assets) -> Result<Self, WordsError> {
        let mut languages: BTreeMap<String, BTreeMap<String, Vec<Part>>> = BTreeMap::new();
        for (path, bytes) in assets.list("templates/verify/", ".toml") {
            let fault = |fault: String| WordsError { path: path.to_owned(), fault };
            let text = std::str::from_utf8(bytes).map_err(|error| fault(error.to_string()))?;
            let sentences: BTreeMap<String, Message> =
                toml::from_str(text).map_err(|error| fault(error.to_string()))?;
            let sentences: BTreeMap<String, Vec<Part>> =
                sentences.into_iter().map(|(key, it)| (key, it.into())).collect();
            let first = languages.values().next().unwrap_or(&sentences);
            let keys: BTreeSet<_> = first.keys().chain(sentences.keys()).collect();
            for key in keys {
                if sentences.get(key).map(|it| names(it)) != first.get(key).map(|it| names(it)) {
                    return Err(fault(format!("`{key}` is not as in the other languages")));
                }
            }
            let stem = path.trim_start_matches("templates/verify/").trim_end_matches(".toml");
            languages.insert(stem.to_owned(), sentences);
        }
        Ok(Self(languages))
    }

    /// The languages, such as `en`.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The keys of a language.
    pub fn keys(&self, language: &str) -> impl Iterator<Item = &str> {
        self.0.get(language).into_iter().flat_map(|it| it.keys()).map(String::as_str)
    }

    /// A problem in words.
    pub fn fault(&self, language: &str, fault: &Fault) -> String {
        let values: Vec<Value<'_>> =
            fault.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.say(language, fault.code, &values)
    }

    /// The sentence of a key, filled; the bare key where the language lacks it.
    pub fn say(&self, language: &str, key: &str, values: &[Value<'_>]) -> String {
        let Some(parts) = self.0.get(language).and_then(|it| it.get(key)) else {
            return key.to_owned();
        };
        let value = |name: &str| values.iter().find(|it| it.0 == name).map_or("", |it| it.1);
        let said = parts.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Value { name } => value(name),
        });
        said.collect()
    }

    /// The whole report as lines: the answer first, then each signature, then what else there is.
    pub fn report(&self, language: &str, report: &Report) -> Vec<String> {
        Page { words: self, language, lines: Vec::new() }.report(report)
    }
}

struct Page<'a> {
    words: &'a Words,
    language: &'a str,
    lines: Vec<String>,
}

impl Page<'_> {
    fn say(&self, key: &str, values: &[Value<'_>]) -> String {
        self.words.say(self.language, key, values)
    }

    fn line(&mut self, indent: usize, key: &str, values: &[Value<'_>]) {
        let said = self.say(key, values);
        self.lines.push(format!("{:indent$}{said}", ""));
    }

    fn report(mut self, report: &Report) -> Vec<String> {
        self.line(
            0,
            match report.verdict {
                Verdict::Valid => "verdict.valid",
                Verdict::UnknownSigner => "verdict.unknown_signer",
                Verdict::NotValid => "verdict.not_valid",
                Verdict::Unsigned => "verdict.unsigned",
                Verdict::Unreadable => "verdict.unreadable",
            },
            &[],
        );
        for fault in &report.problems {
            self.problem(2, fault);
        }
        for signature in &report.signatures {
            self.lines.push(String::new());
            self.signature(signature);
        }
        self.lines.push(String::new());
        for field in &report.waiting {
            self.line(0, "waiting", &[("field", named(&field.field, &field.label))]);
        }
        if !report.standards.is_empty() {
            self.line(0, "standards", &[("standards", &report.standards.join(", "))]);
        }
        for it in &report.attachments {
            let size = it.size.to_string();
            let values = [("name", &*it.name), ("size", &size), ("sha", &it.sha256)];
            self.line(0, "attachment", &values);
        }
        self.line(0, "file", &[("sha", &report.sha256), ("size", &report.size.to_string())]);
        self.lines
    }

    fn signature(&mut self, it: &SignatureReport) {
        let state = if it.valid {
            "state.valid"
        } else if it.problems.iter().all(Fault::is_stranger) {
            "state.unknown_signer"
        } else {
            "state.not_valid"
        };
        let kind = match it.kind {
            SignatureKind::Seal => "kind.seal",
            SignatureKind::Signature => "kind.signature",
            SignatureKind::ArchiveTimestamp => "kind.archive_timestamp",
        };
        let (kind, state) = (self.say(kind, &[]), self.say(state, &[]));
        // Whoever adds an archive timestamp names its field: the authority says more.
        let authority = it.signer.as_ref().filter(|_| it.kind == SignatureKind::ArchiveTimestamp);
        let field = authority.map_or(named(&it.field, &it.label), |it| &it.name);
        self.line(0, "signature", &[("kind", &kind), ("field", field), ("state", &state)]);
        for fault in &it.problems {
            self.problem(4, fault);
        }
        if let Some(signer) = &it.signer {
            let organization = signer.organization.as_deref().unwrap_or(&signer.subject);
            let values = [
                ("name", &*signer.name),
                ("organization", organization),
                ("issuer", &signer.issuer),
            ];
            self.line(4, "signer", &values);
        }
        if let Some(name) = &it.name {
            self.line(4, "name", &[("name", name)]);
        }
        if let Some(reason) = &it.reason {
            self.line(4, "reason", &[("reason", reason)]);
        }
        match (it.trusted_time, it.claimed_time.or(it.signing_time)) {
            (Some(time), _) => self.line(4, "time.trusted", &[("time", &clock(time))]),
            (None, Some(time)) => self.line(4, "time.claimed", &[("time", &clock(time))]),
            (None, None) => {}
        }
        if let Some(level) = it.level {
            self.line(
                4,
                match level {
                    SignatureLevel::Basic => "level.basic",
                    SignatureLevel::Timestamped => "level.timestamped",
                    SignatureLevel::LongTerm => "level.long_term",
                    SignatureLevel::Archived => "level.archived",
                },
                &[],
            );
        }
        if it.evidence.is_some() {
            self.line(4, "evidence", &[]);
        }
        if it.covers_whole_file && it.intact {
            self.line(4, "covers_all", &[]);
        }
        for change in &it.changes {
            self.change(change);
        }
    }

    fn change(&mut self, change: &Change) {
        let key = match change.kind {
            _ if !change.permitted => "change.forbidden",
            ChangeKind::Signature => "change.signature",
            ChangeKind::ArchiveTimestamp => "change.archive_timestamp",
            ChangeKind::Metadata => "change.metadata",
            _ => "change.validation_data",
        };
        let object = change.object.map_or(String::new(), |it| it.to_string());
        let revision = change.revision.to_string();
        let values = [("revision", &*revision), ("object", &object), ("detail", &change.detail)];
        self.line(4, key, &values);
    }

    fn problem(&mut self, indent: usize, fault: &Fault) {
        let said = self.words.fault(self.language, fault);
        self.lines.push(format!("{:indent$}{said} [{}]", "", fault.code));
    }
}

/// The names of a sentence's values.
fn names(parts: &[Part]) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for part in parts {
        if let Part::Value { name } = part {
            names.insert(name.as_str());
        }
    }
    names
}

/// What a field is called by people, else its name.
fn named<'a>(field: &'a str, label: &'a str) -> &'a str {
    if label.is_empty() { field } else { label }
}

fn clock(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
