//! The sections of the settings, as the file has them.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::Kind;

/// Languages.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Languages {
    /// Tags of draft languages that the operator answers for. In production any other draft is
    /// refused; what is accepted says on its pages that the translation awaits review.
    pub accepted_drafts: Vec<String>,
}

/// What is kept, and where.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StoreSection {
    /// `postgres://user@host/name`, or the path of an SQLite file [default: `ledger.db` in `data`].
    pub database: Option<String>,
    /// The file of the database's password.
    pub password_file: Option<String>,
    /// The folder of issued files [default: `blobs` in `data`].
    pub blobs: Option<PathBuf>,
    /// An S3-compatible store instead of the folder.
    pub s3: Option<S3>,
    /// The file of the operator's key, which wraps the keys of all dossiers.
    pub key_file: Option<String>,
    /// Files of operator's keys used before, still needed to read.
    pub earlier_key_files: Vec<String>,
}

/// An S3-compatible store.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct S3 {
    /// Its address, such as `https://s3.example.org`.
    pub endpoint: String,
    /// The bucket, which must exist.
    pub bucket: String,
    /// The region, where the store asks for one.
    pub region: Option<String>,
    /// The id of the access key.
    pub access_key_id: String,
    /// The file of the access key.
    pub secret_access_key_file: String,
}

/// Seal and signatures.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SealSection {
    /// The office's key: PKCS#12, or PEM with the certificate and its chain.
    pub key_file: Option<String>,
    /// The file of the PKCS#12 password.
    pub password_file: Option<String>,
    /// The key stands in a device instead.
    pub pkcs11: Option<Pkcs11>,
    /// `b-b`, `b-t`, `b-lt` or `b-lta` [default: `b-b`].
    pub level: Option<Level>,
    /// The address of the timestamp authority (RFC 3161), for levels above `b-b`.
    pub tsa_url: Option<String>,
    /// Files of the certificates that the timestamp authority's must lead to (PEM).
    pub tsa_trust_files: Vec<String>,
    /// Whether letters are sealed too.
    pub letters: bool,
    /// Files of certificates whose signatures are known here (PEM), beside the office's own root.
    pub trust_files: Vec<String>,
    /// The key of who signs for the State stands in a device here; its PIN is typed at the desk.
    pub authority: Option<AuthoritySection>,
}

/// A key in a device.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Pkcs11 {
    /// The module's library.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The key's label.
    pub key: String,
    /// The file of the PIN.
    pub pin_file: String,
    /// The certificate and its chain (PEM), where the token has none.
    pub certificate_file: Option<String>,
}

/// The key of who signs for the State, in a device; its PIN is in no setting.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct AuthoritySection {
    /// The module's library.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The key's label.
    pub key: String,
    /// The certificate and its chain (PEM), where the token has none.
    pub certificate_file: Option<String>,
}

/// How far a signature proves itself (ETSI EN 319 142-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The signature alone.
    BB,
    /// With a trusted time.
    BT,
    /// With what it takes to validate it later.
    BLt,
    /// With an archive timestamp over all of it.
    BLta,
}

/// Mail.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MailSection {
    /// The folder that mails are written into, where there is no server [default: `mail` in `data`].
    pub folder: Option<PathBuf>,
    /// The server that takes mails.
    pub smtp: Option<SmtpSection>,
    /// The signature of the sending domain (RFC 6376).
    pub dkim: Option<DkimSection>,
    /// The mailbox that failures are returned to.
    pub imap: Option<ImapSection>,
    /// Mails that bring a link in place of the file.
    pub link: Option<LinkSection>,
    /// The domain of Message-IDs and calendar entries [default: that of the office's mailbox].
    pub domain: Option<String>,
    /// The most mails a minute, over all workers.
    pub per_minute: Option<u32>,
    /// After how long a letter that was put off is tried again first [default: 300].
    #[schemars(range(min = 1, max = 86400))]
    pub first_retry_seconds: Option<u32>,
    /// The longest that a letter waits between two tries; each wait is twice the one before [default: 14400].
    #[schemars(range(min = 1, max = 86400))]
    pub longest_retry_seconds: Option<u32>,
    /// How often a letter may be put off before it counts as refused [default: 30].
    #[schemars(range(min = 1, max = 1000))]
    pub most_tries: Option<u32>,
    /// How often workers take back what lost workers have left [default: 20].
    #[schemars(range(min = 1, max = 3600))]
    pub sweep_seconds: Option<u32>,
    /// How long a letter stays with a worker that gives no more sign of life [default: 180].
    #[schemars(range(min = 2, max = 3600))]
    pub lease_seconds: Option<u32>,
}

/// Mails that bring a link in place of the file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct LinkSection {
    /// The address of the public page that opens it; its code is appended.
    pub address: String,
    /// The kinds of documents: `cai`, `caif`, `convocation`.
    pub kinds: Vec<LinkedKind>,
    /// How many days it opens [default: 30].
    #[schemars(range(min = 1, max = 365))]
    pub days: Option<u32>,
}

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LinkedKind {
    /// An individual contract.
    Cai,
    /// A family contract.
    Caif,
    /// A letter.
    Convocation,
}

