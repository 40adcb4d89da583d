//! `evenkeel health`: asks a running proxy, through its admin listener, whether it is ready, or
//! runs at all.
//!
//! For `HEALTHCHECK` of a container and for scripts, where there is no curl. It starts nothing and
//! changes nothing. It requests `/ready` or `/live`, which [`control`](crate::control) answers.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::base::InWords;
use crate::base::address::UnixName;
use crate::base::clock::{self, Duration};
use crate::base::quote::without_controls;
use crate::base::tasks;
use crate::base::units::{parse_duration, show_duration};
use crate::base::{Address, ListenAddress};
use crate::config;
use crate::net::Network;
use crate::plan::Admin;

use super::{HealthArguments, UNHEALTHY};

/// The most bytes that are read of an answer, which is one line.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Why there is no answer.
#[derive(Debug)]
enum NoAnswer {
    /// `[admin] listen = "off"`.
    Off,
    /// The file has no address that this process can connect to.
    NoAddress,
    /// The listener at this address gave no answer.
    From(Address, Failed),
    /// The async runtime did not start.
    System(io::Error),
}

/// Why an address gave no answer.
#[derive(Debug)]
enum Failed {
    Connecting(io::Error),
    /// While the request was sent or the answer read.
    Asking(io::Error),
    TimedOut(Duration),
    NotHttp,
}

/// The answer of the proxy.
struct Answer {
    status: u16,
    text: String,
}

/// Asks the proxy, prints its answer, and returns the exit code.
pub(super) fn health(arguments: HealthArguments) -> ExitCode {
    match ask_as_written(arguments) {
        Ok(Answer { status: 200, text }) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Ok(Answer { status, text }) => {
            eprintln!("{status}: {text}");
            ExitCode::from(UNHEALTHY)
        }
        Err(no_answer) => {
            eprintln!("{no_answer}");
            ExitCode::from(UNHEALTHY)
        }
    }
}

/// Parses `--admin`, which has the form of `[admin] listen`.
pub(super) fn parse_address(text: &str) -> Result<Address, String> {
    if let Some(name) = text.strip_prefix('@') {
        return Ok(Address::Unix(UnixName::Abstract(name.to_owned())));
    }
    if text.starts_with('/') {
        return Ok(Address::Unix(UnixName::Path(PathBuf::from(text))));
    }
    match text.parse() {
        Ok(addr) => Ok(Address::Ip(addr)),
        Err(_) => {
            Err("write 127.0.0.1:9900, [::1]:9900, /run/evenkeel/admin.sock or @NAME".to_owned())
        }
    }
}

/// Parses `--timeout`.
pub(super) fn parse_timeout(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err("write a time above zero, such as 3s".to_owned()),
        Ok(timeout) => Ok(timeout),
        Err(error) => Err(error.to_string()),
    }
}

/// Asks at the address that `--admin` or the configuration gives, within `--timeout`.
fn ask_as_written(arguments: HealthArguments) -> Result<Answer, NoAnswer> {
    let HealthArguments {
        config,
        admin,
        live,
        timeout,
    } = arguments;
    let address = match (admin, config) {
        (Some(address), _) => address,
        (None, Some(path)) => address_of(&config::admin_listen(&path).ok_or(NoAnswer::Off)?)?,
        (None, None) => address_of(&Admin::default())?,
    };
    let target = if live { "/live" } else { "/ready" };
    let runtime = tasks::runtime().map_err(NoAnswer::System)?;
    let answer = runtime.block_on(async { clock::within(timeout, ask(&address, target)).await });
    let answer = answer.unwrap_or(Err(Failed::TimedOut(timeout)));
    answer.map_err(|failed| NoAnswer::From(address, failed))
}

/// The first address of `admin` that can be connected to from this host.
fn address_of(admin: &Admin) -> Result<Address, NoAnswer> {
    let mut addresses = admin.binds.iter().filter_map(|bind| match &bind.addr {
        // Any free port: only the running process knows which one.
        ListenAddress::At(Address::Ip(addr)) if addr.port() == 0 => None,
        // A socket from the process that started the proxy: its address is not in the file.
        ListenAddress::Inherited(_) => None,
        ListenAddress::At(Address::Ip(addr)) => Some(Address::Ip(reachable(*addr))),
        ListenAddress::At(address) => Some(address.clone()),
    });
    addresses.next().ok_or(NoAnswer::NoAddress)
}

/// `addr`, with loopback in place of `0.0.0.0` and `[::]`, which stand for all addresses of the host.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

