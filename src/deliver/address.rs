//! Text that goes into an envelope or a header.

use crate::document::is_control;

pub use crate::document::email::{AddressError, parse};

/// Text for a header: every control character becomes a space, spaces become one.
///
/// What the office's own data or a sentence holds is cleaned, not refused: the letter must go.
pub fn clean(text: &str) -> String {
    let text: String = text.chars().map(|c| if is_control(c) { ' ' } else { c }).collect();
    text.split(' ').filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")
}
