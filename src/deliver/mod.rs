//! Step 5: a sealed document leaves by mail.
