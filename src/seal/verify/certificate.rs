//! A certificate (RFC 5280): its parts as they were signed, and what it may be used for.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use der::asn1::ObjectIdentifier;
use der::{Decode, DecodePem, Encode};
use sha2::{Digest, Sha256};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

use super::algorithm::Scheme;
use super::der::{SEQUENCE, single};
use super::fault::{Checked, Fault, ensure};

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

pub(super) const TIME_STAMPING: ObjectIdentifier = oid("1.3.6.1.5.5.7.3.8");
pub(super) const OCSP_SIGNING: ObjectIdentifier = oid("1.3.6.1.5.5.7.3.9");
/// Servers, clients and programs: what other certificates of the same authority are for.
const OTHER: [ObjectIdentifier; 5] = [
    oid("1.3.6.1.5.5.7.3.1"),
    oid("1.3.6.1.5.5.7.3.2"),
    oid("1.3.6.1.5.5.7.3.3"),
    TIME_STAMPING,
    OCSP_SIGNING,
];
const DISTRIBUTION_POINTS: ObjectIdentifier = oid("2.5.29.31");
const EXTENDED_KEY_USAGE: ObjectIdentifier = oid("2.5.29.37");

/// The largest certificate that is read, in bytes.
const SIZE: usize = 64 << 10;

/// The extensions that may be critical: the ones that are heeded here, and names and policies, which
/// restrict nothing that is judged.
const CRITICAL: [ObjectIdentifier; 5] = [
    oid("2.5.29.15"), // key usage
    oid("2.5.29.17"), // alternative names
    oid("2.5.29.19"), // basic constraints
    oid("2.5.29.32"), // policies
    EXTENDED_KEY_USAGE,
];

