//! The wire form: what a door receives, field by field.
//!
//! These types are the one source of the JSON Schema (`paraphe schema`), of the reader, and of the
//! reference of the API. The schema has judged every shape before serde reads them, and the rules
//! judge the meaning after. No field takes a health result.

use schemars::JsonSchema;
use serde::Deserialize;

use super::appointment::Appointment;
use super::calendar::{Date, Time};
use super::person::{Child, Parent, Person, Representative};

/// What all documents have in common.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Head {
    /// The kind of document.
    pub kind: Kind,
    /// The dated law the document follows.
    pub regime: String,
    /// The issuer's unique number of this document.
    #[schemars(length(min = 1, max = 40), regex(pattern = r"^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$"))]
    pub reference: String,
    /// The number of the person's file.
    #[schemars(length(min = 1, max = 40))]
    pub dossier: String,
    /// The language the person understands (BCP 47).
    pub language: String,
    /// The directorate that issues the document.
    pub office: String,
    /// Breaches of rules of practice that somebody answers for.
    #[serde(default)]
    pub accepted: Vec<Acceptance>,
}

/// The three kinds of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Contrat d'accueil et d'intégration.
    Cai,
    /// Contrat d'accueil et d'intégration pour la famille.
    Caif,
    /// A convocation or a notice about one.
    Convocation,
}

impl Kind {
    /// All kinds, in the order of the help.
    pub const ALL: [Self; 3] = [Self::Cai, Self::Caif, Self::Convocation];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cai => "cai",
            Self::Caif => "caif",
            Self::Convocation => "convocation",
        }
    }
}

/// A rule of practice that somebody set aside for this document.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Acceptance {
    /// The code of the problem, as `check` names it.
    pub code: String,
    /// Why it does not matter here.
    #[schemars(length(min = 3, max = 300))]
    pub reason: String,
    /// Who decided so.
    #[schemars(length(min = 2, max = 80))]
    pub by: String,
}

/// The individual contract.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Contract {
    #[serde(flatten)]
    pub head: Head,
    /// In what quality the person settles.
    pub category: String,
    /// The permit asked for or held.
    pub permit: String,
    /// A personal ground for not having to sign.
    pub exemption: Option<String>,
    pub applicant: Person,
    /// Who signs beside a person of 16 or 17.
    pub representative: Option<Representative>,
    pub presentation: Presentation,
    pub authority: Authority,
    pub assessment: Assessment,
    /// Visits and interviews of the planned calendar, other than trainings.
    #[serde(default)]
    pub visits: Visits,
    pub trainings: Trainings,
    pub signing: Signing,
    pub extension: Option<Extension>,
    /// The contract that this one replaces.
    pub replaces: Option<Letter>,
}

/// The family contract.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Family {
    #[serde(flatten)]
    pub head: Head,
    /// Both parents, or the one who raises the children alone.
    #[schemars(length(min = 1, max = 2))]
    pub parents: Vec<Parent>,
    /// True when there is no other parent in the household.
    #[serde(default)]
    pub single_parent: bool,
    /// The children who came by family reunification.
    #[schemars(length(min = 1, max = 12))]
    pub children: Vec<Child>,
    /// The day the family reunification was granted.
    pub reunified_on: Date,
    pub presentation: Presentation,
    pub authority: Authority,
    /// The training on the rights and duties of parents; both follow it together.
    pub parents_training: Appointment,
    pub signing: Signing,
    /// The contract that this one replaces.
    pub replaces: Option<Letter>,
}

/// A convocation, a reminder, a new date, a cancellation, or a notice of absence.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Convocation {
    #[serde(flatten)]
    pub head: Head,
    /// The step of the journey the letter is about.
    pub step: String,
    /// What the letter says about it.
    pub notice: String,
    pub applicant: Person,
    /// Who must come with a person of 16 or 17.
    pub representative: Option<Representative>,
    pub appointment: Appointment,
    /// The letter that this one replaces, reminds of or follows.
    pub replaces: Option<Letter>,
    pub sender: Sender,
    /// The day the letter leaves; today when absent.
    pub sent_on: Option<Date>,
    /// The last day to tell that one cannot come, or to explain an absence.
    pub answer_by: Option<Date>,
    /// Whether an interpreter will be there.
    #[serde(default)]
    pub interpreter: bool,
    /// Whether a meal is provided.
    pub meal: Option<bool>,
    /// After this time the room may be closed.
    pub late_limit: Option<Time>,
    /// How many identity photographs to bring.
    #[schemars(range(min = 1, max = 6))]
    pub photos: Option<u32>,
    /// The length of a prescribed course of French, in hours.
    #[schemars(range(min = 1, max = 1000))]
    pub course_hours: Option<u32>,
    /// Whether a family contract is to be signed, so that both parents must come.
    #[serde(default)]
    pub family_contract: bool,
}

/// How the contract was presented to the person.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Presentation {
    /// The interpreter's name or number, when there was one.
    #[schemars(length(min = 1, max = 80))]
    pub interpreter: Option<String>,
    /// Whether the person read the contract or had it read to them.
    pub read: Reading,
}

/// Who read the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reading {
    /// The person read it.
    ByPerson,
    /// It was read to the person.
    Aloud,
}

