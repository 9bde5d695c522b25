//! Where an appointment takes place: the office, a training centre, or a place of its own.

use super::appointment::{Appointment, Place};
use super::office::{Centre, Directorate};
use super::person::Address;
use super::rulebook::Rulebook;

/// A place by name and address.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Site {
    pub(crate) name: String,
    lines: Vec<String>,
    pub(crate) postcode: String,
    town: String,
    room: Option<String>,
    access: Option<String>,
    coordinates: Option<(f64, f64)>,
}

impl Site {
    /// Where an appointment of an office takes place.
    pub(crate) fn of(appointment: &Appointment, office: &Directorate, rulebook: &Rulebook) -> Self {
        let place = &appointment.place;
        let centre = place.centre.as_ref().and_then(|id| rulebook.offices.centres.get(id));
        let mut site = match centre {
            Some(centre) => Self::centre(centre),
            None if place.is_office() => Self::office(office),
            None => Self::own(place),
        };
        site.room.clone_from(&place.room);
        if place.access.is_some() {
            site.access.clone_from(&place.access);
        }
        site
    }

    /// An office at its own address.
    pub(crate) fn office(office: &Directorate) -> Self {
        Self {
            name: office.name.clone(),
            lines: office.address.clone(),
            postcode: office.postcode.clone().unwrap_or_default(),
            town: office.post_town.clone().unwrap_or_default(),
            room: None,
            access: office.access.clone(),
            coordinates: None,
        }
    }

    fn centre(centre: &Centre) -> Self {
        Self {
            name: centre.name.clone(),
            lines: centre.address.clone(),
            postcode: centre.postcode.clone(),
            town: centre.town.clone(),
            room: None,
            access: centre.access.clone(),
            coordinates: Some((centre.latitude, centre.longitude)),
        }
    }

    fn own(place: &Place) -> Self {
        Self {
            name: place.name.clone().unwrap_or_default(),
            lines: place.lines.clone(),
            postcode: place.postcode.clone().unwrap_or_default(),
            town: place.town.clone().unwrap_or_default(),
            room: None,
            access: None,
            coordinates: None,
        }
    }

    /// « 3 rue du Spécimen, 69003 Lyon »
    pub(crate) fn address(&self) -> String {
        one_line(&self.lines, &self.postcode, &self.town)
    }

    /// Name, room and address on one line.
    pub(crate) fn line(&self) -> String {
        let parts = [Some(&self.name), self.room.as_ref()];
        let address = self.address();
        let parts = parts.into_iter().flatten().chain(Some(&address).filter(|it| !it.is_empty()));
        parts.map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// Degrees north and east, of a training centre.
    pub(crate) fn coordinates(&self) -> Option<(f64, f64)> {
        self.coordinates
    }

    /// How to get there.
    pub(crate) fn access(&self) -> Option<&str> {
        self.access.as_deref()
    }
}

impl Address {
    /// The address on one line.
    pub(crate) fn line(&self) -> String {
        one_line(&self.lines, &self.postcode, &self.town)
    }
}

fn one_line(lines: &[String], postcode: &str, town: &str) -> String {
    let town = format!("{postcode} {town}");
    let lines = lines.iter().map(String::as_str);
    lines
        .chain([town.trim()].into_iter().filter(|it| !it.is_empty()))
        .collect::<Vec<_>>()
        .join(", ")
}
