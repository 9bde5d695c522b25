//! The conversation up to a letter: greeting, TLS, account, sender, recipient (RFC 5321, 3).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::Address;
use tokio::time::timeout;
use uuid::Uuid;

use super::wire::{Cut, Reply, Wire};
use super::{Limits, SmtpError, SmtpOptions, TlsMode};
use crate::deliver::tls::Tls;
use crate::deliver::transport::Attempt;

/// A connection past the greeting, and what the server can do.
pub(super) struct Talk {
    wire: Wire,
    extensions: Extensions,
}

/// Who writes to whom.
pub(super) struct Envelope {
    pub(super) from: Address,
    pub(super) recipient: Address,
    /// The delivery, named in whatever the server reports later.
    pub(super) id: Uuid,
    pub(super) length: usize,
    /// Whether the letter is all ASCII.
    pub(super) ascii: bool,
    /// Whether somebody reads notices of success.
    pub(super) notify_success: bool,
}

/// What a server offers in its answer to EHLO.
#[derive(Debug, Default)]
struct Extensions {
    starttls: bool,
    /// The largest letter in bytes (RFC 1870).
    size: Option<usize>,
    /// Delivery status notifications (RFC 3461).
    dsn: bool,
    /// RFC 6152.
    eight_bit: bool,
    /// RFC 6531.
    utf8: bool,
    /// The ways to log in.
    auth: Vec<String>,
}

impl Talk {
    /// Connects, makes the line private, logs in.
    pub(super) async fn open(options: &SmtpOptions, tls: Option<&Tls>) -> Result<Self, SmtpError> {
        let limits = &options.limits;
        let connect = Duration::from_secs(limits.connect);
        let stream = timeout(connect, Wire::connect(&options.host, options.port)).await;
        let stream = stream.map_err(|_| SmtpError::Silent)?.map_err(SmtpError::Connect)?;
        let command = Duration::from_secs(limits.command);
        let hello = format!("EHLO {}", options.hello);
        let mut wire = match (options.tls, tls) {
            (TlsMode::Implicit, Some(tls)) => {
                let wire = timeout(connect, Wire::secure(stream, tls)).await;
                let mut wire = wire.map_err(|_| SmtpError::Silent)??;
                greeting(&wire.reply(command).await?)?;
                wire
            }
            (TlsMode::Starttls, Some(tls)) => {
                let mut plain = Wire::plain(stream);
                greeting(&plain.reply(command).await?)?;
                let offered = Extensions::read(&plain.command(&hello, command).await?)?;
                if !offered.starttls {
                    return Err(SmtpError::NoStarttls);
                }
                let reply = plain.command("STARTTLS", command).await?;
                if !reply.is(2) {
                    return Err(SmtpError::NoStarttls);
                }
                timeout(connect, plain.upgrade(tls)).await.map_err(|_| SmtpError::Silent)??
            }
            _ => {
                let mut plain = Wire::plain(stream);
                greeting(&plain.reply(command).await?)?;
                plain.stay()
            }
        };
        let extensions = Extensions::read(&wire.command(&hello, command).await?)?;
        let mut talk = Self { wire, extensions };
        if let (Some(user), Some(password)) = (&options.username, &options.password) {
            talk.log_in(user, password.expose(), command).await?;
        }
        Ok(talk)
    }

    /// Names sender and recipient; the refusal if the server refuses one of them.
    pub(super) async fn envelope(
        &mut self,
        envelope: &Envelope,
        limits: &Limits,
    ) -> Result<Option<Attempt>, SmtpError> {
        let offered = &self.extensions;
        let never = |reply: String| -> Result<Option<Attempt>, SmtpError> {
            Ok(Some(Attempt::Refused { permanent: true, reply }))
        };
        if let Some(most) = offered.size.filter(|most| envelope.length > *most) {
            return never(format!(
                "the letter has {} bytes, the mail server takes {most}: send a link in place of the file",
                envelope.length
            ));
        }
        let beyond_ascii = !envelope.ascii
            || !envelope.recipient.to_string().is_ascii()
            || !envelope.from.to_string().is_ascii();
        if beyond_ascii && !offered.utf8 {
            return never("the mail server takes no address outside ASCII (SMTPUTF8)".to_owned());
        }
        let mut mail = format!("MAIL FROM:<{}>", envelope.from);
        let mut rcpt = format!("RCPT TO:<{}>", envelope.recipient);
        if offered.size.is_some() {
            mail += &format!(" SIZE={}", envelope.length);
        }
        if beyond_ascii {
            mail += if offered.eight_bit { " BODY=8BITMIME SMTPUTF8" } else { " SMTPUTF8" };
        }
        if offered.dsn {
            mail += &format!(" RET=HDRS ENVID={}", envelope.id);
            rcpt += match envelope.notify_success {
                true => " NOTIFY=SUCCESS,FAILURE,DELAY",
                false => " NOTIFY=FAILURE,DELAY",
            };
        }
        let limit = Duration::from_secs(limits.command);
        for line in [mail, rcpt] {
            let reply = self.wire.command(&line, limit).await?;
            if reply.code == 421 {
                return Err(SmtpError::Refused(reply.to_string()));
            }
            if !reply.is(2) {
                return refusal(&reply, line.starts_with("MAIL"));
            }
        }
        Ok(None)
    }

