//! What lists, mails and the store need to know of a document, beside what it says.

use chrono::{DateTime, NaiveDate, Utc};

use super::Document;
use super::agenda::Standing;
use super::input::Input;
use super::rulebook::Rulebook;

impl Document {
    /// The number of the person's file.
    pub fn dossier(&self) -> &str {
        &self.input.head().dossier
    }

    /// The directorate that issues the document.
    pub fn office_id(&self) -> &str {
        &self.input.head().office
    }

    /// The foreigner number of the person, or of each parent.
    pub fn foreigner_numbers(&self) -> Vec<&str> {
        match &self.input {
            Input::Contract(it) => vec![&it.applicant.foreigner_number],
            Input::Convocation(it) => vec![&it.applicant.foreigner_number],
            Input::Family(it) => it.parents.iter().map(|it| &*it.person.foreigner_number).collect(),
        }
    }

    /// The date of birth of the person, or of each parent: `YYYY-MM-DD`, or less where no more is known.
    pub fn births(&self) -> Vec<&str> {
        let people = match &self.input {
            Input::Family(it) => (0..it.parents.len()).map(|n| format!("/parents/{n}")).collect(),
            _ => vec!["/applicant".to_owned()],
        };
        let birth = |it: &String| self.value.pointer(&format!("{it}/birth/date"))?.as_str();
        people.iter().filter_map(birth).collect()
    }

    /// What a letter is about and what it says about it; nothing for a contract.
    pub fn step(&self) -> Option<(&str, &str)> {
        match &self.input {
            Input::Convocation(it) => Some((&it.step, &it.notice)),
            _ => None,
        }
    }

    /// The number of the document that this one replaces or follows.
    pub fn replaces(&self) -> Option<&str> {
        let earlier = match &self.input {
            Input::Contract(it) => &it.replaces,
            Input::Family(it) => &it.replaces,
            Input::Convocation(it) => &it.replaces,
        };
        earlier.as_ref().map(|it| it.reference.as_str())
    }

    /// The number of the document that this one takes the place of: that of a corrected contract, or of
    /// the letter about an appointment that is moved or cancelled. A notice of absence only names one.
    pub fn supersedes(&self, rulebook: &Rulebook) -> Option<&str> {
        let only_names = match &self.input {
            Input::Convocation(it) => {
                let notice = self.regime(rulebook).notice(&it.notice);
                notice.past || !notice.replaces
            }
            _ => false,
        };
        self.replaces().filter(|_| !only_names)
    }

    /// The last day the document matters: the end of a contract, the last session of a letter.
    pub fn ends_on(&self, rulebook: &Rulebook) -> NaiveDate {
        match &self.input {
            Input::Convocation(it) => {
                it.appointment.occurrences().last().map_or(self.today, |it| it.date.0)
            }
            _ => self.term(rulebook).extended_end,
        }
    }

    /// After which moment a letter has missed its purpose, so that a person is asked before it is sent:
    /// the beginning of its first session, unless it is about one that is over; never for a contract.
    pub fn late_after(&self, rulebook: &Rulebook) -> Option<DateTime<Utc>> {
        let agenda = self.agenda(rulebook)?;
        match agenda.standing {
            Standing::Past => None,
            _ => agenda.sessions.first().map(|it| it.0),
        }
    }
}
