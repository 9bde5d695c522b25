//! Asking whether one certificate was revoked: OCSP (RFC 6960).
//!
//! A certificate and its issuer in, a request out; a response in, its bytes out once it has been
//! found to be the issuer's, about this certificate, fresh and good. The types are ours: the crate
//! for them is of an older DER.

use chrono::{DateTime, Utc};
use der::asn1::{BitString, GeneralizedTime, ObjectIdentifier, OctetString};
use der::{Any, Decode, Encode, Enumerated, Sequence, TagNumber, Tagged};
use x509_cert::ext::Extensions;
use x509_cert::ext::pkix::ExtendedKeyUsage;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_cert::time::Time;

use super::certificate::{Certificate, SHA1, Signed, moment, oid};
use super::cms::hash;
use super::revocation::{Freshness, RevocationError};

const BASIC: ObjectIdentifier = oid("1.3.6.1.5.5.7.48.1.1");
const NEVER_CHECKED: ObjectIdentifier = oid("1.3.6.1.5.5.7.48.1.5");
const FOR_ANSWERS: ObjectIdentifier = oid("1.3.6.1.5.5.7.3.9");

#[derive(Sequence)]
struct Request {
    body: RequestBody,
}

#[derive(Sequence)]
struct RequestBody {
    list: Vec<SingleRequest>,
}

#[derive(Sequence)]
struct SingleRequest {
    certificate: CertificateId,
}

/// Which certificate. SHA-1 names it and protects nothing; it is what every responder knows
/// (RFC 5019, 2.1.1).
#[derive(Sequence, PartialEq, Eq)]
struct CertificateId {
    algorithm: AlgorithmIdentifierOwned,
    issuer_name: OctetString,
    issuer_key: OctetString,
    serial: SerialNumber,
}

#[derive(Sequence)]
struct Response {
    status: ResponseStatus,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    bytes: Option<ResponseBytes>,
}

#[derive(Clone, Copy, PartialEq, Eq, Enumerated)]
#[repr(u8)]
enum ResponseStatus {
    Successful = 0,
    MalformedRequest = 1,
    InternalError = 2,
    TryLater = 3,
    SignatureRequired = 5,
    Unauthorized = 6,
}

#[derive(Sequence)]
struct ResponseBytes {
    kind: ObjectIdentifier,
    value: OctetString,
}

#[derive(Sequence)]
struct Basic {
    body: Any,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    certificates: Option<Vec<Any>>,
}

#[derive(Sequence)]
struct Answers {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    version: Option<u8>,
    responder: Any,
    produced_at: GeneralizedTime,
    list: Vec<Answer>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Extensions>,
}

#[derive(Sequence)]
struct Answer {
    certificate: CertificateId,
    /// `[0]` good, `[1]` revoked, `[2]` unknown.
    status: Any,
    this_update: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    next_update: Option<GeneralizedTime>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Extensions>,
}

/// The request about one certificate, in DER.
pub(super) fn request(of: &Certificate, issuer: &Certificate) -> Result<Vec<u8>, RevocationError> {
    let list = vec![SingleRequest { certificate: CertificateId::of(of, issuer)? }];
    Ok(Request { body: RequestBody { list } }.to_der()?)
}

/// Refuses a response that does not say, by the issuer's word, that the certificate is good at `at`.
pub(super) fn check(
    response: &[u8],
    of: &Certificate,
    issuer: &Certificate,
    at: DateTime<Utc>,
) -> Result<(), RevocationError> {
    let response = Response::from_der(response)?;
    let bytes = response.bytes.filter(|_| response.status == ResponseStatus::Successful);
    let Some(ResponseBytes { kind: BASIC, value }) = bytes else {
        return Err(RevocationError::Untrue("the responder has no answer"));
    };
    let basic = Basic::from_der(value.as_bytes())?;
    let own = basic.certificates.unwrap_or_default();
    let own = own.iter().map(|it| Certificate::from_der(&it.to_der()?));
    let mut responders = own.collect::<Result<Vec<_>, _>>()?;
    responders.retain(|it| issuer.issued(it) && is_responder(it));
    responders.push(issuer.clone());
    let signed =
        Signed { body: basic.body, algorithm: basic.algorithm, signature: basic.signature };
    if !responders.iter().any(|it| it.signed(&signed)) {
        return Err(RevocationError::Untrue("the responder is not the issuer's"));
    }
    let answers: Answers = signed.body.decode_as()?;
    let wanted = CertificateId::of(of, issuer)?;
    let Some(answer) = answers.list.iter().find(|it| it.certificate.is(&wanted)) else {
        return Err(RevocationError::Untrue("the responder answers about another certificate"));
    };
    let time = |it: &GeneralizedTime| moment(&Time::GeneralTime(*it));
    let until = answer.next_update.as_ref().map(time);
    Freshness { from: time(&answer.this_update), until }.check(at)?;
    match answer.status.tag().number() {
        TagNumber(0) => Ok(()),
        TagNumber(1) => Err(RevocationError::Revoked),
        _ => Err(RevocationError::Untrue("the responder does not know the certificate")),
    }
}

/// Whether a certificate is one for answers, whose own status nobody needs to ask (4.2.2.2).
fn is_responder(certificate: &Certificate) -> bool {
    let usage = certificate.extension::<ExtendedKeyUsage>();
    let extensions = certificate.x509().tbs_certificate().extensions();
    usage.is_some_and(|it| it.0.contains(&FOR_ANSWERS))
        && extensions.is_some_and(|all| all.iter().any(|it| it.extn_id == NEVER_CHECKED))
}

impl CertificateId {
    fn of(certificate: &Certificate, issuer: &Certificate) -> Result<Self, der::Error> {
        let name = issuer.subject_name().to_der()?;
        let key = issuer.key().subject_public_key.raw_bytes();
        let hashed = |bytes: &[u8]| OctetString::new(hash(&SHA1, &[bytes]).unwrap_or_default());
        Ok(Self {
            algorithm: AlgorithmIdentifierOwned { oid: SHA1, parameters: Some(Any::null()) },
            issuer_name: hashed(&name)?,
            issuer_key: hashed(key)?,
            serial: certificate.serial().clone(),
        })
    }

    /// The same certificate; whether the hash's parameters are null or absent says nothing.
    fn is(&self, other: &Self) -> bool {
        self.algorithm.oid == other.algorithm.oid
            && self.issuer_name == other.issuer_name
            && self.issuer_key == other.issuer_key
            && self.serial == other.serial
    }
}
