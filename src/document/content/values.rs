//! The values of a document's sentences, in the words of one language.
//!
//! One function for every kind, called once a side: a name that the French side has, the other side
//! has too.

use crate::document::appointment::Appointment;
use crate::document::catalogue::Catalogue;
use crate::document::input::{
    Authority, Contract, Convocation, Family, Head, Input, Letter, Signing,
};
use crate::document::person::{Civility, Person};
use crate::document::phrase::{Own, Phrase, Piece, Value, Values};
use crate::document::place::Site;
use crate::document::rulebook::Rulebook;
use crate::document::{Document, STATELESS};

/// The values of one side.
pub(super) fn of(document: &Document, rulebook: &Rulebook, words: &Catalogue) -> Values {
    let side = Side { document, rulebook, words };
    let mut values = Values::new();
    side.head(document.input.head(), &mut values);
    match &document.input {
        Input::Contract(it) => side.contract(it, &mut values),
        Input::Family(it) => side.family(it, &mut values),
        Input::Convocation(it) => side.convocation(it, &mut values),
    }
    values
}

/// Where and when a row of the calendar takes place, in the words of one side.
pub(super) fn appointment(
    document: &Document,
    rulebook: &Rulebook,
    words: &Catalogue,
    appointment: &Appointment,
    minutes: u32,
) -> Values {
    let site = Site::of(appointment, document.office(rulebook), rulebook);
    Values::from([
        ("when", words.when_lines(appointment)),
        ("duration", words.duration(minutes).into()),
        ("place", address(&site.line())),
    ])
}

/// Who signs for the State, in a signature box.
pub(super) fn authority(authority: &Authority, words: &Catalogue) -> Values {
    let mut values = Values::from([("name", Value::raw(&authority.prefect))]);
    if let Some(delegate) = &authority.delegate {
        let mut order = vec![Piece::Raw { raw: delegate.delegation.clone() }];
        order.push(Piece::Text(words.dates.list[0].clone()));
        order.extend(words.long_date(delegate.from.0).0);
        values.extend([
            ("delegate", Value::raw(&delegate.name)),
            ("capacity", Value::raw(&delegate.capacity)),
            ("delegation", Phrase(order).into()),
        ]);
    }
    values
}

/// « Madame Amina SPECIMEN »: the title in the side's words and place, the name as it came.
pub(super) fn person(words: &Catalogue, civility: Option<Civility>, name: &str) -> Phrase {
    let Some(civility) = civility else { return Phrase::raw(name) };
    let key = format!("civility.{}", gender(Some(civility)));
    words.say(&key, &Values::from([("name", Value::raw(name))]))
}

/// The suffix of a sentence that agrees with the person.
pub(super) fn gender(civility: Option<Civility>) -> &'static str {
    match civility {
        Some(Civility::Madame) => "f",
        Some(Civility::Monsieur) => "m",
        None => "n",
    }
}

struct Side<'a> {
    document: &'a Document,
    rulebook: &'a Rulebook,
    words: &'a Catalogue,
}