/// Who signs for the State.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Authority {
    /// The prefect's title as printed, such as « la préfète du Rhône ».
    #[schemars(length(min = 3, max = 160))]
    pub prefect: String,
    /// Who signs by delegation; the prefect in person when absent.
    pub delegate: Option<Delegate>,
}

/// A signatory by delegation.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Delegate {
    #[schemars(length(min = 2, max = 80))]
    pub name: String,
    #[schemars(length(min = 2, max = 100))]
    pub capacity: String,
    /// The order that delegates the signature.
    #[schemars(length(min = 2, max = 80))]
    pub delegation: String,
    pub from: Date,
    pub until: Option<Date>,
}

/// The assessment of the person's French.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Assessment {
    /// The day of the assessment.
    pub date: Date,
    /// Whether the level asked for is reached, so that no course is prescribed.
    pub level_reached: bool,
    /// Whether the level was already shown before leaving (L.311-9).
    #[serde(default)]
    pub tested_abroad: bool,
}

/// The dated steps of the calendar that are not trainings.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(super) struct Visits {
    pub medical_visit: Option<Appointment>,
    pub individual_interview: Option<Appointment>,
    pub language_assessment: Option<Appointment>,
}

/// The trainings the contract fixes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Trainings {
    /// Mandatory; its length is the regime's.
    pub civic_training: Appointment,
    pub life_in_france: Option<LifeSession>,
    /// The prescribed course of French; absent when the level is reached.
    pub language_training: Option<Course>,
    pub skills_review: SkillsReview,
}

/// The session on life in France.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct LifeSession {
    #[schemars(range(max = 100))]
    pub hours: u32,
    pub appointment: Appointment,
}

/// A prescribed course of French.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Course {
    #[schemars(range(max = 10000))]
    pub hours: u32,
    /// When and where; a prescribed course has both.
    pub appointment: Option<Appointment>,
}

/// The review of professional skills, or why there is none.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct SkillsReview {
    pub appointment: Option<Appointment>,
    /// Why no review is offered.
    pub exemption: Option<String>,
}

/// Where, when and in how many copies the contract is signed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Signing {
    pub date: Date,
    #[schemars(length(min = 1, max = 40))]
    pub city: String,
    #[schemars(range(min = 1, max = 9))]
    pub copies: Option<u32>,
}

/// An extension of the contract.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Extension {
    pub reason: String,
    #[schemars(range(min = 1, max = 120))]
    pub months: u32,
}

/// An earlier document, by number and day.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Letter {
    #[schemars(length(min = 1, max = 40))]
    pub reference: String,
    pub date: Date,
}

/// Who writes (CRPA L.111-2).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Sender {
    /// First name and name, or the number that stands for them where safety asks for anonymity.
    #[schemars(length(min = 1, max = 60))]
    pub name: String,
    #[schemars(length(min = 2, max = 80))]
    pub capacity: String,
}

/// A document of one of the kinds.
#[derive(Debug, Clone)]
pub(super) enum Input {
    /// See [`Contract`].
    Contract(Box<Contract>),
    /// See [`Family`].
    Family(Box<Family>),
    /// See [`Convocation`].
    Convocation(Box<Convocation>),
}

impl Input {
    /// What all kinds have in common.
    pub(super) fn head(&self) -> &Head {
        match self {
            Self::Contract(it) => &it.head,
            Self::Family(it) => &it.head,
            Self::Convocation(it) => &it.head,
        }
    }

    /// Where the rules find the appointments of a document: pointer, step and appointment.
    pub(crate) fn appointments(&self) -> Vec<(String, &'static str, &Appointment)> {
        match self {
            Self::Contract(it) => it.appointments(),
            Self::Family(it) => {
                vec![("/parents_training".into(), "parents_training", &it.parents_training)]
            }
            Self::Convocation(it) => vec![("/appointment".into(), "", &it.appointment)],
        }
    }
}

impl Contract {
    /// The planned calendar: pointer, step and appointment, in the order of the journey.
    pub(crate) fn appointments(&self) -> Vec<(String, &'static str, &Appointment)> {
        let visits = &self.visits;
        let trainings = &self.trainings;
        [
            ("/visits/medical_visit", "medical_visit", visits.medical_visit.as_ref()),
            (
                "/visits/individual_interview",
                "individual_interview",
                visits.individual_interview.as_ref(),
            ),
            (
                "/visits/language_assessment",
                "language_assessment",
                visits.language_assessment.as_ref(),
            ),
            ("/trainings/civic_training", "civic_training", Some(&trainings.civic_training)),
            (
                "/trainings/life_in_france/appointment",
                "life_in_france",
                trainings.life_in_france.as_ref().map(|it| &it.appointment),
            ),
            (
                "/trainings/language_training/appointment",
                "language_training",
                trainings.language_training.as_ref().and_then(|it| it.appointment.as_ref()),
            ),
            (
                "/trainings/skills_review/appointment",
                "skills_review",
                trainings.skills_review.appointment.as_ref(),
            ),
        ]
        .into_iter()
        .filter_map(|(pointer, step, it)| Some((pointer.to_owned(), step, it?)))
        .collect()
    }
}
