//! The dated law: figures, categories, articles and letters, read from `templates/regimes`.
//!
//! No legal figure, article or list stands in the code; what the code knows of a regime are the
//! names of the facts that decide whether a clause stands in a document.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::catalogue::Catalogue;

/// What is true of a document, by name; clauses stand or fall with it.
pub type Facts = BTreeSet<&'static str>;

/// Every name a clause may depend on.
pub const FACTS: [&str; 21] = [
    "course",
    "extended",
    "family_contract",
    "french_prevails",
    "interpreter",
    "language_exempt",
    "language_prescribed",
    "late_limit",
    "life_session",
    "meal",
    "minor",
    "no_meal",
    "one_day",
    "photos",
    "read_aloud",
    "replaces",
    "skills_review",
    "spouse_exempt",
    "tested_abroad",
    "translated",
    "two_parents",
];

/// One regime.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regime {
    /// Its name on the wire, such as `cai-2016`.
    pub id: String,
    /// What it is, for people.
    pub name: String,
    /// When a person last compared it with the law.
    pub checked_on: String,
    pub(crate) person: PersonRules,
    pub(crate) contract: ContractRules,
    pub(crate) trainings: TrainingRules,
    pub(crate) family: FamilyRules,
    pub(crate) practice: Practice,
    pub(crate) category: Vec<Ground>,
    pub(crate) permit: Vec<Ground>,
    pub(crate) exemption: Vec<Ground>,
    pub(crate) skills_review: Exemptions,
    pub(crate) extension: Reasons,
    pub(crate) spouse: Exemptions,
    pub(crate) cai: Layout,
    pub(crate) caif: Layout,
    pub(crate) step: Vec<Step>,
    pub(crate) notice: Vec<Notice>,
    pub(crate) section: Vec<Section>,
    pub(crate) icons: BTreeMap<String, String>,
}

