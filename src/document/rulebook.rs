//! What documents are checked against: regimes, offices, catalogues, countries, loaded once.
//!
//! Everything here is data under `templates/`, which an operator can overlay. Loading checks it
//! whole and says every fault with file, place and cure: a mistake in it stops the start, never a
//! letter in the middle of a merge.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::catalogue::{Catalogue, FRENCH, Status};
use super::explain::Explanations;
use super::office::{Departments, Offices};
use super::regime::Regime;
use super::schema::{Schemas, nearest};
use super::stamp;
use crate::assets::Assets;

/// Names of countries by ISO 3166-1 alpha-2 code, in one language.
pub(super) type Countries = BTreeMap<String, String>;

/// The law, the places and the languages that are known.
#[derive(Debug)]
pub struct Rulebook {
    /// By id.
    pub regimes: BTreeMap<String, Regime>,
    /// Directorates and training centres.
    pub offices: Offices,
    /// Departments, their time zones and holidays.
    pub departments: Departments,
    /// By tag.
    pub catalogues: BTreeMap<String, Catalogue>,
    /// By tag, then by code.
    pub countries: BTreeMap<String, Countries>,
    /// The sentences of problems.
    pub explanations: Explanations,
    /// The schema of each kind.
    pub schemas: Schemas,
    /// Which translations that nobody has reviewed may be issued.
    drafts: Drafts,
}

/// Translations that nobody has reviewed.
#[derive(Debug)]
enum Drafts {
    /// All of them: what is made is a specimen.
    Allowed,
    /// Those of these tags alone.
    Named(BTreeSet<String>),
}

/// What is wrong with the files of a rulebook: all of it.
#[derive(Debug, thiserror::Error)]
#[error("the templates are at fault:\n{}", .0.join("\n"))]
pub struct RulebookError(pub Vec<String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CountryFile {
    countries: Countries,
}

impl Rulebook {
    /// Loads and checks everything.
    pub fn load(assets: &Assets) -> Result<Self, RulebookError> {
        let mut faults = Vec::new();
        let mut regimes = BTreeMap::new();
        for (path, bytes) in assets.list("templates/regimes/", ".toml") {
            let regime = parse::<Regime>(path, bytes, &mut faults);
            regimes.extend(regime.map(|it| (it.id.clone(), it)));
        }
        let catalogues = catalogues(assets, &mut faults);
        let mut countries = BTreeMap::new();
        for (path, bytes) in assets.list("templates/countries/", ".toml") {
            let file = parse::<CountryFile>(path, bytes, &mut faults);
            countries.extend(file.map(|it| (stem(path), it.countries)));
        }
        let departments = Departments::load(assets, &mut faults);
        let offices = Offices::load(assets, &mut faults);
        let explanations = Explanations::load(assets, &mut faults);
        for regime in regimes.values() {
            let french = catalogues.get(FRENCH);
            faults.extend(french.into_iter().flat_map(|french| regime.faults(french)));
        }
        for tag in catalogues.keys().filter(|tag| !countries.contains_key(*tag)) {
            faults.push(format!("templates/countries/{tag}.toml: missing: name the countries"));
        }
        faults.extend(offices.faults(&departments));
        if !faults.is_empty() {
            return Err(RulebookError(faults));
        }
        let schemas = Schemas::new(&regimes, &offices, &catalogues, &countries);
        let drafts = Drafts::Allowed;
        Ok(Self {
            regimes,
            offices,
            departments,
            catalogues,
            countries,
            explanations,
            schemas,
            drafts,
        })
    }

    /// The rulebook for documents that count: a translation that nobody has reviewed is refused, but
    /// for those `accepted` by tag, which say on the page that they await a review. A tag without a
    /// catalogue is a fault.
    pub fn for_production(mut self, accepted: &[String]) -> Result<Self, RulebookError> {
        let known: Vec<_> = self.catalogues.keys().cloned().collect();
        let unknown = accepted.iter().filter(|tag| !self.catalogues.contains_key(*tag));
        let faults: Vec<_> = unknown
            .map(|tag| match nearest(tag, &known) {
                "" => format!("accepted draft \"{tag}\": there is no such language: remove it"),
                near => format!("accepted draft \"{tag}\": there is no such language: \"{near}\"?"),
            })
            .collect();
        if !faults.is_empty() {
            return Err(RulebookError(faults));
        }
        self.drafts = Drafts::Named(accepted.iter().cloned().collect());
        Ok(self)
    }

    /// Whether documents may be issued in a language: French always, a translation when a person has
    /// reviewed it or the operator accepts it as it is.
    pub(crate) fn may_issue_in(&self, language: &Catalogue) -> bool {
        let reviewed = language.tag == FRENCH || language.review.status == Status::Reviewed;
        reviewed
            || match &self.drafts {
                Drafts::Allowed => true,
                Drafts::Named(tags) => tags.contains(&language.tag),
            }
    }

    /// The catalogue of a language that the schema has accepted.
    pub fn catalogue(&self, tag: &str) -> &Catalogue {
        &self.catalogues[tag]
    }

    /// The catalogue of a language that is written in the script of a name: French where the script
    /// is Latin or nobody's, else `language` or another one.
    pub(crate) fn written_like(&self, name: &str, language: &str) -> &Catalogue {
        let first = [self.french(), self.catalogue(language)].into_iter();
        let mut all = first.chain(self.catalogues.values());
        all.find(|it| it.writes(name)).unwrap_or_else(|| self.french())
    }

    /// The French one.
    pub fn french(&self) -> &Catalogue {
        self.catalogue(FRENCH)
    }
}

/// Reads a TOML file of the assets; a fault says file, line and column.
pub(crate) fn parse<T: DeserializeOwned>(
    path: &str,
    bytes: &[u8],
    faults: &mut Vec<String>,
) -> Option<T> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            faults.push(format!(
                "{path}: not UTF-8 at byte {}: save it as UTF-8",
                error.valid_up_to()
            ));
            return None;
        }
    };
    toml::from_str(text)
        .map_err(|error| faults.push(format!("{path}: {}", error.to_string().trim_end())))
        .ok()
}

/// The name of a file without folder and ending.
pub(crate) fn stem(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split_once('.').map_or(name, |(stem, _)| stem).to_owned()
}

/// All catalogues, each checked against the French one.
fn catalogues(assets: &Assets, faults: &mut Vec<String>) -> BTreeMap<String, Catalogue> {
    let mut catalogues = BTreeMap::new();
    for (path, bytes) in assets.list("templates/locales/", ".toml") {
        match Catalogue::read(&String::from_utf8_lossy(bytes)) {
            Ok(catalogue) if catalogue.tag == stem(path) => {
                catalogues.insert(catalogue.tag.clone(), catalogue);
            }
            Ok(catalogue) => {
                faults.push(format!("{path}: tag = \"{}\" is not the file's name", catalogue.tag));
            }
            Err(error) => faults.push(format!("{path}: {error}")),
        }
    }
    let Some(french) = catalogues.get(FRENCH) else {
        faults.push("templates/locales/fr.toml: missing: every language translates it".to_owned());
        return catalogues;
    };
    for catalogue in catalogues.values() {
        faults.extend(catalogue.faults(french));
    }
    let stale: Vec<_> = catalogues
        .iter()
        .filter(|(tag, _)| *tag != FRENCH)
        .map(|(tag, catalogue)| (tag.clone(), stamp::stale(catalogue, french)))
        .collect();
    for (tag, keys) in stale {
        catalogues.entry(tag).and_modify(|it| it.stale = keys);
    }
    catalogues
}
