//! From settings to what each step asks for: secrets are read here, and paths found.

use std::path::Path;
use std::sync::Arc;

use super::{Config, ConfigError, Level, Security, WebhookSection, secret, trial};
use crate::deliver::{
    DkimOptions, InboxOptions, Limits, Smtp, SmtpOptions, TlsMode, Transport, WorkerOptions,
};
use crate::seal::{
    self, Office, Pkcs11Key, Pkcs11Options, SealOptions, Sealer, Signer, SoftwareKey,
    TimestampOptions,
};
use crate::secret::Secret;
use crate::store::{BlobOptions, S3Options, StoreOptions};

impl Config {
    /// What the store asks for. In trial mode the operator's key makes itself.
    pub fn store_options(&self) -> Result<StoreOptions, ConfigError> {
        let data = self.data();
        let key = match &self.store.key_file {
            Some(file) => secret(file)?,
            None => trial::operator_key(&data)?,
        };
        let older =
            self.store.earlier_key_files.iter().map(|it| secret(it)).collect::<Result<_, _>>();
        Ok(StoreOptions {
            database: self.database()?,
            blobs: self.blobs()?,
            key,
            older_keys: older?,
        })
    }

    fn database(&self) -> Result<String, ConfigError> {
        let Some(database) = &self.store.database else {
            return Ok(self.data().join("ledger.db").display().to_string());
        };
        let Some(file) = &self.store.password_file else { return Ok(database.clone()) };
        let password = secret(file)?;
        let password = percent_encoded(password.expose());
        // `postgres://user@host/name`: the password goes behind the user.
        Ok(database.replacen('@', &format!(":{password}@"), 1))
    }

    fn blobs(&self) -> Result<BlobOptions, ConfigError> {
        let Some(s3) = &self.store.s3 else {
            let folder = self.store.blobs.clone();
            return Ok(BlobOptions::Folder(folder.unwrap_or_else(|| self.data().join("blobs"))));
        };
        Ok(BlobOptions::S3(S3Options {
            bucket: s3.bucket.clone(),
            endpoint: s3.endpoint.clone(),
            region: s3.region.clone().unwrap_or_else(|| "us-east-1".to_owned()),
            access_key: s3.access_key_id.clone(),
            secret_key: secret(&s3.secret_access_key_file)?,
            allow_http: s3.endpoint.starts_with("http://"),
        }))
    }

