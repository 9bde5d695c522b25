//! All integration tests in one binary: each more would link Typst once more.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "tests read the environment of their run")]

mod cli;
mod document;
mod harness;
mod languages;
mod parity;
mod render;
mod tidy;
