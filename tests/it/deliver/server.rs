//! A mail server with faults, one kind a server, on a port of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// 450 to the first so many recipients, then none.
    Greylist(usize),
    Rcpt550,
    /// Hangs up four times, puts off once, refuses once, then takes: each time it says to whom.
    SaysWhom,
    Mail530,
    Greet421,
    Greet554,
    Dot451,
    Dot552,
    DropAtRcpt,
    DropAtData,
    /// Hangs up after 20,000 bytes of a letter.
    DropMid,
    /// Keeps the letter and hangs up.
    DropAfterDot,
    /// Speaks before the end of the letter.
    EarlyAnswer,
    StallGreet,
    StallRcpt,
    StallAfterDot,
    Garbage,
    Dribble,
    /// Thinks about each letter for 100 ms.
    Slow,
    /// Thinks about each letter for 4 s.
    Slower,
    /// 421 to the second letter of each connection.
    SecondLetter421,
    /// Offers STARTTLS to nobody.
    Stripped,
    /// Slips answers in between STARTTLS and the handshake.
    Injected,
    WrongPassword,
    /// Takes 1,000 bytes at most.
    Small,
    /// Knows neither DSN nor SMTPUTF8.
    Old,
}

/// A letter that the server keeps.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) message: Vec<u8>,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) port: u16,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

struct State {
    fault: Mutex<Fault>,
    tls: Option<TlsAcceptor>,
    implicit: bool,
    kept: Mutex<Vec<Kept>>,
    commands: Mutex<Vec<String>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
    recipients: AtomicUsize,
}

impl Server {
    pub(crate) async fn start(fault: Fault) -> Self {
        Self::listen(fault, None, false).await
    }

    pub(crate) async fn with_tls(fault: Fault, tls: TlsAcceptor, implicit: bool) -> Self {
        Self::listen(fault, Some(tls), implicit).await
    }

    async fn listen(fault: Fault, tls: Option<TlsAcceptor>, implicit: bool) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        if fault == Fault::DropMid {
            socket.set_recv_buffer_size(4096).unwrap();
        }
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener: TcpListener = socket.listen(64).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            fault: Mutex::new(fault),
            tls,
            implicit,
            kept: Mutex::default(),
            commands: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            most_open: AtomicUsize::new(0),
            recipients: AtomicUsize::new(0),
        });
        let shared = state.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = shared.clone();
                tokio::spawn(async move {
                    state.connections.fetch_add(1, Ordering::SeqCst);
                    let open = state.open.fetch_add(1, Ordering::SeqCst) + 1;
                    state.most_open.fetch_max(open, Ordering::SeqCst);
                    let _ = welcome(&state, stream).await;
                    state.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, state, task }
    }

    /// From the next connection on, another fault.
    pub(crate) fn becomes(&self, fault: Fault) {
        *self.state.fault.lock().unwrap() = fault;
    }

    pub(crate) fn kept(&self) -> Vec<Kept> {
        self.state.kept.lock().unwrap().clone()
    }

    /// How many letters it keeps.
    pub(crate) fn count(&self) -> usize {
        self.state.kept.lock().unwrap().len()
    }

    /// How often a command arrived.
    pub(crate) fn heard(&self, command: &str) -> usize {
        self.state.commands.lock().unwrap().iter().filter(|it| it.starts_with(command)).count()
    }

    /// Every command that arrived, in order.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.state.commands.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn most_open(&self) -> usize {
        self.state.most_open.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn welcome(state: &State, stream: TcpStream) -> std::io::Result<()> {
    match &state.tls {
        Some(tls) if state.implicit => {
            let stream = tls.accept(stream).await?;
            talk(state, BufReader::new(stream), true, true).await.map(|_| ())
        }
        Some(tls) => {
            let plain = BufReader::new(stream);
            let Some(plain) = talk(state, plain, true, false).await? else { return Ok(()) };
            let stream = tls.accept(plain.into_inner()).await?;
            talk(state, BufReader::new(stream), false, true).await.map(|_| ())
        }
        None => talk(state, BufReader::new(stream), true, false).await.map(|_| ()),
    }
}

