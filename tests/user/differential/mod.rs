//! Evenkeel beside Debian's HAProxy: the same rules, the same requests, the same origin. What the
//! origin and the client see must be equal.
//!
//! HAProxy's answer is the specification of every word that both have. [`expressions`] has the
//! fetches and converters, one a line, [`actions`] the actions of rules, [`error_pages`] files with answers,
//! [`tables`] what is counted from one request to the next, and [`logs`] the lines of access logs. Actions and
//! expressions are also run by Evenkeel with HAProxy's own file, and so is what [`same_file`] has: ACLs and the choice
//! of backends. [`words`] checks that no word is forgotten, and [`arguments`] has those
//! that both refuse.

mod actions;
mod arguments;
mod content;
mod error_pages;
mod expressions;
mod logs;
mod same_file;
mod tables;
mod words;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::case::Case;
use crate::haproxy::Haproxy;
use crate::program::EVENKEEL;
use crate::rig::{Folder, Message, Origin, Proxy, Setup, until};

pub(crate) fn cases() -> Vec<Case> {
    [
        actions::cases(),
        arguments::cases(),
        content::cases(),
        error_pages::cases(),
        expressions::cases(),
        logs::cases(),
        same_file::cases(),
        tables::cases(),
        words::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The client and what it connects to, as a PROXY header tells both.
const IPV4: &str = "TCP4 192.0.2.7 198.51.100.1 4711 8443";
const IPV6: &str = "TCP6 2001:db8::7 2001:db8::1 4711 8443";

/// Both proxies in front of one origin each, which answers with [`ANSWER`].
struct Pair<E = TcpEnd> {
    haproxy: Side<UnixEnd>,
    evenkeel: Side<E>,
}

/// The fields of the origin's answers.
const ANSWER: &str = "HTTP/1.1 203 Odd\r\nserver: app\r\nx-list: a, b\r\nx-list: \"c,d\"\r\n\
    x-number: 42\r\nx-addr: 192.0.2.99\r\nset-cookie: one=1; path=/\r\nset-cookie: two=2\r\n\
    content-type: text/plain\r\ncontent-length: 2\r\n\r\nhi";

struct Side<E> {
    origin: Origin,
    end: E,
}

/// A way to the proxy, which ends when this is dropped.
struct UnixEnd {
    path: PathBuf,
    _haproxy: Haproxy,
    _folder: Folder,
}

struct TcpEnd(Proxy);

/// Evenkeel with a file of HAProxy, ended when this is dropped.
struct FileEnd {
    path: PathBuf,
    child: Child,
    _folder: Folder,
}

trait End {
    /// The bytes of the answer to these bytes.
    fn exchange(&self, bytes: &[u8]) -> Vec<u8>;
}

/// What came of a request.
#[derive(Debug)]
struct Seen {
    /// `None`: the origin got none.
    origin: Option<Message>,
    client: Message,
}

impl Pair<FileEnd> {
    /// Both with `lines` of a proxy section.
    #[track_caller]
    fn with_one_file(lines: &str) -> Self {
        Self::with_sections("", lines)
    }

    /// The same with sections before it.
    #[track_caller]
    fn with_sections(sections: &str, lines: &str) -> Self {
        Self::in_zone(None, sections, lines)
    }

    /// The same in a time zone, as `TZ` names it.
    #[track_caller]
    fn in_zone(zone: Option<&str>, sections: &str, lines: &str) -> Self {
        Self {
            haproxy: Side::haproxy_in(zone, sections, lines),
            evenkeel: Side::evenkeel_with_file(zone, sections, lines),
        }
    }
}

impl Pair {
    /// `haproxy` are lines of a proxy section, `evenkeel` lines of `[frontend.web]`.
    #[track_caller]
    fn start(haproxy: &str, evenkeel: &str) -> Self {
        Self {
            haproxy: Side::haproxy(haproxy),
            evenkeel: Side::evenkeel(evenkeel),
        }
    }
}

impl<E: End> Pair<E> {
    /// What both made of a request, HAProxy first. `request` is a head without the line of `host`
    /// and without its empty line; `client` is [`IPV4`] or [`IPV6`].
    #[track_caller]
    fn ask(&self, client: &str, request: &str) -> [Seen; 2] {
        let bytes = format!("PROXY {client}\r\n{request}\r\n\r\n");
        [self.haproxy.ask(&bytes), self.evenkeel.ask(&bytes)]
    }
}

impl Side<UnixEnd> {
    #[track_caller]
    fn haproxy(lines: &str) -> Self {
        Self::haproxy_in(None, "", lines)
    }

    /// With sections before it, in a time zone.
    #[track_caller]
    fn haproxy_in(zone: Option<&str>, sections: &str, lines: &str) -> Self {
        let origin = Origin::answering(ANSWER);
        let folder = Folder::new();
        let path = folder.path("haproxy.sock");
        let haproxy = Haproxy::start_in(
            zone,
            &format!(
                "global\n tune.http.maxhdr 1000\n tune.bufsize 65536\n{}",
                of_origin(sections, &origin)
            ),
            &format!(
                " bind unix@{} accept-proxy\n{lines}\n server s {}\n",
                path.display(),
                origin.address()
            ),
        );
        until("HAProxy listens", || UnixStream::connect(&path).ok());
        Self {
            origin,
            end: UnixEnd {
                path,
                _haproxy: haproxy,
                _folder: folder,
            },
        }
    }
}

impl Side<FileEnd> {
    /// Evenkeel with the file that [`Side::haproxy_in`] gives to HAProxy.
    #[track_caller]
    fn evenkeel_with_file(zone: Option<&str>, sections: &str, lines: &str) -> Self {
        let origin = Origin::answering(ANSWER);
        let folder = Folder::new();
        let path = folder.path("evenkeel.sock");
        let text = format!(
            "global\n tune.http.maxhdr 1000\n{}defaults\n mode http\n timeout connect 5s\n timeout client 30s\n \
             timeout server 30s\nlisten l\n bind unix@{} accept-proxy\n{lines}\n server s {}\n",
            of_origin(sections, &origin),
            path.display(),
            origin.address()
        );
        let file = folder.write("haproxy.cfg", &text);
        let mut program = Command::new(EVENKEEL);
        program.args(["run", "--admin", "off"]).arg(file);
        program.envs(zone.map(|zone| ("TZ", zone)));
        let errors = folder.path("errors");
        let stderr = std::fs::File::create(&errors).expect("a file");
        program.stdout(Stdio::null()).stderr(stderr);
        let mut child = program.spawn().expect("it runs");
        until("Evenkeel listens", || {
            if let Ok(Some(_)) = child.try_wait() {
                let said = std::fs::read_to_string(&errors).unwrap_or_default();
                unreachable!("it ended: {said}\n{text}");
            }
            UnixStream::connect(&path).ok()
        });
        Self {
            origin,
            end: FileEnd {
                path,
                child,
                _folder: folder,
            },
        }
    }
}

/// `sections` with the origin's address in place of `{origin}`.
fn of_origin(sections: &str, origin: &Origin) -> String {
    sections.replace("{origin}", &origin.address().to_string())
}

impl Drop for FileEnd {
    fn drop(&mut self) {
        // It may have ended by itself, and then the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl End for FileEnd {
    fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        answer_to(
            bytes,
            UnixStream::connect(&self.path).expect("Evenkeel listens"),
        )
    }
}

impl Side<TcpEnd> {
    #[track_caller]
    fn evenkeel(lines: &str) -> Self {
        let origin = Origin::answering(ANSWER);
        let setup =
            Setup::of(&[&origin]).frontend(&format!("proxy_protocol = \"required\"\n{lines}\n"));
        Self::of(origin, &setup)
    }

    /// The proxy of `setup`, which is in front of `origin`.
    #[track_caller]
    fn of(origin: Origin, setup: &Setup) -> Self {
        Self {
            origin,
            end: TcpEnd(setup.start()),
        }
    }
}

impl<E: End> Side<E> {
    #[track_caller]
    fn ask(&self, bytes: &str) -> Seen {
        let before = self.origin.requests().len();
        let answer = self.end.exchange(bytes.as_bytes());
        let requests = self.origin.requests();
        Seen {
            origin: requests.into_iter().nth(before),
            client: message(&answer),
        }
    }
}

impl End for UnixEnd {
    fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        answer_to(
            bytes,
            UnixStream::connect(&self.path).expect("HAProxy listens"),
        )
    }
}

impl End for TcpEnd {
    fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let address: SocketAddr = self.0.address();
        answer_to(
            bytes,
            TcpStream::connect(address).expect("the proxy listens"),
        )
    }
}

