//! The files of HAProxy in `conf/haproxy`, as people have them: each runs here and in Debian's HAProxy, and is beside
//! what `evenkeel convert` makes of it.
//!
//! A file is run as it is, but for its addresses: those of `bind` become one of loopback, each server becomes a stub
//! that answers with its name and with the head that it got, and `/etc/haproxy` a folder of the test.
//! `EVENKEEL_BLESS=1 cargo test` converts the files anew.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, fs, thread};

use evenkeel::config::{self, Options};

use crate::case::{Case, case};
use crate::need::HAPROXY;
use crate::program::{EVENKEEL, TIMEOUT, own_address, shell};
use crate::rig::{Authority, Folder, Pair, Speech, until};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(each_file_is_beside_what_it_is_converted_to),
        case!(files_that_cannot_run_yet_say_why),
        case!(each_file_does_what_it_does_in_haproxy, HAPROXY),
    ]
}

/// What is asked of a file, at a port of it, and what both proxies answer.
struct Ask {
    port: u16,
    how: How,
    /// A request line without the version, and fields.
    request: &'static str,
    /// Parts of the answer, but for a digit of a server's name where waiting for the file's ports in TCP mode has used up
    /// turns of the servers. Its body is the server's name and the head that it got, in lower case.
    expected: &'static [&'static str],
}

