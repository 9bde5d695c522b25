//! One connection to a mail server: commands out, replies in, each with a time limit.
//!
//! Knows lines and codes (RFC 5321, 4.2), not their meaning. Whatever goes wrong here breaks the
//! connection; nothing is retried.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use memchr::memmem;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;

use super::SmtpError;
use crate::deliver::tls::Tls;

/// The longest line and the most lines of a reply that are read.
const LIMITS: (u64, usize) = (2048, 128);

/// How much the system may hold back for us: with more, a letter would seem written long before a
/// server has seen it, and every cut would leave a doubt.
const SEND_BUFFER: u32 = 16 * 1024;

/// How much of a letter is written at a time.
const CHUNK: usize = 16 * 1024;

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// An open connection.
pub(super) struct Wire {
    stream: BufReader<Box<dyn Stream>>,
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    /// Its lines without codes.
    pub(super) lines: Vec<String>,
}

/// How far a letter got when the line broke.
#[derive(Debug)]
pub(super) enum Cut {
    /// Its end was never written: the server cannot have it.
    BeforeEnd(SmtpError),
    /// Its end was written, or perhaps.
    AfterEnd(SmtpError),
}

impl Wire {
    /// Connects to the first address of the host that answers.
    pub(super) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in lookup_host((host, port)).await? {
            let socket = match address.is_ipv4() {
                true => TcpSocket::new_v4()?,
                false => TcpSocket::new_v6()?,
            };
            socket.set_send_buffer_size(SEND_BUFFER)?;
            socket.set_nodelay(true)?;
            match socket.connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// A connection without TLS, perhaps not for long.
    pub(super) fn plain(stream: TcpStream) -> Plain {
        Plain { stream: BufReader::new(stream) }
    }

    /// A connection inside TLS.
    pub(super) async fn secure(stream: TcpStream, tls: &Tls) -> Result<Self, SmtpError> {
        let stream = tls.wrap(stream).await.map_err(SmtpError::Tls)?;
        Ok(Self { stream: BufReader::new(Box::new(stream)) })
    }

    /// Sends a command and reads the reply.
    pub(super) async fn command(
        &mut self,
        line: &str,
        limit: Duration,
    ) -> Result<Reply, SmtpError> {
        command(&mut self.stream, line, limit).await
    }

    /// Reads a reply.
    pub(super) async fn reply(&mut self, limit: Duration) -> Result<Reply, SmtpError> {
        reply(&mut self.stream, limit).await
    }

    /// Writes the parts of a letter whose dots are doubled, then its end, and reads the reply.
    ///
    /// A server that speaks or hangs up before the end is believed: the end is then not written.
    pub(super) async fn letter(
        &mut self,
        letter: [&[u8]; 2],
        block: Duration,
        end: Duration,
    ) -> Result<Reply, Cut> {
        let safe = Cut::BeforeEnd;
        for chunk in letter.into_iter().flat_map(|it| it.chunks(CHUNK)) {
            write(&mut self.stream, chunk, block).await.map_err(safe)?;
        }
        if let Ok(early) = timeout(Duration::ZERO, self.stream.fill_buf()).await {
            return match early {
                Ok([]) => Err(safe(SmtpError::Closed)),
                Ok(_) => Err(safe(match self.reply(block).await {
                    Ok(reply) => SmtpError::Refused(reply.to_string()),
                    Err(error) => error,
                })),
                Err(error) => Err(safe(SmtpError::Line(error))),
            };
        }
        write(&mut self.stream, b".\r\n", block).await.map_err(Cut::AfterEnd)?;
        self.reply(end).await.map_err(Cut::AfterEnd)
    }
}

/// A connection before TLS.
pub(super) struct Plain {
    stream: BufReader<TcpStream>,
}

impl Plain {
    /// Sends a command and reads the reply.
    pub(super) async fn command(
        &mut self,
        line: &str,
        limit: Duration,
    ) -> Result<Reply, SmtpError> {
        command(&mut self.stream, line, limit).await
    }

    /// Reads a reply.
    pub(super) async fn reply(&mut self, limit: Duration) -> Result<Reply, SmtpError> {
        reply(&mut self.stream, limit).await
    }

    /// Goes on without TLS.
    pub(super) fn stay(self) -> Wire {
        Wire { stream: BufReader::new(Box::new(self.stream.into_inner())) }
    }

    /// Goes on inside TLS. What somebody slipped in behind the answer to STARTTLS would be read as
    /// the server's after the handshake: such a connection is refused.
    pub(super) async fn upgrade(self, tls: &Tls) -> Result<Wire, SmtpError> {
        if !self.stream.buffer().is_empty() {
            return Err(SmtpError::Injected);
        }
        Wire::secure(self.stream.into_inner(), tls).await
    }
}

impl Reply {
    /// Whether the first digit is this one.
    pub(super) fn is(&self, class: u16) -> bool {
        self.code / 100 == class
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.lines.join(" / "))
    }
}

/// A message with each dot at the beginning of a line doubled (RFC 5321, 4.5.2), ended by CR LF: as it came, where no line
/// begins with one.
pub(super) fn transparent(message: &[u8]) -> Cow<'_, [u8]> {
    let dots: Vec<usize> = memmem::find_iter(message, b"\n.").map(|at| at + 1).collect();
    if dots.is_empty() && !message.starts_with(b".") && message.ends_with(b"\r\n") {
        return Cow::Borrowed(message);
    }
    let mut out = Vec::with_capacity(message.len() + dots.len() + 3);
    let mut start = 0;
    for dot in message.starts_with(b".").then_some(0).into_iter().chain(dots) {
        out.extend_from_slice(&message[start..dot]);
        out.push(b'.');
        start = dot;
    }
    out.extend_from_slice(&message[start..]);
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    Cow::Owned(out)
}

async fn command<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    line: &str,
    limit: Duration,
) -> Result<Reply, SmtpError> {
    write(stream, format!("{line}\r\n").as_bytes(), limit).await?;
    reply(stream, limit).await
}

async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    bytes: &[u8],
    limit: Duration,
) -> Result<(), SmtpError> {
    let written = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    timeout(limit, written).await.map_err(|_| SmtpError::Silent)?.map_err(SmtpError::Line)
}

async fn reply<S: AsyncRead + Unpin>(
    stream: &mut BufReader<S>,
    limit: Duration,
) -> Result<Reply, SmtpError> {
    timeout(limit, read(stream)).await.map_err(|_| SmtpError::Silent)?
}

async fn read<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Result<Reply, SmtpError> {
    let mut lines = Vec::new();
    while lines.len() < LIMITS.1 {
        let mut line = Vec::new();
        stream.take(LIMITS.0).read_until(b'\n', &mut line).await.map_err(SmtpError::Line)?;
        if line.is_empty() {
            return Err(SmtpError::Closed);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.strip_suffix('\n').ok_or(SmtpError::Garbage)?.trim_end();
        let code: u16 = line.get(..3).and_then(|it| it.parse().ok()).ok_or(SmtpError::Garbage)?;
        let rest = line.get(3..).unwrap_or_default();
        if !(200..600).contains(&code) || !(rest.is_empty() || rest.starts_with([' ', '-'])) {
            return Err(SmtpError::Garbage);
        }
        lines.push(rest.get(1..).unwrap_or_default().to_owned());
        if !rest.starts_with('-') {
            return Ok(Reply { code, lines });
        }
    }
    Err(SmtpError::Garbage)
}
