//! Mail merge: rows, preflight, many journeys, one report, one print run.
