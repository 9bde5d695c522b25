//! Paraphe turns contract data into signable CAI and CAIF contracts and convocation letters, in
//! French and the applicant's language, and gets them to applicants by mail, each once.
//!
//! A document travels in steps, each one function with one error type:
//!
//! 1. [`document`]: data in, a checked [`document::Document`] out.
//! 2. [`render`]: the document becomes a tagged, archivable [`render::Pdf`].
//! 3. [`seal`]: the PDF gets its signature fields, the office's seal and the parties' signatures.
//! 4. [`store`]: what is issued is kept for good: row, file and outbox entry in one transaction.
//! 5. [`deliver`]: what stands in the outbox leaves by mail, once.
//!
//! [`pipeline`] is the journey through them on one screen, [`merge`] many journeys from rows.
//! [`assets`] holds what the steps read: sentences, law, places, page templates and fonts; [`config`]
//! the settings. [`http`] and [`cli`] are the doors. A module uses only itself and what stands before
//! it in the order telemetry, assets, document, render, seal, store, deliver, config, pipeline, merge,
//! http, cli.

/// Typst asks for memory some five thousand times a letter: with this a letter takes a tenth less time
/// than with the system's, and memory stays flat over 100,000 renderings.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod assets;
pub mod class;
pub mod cli;
pub mod config;
pub mod deliver;
pub mod document;
pub mod http;
pub mod merge;
pub mod pipeline;
pub mod render;
pub mod seal;
pub mod secret;
pub mod store;
pub mod telemetry;
