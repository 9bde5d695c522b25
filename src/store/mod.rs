//! Step 4: the only door to durable state.