/// A figure and where it stands in the law.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Figure {
    /// The figure, in the unit its name says.
    pub value: u32,
    /// Article, clause.
    pub source: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonRules {
    pub(crate) adult_age: Figure,
    pub(crate) minimum_age: Figure,
    pub(crate) excluded_nationalities: Excluded,
    pub(crate) excluded_departments: Excluded,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Excluded {
    pub(crate) source: String,
    #[serde(alias = "countries", alias = "departments")]
    pub(crate) codes: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContractRules {
    pub(crate) duration_months: Figure,
    pub(crate) maximum_extension_months: Figure,
    pub(crate) observation_months: Figure,
    pub(crate) authority_source: String,
    pub(crate) copies: u32,
    /// What a box shows that was signed by certificate, with places for name, date and time.
    pub(crate) electronic_mention: String,
    /// Whether the French text prevails over the translation: a choice of the administration.
    #[serde(default)]
    pub(crate) french_prevails: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrainingRules {
    pub(crate) civic_hours: Figure,
    pub(crate) life_in_france_minimum_hours: Figure,
    pub(crate) life_in_france_maximum_hours: Figure,
    pub(crate) language_maximum_hours: Figure,
    pub(crate) skills_review_maximum_age: Figure,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FamilyRules {
    pub(crate) parents_source: String,
    pub(crate) child_adult_age: Figure,
    pub(crate) school_minimum_age: Figure,
    pub(crate) school_maximum_age: Figure,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Practice {
    pub(crate) notice_days: u32,
    pub(crate) unable_days: u32,
    pub(crate) answer_days: u32,
    pub(crate) earliest: String,
    pub(crate) latest: String,
    pub(crate) early_minutes: u32,
    pub(crate) travel_minutes: u32,
    /// Why letters that follow from a contract need no notice: their dates were fixed with the person.
    pub(crate) planned_reason: String,
    pub(crate) source: String,
}

/// A category, permit or personal ground, and what it says about signing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ground {
    /// Its name on the wire.
    pub id: String,
    /// Whether one must sign; where a permit says nothing, the category decides.
    pub obligation: Option<Obligation>,
    /// The articles.
    pub source: String,
    /// Whether the person may be without a nationality or a passport.
    #[serde(default)]
    pub passport_optional: bool,
}

/// Whether a person has to sign the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Obligation {
    /// Has to sign.
    Must,
    /// May sign.
    May,
    /// Need not sign.
    Exempt,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exemptions {
    pub(crate) exemptions: Vec<Reason>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reasons {
    pub(crate) reasons: Vec<Reason>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reason {
    pub(crate) id: String,
    pub(crate) source: String,
}

/// The clauses of a contract, in order.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layout {
    pub(crate) identity: Vec<Clause>,
    pub(crate) parties: Vec<Clause>,
    pub(crate) article: Vec<Article>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Article {
    pub(crate) key: String,
    #[allow(
        dead_code,
        reason = "the article of law is for the legal author; every clause has one"
    )]
    pub(crate) source: String,
    pub(crate) clauses: Vec<Clause>,
}

/// A step of the journey, and what its letters say.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) id: String,
    #[allow(dead_code, reason = "the article of law is for the legal author; every step has one")]
    pub(crate) source: String,
    /// May fall on a Saturday.
    #[serde(default)]
    pub(crate) saturday: bool,
    /// A training, so that its dates lie within the contract's time.
    #[serde(default)]
    pub(crate) training: bool,
    pub(crate) what: Vec<Clause>,
    pub(crate) bring: Vec<Clause>,
    #[serde(default)]
    pub(crate) bring_if: Vec<Clause>,
}

/// What kind of letter it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Notice {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) intro: Vec<Clause>,
    /// Whether there is an appointment to come: the box, what to bring, what happens.
    #[serde(default)]
    pub(crate) appointment: bool,
    /// Whether it must leave some days before the appointment.
    #[serde(default)]
    pub(crate) binding: bool,
    /// Whether the appointment is over.
    #[serde(default)]
    pub(crate) past: bool,
    /// Whether it must name an earlier letter.
    #[serde(default)]
    pub(crate) replaces: bool,
}

/// A section of a letter beside the list of what to bring.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    pub(crate) id: String,
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) clauses: Vec<Clause>,
}

/// A clause, always there or only when a fact holds (`when = "fact"`) or does not (`"!fact"`).
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Clause {
    Always(String),
    When { clause: String, when: String },
}

impl Clause {
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Always(key) | Self::When { clause: key, .. } => key,
        }
    }

    fn holds(&self, facts: &Facts) -> bool {
        match self {
            Self::Always(_) => true,
            Self::When { when, .. } => match when.strip_prefix('!') {
                Some(fact) => !facts.contains(fact),
                None => facts.contains(when.as_str()),
            },
        }
    }

    pub(crate) fn fact(&self) -> Option<&str> {
        match self {
            Self::Always(_) => None,
            Self::When { when, .. } => Some(when.strip_prefix('!').unwrap_or(when)),
        }
    }
}

/// The keys of the clauses that stand, given the facts.
pub(crate) fn standing(clauses: &[Clause], facts: &Facts) -> Vec<String> {
    clauses.iter().filter(|it| it.holds(facts)).map(|it| it.key().to_owned()).collect()
}

impl Regime {
    /// A step, which [`Regime::names`] has been asked for.
    #[allow(clippy::expect_used, reason = "the rules refuse a name that the regime does not list")]
    pub(crate) fn step(&self, id: &str) -> &Step {
        self.step.iter().find(|it| it.id == id).expect("the regime lists the step")
    }

    /// A notice, which [`Regime::names`] has been asked for.
    #[allow(clippy::expect_used, reason = "the rules refuse a name that the regime does not list")]
    pub(crate) fn notice(&self, id: &str) -> &Notice {
        self.notice.iter().find(|it| it.id == id).expect("the regime lists the notice")
    }