    /// Sends the letter, its dots doubled already.
    pub(super) async fn data(&mut self, letter: [&[u8]; 2], limits: &Limits) -> Result<Reply, Cut> {
        let seconds = Duration::from_secs;
        let reply = self.wire.command("DATA", seconds(limits.command)).await;
        let reply = reply.map_err(Cut::BeforeEnd)?;
        match reply.code {
            354 => self.wire.letter(letter, seconds(limits.block), seconds(limits.end)).await,
            421 => Err(Cut::BeforeEnd(SmtpError::Refused(reply.to_string()))),
            400..600 => Ok(reply),
            _ => Err(Cut::BeforeEnd(SmtpError::Garbage)),
        }
    }

    /// Forgets sender and recipient; whether the connection can go on.
    pub(super) async fn reset(&mut self, limits: &Limits) -> bool {
        let reply = self.wire.command("RSET", Duration::from_secs(limits.command)).await;
        reply.is_ok_and(|it| it.is(2))
    }

    /// Says goodbye; nobody minds whether it is heard.
    pub(super) async fn quit(&mut self) {
        let _ = self.wire.command("QUIT", Duration::from_secs(2)).await;
    }

    /// PLAIN (RFC 4616) where offered, else LOGIN.
    async fn log_in(
        &mut self,
        user: &str,
        password: &[u8],
        limit: Duration,
    ) -> Result<(), SmtpError> {
        let offers = |name: &str| self.extensions.auth.iter().any(|it| it == name);
        let reply = if offers("PLAIN") {
            let mut secret = format!("\0{user}\0").into_bytes();
            secret.extend_from_slice(password);
            self.wire.command(&format!("AUTH PLAIN {}", STANDARD.encode(secret)), limit).await?
        } else if offers("LOGIN") {
            let mut reply = self.wire.command("AUTH LOGIN", limit).await?;
            for answer in [user.as_bytes(), password] {
                if reply.code == 334 {
                    reply = self.wire.command(&STANDARD.encode(answer), limit).await?;
                }
            }
            reply
        } else {
            return Err(SmtpError::Account("it offers neither AUTH PLAIN nor AUTH LOGIN".into()));
        };
        match reply.code / 100 {
            2 => Ok(()),
            4 => Err(SmtpError::Refused(reply.to_string())),
            _ => Err(SmtpError::Account(reply.to_string())),
        }
    }
}

impl std::fmt::Debug for Talk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Talk({:?})", self.extensions)
    }
}

impl Extensions {
    fn read(reply: &Reply) -> Result<Self, SmtpError> {
        greeting(reply)?;
        let mut offered = Self::default();
        for line in reply.lines.iter().skip(1).map(|it| it.to_ascii_uppercase()) {
            let mut words = line.split([' ', '=']).filter(|it| !it.is_empty());
            match words.next() {
                Some("STARTTLS") => offered.starttls = true,
                Some("DSN") => offered.dsn = true,
                Some("8BITMIME") => offered.eight_bit = true,
                Some("SMTPUTF8") => offered.utf8 = true,
                // A size of 0 means that none is fixed (RFC 1870, 4).
                Some("SIZE") => {
                    let size = words.next().and_then(|it| it.parse().ok());
                    offered.size = Some(size.filter(|it| *it > 0).unwrap_or(usize::MAX));
                }
                Some("AUTH") => offered.auth.extend(words.map(str::to_owned)),
                _ => {}
            }
        }
        Ok(offered)
    }
}

/// A greeting or an answer to EHLO lets us in, or not now, or never.
fn greeting(reply: &Reply) -> Result<(), SmtpError> {
    match reply.code / 100 {
        2 => Ok(()),
        4 => Err(SmtpError::Refused(reply.to_string())),
        _ => Err(SmtpError::Barred(reply.to_string())),
    }
}

/// A refusal of sender or recipient. One that would meet every letter (no login, a sender that is
/// not ours) is the line's fault; one of size or of the recipient is this letter's.
fn refusal(reply: &Reply, of_sender: bool) -> Result<Option<Attempt>, SmtpError> {
    let text = reply.to_string();
    let account = matches!(reply.code, 530 | 534 | 535 | 538);
    let size = reply.code == 552 || reply.lines.iter().any(|it| it.starts_with("5.3.4"));
    if reply.is(5) && (account || of_sender && !size) {
        return Err(SmtpError::Barred(text));
    }
    if !reply.is(4) && !reply.is(5) {
        return Err(SmtpError::Garbage);
    }
    Ok(Some(Attempt::Refused { permanent: reply.is(5), reply: text }))
}
