//! Tests of seal.