/// One conversation; gives the stream back when TLS is asked for.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    state: &State,
    mut stream: BufReader<S>,
    greet: bool,
    secure: bool,
) -> std::io::Result<Option<BufReader<S>>> {
    let fault = *state.fault.lock().unwrap();
    macro_rules! say {
        ($($text:tt)*) => {{
            stream.write_all(format!($($text)*).as_bytes()).await?;
            stream.write_all(b"\r\n").await?;
            stream.flush().await?;
        }};
    }
    if greet {
        match fault {
            Fault::StallGreet => tokio::time::sleep(Duration::from_secs(60)).await,
            Fault::Greet421 => {
                say!("421 4.3.2 busy");
                return Ok(None);
            }
            Fault::Greet554 => {
                say!("554 5.7.1 no");
                return Ok(None);
            }
            _ => say!("220 fault ESMTP"),
        }
    }
    let (mut from, mut to, mut letters) = (String::new(), String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_owned();
        state.commands.lock().unwrap().push(line.clone());
        match line.split(' ').next().unwrap().to_ascii_uppercase().as_str() {
            "EHLO" => {
                let mut lines = vec!["fault", "8BITMIME", "ENHANCEDSTATUSCODES"];
                if fault != Fault::Old {
                    lines.extend(["DSN", "SMTPUTF8"]);
                }
                lines.push(if fault == Fault::Small { "SIZE 1000" } else { "SIZE 10000000" });
                if state.tls.is_some() && !secure && fault != Fault::Stripped {
                    lines.push("STARTTLS");
                }
                if secure {
                    lines.push("AUTH LOGIN PLAIN");
                }
                let last = lines.len() - 1;
                for (number, text) in lines.iter().enumerate() {
                    let mark = if number == last { ' ' } else { '-' };
                    say!("250{mark}{text}");
                }
            }
            "STARTTLS" if fault == Fault::Injected => {
                say!(
                    "220 2.0.0 go\r\n250-fault\r\n250 SIZE 1\r\n250 ok\r\n250 ok\r\n354 go\r\n250 ok"
                );
                return Ok(Some(stream));
            }
            "STARTTLS" => {
                say!("220 2.0.0 go");
                return Ok(Some(stream));
            }
            "AUTH" if fault == Fault::WrongPassword => say!("535 5.7.8 wrong password"),
            "AUTH" => say!("235 2.7.0 welcome"),
            "MAIL" if fault == Fault::Mail530 => say!("530 5.7.0 log in first"),
            "MAIL" if fault == Fault::SecondLetter421 && letters > 0 => {
                say!("421 4.7.0 too many letters");
                return Ok(None);
            }
            "MAIL" => {
                from = line;
                say!("250 2.1.0 ok");
            }
            "RCPT" => {
                let count = state.recipients.fetch_add(1, Ordering::SeqCst);
                match fault {
                    Fault::Greylist(times) if count < times => say!("450 4.7.1 come back"),
                    Fault::Rcpt550 => say!("550 5.1.1 no such user"),
                    Fault::SaysWhom if count < 4 => {
                        say!("421 4.7.0 {line} too many");
                        return Ok(None);
                    }
                    Fault::SaysWhom if count == 4 => say!("450 4.7.1 {line} come back"),
                    Fault::SaysWhom if count == 5 => say!("550 5.1.1 {line} no such user"),
                    Fault::DropAtRcpt => return Ok(None),
                    Fault::StallRcpt => tokio::time::sleep(Duration::from_secs(60)).await,
                    Fault::Garbage => say!("hello? not smtp"),
                    _ => {
                        to = line;
                        say!("250 2.1.5 ok");
                    }
                }
            }
            "DATA" => {
                if fault == Fault::DropAtData {
                    return Ok(None);
                }
                say!("354 go");
                if fault == Fault::DropMid {
                    let mut part = vec![0; 20_000];
                    stream.read_exact(&mut part).await?;
                    return Ok(None);
                }
                if fault == Fault::EarlyAnswer {
                    say!("451 4.3.0 the disk is full");
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    return Ok(None);
                }
                let mut message = Vec::new();
                loop {
                    let mut line = Vec::new();
                    if stream.read_until(b'\n', &mut line).await? == 0 {
                        return Ok(None);
                    }
                    if line == b".\r\n" {
                        break;
                    }
                    message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
                }
                letters += 1;
                match fault {
                    Fault::Dot451 => {
                        say!("451 4.3.0 later");
                        continue;
                    }
                    Fault::Dot552 => {
                        say!("552 5.3.4 too big");
                        continue;
                    }
                    _ => {}
                }
                let kept = Kept { from: from.clone(), to: to.clone(), message };
                state.kept.lock().unwrap().push(kept);
                match fault {
                    Fault::DropAfterDot => return Ok(None),
                    Fault::StallAfterDot => tokio::time::sleep(Duration::from_secs(60)).await,
                    Fault::Dribble => {
                        for byte in b"250 2.0.0 queued as 1\r\n" {
                            stream.write_all(&[*byte]).await?;
                            stream.flush().await?;
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    }
                    Fault::Slow => {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        say!("250 2.0.0 queued as 1");
                    }
                    Fault::Slower => {
                        tokio::time::sleep(Duration::from_secs(4)).await;
                        say!("250 2.0.0 queued as 1");
                    }
                    _ => say!("250 2.0.0 queued as 1"),
                }
            }
            "QUIT" => {
                say!("221 bye");
                return Ok(None);
            }
            _ => say!("250 ok"),
        }
    }
}
