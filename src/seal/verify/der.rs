//! DER by hand (ITU-T X.690): raw slices of what was signed, the shortest lengths only, nothing left
//! over. BER's other forms are refused.

use chrono::{DateTime, NaiveDate, Utc};
use der::Encode;
use der::asn1::ObjectIdentifier;

use super::fault::{Checked, Fault, ensure};

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// A value with its tag; `whole` has tag and length too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    pub(super) whole: &'a [u8],
}

/// Values one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a>(&'a [u8]);

/// The tag of a context-specific field, constructed.
pub(super) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// The one value that the bytes are.
pub(super) fn single(bytes: &[u8]) -> Checked<Value<'_>> {
    let mut values = Values(bytes);
    let value = values.any()?;
    values.end()?;
    Ok(value)
}

/// The values that the bytes are.
pub(super) fn values(bytes: &[u8]) -> Values<'_> {
    Values(bytes)
}

/// The value that the bytes begin with, and what follows.
pub(super) fn leading(bytes: &[u8]) -> Checked<(Value<'_>, &[u8])> {
    let mut values = Values(bytes);
    Ok((values.any()?, values.0))
}

impl<'a> Values<'a> {
    /// The next value, whatever it is.
    pub(super) fn any(&mut self) -> Checked<Value<'a>> {
        let wrong = || Fault::new("der.syntax");
        let bytes = self.0;
        let [tag, first, rest @ ..] = bytes else { return Err(wrong()) };
        // Tags above thirty take more bytes; nothing here uses one.
        ensure(tag & 0x1f != 0x1f, "der.syntax")?;
        let (size, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x84 => {
                let (length, rest) =
                    rest.split_at_checked(usize::from(first - 0x80)).ok_or_else(wrong)?;
                let size = length.iter().fold(0_usize, |sum, it| sum << 8 | usize::from(*it));
                ensure(size > 0x7f && length[0] != 0, "der.syntax")?;
                (size, rest)
            }
            _ => return Err(wrong()),
        };
        let (content, after) = rest.split_at_checked(size).ok_or_else(wrong)?;
        self.0 = after;
        Ok(Value { tag: *tag, content, whole: &bytes[..bytes.len() - after.len()] })
    }

    /// The next value, which must have this tag.
    pub(super) fn take(&mut self, tag: u8) -> Checked<Value<'a>> {
        let value = self.any()?;
        ensure(value.tag == tag, "der.syntax")?;
        Ok(value)
    }

    /// The next value if it has this tag.
    pub(super) fn maybe(&mut self, tag: u8) -> Checked<Option<Value<'a>>> {
        if self.0.first() == Some(&tag) { self.any().map(Some) } else { Ok(None) }
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Checked<()> {
        ensure(self.0.is_empty(), "der.syntax")
    }

    /// All values that follow.
    pub(super) fn rest(mut self) -> Checked<Vec<Value<'a>>> {
        let mut values = Vec::new();
        while !self.0.is_empty() {
            values.push(self.any()?);
        }
        Ok(values)
    }
}

impl<'a> Value<'a> {
    /// The values inside.
    pub(super) fn inside(&self) -> Values<'a> {
        Values(self.content)
    }

    /// The one value inside.
    pub(super) fn inner(&self) -> Checked<Value<'a>> {
        single(self.content)
    }

    /// As a value of this tag.
    pub(super) fn of(self, tag: u8) -> Checked<Self> {
        ensure(self.tag == tag, "der.syntax")?;
        Ok(self)
    }

    /// Whether it is this object identifier.
    pub(super) fn is(&self, oid: ObjectIdentifier) -> bool {
        oid.to_der().is_ok_and(|it| it == self.whole)
    }

    /// A small number, not negative.
    pub(super) fn small(&self) -> Checked<u8> {
        match (self.tag, self.content) {
            (INTEGER | ENUMERATED, [it @ 0..=0x7f]) => Ok(*it),
            _ => Err(Fault::new("der.syntax")),
        }
    }

    /// A truth value; DER knows one form of true.
    pub(super) fn truth(&self) -> Checked<bool> {
        match (self.tag, self.content) {
            (BOOLEAN, [0]) => Ok(false),
            (BOOLEAN, [0xff]) => Ok(true),
            _ => Err(Fault::new("der.syntax")),
        }
    }

    /// The bytes of a bit string of whole bytes.
    pub(super) fn bits(&self) -> Checked<&'a [u8]> {
        match (self.tag, self.content) {
            (BIT_STRING, [0, bits @ ..]) => Ok(bits),
            _ => Err(Fault::new("der.syntax")),
        }
    }

    /// A moment: UTCTime or GeneralizedTime in UTC with seconds; fractions are cut.
    pub(super) fn time(&self) -> Checked<DateTime<Utc>> {
        let wrong = || Fault::new("der.time");
        let text = std::str::from_utf8(self.content).map_err(|_| wrong())?;
        let text = text.strip_suffix('Z').ok_or_else(wrong)?;
        let (digits, fraction) = match (self.tag, text.split_once('.')) {
            (GENERALIZED_TIME, Some((digits, fraction))) => (digits.to_owned(), fraction),
            (GENERALIZED_TIME, None) => (text.to_owned(), "0"),
            // RFC 5280, 4.1.2.5.1: two digits of a year, from 1950 to 2049.
            (UTC_TIME, None) if text < "5" => (format!("20{text}"), "0"),
            (UTC_TIME, None) => (format!("19{text}"), "0"),
            _ => return Err(wrong()),
        };
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        ensure(plain(&digits) && plain(fraction), "der.time")?;
        moment(&digits).ok_or_else(wrong)
    }
}

/// `YYYYMMDDHHMMSS` in UTC.
pub(super) fn moment(digits: &str) -> Option<DateTime<Utc>> {
    let part = |at: usize, size: usize| digits.get(at..at + size)?.parse::<u32>().ok();
    if digits.len() != 14 {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(part(0, 4)? as i32, part(4, 2)?, part(6, 2)?)?;
    Some(date.and_hms_opt(part(8, 2)?, part(10, 2)?, part(12, 2)?)?.and_utc())
}
