//! Addresses as people write them, ready for an envelope.
//!
//! Text in, a [`lettre::Address`] out whose domain is ASCII. A domain in letters of any script becomes
//! its A-labels (RFC 5890), so that only a local part outside ASCII asks the server for SMTPUTF8
//! (RFC 6531). Nothing that could end a line or hide in one gets through. A local part in quotes
//! (RFC 5321, 4.1.2) is refused: nobody has one, and readers of mail disagree about them.

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use lettre::Address;

use super::text::is_control;

/// The most octets of a local part (RFC 5321, 4.5.3.1.1) and of a path (4.5.3.1.3, less its brackets).
const LONGEST: (usize, usize) = (64, 254);

/// Why a text is no address. The text itself is not repeated: errors reach logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A control, bidirectional or other unseen character.
    #[error("the address holds a hidden character: type it again")]
    Hidden,
    /// No `@`, or nothing before or after it.
    #[error("the address is not of the form name@domain")]
    Form,
    /// The domain cannot be one.
    #[error("the part of the address after @ is not a domain")]
    Domain,
    /// The local part cannot be one.
    #[error("the part of the address before @ is not a mailbox name")]
    Local,
    /// Longer than mail servers take.
    #[error("the address is too long: 64 octets before @, 254 in all")]
    Long,
}

/// Reads an address; spaces around it do not matter.
pub fn parse(text: &str) -> Result<Address, AddressError> {
    let text = text.trim();
    if text.chars().any(is_control) {
        return Err(AddressError::Hidden);
    }
    let (local, domain) = text.rsplit_once('@').ok_or(AddressError::Form)?;
    if local.starts_with('"') {
        return Err(AddressError::Local);
    }
    if local.is_empty() || domain.is_empty() {
        return Err(AddressError::Form);
    }
    if local.len() > LONGEST.0 || text.len() > 4 * LONGEST.1 {
        return Err(AddressError::Long);
    }
    let domain = Uts46::new()
        .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Verify)
        .map_err(|_| AddressError::Domain)?;
    let numeric =
        domain.rsplit('.').next().is_some_and(|it| it.bytes().all(|b| b.is_ascii_digit()));
    if !domain.contains('.') || numeric {
        return Err(AddressError::Domain);
    }
    if local.len() + 1 + domain.len() > LONGEST.1 {
        return Err(AddressError::Long);
    }
    Address::new(local, domain.as_ref()).map_err(|_| AddressError::Local)
}
