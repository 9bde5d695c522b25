//! What letters of one list are to each other: the same twice, at the same time, too many in a room.
//!
//! Documents in the order of their rows in, problems out. It keeps about 200 bytes a row.

use std::collections::HashMap;

use chrono::{NaiveDate, NaiveTime};

use super::Finding;
use crate::document::{Document, Rulebook, Severity, Visit};

/// The code of a room that is too small: a rule of practice.
pub(crate) const ROOM_FULL: &str = "rows.room_full";

/// The letters seen so far.
#[derive(Default)]
pub(crate) struct Together {
    references: HashMap<Box<str>, u64>,
    /// By the number of the person's file.
    people: HashMap<Box<str>, Vec<Seen>>,
    /// Steps with their notices, each named once.
    purposes: Vec<Purpose>,
    /// By room and day: how many from when to when.
    rooms: HashMap<(String, String, NaiveDate), Vec<Crowd>>,
}

/// From when to when how many are in a room.
type Crowd = (NaiveTime, NaiveTime, u32);

/// What a letter is about.
struct Purpose {
    step: String,
    notice: String,
}

struct Seen {
    row: u64,
    /// Its place among the purposes.
    purpose: usize,
    /// Whether the person is to come.
    invites: bool,
    visits: Box<[Visit]>,
}

impl Together {
    /// Compares a letter with those before it, and keeps it.
    pub(crate) fn judge(
        &mut self,
        row: u64,
        document: &Document,
        rulebook: &Rulebook,
    ) -> Vec<Finding> {
        let (step, notice) = document.step().unwrap_or_default();
        let known = self.purposes.iter().position(|it| it.step == step && it.notice == notice);
        let purpose = known.unwrap_or_else(|| {
            self.purposes.push(Purpose { step: step.to_owned(), notice: notice.to_owned() });
            self.purposes.len() - 1
        });
        let (invites, visits) = (document.invites(rulebook), document.visits().into());
        let seen = Seen { row, purpose, invites, visits };
        let mut findings = Vec::new();
        let reference = document.reference();
        match self.references.get(reference) {
            Some(other) => {
                let values = [("reference", reference.to_owned()), ("other", other.to_string())];
                findings.push(finding(row, "rows.duplicate_reference", "/reference", values));
            }
            None => {
                self.references.insert(reference.into(), row);
            }
        }
        let number = document.foreigner_numbers().first().copied().unwrap_or_default();
        // Most people have one letter in a list, and room for that one only.
        let others = self.people.entry(number.into()).or_insert_with(|| Vec::with_capacity(1));
        let purposes = &self.purposes;
        findings.extend(others.iter().find_map(|other| seen.against(other, purposes)));
        let room = document.room(rulebook).filter(|_| seen.invites);
        if let Some(room) = room {
            for visit in seen.visits.iter().filter(|it| it.first == it.last) {
                let key = (document.office_id().to_owned(), room.id.clone(), visit.first);
                let count = occupy(self.rooms.entry(key).or_default(), visit);
                if count > room.capacity {
                    let values = [
                        ("room", room.name.clone()),
                        ("capacity", room.capacity.to_string()),
                        ("count", count.to_string()),
                        ("date", visit.first.format("%d/%m/%Y").to_string()),
                        ("time", visit.start.format("%H:%M").to_string()),
                    ];
                    let mut full = finding(row, ROOM_FULL, "/appointment/place/room", values);
                    full.problem.severity = Severity::Practice;
                    findings.push(full);
                }
            }
        }
        others.push(seen);
        findings
    }
}

impl Seen {
    /// What is wrong with two letters to one person.
    fn against(&self, other: &Self, purposes: &[Purpose]) -> Option<Finding> {
        if self.purpose == other.purpose && self.visits == other.visits {
            let values = [("other", other.row.to_string())];
            return Some(finding(self.row, "rows.duplicate", "", values));
        }
        if !self.invites || !other.invites {
            return None;
        }
        let pairs = self.visits.iter().flat_map(|it| other.visits.iter().map(move |its| (it, its)));
        let day = pairs.into_iter().find_map(|(it, its)| it.clashes(its))?;
        // A reminder of an appointment is about the same hours as its first letter.
        let step = |it: &Self| purposes.get(it.purpose).map(|it| &it.step);
        let about_the_same = step(self) == step(other) && self.visits == other.visits;
        let values =
            [("other", other.row.to_string()), ("date", day.format("%d/%m/%Y").to_string())];
        (!about_the_same).then(|| finding(self.row, "rows.overlap", "/appointment", values))
    }
}

/// Puts one more person into a room; answers how many are there at once while they are.
fn occupy(times: &mut Vec<Crowd>, visit: &Visit) -> u32 {
    match times.iter_mut().find(|it| (it.0, it.1) == (visit.start, visit.end)) {
        Some(known) => known.2 += 1,
        None => times.push((visit.start, visit.end, 1)),
    }
    let at = |moment: NaiveTime| -> u32 {
        times.iter().filter(|it| it.0 <= moment && moment < it.1).map(|it| it.2).sum()
    };
    let begins = times.iter().map(|it| it.0).filter(|it| (visit.start..visit.end).contains(it));
    begins.map(at).max().unwrap_or(0)
}

fn finding<const N: usize>(
    row: u64,
    code: &'static str,
    pointer: &str,
    values: [(&'static str, String); N],
) -> Finding {
    let mut finding = Finding::new(Some(row), Severity::Error, code, values);
    pointer.clone_into(&mut finding.problem.pointer);
    finding
}
