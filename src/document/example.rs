//! Examples of inputs whose dates lie in the future of any day they are asked for.
//!
//! They are templates of JSON: `{{ day(30) }}` is a working day of the sample office about thirty
//! days after `at`, never before, and on weekdays that are no holiday.

use std::sync::Arc;

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use minijinja::{Environment, UndefinedBehavior};

use super::appointment::{is_saturday, is_sunday};
use super::rulebook::{Rulebook, RulebookError};
use crate::assets::Assets;

/// Fills the example at `path` for the day of `at`.
pub fn example(
    path: &str,
    assets: &Assets,
    rulebook: &Rulebook,
    at: DateTime<Utc>,
) -> Result<String, RulebookError> {
    let fault = |text: String| RulebookError(vec![format!("{path}: {text}")]);
    let bytes = assets.get(path).ok_or_else(|| fault("missing".to_owned()))?;
    let text = std::str::from_utf8(bytes).map_err(|error| fault(error.to_string()))?;
    let holidays = Arc::new(holidays(rulebook, at.date_naive()));
    let today = at.date_naive();
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let closed = Arc::clone(&holidays);
    environment.add_function("day", move |days: i64| {
        let first = today + chrono::TimeDelta::days(days);
        let mut days = first.iter_days();
        let open = days.find(|day| !is_sunday(*day) && !is_saturday(*day) && !closed.contains(day));
        open.unwrap_or(first).to_string()
    });
    environment
        .add_function("date", move |days: i64| (today + chrono::TimeDelta::days(days)).to_string());
    environment.add_global("year", today.year());
    environment.render_str(text, ()).map_err(|error| fault(format!("{error:#}")))
}

/// The holidays of the two years from a day on, in the sample office's department.
fn holidays(rulebook: &Rulebook, from: NaiveDate) -> Vec<NaiveDate> {
    let office = rulebook.offices.directorates.values().find(|it| it.sample);
    let Some(department) = office.and_then(|it| it.department(&rulebook.departments)) else {
        return Vec::new();
    };
    let start = from - Days::new(40);
    let days = start.iter_days().take(800);
    days.filter(|day| rulebook.departments.holiday(department, *day).is_some()).collect()
}
