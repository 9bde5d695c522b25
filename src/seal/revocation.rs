//! Proof that no certificate of a chain was revoked: answers (OCSP) where the issuer gives them, else
//! its lists (CRL; RFC 5280, 5).
//!
//! Chains in, what proves them out, each proof checked: signed by the issuer, fresh, and clean. The
//! network is asked here and in `timestamp`.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use der::Decode;
use der::asn1::ObjectIdentifier;
use x509_cert::crl::CertificateList;
use x509_cert::ext::pkix::{BasicConstraints, IssuingDistributionPoint};

use super::certificate::{Certificate, Signed, moment, oid};
use super::fetch::{Fetch, FetchError};
use super::ocsp;
use crate::class::Class;

const ISSUING_POINT: ObjectIdentifier = oid("2.5.29.28");

/// The most bytes of a list: those of large authorities have some megabytes.
const MOST_LIST: u64 = 32 << 20;
const MOST_ANSWER: u64 = 128 * 1024;

/// How far the clock of an authority may be ahead of ours.
const CLOCK: TimeDelta = TimeDelta::minutes(5);

/// Why a chain cannot be proven good. The file stays at the level it had.
#[derive(Debug, thiserror::Error)]
pub enum RevocationError {
    /// A server that does not answer.
    #[error(
        "the proof that a certificate is not revoked cannot be had: {0}; extend the file later"
    )]
    Unreachable(#[from] FetchError),
    /// Somebody has revoked it.
    #[error("a certificate has been revoked: sign with another one")]
    Revoked,
    /// A certificate that says nowhere where to ask.
    #[error("a certificate by « {issuer} » does not say where its revocation is published")]
    NoSource {
        /// Its issuer.
        issuer: String,
    },
    /// A chain that ends before its root.
    #[error("the certificate of the issuer « {issuer} » is missing")]
    NoIssuer {
        /// The issuer not found.
        issuer: String,
    },
    /// A proof that is none.
    #[error("a proof that a certificate is not revoked is worth nothing: {0}")]
    Untrue(&'static str),
    /// Neither a list nor an answer.
    #[error("a proof that a certificate is not revoked is malformed")]
    Malformed(#[from] der::Error),
}

impl RevocationError {
    /// Whose turn it is: a server may be back later, a stale list renewed.
    pub fn class(&self) -> Class {
        match self {
            Self::Unreachable(_) | Self::Untrue(_) | Self::Malformed(_) => Class::Later,
            Self::Revoked | Self::NoSource { .. } | Self::NoIssuer { .. } => Class::Caller,
        }
    }
}

/// What proves chains: every certificate, lists and answers, each once and in DER.
#[derive(Default)]
pub(super) struct Proofs {
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) lists: Vec<Vec<u8>>,
    pub(super) answers: Vec<Vec<u8>>,
}

/// From when until when a proof is good.
pub(super) struct Freshness {
    pub(super) from: DateTime<Utc>,
    pub(super) until: Option<DateTime<Utc>>,
}

impl Freshness {
    pub(super) fn check(&self, at: DateTime<Utc>) -> Result<(), RevocationError> {
        if self.from > at + CLOCK || self.until.is_some_and(|it| it < at) {
            return Err(RevocationError::Untrue("it is not of this time"));
        }
        Ok(())
    }
}

/// Gathers the proofs of chains, each up to its root.
pub(super) fn gather(
    chains: &[Vec<Certificate>],
    fetch: &Fetch,
    at: DateTime<Utc>,
) -> Result<Proofs, RevocationError> {
    let mut proofs = Proofs::default();
    let mut lists = BTreeMap::new();
    let mut known: Vec<&Certificate> = Vec::new();
    for chain in chains {
        if let Some(last) = chain.last().filter(|it| !it.is_self_issued()) {
            return Err(RevocationError::NoIssuer { issuer: last.issuer() });
        }
        for (index, certificate) in chain.iter().enumerate() {
            if known.contains(&certificate) {
                continue;
            }
            known.push(certificate);
            proofs.certificates.push(certificate.der().to_vec());
            if let Some(issuer) = chain.get(index + 1) {
                let mut case = Case { certificate, issuer, fetch, at };
                match case.ask() {
                    Ok(answer) => proofs.answers.push(answer),
                    Err(RevocationError::Revoked) => return Err(RevocationError::Revoked),
                    Err(error) => case.look_up(error, &mut lists)?,
                }
            }
        }
    }
    proofs.lists = lists.into_values().collect();
    Ok(proofs)
}

/// One certificate whose status is wanted.
struct Case<'a> {
    certificate: &'a Certificate,
    issuer: &'a Certificate,
    fetch: &'a Fetch,
    at: DateTime<Utc>,
}

