//! Tracing and metrics, without personal data.