/// Reads one answer with a length, or up to the end of the connection. The requests do not say
/// `connection: close`: HAProxy drops that before its rules see it.
fn answer_to(bytes: &[u8], mut stream: impl Read + Write) -> Vec<u8> {
    stream.write_all(bytes).expect("it reads");
    // Behind the line of the PROXY header.
    let is_head = bytes.windows(6).any(|at| at == b"\nHEAD ");
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    loop {
        let head = answer.windows(4).position(|at| at == b"\r\n\r\n");
        if head.is_some() && is_head {
            return answer;
        }
        if let Some(head) = head
            && let Some(length) = message(&answer[..head]).field("content-length")
            && answer.len() >= head + 4 + length.parse::<usize>().expect("a length")
        {
            return answer;
        }
        match stream.read(&mut part) {
            Ok(0) => return answer,
            Ok(count) => answer.extend_from_slice(&part[..count]),
            // A rule may reject the connection.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return answer,
            Err(error) => unreachable!("it answers: {error}"),
        }
    }
}

/// A response.
fn message(bytes: &[u8]) -> Message {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.split("\r\n");
    let start = lines.next().unwrap_or_default().to_owned();
    let fields = lines.filter_map(|line| line.split_once(':'));
    Message {
        start,
        fields: fields
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect(),
        body: body.as_bytes().to_vec(),
        head: head.to_owned(),
        ..Message::default()
    }
}
