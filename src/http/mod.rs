//! The door for programs and browsers: API, desk, public pages.