impl LinkedKind {
    /// Its name in data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cai => "cai",
            Self::Caif => "caif",
            Self::Convocation => "convocation",
        }
    }
}

impl LinkSection {
    /// How many days a link opens.
    pub fn days(&self) -> u32 {
        self.days.unwrap_or(30)
    }
}

/// A server that takes mails.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct SmtpSection {
    /// Its name, as its certificate has it.
    pub host: String,
    /// Its port [default: 465, or 587 with `starttls`, or 25 with `none`].
    pub port: Option<u16>,
    /// `tls` [default], `starttls`, or `none` for a server on this machine.
    #[serde(default)]
    pub security: Security,
    /// The user, where it asks for one.
    pub user: Option<String>,
    /// The file of the user's password.
    pub password_file: Option<String>,
    /// The file of a certificate authority to trust in place of the system's (PEM).
    pub ca_file: Option<String>,
    /// The name by which we present ourselves.
    pub hello: Option<String>,
    /// Where failures are returned to [default: the office's own mailbox].
    pub return_path: Option<String>,
    /// How many connections at the most [default: 4].
    #[schemars(range(min = 1, max = 64))]
    pub connections: Option<u32>,
    /// How long each phase may take [default: 60].
    #[schemars(range(min = 1, max = 600))]
    pub timeout_seconds: Option<u32>,
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// From the first byte.
    #[default]
    Tls,
    /// After a greeting in the clear; nothing is sent without it.
    Starttls,
    /// Not at all: for a server on this machine.
    None,
}

/// The signature of the sending domain.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct DkimSection {
    /// The domain.
    pub domain: String,
    /// The selector.
    pub selector: String,
    /// The file of the RSA key (PKCS#8 PEM).
    pub key_file: String,
}

/// The mailbox that failures are returned to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct ImapSection {
    /// The server.
    pub host: String,
    /// Its port [default: 993].
    pub port: Option<u16>,
    /// The user.
    pub user: String,
    /// The file of the password.
    pub password_file: String,
    /// The file of the certificates to trust in place of the system's (PEM).
    pub ca_file: Option<String>,
    /// Its folder [default: INBOX].
    pub folder: Option<String>,
}

/// The service.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HttpSection {
    /// Where the API and the desk listen [default: 127.0.0.1:8080].
    #[schemars(with = "Option<String>")]
    pub listen: Option<SocketAddr>,
    /// Where the public pages listen [default: 127.0.0.1:8081].
    #[schemars(with = "Option<String>")]
    pub public_listen: Option<SocketAddr>,
    /// Where the metrics are read [default: 127.0.0.1:9464].
    #[schemars(with = "Option<String>")]
    pub metrics_listen: Option<SocketAddr>,
    /// The address agents see, such as `https://paraphe.example.org`.
    pub address: Option<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// The provider that agents log in at (OpenID Connect).
    pub oidc: Option<OidcSection>,
    /// Systems that are told what happens.
    pub webhooks: Vec<WebhookSection>,
}

/// A system that is told what happens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct WebhookSection {
    /// A name: how far it has come is kept under it.
    pub name: String,
    /// Where events are posted.
    pub url: String,
    /// The file of the secret that signs them.
    pub secret_file: String,
}

/// A provider of OpenID Connect.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct OidcSection {
    /// Its issuer.
    pub issuer: String,
    /// Our id there.
    pub client_id: String,
    /// The file of our secret there.
    pub client_secret_file: String,
    /// The claim that holds the agent's role: `agent`, `supervisor`, `auditor`.
    pub role_claim: String,
    /// The claim that holds the agent's offices.
    pub offices_claim: String,
}

/// What the law on personal data asks the operator to say.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Privacy {
    /// Who answers about personal data: an address or a mailbox.
    pub contact: Option<String>,
    /// How long a file is kept after the contract's end.
    #[schemars(range(min = 1, max = 600))]
    pub retention_months: Option<u32>,
    /// Other times for some kinds of document. A dossier is kept until the last of its documents is over.
    pub kinds: KindMonths,
}

/// Months that documents of a kind are kept, where it is another time than of all others.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct KindMonths {
    /// Contracts of one person, after the contract's end.
    #[schemars(range(min = 1, max = 600))]
    pub cai: Option<u32>,
    /// Contracts of families, after the contract's end.
    #[schemars(range(min = 1, max = 600))]
    pub caif: Option<u32>,
    /// Letters, after their last session.
    #[schemars(range(min = 1, max = 600))]
    pub convocation: Option<u32>,
}

impl Privacy {
    /// How many months documents of a kind are kept; none: for ever.
    pub fn months(&self, kind: Kind) -> Option<u32> {
        let own = match kind {
            Kind::Cai => self.kinds.cai,
            Kind::Caif => self.kinds.caif,
            Kind::Convocation => self.kinds.convocation,
        };
        own.or(self.retention_months)
    }
}

impl HttpSection {
    /// Where the API and the desk listen.
    pub fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)))
    }
}

impl SealSection {
    /// Whether there is a key, in a file or a device.
    pub fn has_key(&self) -> bool {
        self.key_file.is_some() || self.pkcs11.is_some()
    }
}
