//! Paraphe turns contract data into signable CAI and CAIF contracts and convocation letters, in
//! French and the applicant's language.
//!
//! A document travels in steps, each one function with one error type:
//!
//! 1. [`document`]: data in, a checked [`document::Document`] out.
//! 2. [`render`]: the document becomes a tagged, archivable [`render::Pdf`].
//!
//! [`assets`] holds what both read: sentences, law, places, page templates and fonts. [`cli`] is the
//! door. A module uses only itself and what stands before it in the order assets, document, render,
//! cli.

pub mod assets;
pub mod cli;
pub mod document;
pub mod render;