#[derive(Clone, Copy)]
enum How {
    Clear,
    /// The first message of a TLS client that asks for this name, and nothing else.
    Hello(&'static str),
    /// By TLS, with this name.
    Tls(&'static str),
    /// The same, with a certificate for the second name.
    Certificate(&'static str, &'static str),
}

const fn clear(port: u16, request: &'static str, expected: &'static [&'static str]) -> Ask {
    Ask {
        port,
        how: How::Clear,
        request,
        expected,
    }
}

const fn tls(
    port: u16,
    name: &'static str,
    request: &'static str,
    expected: &'static [&'static str],
) -> Ask {
    Ask {
        port,
        how: How::Tls(name),
        request,
        expected,
    }
}

const fn hello(port: u16, name: &'static str, expected: &'static [&'static str]) -> Ask {
    Ask {
        port,
        how: How::Hello(name),
        request: "",
        expected,
    }
}

/// The files that run, and what they do.
const FILES: &[(&str, &[Ask])] = &[
    (
        "api-versions",
        &[
            clear(
                80,
                "GET /v1/a",
                &["200 ", "deprecation: true", "server old1"],
            ),
            clear(
                80,
                "GET /api/x?y=1",
                &["server new1", "get /v2/x?y=1 ", "x-request-start: 1"],
            ),
            clear(80, "GET /v2/a\r\nx-internal: 1", &["server new2"]),
            clear(
                80,
                "OPTIONS /v1/a",
                &[
                    "204 ",
                    "access-control-allow-methods: get, post, put, delete",
                ],
            ),
            clear(80, "GET /", &["302 ", "location: /v2/"]),
            clear(80, "GET /v3/", &["404 "]),
        ],
    ),
    (
        "blue-green",
        &[
            clear(80, "GET /", &["x-version: blue", "server blue1"]),
            clear(80, "GET /", &["server blue2"]),
            clear(
                80,
                "GET /\r\ncookie: a=b; color=green",
                &["x-version: green", "server green1"],
            ),
            clear(80, "GET /\r\nx-version: green", &["server green2"]),
            clear(80, "GET /\r\nx-version: Green", &["server blue1"]),
        ],
    ),
    ("canary", &[clear(80, "GET /", &["200 "])]),
    ("galera", &[clear(3306, "GET /", &["server node1"])]),
    (
        "gitlab",
        &[
            clear(
                80,
                "GET /group/project",
                &[
                    "server git1",
                    "x-forwarded-proto: http",
                    "x-forwarded-for: 127.",
                ],
            ),
            clear(
                80,
                "GET /\r\nhost: joe.Pages.example.com",
                &["server pages1"],
            ),
            clear(22, "GET /", &["server git"]),
        ],
    ),
    ("grpc", &[]),
    (
        "kafka",
        &[
            hello(9094, "broker-0.kafka.example.com", &["server kafka-0"]),
            hello(9094, "Broker-1.kafka.example.com", &["server kafka-1"]),
            hello(9094, "kafka.example.com", &["server kafka-"]),
        ],
    ),
    (
        "ldap",
        &[
            clear(389, "GET /", &["server dir"]),
            clear(636, "GET /", &["server dir"]),
        ],
    ),
    (
        "logging",
        &[clear(80, "GET /health", &["server app1", "x-request-id: "])],
    ),
    (
        "mail",
        &[
            clear(25, "GET /", &["server mx", "proxy tcp4 127."]),
            clear(587, "GET /", &["server mx", "proxy tcp4 127."]),
            clear(993, "GET /", &["server store"]),
        ],
    ),
    (
        "maintenance",
        &[
            clear(80, "GET /", &["503 ", "retry-after: 3600", "back at noon"]),
            clear(80, "GET /alive", &["200 "]),
        ],
    ),
    (
        "minecraft",
        &[
            clear(25565, "GET /", &["server world"]),
            clear(25566, "GET /", &["server world"]),
        ],
    ),
    (
        "mtls",
        &[
            Ask {
                port: 8443,
                how: How::Certificate("api.example.com", "press.machines.example.com"),
                request: "GET /",
                expected: &[
                    "server api1",
                    "x-client-name: press.machines.example.com",
                    "x-client-serial: 07",
                ],
            },
            Ask {
                port: 8443,
                how: How::Certificate("api.example.com", "joe.people.example.com"),
                request: "GET /",
                expected: &["403 "],
            },
        ],
    ),
    (
        "object-store",
        &[
            clear(
                9000,
                "GET /key\r\nhost: photos.s3.example.com",
                &["get /photos/key ", "x-bucket: photos"],
            ),
            clear(
                9000,
                "GET /photos/key\r\nhost: s3.example.com",
                &["get /photos/key "],
            ),
        ],
    ),
    (
        "office",
        &[
            clear(80, "GET /", &["403 "]),
            clear(
                80,
                "GET /reports/1\r\nx-token: s3cret-of-the-robot",
                &["server web1", "get /v2/reports/1 "],
            ),
            clear(80, "GET /admin\r\nx-token: s3cret-of-the-robot", &["403 "]),
        ],
    ),
    (
        "openshift-api",
        &[clear(22623, "GET /", &["server master"])],
    ),
    (
        "openshift-ingress",
        &[
            clear(80, "GET /", &["server worker"]),
            clear(443, "GET /", &["server worker"]),
        ],
    ),
    (
        "patroni",
        &[
            clear(5000, "GET /", &["server pg"]),
            clear(5001, "GET /", &["server pg"]),
        ],
    ),
    (
        "rabbitmq",
        &[
            clear(5672, "GET /", &["server rabbit"]),
            clear(15672, "GET /api/", &["server rabbit1"]),
        ],
    ),
    (
        "rate-limit",
        &[
            clear(80, "GET /api/\r\nx-api-key: k1", &["server app1"]),
            clear(80, "GET /api/\r\nx-api-key: k1", &["server app1"]),
            clear(80, "GET /api/\r\nx-api-key: k1", &["server app1"]),
            clear(80, "GET /api/\r\nx-api-key: k1", &["server app1"]),
            clear(80, "GET /api/\r\nx-api-key: k1", &["server app1"]),
            clear(
                80,
                "GET /api/\r\nx-api-key: k1",
                &["429 ", "retry-after: 60"],
            ),
            clear(80, "GET /api/\r\nx-api-key: k2", &["server app1"]),
            clear(80, "GET /", &["server app1"]),
        ],
    ),
    (
        "registry",
        &[
            clear(
                80,
                "GET /v2/",
                &[
                    "server registry1",
                    "docker-distribution-api-version: registry/2.0",
                ],
            ),
            clear(80, "GET /", &["server page1", "x-forwarded-proto: http"]),
        ],
    ),
    (
        "search",
        &[
            clear(9200, "GET /a", &["server node1"]),
            clear(
                9200,
                "POST /a/_search\r\ncontent-length: 0",
                &["server node2"],
            ),
            clear(9200, "POST /a\r\ncontent-length: 0", &["403 "]),
            clear(9200, "GET /_cluster/health", &["403 "]),
        ],
    ),
    (
        "static",
        &[
            clear(80, "GET /app.0a1b2c3d.js", &["server file1", "immutable"]),
            clear(80, "GET /", &["server page1", "cache-control: no-cache"]),
            clear(80, "POST /\r\ncontent-length: 0", &["405 "]),
        ],
    ),
    (
        "tenants",
        &[
            clear(
                80,
                "GET /\r\nhost: Shop.Acme.example:80",
                &["server acme1", "x-tenant: acme"],
            ),
            clear(80, "GET /\r\nhost: globex.example", &["server globex1"]),
            clear(80, "GET /\r\nhost: other.example", &["404 "]),
        ],
    ),
    (
        "tls-to-servers",
        &[tls(443, "blog.example.com", "GET /", &["503 "])],
    ),
    (
        "websocket-chat",
        &[
            clear(80, "GET /", &["server page1"]),
            clear(80, "GET /socket/a", &["server socket1"]),
        ],
    ),
    (
        "wordpress",
        &[
            clear(
                80,
                "GET /a?b\r\nhost: blog.example.com",
                &["301 ", "location: https://blog.example.com/a?b"],
            ),
            tls(
                443,
                "blog.example.com",
                "GET /a",
                &[
                    "server wp1",
                    "strict-transport-security: max-age=31536000",
                    "x-forwarded-proto: https",
                ],
            ),
            tls(443, "blog.example.com", "GET /wp-login.php", &["403 "]),
            tls(443, "blog.example.com", "GET /XMLRPC.php", &["404 "]),
        ],
    ),
];

/// The files that have words that do not exist here yet, and these words.
const REFUSED: &[(&str, &[&str])] = &[
    (
        "redis-sentinel",
        &[
            "`tcp-check send` does not exist here yet",
            "`tcp-check expect` does not exist here yet",
        ],
    ),
    ("sticky-shop", &["`cookie` does not exist here yet"]),
    ("swarm", &["`server-template` does not exist here yet"]),
];

const FOLDER: &str = "/etc/haproxy";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/haproxy")
}

/// The names of all files.
fn names() -> Vec<String> {
    let entries = fs::read_dir(directory()).expect("the folder");
    let files = entries.map(|entry| entry.expect("a file").path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "cfg"));
    let mut names: Vec<String> = files
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// A folder with what the files name in `/etc/haproxy`, and who signs its certificates.
fn etc() -> (Folder, Authority) {
    let folder = Folder::new();
    let authority = Authority::new("Example CA");
    fs::create_dir(folder.path("certs")).expect("a folder");
    for name in ["blog", "api"] {
        let pair = authority.pair(&[&format!("{name}.example.com")]);
        folder.write(&format!("certs/{name}.pem"), &pair.whole());
    }
    folder.write("ca.pem", &authority.pem);
    folder.write(
        "tenants.map",
        "shop.acme.example acme\nglobex.example globex\n",
    );
    folder.write("office.lst", "192.0.2.0/24\n");
    folder.write("closed-for.lst", "# all\n127.0.0.0/8\n");
    (folder, authority)
}

/// The text of a file, with the folder of a test.
fn text_of(name: &str, etc: &Folder) -> String {
    let path = directory().join(format!("{name}.cfg"));
    let text = fs::read_to_string(path).expect("the file");
    text.replace(FOLDER, etc.path("").to_string_lossy().trim_end_matches('/'))
}

fn each_file_is_beside_what_it_is_converted_to() {
    let (etc, _) = etc();
    let known = FILES.iter().map(|(name, _)| *name);
    let mut known: Vec<&str> = known.chain(REFUSED.iter().map(|(name, _)| *name)).collect();
    known.sort_unstable();
    assert_eq!(names(), known, "each file has a row in this test");
    let mut differ = Vec::new();
    for (name, _) in FILES {
        let file = etc.write("haproxy.cfg", &text_of(name, &etc));
        let converted = match config::convert(&file, &Options::default()) {
            Ok(converted) => converted,
            Err(mistakes) => unreachable!("{name}: {mistakes}"),
        };
        let folder = etc.path("").to_string_lossy().into_owned();
        let text = converted.text.replace(folder.trim_end_matches('/'), FOLDER);
        let path = directory().join(format!("{name}.toml"));
        if env::var_os("EVENKEEL_BLESS").is_some() {
            fs::write(&path, &text).expect("the file can be written");
        }
        if fs::read_to_string(&path).unwrap_or_default() != text {
            differ.push(name);
        }
    }
    assert!(
        differ.is_empty(),
        "EVENKEEL_BLESS=1 cargo test converts these anew: {differ:?}"
    );
}

fn files_that_cannot_run_yet_say_why() {
    let (etc, _) = etc();
    for (name, words) in REFUSED {
        let file = etc.write("haproxy.cfg", &text_of(name, &etc));
        let (said, status) = shell(&format!("{EVENKEEL} check {}", file.display()));
        assert_eq!(status.code(), Some(1), "{name}: {said}");
        for word in *words {
            assert!(said.contains(word), "{name}: no `{word}` in\n{said}");
        }
    }
}

fn each_file_does_what_it_does_in_haproxy() {
    let (etc, authority) = etc();
    let mut wrong = Vec::new();
    for (index, (name, asks)) in FILES.iter().enumerate() {
        let stubs = Stubs::default();
        for (who, command) in [
            ("haproxy", HAPROXY.command()),
            ("evenkeel", Command::new(EVENKEEL)),
        ] {
            let address = own_address(2 * index + usize::from(who == "evenkeel"));
            let mut stubs = stubs.clone();
            let text = stubs.moved(&text_of(name, &etc), address);
            let file = etc.write(&format!("{name}-{who}.cfg"), &text);
            let running = Running::start(who, command, &file, &text, address);
            for ask in *asks {
                let answer = answer(ask, address, &authority);
                let missing = ask.expected.iter().filter(|part| !answer.contains(**part));
                let missing: Vec<&&str> = missing.collect();
                if !missing.is_empty() {
                    let (request, said) = (ask.request, running.said());
                    wrong.push(format!(
                        "{name} in {who}, {request}: no {missing:?} in\n{answer}\n{said}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A port of a file as the test has it: nobody may need to be root.
fn moved(port: u16) -> u16 {
    match port {
        0..1024 => port + 10_000,
        port => port,
    }
}

/// Servers that answer with their name and with the head that they got.
#[derive(Clone, Default)]
struct Stubs(BTreeMap<String, SocketAddr>);

impl Stubs {
    /// `text` with other addresses.
    fn moved(&mut self, text: &str, address: Ipv4Addr) -> String {
        let mut moved_text = String::new();
        for line in text.lines() {
            let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            match words.first().map(String::as_str) {
                Some("bind") => {
                    let port = words[1].strip_prefix("*:").expect("a port");
                    let port: u16 = port.parse().expect("a number");
                    words[1] = format!("{address}:{}", moved(port));
                }
                Some("server") => {
                    let name = words[1].clone();
                    let stub = *self.0.entry(words[2].clone()).or_insert_with(|| stub(name));
                    words[2] = stub.to_string();
                    // A stub has one port.
                    if let Some(at) = words.iter().position(|word| word == "port") {
                        words.drain(at..at + 2);
                    }
                }
                _ => {
                    moved_text.push_str(line);
                    moved_text.push('\n');
                    continue;
                }
            }
            moved_text.push_str(&words.join(" "));
            moved_text.push('\n');
        }
        moved_text
    }
}

fn stub(name: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it listens");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let name = name.clone();
            thread::spawn(move || answer_as(&name, stream));
        }
    });
    address
}

fn answer_as(name: &str, mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(TIMEOUT));
    let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
    // A header of the PROXY protocol may come before it, and version 2 has empty lines in it.
    let is_whole = |head: &[u8]| {
        let text = String::from_utf8_lossy(head);
        let request = text.find(" HTTP/1.");
        request.is_some_and(|at| text[at..].contains("\r\n\r\n"))
    };
    while !is_whole(&head) {
        match stream.read(&mut buffer) {
            // The first byte of TLS, which this does not speak.
            Ok(_) if head.is_empty() && buffer[0] == 0x16 => {
                let _ = writeln!(stream, "server {name}");
                return;
            }
            Ok(0) | Err(_) => return,
            Ok(length) => head.extend_from_slice(&buffer[..length]),
        }
    }
    let body = format!("server {name}\n{}", String::from_utf8_lossy(&head));
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
}

/// A proxy with a file; killed when dropped.
struct Running {
    child: Child,
    errors: PathBuf,
}

impl Running {
    #[track_caller]
    fn start(who: &str, mut command: Command, file: &Path, text: &str, address: Ipv4Addr) -> Self {
        match who {
            "haproxy" => command.args(["-db", "-f"]).arg(file),
            _ => command.args(["run", "--admin", "off"]).arg(file),
        };
        let errors = file.with_extension("errors");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(fs::File::create(&errors).expect("a file"));
        let child = command.spawn().expect("it runs");
        let mut running = Self { child, errors };
        for line in text.lines().filter(|line| line.starts_with("bind ")) {
            let at = line.split(' ').nth(1).expect("an address");
            assert!(at.starts_with(&address.to_string()), "{at}");
            until("it listens", || {
                if let Ok(Some(_)) = running.child.try_wait() {
                    unreachable!("{who} ended: {}\n{text}", running.said());
                }
                TcpStream::connect(at).ok()
            });
        }
        running
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.errors).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, and then the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All bytes of the answer, in lower case.
fn answer(ask: &Ask, address: Ipv4Addr, authority: &Authority) -> String {
    let address = SocketAddr::from((address, moved(ask.port)));
    let (line, fields) = ask.request.split_once("\r\n").unwrap_or((ask.request, ""));
    let host = match fields.contains("host:") {
        true => String::new(),
        false => "host: example.com\r\n".to_owned(),
    };
    let end = if fields.is_empty() { "" } else { "\r\n" };
    let request = format!("{line} HTTP/1.1\r\n{host}connection: close\r\n{fields}{end}\r\n");
    let mut bytes = Vec::new();
    match ask.how {
        How::Clear => {
            let mut stream = TcpStream::connect(address).expect("it listens");
            stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
            stream.write_all(request.as_bytes()).expect("it reads");
            stream.read_to_end(&mut bytes).expect("it answers");
        }
        How::Hello(name) => {
            let mut stream = TcpStream::connect(address).expect("it listens");
            stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
            let message = Speech::trusting(authority).hello(name);
            stream.write_all(&message).expect("it reads");
            stream.read_to_end(&mut bytes).expect("it answers");
        }
        How::Tls(name) => {
            bytes = by_tls(&Speech::trusting(authority), address, name, &request);
        }
        How::Certificate(name, own) => {
            let pair: Pair = authority.client(&[own], 7);
            bytes = by_tls(&Speech::showing(authority, &pair), address, name, &request);
        }
    }
    String::from_utf8_lossy(&bytes).to_lowercase()
}

fn by_tls(speech: &Speech, address: SocketAddr, name: &str, request: &str) -> Vec<u8> {
    let mut client = speech.connect(address, name);
    client.send(request).expect("it reads");
    client.rest().0
}