    /// The names that a field of the wire may have under this regime.
    pub(crate) fn names(&self, field: &str) -> Vec<&String> {
        match field {
            "category" => self.category.iter().map(|it| &it.id).collect(),
            "permit" => self.permit.iter().map(|it| &it.id).collect(),
            "exemption" => self.exemption.iter().map(|it| &it.id).collect(),
            "step" => self.step.iter().map(|it| &it.id).collect(),
            "notice" => self.notice.iter().map(|it| &it.id).collect(),
            "skills_review" => self.skills_review.exemptions.iter().map(|it| &it.id).collect(),
            "extension" => self.extension.reasons.iter().map(|it| &it.id).collect(),
            "spouse" => self.spouse.exemptions.iter().map(|it| &it.id).collect(),
            _ => Vec::new(),
        }
    }

    /// What is wrong with the regime beside the French catalogue: keys without sentence, facts that
    /// nobody states, things to bring without pictogram.
    pub(crate) fn faults(&self, french: &Catalogue) -> Vec<String> {
        let path = format!("templates/regimes/{}.toml", self.id);
        let mut faults = Vec::new();
        let layouts = [&self.cai, &self.caif];
        let clauses = layouts
            .iter()
            .flat_map(|it| it.identity.iter().chain(&it.parties))
            .chain(layouts.iter().flat_map(|it| &it.article).flat_map(|it| &it.clauses))
            .chain(self.step.iter().flat_map(|it| &it.what))
            .chain(self.notice.iter().flat_map(|it| &it.intro))
            .chain(self.section.iter().flat_map(|it| &it.clauses));
        let items = self.step.iter().flat_map(|it| it.bring.iter().chain(&it.bring_if));
        let mut keys: Vec<String> = clauses.clone().map(|it| it.key().to_owned()).collect();
        keys.extend(layouts.iter().flat_map(|it| &it.article).map(|it| it.key.clone()));
        keys.extend(self.notice.iter().map(|it| it.title.clone()));
        keys.extend(self.notice.iter().map(|it| format!("mail.subject.{}", it.id)));
        keys.extend(self.section.iter().map(|it| it.title.clone()));
        keys.extend(items.clone().map(|it| format!("bring.{}", it.key())));
        keys.extend(self.step.iter().map(|it| format!("step.{}", it.id)));
        keys.extend(self.step.iter().map(|it| format!("conv.{}.title", it.id)));
        keys.extend(self.category.iter().map(|it| format!("category.{}", it.id)));
        keys.extend(self.skills_review.exemptions.iter().map(|it| format!("skills.{}", it.id)));
        keys.extend(self.extension.reasons.iter().map(|it| format!("extension.{}", it.id)));
        keys.extend(self.spouse.exemptions.iter().map(|it| format!("spouse.{}", it.id)));
        for key in keys {
            // A key may stand for its gendered forms.
            if !french.has(&key) && !french.has(&format!("{key}.n")) {
                faults.push(format!("{path}: `{key}` has no sentence in fr.toml: write it there"));
            }
        }
        for clause in clauses.chain(items.clone()) {
            if let Some(fact) = clause.fact().filter(|fact| !FACTS.contains(fact)) {
                faults.push(format!(
                    "{path}: `{}`: no document states the fact `{fact}`",
                    clause.key()
                ));
            }
        }
        for item in items.filter(|it| !self.icons.contains_key(it.key())) {
            faults.push(format!("{path}: [icons] names no pictogram for `{}`", item.key()));
        }
        for time in [&self.practice.earliest, &self.practice.latest] {
            if super::calendar::Time::parse(time).is_none() {
                faults.push(format!("{path}: [practice]: \"{time}\" is not a time HH:MM"));
            }
        }
        for place in ["{name}", "{date}", "{time}"] {
            if !self.contract.electronic_mention.contains(place) {
                faults.push(format!("{path}: [contract]: electronic_mention lacks {place}"));
            }
        }
        if self.checked_on.parse::<NaiveDate>().is_err() {
            faults.push(format!("{path}: checked_on is not a date YYYY-MM-DD"));
        }
        faults
    }
}