    /// The office's seal. In trial mode a test authority makes its key.
    pub fn sealer(&self) -> Result<Sealer, ConfigError> {
        let seal = &self.seal;
        let signer = self.signer()?;
        let authorities = seal.tsa_trust_files.iter().map(|it| text(it));
        let authorities = authorities.collect::<Result<Vec<_>, _>>()?.concat();
        let timestamp = seal.tsa_url.clone().map(|url| TimestampOptions::new(url, authorities));
        let level = match seal.level.unwrap_or(Level::BB) {
            Level::BB => seal::Level::BaselineB,
            Level::BT => seal::Level::BaselineT,
            Level::BLt => seal::Level::BaselineLT,
            Level::BLta => seal::Level::BaselineLTA,
        };
        let options = SealOptions { level, letters: seal.letters, timestamp };
        let office = Office::new(signer, &options);
        Ok(Sealer::On(office.map_err(|error| ConfigError::Seal(error.to_string()))?))
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, ConfigError> {
        let seal = &self.seal;
        let signer = if let Some(device) = &seal.pkcs11 {
            let options = Pkcs11Options {
                module: device.module.clone(),
                token: device.token.clone(),
                key: device.key.clone(),
            };
            let certificates = device.certificate_file.as_deref().map(text).transpose()?;
            let certificates = certificates.unwrap_or_default();
            Pkcs11Key::open(&options, &secret(&device.pin_file)?, certificates.as_bytes())
        } else if let Some(file) = &seal.key_file {
            let key = secret(file)?;
            let password = seal.password_file.as_deref().map(secret).transpose()?;
            match password {
                Some(password) => SoftwareKey::from_pkcs12(key.expose(), &password),
                None => SoftwareKey::from_pem(&key, key.expose()),
            }
        } else {
            trial::authority(&self.data())?.signer("OFII (cachet de test)")
        };
        signer.map_err(|error| ConfigError::Seal(error.to_string()))
    }

    /// The device of who signs for the State, and its certificates where it has none itself.
    pub fn authority(&self) -> Result<Option<(Pkcs11Options, Vec<u8>)>, ConfigError> {
        let device = self.seal.authority.as_ref().map(|it| {
            let options = Pkcs11Options {
                module: it.module.clone(),
                token: it.token.clone(),
                key: it.key.clone(),
            };
            let certificates = it.certificate_file.as_deref().map(text).transpose()?;
            Ok((options, certificates.unwrap_or_default().into_bytes()))
        });
        device.transpose()
    }

    /// A signer that the test authority of trial mode certifies; worth nothing.
    pub fn test_signer(&self, name: &str) -> Result<Arc<dyn Signer>, ConfigError> {
        let signer = trial::authority(&self.data())?.signer(name);
        signer.map_err(|error| ConfigError::Seal(error.to_string()))
    }

    /// The systems that are told what happens.
    pub fn webhooks(&self) -> Result<Vec<(WebhookSection, Secret)>, ConfigError> {
        let hooks = self.http.webhooks.iter();
        hooks.map(|it| Ok((it.clone(), secret(&it.secret_file)?))).collect()
    }

    /// The way out for mails.
    pub fn transport(&self) -> Result<Transport, ConfigError> {
        let mail = &self.mail;
        let Some(smtp) = mail.smtp.as_ref().filter(|_| !self.is_trial()) else {
            let folder = mail.folder.clone().unwrap_or_else(|| self.data().join("mail"));
            return Ok(Transport::Folder(folder));
        };
        let tls = match smtp.security {
            Security::Tls => TlsMode::Implicit,
            Security::Starttls => TlsMode::Starttls,
            Security::None => TlsMode::None,
        };
        let usual = match tls {
            TlsMode::Implicit => 465,
            TlsMode::Starttls => 587,
            TlsMode::None => 25,
        };
        let dkim = mail.dkim.as_ref().map(|it| {
            Ok(DkimOptions {
                domain: it.domain.clone(),
                selector: it.selector.clone(),
                key: Some(secret(&it.key_file)?),
            })
        });
        let limits = smtp.timeout_seconds.map_or_else(Limits::default, |seconds| {
            let seconds = u64::from(seconds);
            Limits { connect: seconds, command: seconds, block: seconds, end: 10 * seconds }
        });
        let options = SmtpOptions {
            host: smtp.host.clone(),
            port: smtp.port.unwrap_or(usual),
            tls,
            roots: smtp.ca_file.as_deref().map(text).transpose()?,
            username: smtp.user.clone(),
            password: smtp.password_file.as_deref().map(secret).transpose()?,
            hello: smtp.hello.clone().unwrap_or_else(|| "[127.0.0.1]".to_owned()),
            return_path: smtp.return_path.clone(),
            connections: smtp.connections.unwrap_or(4) as usize,
            limits,
            dkim: dkim.transpose()?,
        };
        let smtp = Smtp::new(options).map_err(|error| ConfigError::Mail(error.to_string()))?;
        Ok(Transport::Smtp(Box::new(smtp)))
    }

    /// How workers go about it.
    pub fn worker_options(&self) -> WorkerOptions {
        let usual = WorkerOptions::default();
        let mail = &self.mail;
        WorkerOptions {
            first_retry: mail.first_retry_seconds.map_or(usual.first_retry, u64::from),
            longest_retry: mail.longest_retry_seconds.map_or(usual.longest_retry, u64::from),
            most_tries: mail.most_tries.unwrap_or(usual.most_tries),
            sweep: mail.sweep_seconds.map_or(usual.sweep, u64::from),
            lease: mail.lease_seconds.map_or(usual.lease, u64::from),
            ..usual
        }
    }

    /// The mailbox that failures are returned to.
    pub fn inbox(&self) -> Result<Option<InboxOptions>, ConfigError> {
        let inbox = self.mail.imap.as_ref().map(|it| {
            Ok(InboxOptions {
                host: it.host.clone(),
                port: it.port.unwrap_or(993),
                roots: it.ca_file.as_deref().map(text).transpose()?,
                username: it.user.clone(),
                password: Some(secret(&it.password_file)?),
                folder: it.folder.clone().unwrap_or_else(|| "INBOX".to_owned()),
            })
        });
        inbox.transpose()
    }

    /// The certificates whose signatures are known here, in PEM: those of the settings, and in trial
    /// mode the test authority's.
    pub fn trusted(&self) -> Result<Vec<Vec<u8>>, ConfigError> {
        let mut known = Vec::new();
        for file in self.seal.trust_files.iter().chain(&self.seal.tsa_trust_files) {
            known.push(text(file)?.into_bytes());
        }
        if !self.seal.has_key() {
            known.push(trial::root(&self.data())?);
        }
        Ok(known)
    }
}

/// A text file that is no secret.
fn text(path: &str) -> Result<String, ConfigError> {
    let file = |source| ConfigError::File { path: path.to_owned(), source };
    std::fs::read_to_string(Path::new(path)).map_err(file)
}

/// What stands in a URL (RFC 3986, 2.1).
fn percent_encoded(bytes: &[u8]) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: &u8| match keep(*byte) {
        true => char::from(*byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    bytes.iter().map(encode).collect()
}
