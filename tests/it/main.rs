//! All integration tests in one binary: each more would link Typst once more.

mod cli;
mod document;
mod harness;
mod languages;
mod render;
mod tidy;