/// A certificate that could be read whole; whether it may be trusted is asked elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    pub(super) der: Vec<u8>,
    pub(super) parsed: x509_cert::Certificate,
    pub(super) subject: Vec<u8>,
    pub(super) issuer: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) sha256: [u8; 32],
    pub(super) not_before: DateTime<Utc>,
    pub(super) not_after: DateTime<Utc>,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Certificate {
    pub(super) fn read(der: &[u8]) -> Checked<Self> {
        ensure(der.len() <= SIZE, "file.too_complex")?;
        let wrong = |_| Fault::new("certificate.syntax");
        let parsed = x509_cert::Certificate::from_der(der).map_err(wrong)?;
        let tbs = parsed.tbs_certificate();
        ensure(tbs.signature() == parsed.signature_algorithm(), "certificate.syntax")?;
        let seconds = |time: x509_cert::time::Time| {
            let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok();
            let moment = seconds.and_then(|it| DateTime::from_timestamp(it, 0));
            moment.ok_or_else(|| Fault::new("certificate.syntax"))
        };
        let extensions = tbs.extensions().into_iter().flatten();
        let mut seen = BTreeSet::new();
        ensure(extensions.into_iter().all(|it| seen.insert(it.extn_id)), "certificate.syntax")?;
        Ok(Self {
            subject: tbs.subject().to_der().map_err(wrong)?,
            issuer: tbs.issuer().to_der().map_err(wrong)?,
            key: tbs.subject_public_key_info().to_der().map_err(wrong)?,
            sha256: Sha256::digest(der).into(),
            not_before: seconds(tbs.validity().not_before)?,
            not_after: seconds(tbs.validity().not_after)?,
            der: der.to_vec(),
            parsed,
        })
    }

    /// All certificates of a PEM text, or the one of a DER file.
    pub(super) fn read_all(bytes: &[u8]) -> Checked<Vec<Self>> {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        if !text.contains("-----BEGIN") {
            return Ok(vec![Self::read(bytes)?]);
        }
        let mut found = Vec::new();
        for part in text.split_inclusive("-----END CERTIFICATE-----") {
            let Some(start) = part.find("-----BEGIN CERTIFICATE-----") else { continue };
            let parsed = x509_cert::Certificate::from_pem(&part.as_bytes()[start..]);
            let parsed = parsed.map_err(|_| Fault::new("certificate.syntax"))?;
            let der = parsed.to_der().map_err(|_| Fault::new("certificate.syntax"))?;
            found.push(Self::read(&der)?);
        }
        ensure(!found.is_empty(), "certificate.syntax")?;
        Ok(found)
    }

    /// The serial number, as hex digits.
    pub(super) fn serial(&self) -> String {
        hex(self.parsed.tbs_certificate().serial_number().as_bytes())
    }

    pub(super) fn subject_name(&self) -> String {
        self.parsed.tbs_certificate().subject().to_string()
    }

    pub(super) fn issuer_name(&self) -> String {
        self.parsed.tbs_certificate().issuer().to_string()
    }

    /// One attribute of the subject, such as the common name.
    pub(super) fn attribute(&self, kind: &str) -> Option<String> {
        let kind = ObjectIdentifier::new(kind).ok()?;
        let subject = self.parsed.tbs_certificate().subject();
        let value = subject.iter().find(|it| it.oid == kind)?;
        Some(String::from_utf8_lossy(value.value.value()).into_owned())
    }

    /// Whether `other` signed this one. Says nothing of whether it was allowed to.
    pub(super) fn signed_by(&self, other: &Self) -> Checked<()> {
        let mut parts = single(&self.der)?.of(SEQUENCE)?.inside();
        let tbs = parts.take(SEQUENCE)?;
        let scheme = Scheme::read(parts.any()?, None)?;
        scheme.verify(&other.key, tbs.whole, parts.any()?.bits()?)
    }

    pub(super) fn current(&self, at: DateTime<Utc>) -> Checked<()> {
        let fault = |code| Fault::new(code).with("subject", self.subject_name());
        if at < self.not_before {
            return Err(fault("certificate.not_yet").with("from", self.not_before.to_rfc3339()));
        }
        if at > self.not_after {
            return Err(fault("certificate.expired").with("until", self.not_after.to_rfc3339()));
        }
        Ok(())
    }

    /// RFC 5280, 4.2: an extension that is critical and not understood forbids the use.
    pub(super) fn understood(&self) -> Checked<()> {
        let extensions = self.parsed.tbs_certificate().extensions().into_iter().flatten();
        let strange =
            extensions.into_iter().find(|it| it.critical && !CRITICAL.contains(&it.extn_id));
        match strange {
            Some(it) => Err(self.fault("certificate.critical").with("extension", it.extn_id)),
            None => Ok(()),
        }
    }

    /// Whether it may sign certificates, with `below` authorities between it and the end.
    pub(super) fn authority(&self, below: usize) -> Checked<()> {
        let constraints: Option<BasicConstraints> = self.extension()?;
        let constraints = constraints.filter(|it| it.ca);
        let constraints = constraints.ok_or_else(|| self.fault("certificate.no_authority"))?;
        let room = constraints.path_len_constraint.is_none_or(|it| usize::from(it) >= below);
        let usage: Option<KeyUsage> = self.extension()?;
        if room && usage.is_none_or(|it| it.key_cert_sign()) {
            Ok(())
        } else {
            Err(self.fault("certificate.no_authority"))
        }
    }

    /// Whether it may sign lists of revoked certificates.
    pub(super) fn lists(&self) -> bool {
        let usage: Checked<Option<KeyUsage>> = self.extension();
        usage.is_ok_and(|it| it.is_none_or(|it| it.crl_sign()))
    }

    /// Whether it names a distribution point (the content of a DistributionPointName) for its lists.
    pub(super) fn distributed(&self, point: &[u8]) -> bool {
        let mut extensions = self.parsed.tbs_certificate().extensions().into_iter().flatten();
        let points = extensions.find(|it| it.extn_id == DISTRIBUTION_POINTS);
        let bytes = points.map_or(&[][..], |it| it.extn_value.as_bytes());
        !point.is_empty() && bytes.windows(point.len()).any(|it| it == point)
    }

    /// Whether its key may sign documents.
    pub(super) fn signs(&self) -> Checked<()> {
        let purposes: Option<ExtendedKeyUsage> = self.extension()?;
        let fits = purposes.is_none_or(|it| it.0.iter().any(|it| !OTHER.contains(it)));
        if fits && self.signs_data()? { Ok(()) } else { Err(self.fault("certificate.usage")) }
    }

    /// Whether it is for one purpose, `purpose`, and says so critically if it `must`.
    pub(super) fn purpose(&self, purpose: ObjectIdentifier, must: bool) -> Checked<()> {
        let purposes: Option<ExtendedKeyUsage> = self.extension()?;
        let extensions = self.parsed.tbs_certificate().extensions().into_iter().flatten();
        let critical =
            extensions.into_iter().any(|it| it.extn_id == EXTENDED_KEY_USAGE && it.critical);
        let only = purposes.is_some_and(|it| it.0 == [purpose]);
        if only && (critical || !must) && self.signs_data()? {
            Ok(())
        } else {
            Err(self.fault("certificate.usage"))
        }
    }

    fn signs_data(&self) -> Checked<bool> {
        let usage: Option<KeyUsage> = self.extension()?;
        Ok(usage.is_none_or(|it| it.digital_signature() || it.non_repudiation()))
    }

    fn extension<'a, T: Decode<'a> + der::oid::AssociatedOid>(&'a self) -> Checked<Option<T>> {
        let found = self.parsed.tbs_certificate().get_extension::<T>();
        found.map(|it| it.map(|(_, it)| it)).map_err(|_| self.fault("certificate.syntax"))
    }

    pub(super) fn fault(&self, code: &'static str) -> Fault {
        Fault::new(code).with("subject", self.subject_name())
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
