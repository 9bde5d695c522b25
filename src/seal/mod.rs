//! Step 3: a rendered PDF becomes a sealed, signable file.
