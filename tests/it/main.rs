//! All integration tests in one binary: each more would link Typst once more.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "tests read the environment of their run")]

mod cli;
mod config;
mod database;
mod deliver;
mod desk;
mod doctor;
mod document;
mod erasure;
mod extraction;
mod harness;
mod http;
mod languages;
mod logs;
mod merge;
mod operations;
mod parity;
mod pictures;
mod pipeline;
mod pseudo;
mod render;
mod seal;
mod shaping;
mod store;
mod tagged;
mod tidy;
mod upgrade;
mod verify;