impl Side<'_> {
    fn head(&self, head: &Head, values: &mut Values) {
        let office = self.document.office(self.rulebook);
        let operator = &self.rulebook.offices.operator;
        let years = Values::from([("years", self.count("unit.years", operator.retention_years))]);
        let language = self.rulebook.catalogue(&head.language);
        // On its own side a language says its own name; the French side says it in French.
        let name =
            if self.words.tag == language.tag { &language.name } else { &language.french_name };
        values.extend([
            ("reference", Value::raw(&head.reference)),
            ("dossier", Value::raw(&head.dossier)),
            ("language_name", Phrase::text(name).into()),
            ("office_name", Value::raw(&office.name)),
            ("office_city", Value::raw(&office.city)),
            ("office_address", address(&Site::office(office).address())),
            ("office_phone", Value::raw(office.phone.as_deref().unwrap_or_default())),
            ("office_email", Value::raw(office.email.as_deref().unwrap_or_default())),
            ("data_contact", Value::raw(&operator.data_contact)),
            ("retention", self.words.say("common.retention", &years).into()),
        ]);
    }

    fn contract(&self, contract: &Contract, values: &mut Values) {
        let regime = self.document.regime(self.rulebook);
        let trainings = &contract.trainings;
        self.person(&contract.applicant, &contract.category, values);
        self.presentation(contract.presentation.interpreter.as_deref(), values);
        self.signing(&contract.signing, values);
        self.replaced(contract.replaces.as_ref(), values);
        values.extend([
            ("prefect", Value::raw(&contract.authority.prefect)),
            ("category", self.phrase(&format!("category.{}", contract.category))),
            ("civic_hours", self.count("unit.hours", regime.trainings.civic_hours.value)),
            ("civic_days", self.count("unit.days", days(&trainings.civic_training))),
            (
                "language_maximum",
                self.count("unit.hours", regime.trainings.language_maximum_hours.value),
            ),
            ("contract_duration", self.months(regime.contract.duration_months.value)),
            ("maximum_extension", self.months(regime.contract.maximum_extension_months.value)),
            ("observation_delay", self.months(regime.contract.observation_months.value)),
            ("start_date", self.words.long_date(contract.signing.date.0).into()),
            ("end_date", self.words.long_date(self.document.term(self.rulebook).end).into()),
        ]);
        if let Some(course) = &trainings.language_training {
            values.insert("language_hours", self.count("unit.hours", course.hours));
            if let Some(appointment) = &course.appointment {
                let site = self.site(appointment);
                let start = appointment.first().map(|it| self.words.long_date(it.date.0));
                values.extend([
                    ("language_provider", Value::raw(&site.name)),
                    ("language_address", address(&site.address())),
                    ("language_start", start.unwrap_or(Phrase(Vec::new())).into()),
                ]);
            }
        }
        if let Some(life) = &trainings.life_in_france {
            values.insert("life_hours", self.count("unit.hours", life.hours));
        }
        if let Some(reason) = &trainings.skills_review.exemption {
            let ages = Values::from([
                ("adult_age", self.count("unit.ages", regime.person.adult_age.value)),
                (
                    "maximum_age",
                    self.count("unit.ages", regime.trainings.skills_review_maximum_age.value),
                ),
            ]);
            values
                .insert("skills_reason", self.words.say(&format!("skills.{reason}"), &ages).into());
        }
        if let Some(representative) = &contract.representative {
            let name = full_name(&representative.given_names, &representative.family_name);
            values.insert(
                "representative",
                person(self.words, representative.civility, &name).into(),
            );
        }
        if let Some(extension) = &contract.extension {
            let end = self.document.term(self.rulebook).extended_end;
            values.extend([
                ("extension_length", self.count("unit.months", extension.months)),
                ("extension_end", self.words.long_date(end).into()),
                ("extension_reason", self.phrase(&format!("extension.{}", extension.reason))),
            ]);
        }
    }

    fn family(&self, family: &Family, values: &mut Values) {
        let regime = self.document.regime(self.rulebook);
        self.presentation(family.presentation.interpreter.as_deref(), values);
        self.signing(&family.signing, values);
        self.replaced(family.replaces.as_ref(), values);
        let parents = family.parents.iter().map(|parent| {
            let person = person(self.words, parent.person.civility, &parent.person.name());
            let mut gloss = Vec::new();
            if let Some(own) = self.own_name(&parent.person) {
                gloss.push(own);
                gloss.push(Piece::Text(self.words.dates.list[0].clone()));
            }
            gloss.push(Piece::Raw { raw: parent.person.foreigner_number.clone() });
            self.glossed(person, Phrase(gloss))
        });
        let contracts = family.parents.iter().filter_map(|it| it.contract.as_deref());
        values.extend([
            ("prefect", Value::raw(&family.authority.prefect)),
            ("parents", self.words.list(parents.collect()).into()),
            ("contract_references", self.words.list(contracts.map(Phrase::raw).collect()).into()),
            ("school_minimum_age", Value::raw(regime.family.school_minimum_age.value.to_string())),
            ("school_maximum_age", Value::raw(regime.family.school_maximum_age.value.to_string())),
            ("start_date", self.words.long_date(family.signing.date.0).into()),
            ("end_date", self.words.long_date(self.document.term(self.rulebook).end).into()),
        ]);
        let exempt = family.parents.iter().find_map(|it| Some((it, it.exemption.as_ref()?)));
        if let Some((spouse, reason)) = exempt {
            let name = person(self.words, spouse.person.civility, &spouse.person.name());
            values.extend([
                ("spouse", name.into()),
                ("spouse_reason", self.phrase(&format!("spouse.{reason}"))),
            ]);
        }
    }

    fn convocation(&self, letter: &Convocation, values: &mut Values) {
        let practice = &self.document.regime(self.rulebook).practice;
        let office = self.document.office(self.rulebook);
        let site = self.site(&letter.appointment);
        let applicant = &letter.applicant;
        let early = office.early_minutes.unwrap_or(practice.early_minutes);
        let first = letter.appointment.first();
        let sessions = letter.appointment.occurrences();
        let minutes = sessions.iter().map(|it| it.minutes().max(0)).sum::<i64>();
        self.replaced(letter.replaces.as_ref(), values);
        values.extend([
            ("title", self.phrase(&format!("conv.{}.title", letter.step))),
            ("step", self.phrase(&format!("step.{}", letter.step))),
            ("when", self.words.when_lines(&letter.appointment)),
            ("duration", self.words.duration(u32::try_from(minutes).unwrap_or_default()).into()),
            ("place", address(&site.line())),
            ("provider", Value::raw(&site.name)),
            ("early_minutes", self.count("unit.minutes", early)),
            ("unable_date", self.words.long_date(self.document.unable_date(self.rulebook)).into()),
            ("answer_date", self.words.long_date(self.document.answer_date(self.rulebook)).into()),
            ("letter_date", self.words.long_date(self.document.letter_date()).into()),
            ("letter_city", Value::raw(&office.city)),
            ("agent_name", Value::raw(&letter.sender.name)),
            ("agent_capacity", Value::raw(&letter.sender.capacity)),
            ("foreigner_number", Value::raw(&applicant.foreigner_number)),
            ("person", person(self.words, applicant.civility, &applicant.name()).into()),
            ("salutation", self.phrase(&format!("salutation.{}", gender(applicant.civility)))),
        ]);
        if applicant.native_name.is_some() {
            values.insert("named", self.named(applicant, &applicant.name()));
        }
        if let Some(access) = site.access() {
            values.insert("access", Value::raw(access));
        }
        if let Some(first) = first {
            values.extend([
                ("date", self.words.full_date(first.date.0).into()),
                ("time", self.words.time(first.start).into()),
            ]);
        }
        if let Some(hours) = letter.course_hours {
            values.insert("course_hours", self.count("unit.hours", hours));
        }
        if let Some(photos) = letter.photos {
            values.insert("photos", self.count("unit.photos", photos));
        }
        if let Some(limit) = letter.late_limit {
            values.insert("late_limit", self.words.time(limit).into());
        }
        if let Some(it) = &letter.representative {
            let name = full_name(&it.given_names, &it.family_name);
            values.insert("representative", person(self.words, it.civility, &name).into());
        }
    }

    fn person(&self, it: &Person, category: &str, values: &mut Values) {
        values.extend([
            ("foreigner_number", Value::raw(&it.foreigner_number)),
            ("person", self.named(it, &it.full_name())),
            ("birth_date", self.words.partial_date(it.birth.date).into()),
            ("nationality", self.nationality(it, category)),
            ("address", address(&it.address.line())),
        ]);
        if let Some(place) = &it.birth.place {
            let place = Phrase(vec![Piece::Raw { raw: place.clone() }]);
            let place = match &it.birth.country {
                Some(country) => self.glossed(place, Phrase::text(self.country(country))),
                None => place,
            };
            values.insert("birth_place", place.into());
        } else if let Some(country) = &it.birth.country {
            values.insert("birth_place", Phrase::text(self.country(country)).into());
        }
    }

    /// The person's name, and in brackets the form in their own script where the data has it.
    fn named(&self, it: &Person, name: &str) -> Value {
        let latin = person(self.words, it.civility, name);
        match self.own_name(it) {
            Some(own) => self.glossed(latin, Phrase(vec![own])).into(),
            None => latin.into(),
        }
    }

    /// A value with another in brackets behind it.
    fn glossed(&self, value: Phrase, gloss: Phrase) -> Phrase {
        let values = Values::from([("value", value.into()), ("gloss", gloss.into())]);
        self.words.say("value.glossed", &values)
    }

    fn own_name(&self, it: &Person) -> Option<Piece> {
        let name = it.native_name.as_deref()?;
        let language = self.rulebook.written_like(name, self.document.language());
        Some(Piece::Own(Own::new(name, language)))
    }

    fn nationality(&self, person: &Person, category: &str) -> Value {
        match person.nationality.as_deref() {
            Some(STATELESS) => self.phrase("parties.stateless"),
            Some(code) => Phrase::text(self.country(code)).into(),
            None if category.starts_with(STATELESS) => self.phrase("parties.stateless"),
            None => self.phrase("parties.refugee"),
        }
    }

    fn presentation(&self, interpreter: Option<&str>, values: &mut Values) {
        values.extend(interpreter.map(|it| ("interpreter", Value::raw(it))));
    }

    fn signing(&self, signing: &Signing, values: &mut Values) {
        let copies = signing.copies.unwrap_or(self.document.regime(self.rulebook).contract.copies);
        values.extend([
            ("signing_city", Value::raw(&signing.city)),
            ("signing_date", self.words.long_date(signing.date.0).into()),
            ("copies", self.count("unit.copies", copies)),
        ]);
    }

    fn replaced(&self, letter: Option<&Letter>, values: &mut Values) {
        if let Some(letter) = letter {
            values.extend([
                ("replaced_reference", Value::raw(&letter.reference)),
                ("replaced_date", self.words.long_date(letter.date.0).into()),
            ]);
        }
    }

    fn site(&self, appointment: &Appointment) -> Site {
        Site::of(appointment, self.document.office(self.rulebook), self.rulebook)
    }

    fn country<'a>(&'a self, code: &'a str) -> &'a str {
        let names = &self.rulebook.countries[&self.words.tag];
        names.get(code).map_or(code, String::as_str)
    }

    fn phrase(&self, key: &str) -> Value {
        self.words.say(key, &Values::new()).into()
    }

    /// A length of time in years where it is whole years, else in months.
    fn months(&self, months: u32) -> Value {
        match (months / 12, months % 12) {
            (years, 0) => self.count("unit.years", years),
            _ => self.count("unit.months", months),
        }
    }

    fn count(&self, key: &str, n: u32) -> Value {
        self.words.count(key, n).into()
    }
}

/// Given names, then the family name; one of them where a person has one name only.
pub(crate) fn full_name(given: &Option<String>, family: &Option<String>) -> String {
    [given, family].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// How many days an appointment takes.
fn days(appointment: &Appointment) -> u32 {
    let mut days: Vec<_> = appointment.occurrences().iter().map(|it| it.date).collect();
    days.dedup();
    u32::try_from(days.len()).unwrap_or(u32::MAX)
}

/// A place on one line, in which a number is never parted from the word behind it: « 12 rue », « 69003 Lyon ».
fn address(line: &str) -> Value {
    let mut joined = String::with_capacity(line.len() + 8);
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        let joins = joined.ends_with(|it: char| it.is_ascii_digit());
        let parted = c == ' ' && joins && rest.peek().is_some_and(|it| it.is_alphabetic());
        joined.push(if parted { '\u{a0}' } else { c });
    }
    Value::raw(joined)
}