impl Case<'_> {
    /// The first good answer of a responder.
    fn ask(&mut self) -> Result<Vec<u8>, RevocationError> {
        let mut last = RevocationError::NoSource { issuer: self.certificate.issuer() };
        for url in self.certificate.ocsp_urls() {
            let request = ocsp::request(self.certificate, self.issuer)?;
            let answer = self.fetch.post(&url, "application/ocsp-request", &request, MOST_ANSWER);
            let checked = answer.map_err(RevocationError::from).and_then(|it| {
                ocsp::check(&it, self.certificate, self.issuer, self.at)?;
                Ok(it)
            });
            match checked {
                Ok(answer) => return Ok(answer),
                Err(RevocationError::Revoked) => return Err(RevocationError::Revoked),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Finds a list that the certificate is not on, and keeps it by its address.
    fn look_up(
        &mut self,
        mut last: RevocationError,
        lists: &mut BTreeMap<String, Vec<u8>>,
    ) -> Result<(), RevocationError> {
        for url in self.certificate.crl_urls() {
            let list = match lists.get(&url) {
                Some(list) => Ok(list.clone()),
                None => self.fetch.get(&url, MOST_LIST),
            };
            let checked = list.map_err(RevocationError::from).and_then(|it| {
                self.is_absent(&it)?;
                Ok(it)
            });
            match checked {
                Ok(list) => {
                    lists.insert(url, list);
                    return Ok(());
                }
                Err(RevocationError::Revoked) => return Err(RevocationError::Revoked),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Refuses a list that does not show that the certificate is good.
    fn is_absent(&self, list: &[u8]) -> Result<(), RevocationError> {
        if !self.issuer.signed(&Signed::from_der(list)?) {
            return Err(RevocationError::Untrue("the list is not the issuer's"));
        }
        let body =
            CertificateList::<x509_cert::certificate::Rfc5280>::from_der(list)?.tbs_cert_list;
        if &body.issuer != self.certificate.issuer_name() {
            return Err(RevocationError::Untrue("the list is another issuer's"));
        }
        let until = body.next_update.as_ref().map(moment);
        Freshness { from: moment(&body.this_update), until }.check(self.at)?;
        for extension in body.crl_extensions.iter().flatten().filter(|it| it.critical) {
            let point = (extension.extn_id == ISSUING_POINT)
                .then(|| IssuingDistributionPoint::from_der(extension.extn_value.as_bytes()));
            if !point.transpose()?.is_some_and(|it| self.is_covered(&it)) {
                return Err(RevocationError::Untrue("the list is not about this certificate"));
            }
        }
        let revoked = body.revoked_certificates.unwrap_or_default();
        if revoked.iter().any(|it| &it.serial_number == self.certificate.serial()) {
            return Err(RevocationError::Revoked);
        }
        Ok(())
    }

    /// Whether a list that says whom it is about is about this certificate, and for every reason.
    fn is_covered(&self, point: &IssuingDistributionPoint) -> bool {
        let is_authority = self.certificate.extension::<BasicConstraints>().is_some_and(|it| it.ca);
        let about_others = match is_authority {
            true => point.only_contains_user_certs,
            false => point.only_contains_ca_certs,
        };
        let in_part = point.indirect_crl || point.only_some_reasons.is_some();
        !(about_others || in_part || point.only_contains_attribute_certs)
    }
}
