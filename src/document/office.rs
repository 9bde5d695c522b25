//! Directorates, training centres and departments: data with its source and day of check.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::calendar::easter;
use super::rulebook::parse;
use crate::assets::Assets;

/// A directorate that issues documents.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directorate {
    /// Its name on the wire, such as `lyon`.
    pub id: String,
    /// « Direction territoriale de Lyon ».
    pub name: String,
    /// Where letters are dated from.
    pub city: String,
    /// The departments it is competent for.
    pub departments: Vec<String>,
    /// Street lines.
    #[serde(default)]
    pub address: Vec<String>,
    /// Postcode of the address.
    pub postcode: Option<String>,
    /// Town line of the address.
    pub post_town: Option<String>,
    /// As printed, such as `04 65 71 00 00`.
    pub phone: Option<String>,
    /// The office's own mailbox.
    pub email: Option<String>,
    /// How to get there.
    pub access: Option<String>,
    /// How early to arrive, where it differs from the regime's practice.
    pub early_minutes: Option<u32>,
    /// Rooms with their capacity.
    #[serde(default)]
    pub rooms: Vec<Room>,
    /// Who signs for the State, as a contract's data has it: what its forms begin with.
    pub authority: Option<serde_json::Value>,
    /// Where the data comes from.
    pub source: String,
    /// Whether somebody compared it with the public directory.
    #[serde(default)]
    pub verified: bool,
    /// When, `YYYY-MM-DD`.
    pub checked_on: Option<String>,
    /// An invented office, for trials.
    #[serde(default)]
    pub sample: bool,
}

/// A room of an office.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Room {
    /// Its short name.
    pub id: String,
    /// As printed.
    pub name: String,
    /// How many people it holds.
    pub capacity: u32,
}

/// A training centre.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Centre {
    /// Its name on the wire.
    pub id: String,
    /// As printed.
    pub name: String,
    /// The department it stands in.
    pub department: String,
    /// Street lines.
    pub address: Vec<String>,
    /// Postcode.
    pub postcode: String,
    /// Town.
    pub town: String,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// The trainings it gives, by step.
    pub trainings: Vec<String>,
    /// As printed.
    pub phone: Option<String>,
    /// The centre's mailbox.
    pub email: Option<String>,
    /// How to get there.
    pub access: Option<String>,
    /// Where the data comes from.
    pub source: Option<String>,
    /// An invented centre, for trials.
    #[serde(default)]
    pub sample: bool,
}

/// A department or overseas territory.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Department {
    /// `01` … `95`, `2A`, `2B`, `971` …
    pub code: String,
    /// « Ain ».
    pub name: String,
    /// The zone of its public holidays.
    pub holidays: String,
    /// IANA time zone.
    pub time_zone: Tz,
    /// Postcode prefixes, where they are not the code.
    #[serde(default)]
    pub postcode_prefixes: Vec<String>,
    /// Degrees north of its main town, roughly.
    pub latitude: f64,
    /// Degrees east of its main town, roughly.
    pub longitude: f64,
}

/// Who answers for the data of all offices.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Where persons ask for their data (RGPD art. 13 1 b).
    pub data_contact: String,
    /// How long documents are kept after the contract's end (RGPD art. 13 2 a).
    pub retention_years: u32,
    /// Invented values, for trials.
    #[serde(default)]
    pub sample: bool,
}

/// Directorates and centres by id.
#[derive(Debug, Default)]
pub struct Offices {
    /// Who answers for them.
    pub operator: Operator,
    /// Those that issue.
    pub directorates: BTreeMap<String, Directorate>,
    /// Those that train.
    pub centres: BTreeMap<String, Centre>,
}