/// Sends a GET for `target`. By HTTP/1.0, so that the end of the connection is the end of the answer.
async fn ask(address: &Address, target: &str) -> Result<Answer, Failed> {
    let stream = Network::System.connect(address).await;
    let mut stream = stream.map_err(Failed::Connecting)?;
    let request = format!("GET {target} HTTP/1.0\r\nhost: localhost\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .map_err(Failed::Asking)?;
    let mut bytes = Vec::new();
    let mut bounded = stream.take(ANSWER_BYTES_MAX);
    bounded
        .read_to_end(&mut bytes)
        .await
        .map_err(Failed::Asking)?;
    answer_in(&String::from_utf8_lossy(&bytes)).ok_or(Failed::NotHttp)
}

/// The first final answer in `text`. Answers before it are interim ones (RFC 9110 §15.2), which a
/// proxy between us and the admin listener may send.
fn answer_in(mut text: &str) -> Option<Answer> {
    loop {
        let (head, rest) = text.split_once("\r\n\r\n")?;
        let status = status_in(head.lines().next()?)?;
        if status >= 200 {
            return Some(Answer {
                status,
                // Control characters from a connection must not reach a terminal.
                text: without_controls(rest.trim_end()),
            });
        }
        text = rest;
    }
}

/// The status in `HTTP/1.1 200 OK` (RFC 9112 §4).
fn status_in(line: &str) -> Option<u16> {
    let after = line.strip_prefix("HTTP/1.")?;
    let (_, after) = after
        .split_once(' ')
        .filter(|(minor, _)| minor.len() == 1)?;
    let status = after.split(' ').next()?;
    let is_status = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
    let status = is_status.then(|| status.parse().ok())??;
    (100..600).contains(&status).then_some(status)
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str(
                "the configuration has `[admin] listen = \"off\"`: `health` needs the admin listener; \
                 write an address there",
            ),
            Self::NoAddress => f.write_str(
                "`[admin] listen` has no address that `health` can connect to (not port 0, not fd://); \
                 write a fixed address there, or use --admin",
            ),
            Self::From(address, failed) => {
                write!(f, "no answer from the admin listener at {address}: {failed}")
            }
            Self::System(error) => write!(f, "cannot ask: {}", InWords(error)),
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting(error) => write!(f, "cannot connect: {}", InWords(error)),
            Self::Asking(error) => write!(f, "the connection broke: {}", InWords(error)),
            Self::TimedOut(timeout) => write!(f, "timed out after {}", show_duration(*timeout)),
            Self::NotHttp => f.write_str("the answer is not HTTP"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin_in(listen: &str) -> Result<String, String> {
        let text = format!(
            "[admin]\nlisten = {listen}\n[frontend.web]\nlisten = \":80\"\nbackend = \"app\"\n\
             [backend.app]\nservers = [\"10.0.0.1:80\"]"
        );
        let plan = config::load_text("test.toml", &text)
            .expect("a valid one")
            .plan;
        let admin = plan.admin.ok_or(NoAnswer::Off);
        let address = admin.and_then(|admin| address_of(&admin));
        address
            .map(|address| address.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_address_that_can_be_connected_to_is_asked() {
        assert_eq!(admin_in("\"10.0.0.9:99\""), Ok("10.0.0.9:99".to_owned()));
        assert_eq!(admin_in("\"0.0.0.0:99\""), Ok("127.0.0.1:99".to_owned()));
        assert_eq!(admin_in("\"[::]:99\""), Ok("[::1]:99".to_owned()));
        let several = "[\"127.0.0.1:0\", \"/run/admin.sock\", \"10.0.0.9:99\"]";
        assert_eq!(admin_in(several), Ok("/run/admin.sock".to_owned()));
    }

    #[test]
    fn an_address_that_cannot_be_asked_is_reported_with_help() {
        let off = admin_in("\"off\"").expect_err("nothing to ask");
        assert!(off.contains("write an address there"), "{off}");
        let free = admin_in("\"127.0.0.1:0\"").expect_err("the port is not known");
        assert!(free.contains("use --admin"), "{free}");
    }

    #[test]
    fn an_answer_is_a_status_and_a_text() {
        let answer = answer_in("HTTP/1.1 503 Service Unavailable\r\na: b\r\n\r\nstarting\n");
        let answer = answer.expect("an answer");
        assert_eq!((answer.status, &*answer.text), (503, "starting"));
        for nonsense in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "SSH-2.0\r\n\r\n",
            "HTTP/1.1 2\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 +20 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 600 OK\r\n\r\n",
            "HTTP/1.200 OK\r\n\r\n",
            "HTTP/1.11 200 OK\r\n\r\n",
            "HTTP/1.1200 OK\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        ] {
            assert!(answer_in(nonsense).is_none(), "{nonsense:?}");
        }
    }

    #[test]
    fn an_interim_answer_is_not_the_answer() {
        let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\na: b\r\n\r\n";
        let answer = answer_in(&format!("{interim}HTTP/1.1 200\r\n\r\nready\n"));
        let answer = answer.expect("an answer");
        assert_eq!((answer.status, &*answer.text), (200, "ready"));
    }

    #[test]
    fn an_answer_cannot_write_to_the_terminal() {
        let answer = answer_in("HTTP/1.1 503 No\r\n\r\na\nb\u{1b}]0;x\u{7}\r\n");
        assert_eq!(answer.expect("an answer").text, "a\nb\\u{1b}]0;x\\u{7}");
    }

    #[test]
    fn addresses_are_written_as_in_the_configuration() {
        for text in ["127.0.0.1:9900", "[::1]:9900", "/run/admin.sock", "@admin"] {
            let address = parse_address(text).expect("an address");
            assert_eq!(address.to_string(), text);
        }
        assert!(parse_address("localhost:9900").is_err());
        assert!(parse_timeout("0s").is_err() && parse_timeout("3").is_err());
    }
}
