//! The whole journey of a document: issue and sign.