/// Departments by code, and their holidays.
#[derive(Debug, Default)]
pub struct Departments {
    /// By code.
    pub departments: BTreeMap<String, Department>,
    zones: BTreeMap<String, HolidaySet>,
    national: HolidaySet,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct HolidaySet {
    #[serde(default)]
    id: String,
    #[serde(default)]
    fixed: Vec<FixedHoliday>,
    #[serde(default)]
    easter: Vec<EasterHoliday>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FixedHoliday {
    month: u32,
    day: u32,
    name: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct EasterHoliday {
    /// Days after Easter Sunday.
    offset: i64,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectorateFile {
    directorate: Vec<Directorate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CentreFile {
    centre: Vec<Centre>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DepartmentFile {
    department: Vec<Department>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HolidayFile {
    national: HolidaySet,
    zone: Vec<HolidaySet>,
}

impl Departments {
    pub(crate) fn load(assets: &Assets, faults: &mut Vec<String>) -> Self {
        let mut this = Self::default();
        let path = "templates/offices/departments.toml";
        if let Some(file) = file::<DepartmentFile>(assets, path, faults) {
            this.departments =
                file.department.into_iter().map(|it| (it.code.clone(), it)).collect();
        }
        if let Some(file) = file::<HolidayFile>(assets, "templates/offices/holidays.toml", faults) {
            this.national = file.national;
            this.zones = file.zone.into_iter().map(|it| (it.id.clone(), it)).collect();
        }
        for department in this.departments.values() {
            if !this.zones.contains_key(&department.holidays) {
                let (code, zone) = (&department.code, &department.holidays);
                faults.push(format!("{path}: {code}: `{zone}` is not a zone of holidays.toml"));
            }
        }
        this
    }

    /// The department of a postcode: the longest prefix that fits.
    pub fn of_postcode(&self, postcode: &str) -> Option<&Department> {
        self.departments
            .values()
            .flat_map(|department| {
                let own = std::slice::from_ref(&department.code);
                let prefixes = if department.postcode_prefixes.is_empty() {
                    own
                } else {
                    &department.postcode_prefixes
                };
                prefixes.iter().map(move |prefix| (prefix, department))
            })
            .filter(|(prefix, _)| postcode.starts_with(prefix.as_str()))
            .max_by_key(|(prefix, _)| prefix.len())
            .map(|(_, department)| department)
    }

    /// The name of the public holiday that a day is in a department, if it is one.
    pub fn holiday(&self, department: &Department, day: NaiveDate) -> Option<&str> {
        let zone = self.zones.get(&department.holidays);
        let days_after_easter = (day - easter(day.year())).num_days();
        [Some(&self.national), zone].into_iter().flatten().find_map(|set| {
            let fixed = set.fixed.iter().find(|it| (it.month, it.day) == (day.month(), day.day()));
            let moving = set.easter.iter().find(|it| it.offset == days_after_easter);
            fixed.map(|it| it.name.as_str()).or(moving.map(|it| it.name.as_str()))
        })
    }
}

impl Offices {
    pub(crate) fn load(assets: &Assets, faults: &mut Vec<String>) -> Self {
        let directorates =
            file::<DirectorateFile>(assets, "templates/offices/directorates.toml", faults)
                .map_or_else(Vec::new, |file| file.directorate);
        let centres = file::<CentreFile>(assets, "templates/offices/centres.toml", faults)
            .map_or_else(Vec::new, |file| file.centre);
        let operator = file::<Operator>(assets, "templates/offices/operator.toml", faults);
        Self {
            operator: operator.unwrap_or_default(),
            directorates: directorates.into_iter().map(|it| (it.id.clone(), it)).collect(),
            centres: centres.into_iter().map(|it| (it.id.clone(), it)).collect(),
        }
    }

    /// Departments that nobody knows, in offices and centres.
    pub(crate) fn faults(&self, departments: &Departments) -> Vec<String> {
        let known = |code: &str| departments.departments.contains_key(code);
        let offices = self.directorates.values().flat_map(|office| {
            office.departments.iter().map(move |code| ("directorates", &office.id, code))
        });
        let centres = self.centres.values().map(|it| ("centres", &it.id, &it.department));
        offices
            .chain(centres)
            .filter(|(_, _, code)| !known(code))
            .map(|(file, id, code)| {
                format!("templates/offices/{file}.toml: {id}: `{code}` is not a department")
            })
            .collect()
    }

    /// The departments in which no centre stands.
    pub fn departments_without_centre<'a>(&self, all: &'a Departments) -> Vec<&'a Department> {
        let served: BTreeSet<&str> =
            self.centres.values().map(|it| it.department.as_str()).collect();
        all.departments.values().filter(|it| !served.contains(it.code.as_str())).collect()
    }

    /// The centres nearest to a department that give a training, with their distance in km.
    ///
    /// The distance is from the department's main town, along a great circle: good enough to
    /// propose, not to decide.
    pub fn nearest(&self, from: &Department, training: Option<&str>) -> Vec<(&Centre, f64)> {
        let mut centres: Vec<_> = self
            .centres
            .values()
            .filter(|it| training.is_none_or(|training| it.trainings.iter().any(|t| t == training)))
            .map(|it| {
                let to = (it.latitude, it.longitude);
                (it, kilometres((from.latitude, from.longitude), to))
            })
            .collect();
        centres.sort_by(|a, b| a.1.total_cmp(&b.1));
        centres
    }
}

impl Directorate {
    /// The department it stands in: its first one.
    pub fn department<'a>(&self, all: &'a Departments) -> Option<&'a Department> {
        self.departments.first().and_then(|code| all.departments.get(code))
    }

    /// The time it lives by; Paris where its department is unknown.
    pub fn time_zone(&self, all: &Departments) -> Tz {
        self.department(all).map_or(Tz::Europe__Paris, |it| it.time_zone)
    }
}

/// Great-circle distance between two points in degrees (haversine, mean Earth radius).
fn kilometres(from: (f64, f64), to: (f64, f64)) -> f64 {
    let (a, b) = (from.0.to_radians(), to.0.to_radians());
    let half_lat = (b - a) / 2.0;
    let half_lon = (to.1 - from.1).to_radians() / 2.0;
    let h = half_lat.sin().powi(2) + a.cos() * b.cos() * half_lon.sin().powi(2);
    2.0 * 6371.0 * h.sqrt().asin()
}

fn file<T: serde::de::DeserializeOwned>(
    assets: &Assets,
    path: &str,
    faults: &mut Vec<String>,
) -> Option<T> {
    match assets.get(path) {
        Some(bytes) => parse(path, bytes, faults),
        None => {
            faults.push(format!("{path}: missing"));
            None
        }
    }
}
