//! HAProxy before us and behind us, with its own PROXY protocol.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

use crate::case::{Case, case};
use crate::need::HAPROXY;
use crate::rig::{Client, Folder, Origin, Proxy, Setup, until};

const FAILURES: &str = "evenkeel_frontend_proxy_protocol_failures_total";
const REQUEST: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(haproxy_tells_us, HAPROXY),
        case!(haproxy_reads_our_headers, HAPROXY),
    ]
}

/// An HAProxy with `lines` in one `listen` section; killed when dropped.
pub(crate) struct Haproxy {
    child: Child,
    _folder: Folder,
}

impl Haproxy {
    #[track_caller]
    fn start(lines: &str) -> Self {
        Self::start_with("", lines)
    }

    /// With sections before it.
    #[track_caller]
    pub(crate) fn start_with(before: &str, lines: &str) -> Self {
        Self::start_in(None, before, lines)
    }

    /// In a time zone, as `TZ` names it.
    #[track_caller]
    pub(crate) fn start_in(zone: Option<&str>, before: &str, lines: &str) -> Self {
        let folder = Folder::new();
        let text = format!(
            "{before}defaults\n mode http\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n\
             listen l\n{lines}"
        );
        let file = folder.write("haproxy.cfg", &text);
        let path = file.to_str().expect("a path of text");
        let checked = HAPROXY.run(&["-c", "-f", path]);
        assert!(
            checked.status.success(),
            "{}",
            String::from_utf8_lossy(&checked.stderr)
        );
        let child = HAPROXY
            .command()
            .args(["-db", "-q", "-f"])
            .arg(file)
            .envs(zone.map(|zone| ("TZ", zone)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self {
            child: child.expect("it runs"),
            _folder: folder,
        }
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        // It may have ended by itself, and then the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn haproxy_tells_us() {
    for how in [
        "send-proxy",
        "send-proxy-v2 proxy-v2-options unique-id,authority,crc32c",
    ] {
        let app = Origin::named("app");
        let proxy = Setup::of(&[&app])
            .frontend("proxy_protocol = \"required\"")
            .start();
        let folder = Folder::new();
        let path = folder.path("haproxy.sock");
        let (socket, server) = (path.display(), proxy.address());
        let _haproxy = Haproxy::start(&format!(
            " bind unix@{socket} accept-proxy\n unique-id-format %pid-%rt\n \
             server s {server} {how} check inter 100ms\n"
        ));
        let mut stream = until("HAProxy listens", || UnixStream::connect(&path).ok());
        let bytes = format!("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n{REQUEST}");
        stream.write_all(bytes.as_bytes()).expect("it reads");
        let lines = proxy.wait_for_lines(1);
        assert_eq!(lines[0].text("client"), "192.0.2.7:4711", "{how}");
        assert_eq!(lines[0].verdict(), (200, "-"), "{how}");
        // Its checks send LOCAL, or nothing at all: neither is a failure.
        assert_eq!(proxy.metric(FAILURES, &[]), 0.0, "{how}");
    }
}

/// HAProxy's view of the client whose request reached it through us: the ends of the connection,
/// and the other content of the header.
#[track_caller]
fn haproxy_sees(how: &str, bind: &str, backend: &str) -> (Proxy, Client, String, String) {
    let folder = Folder::new();
    let path = folder.path("haproxy.sock");
    let socket = path.display();
    let _haproxy = Haproxy::start(&format!(
        " bind unix@{socket} accept-proxy {bind}\n http-request return status 200 \
         content-type text/plain lf-string \
         \"%[src]:%[src_port] %[dst]:%[dst_port]|%[fc_pp_authority] %[fc_pp_unique_id]\"\n"
    ));
    until("HAProxy listens", || UnixStream::connect(&path).ok());
    let proxy = Setup::servers([format!("\"{socket}\"")])
        .backend(&format!("send_proxy = {how}\n{backend}"))
        .start();
    until("the server is up", || {
        (proxy.get("/").status() == 200).then_some(())
    });
    let mut client = proxy.client();
    let ask = "GET / HTTP/1.1\r\nhost: a.example\r\nx-request-id: one\r\n\r\n";
    let text = client.ask(ask).text();
    let (ends, header) = text.split_once('|').expect("two parts");
    let (ends, header) = (ends.to_owned(), header.trim().to_owned());
    (proxy, client, ends, header)
}

fn haproxy_reads_our_headers() {
    let check = "health = { path = \"/\", interval = \"100ms\", timeout = \"20s\" }";
    let all = "{ version = \"v2\", authority = true, unique_id = true }";
    for (how, bind, backend, expected) in [
        ("\"v1\"", "", check, ""),
        (all, "", check, "a.example one"),
        // Of many exchanges on one connection, the first one.
        (all, "proto h2", "protocol = \"h2\"", "a.example one"),
    ] {
        let (proxy, client, ends, header) = haproxy_sees(how, bind, backend);
        let our_ends = format!("{} {}", client.address(), proxy.address());
        assert_eq!(ends, our_ends, "{how} {bind}");
        assert_eq!(header, expected, "{how} {bind}");
    }
}
