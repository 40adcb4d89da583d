//! Real servers behind us, each with its own way to write answers: their answers are read
//! correctly, and connections to them are reused.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::case::{Case, case};
use crate::need::{GUNICORN, HAPROXY, NGINX, NODE, Need};
use crate::rig::{Client, Folder, Proxy, Setup, until};

const LARGE_BYTES: usize = 300_000;

const NODE_APP: &str = r#"
const http = require("http");
const large = "x".repeat(300000);
http.createServer((request, response) => {
  if (request.method === "POST") {
    let bytes = 0;
    request.on("data", (piece) => { bytes += piece.length; });
    request.on("end", () => response.end(String(bytes)));
  } else if (request.url === "/large") {
    response.end(large);
  } else if (request.url === "/pieces") {
    response.setHeader("trailer", "x-sum");
    response.write("one ");
    setImmediate(() => { response.write("two "); response.addTrailers({ "x-sum": "3" }); response.end("three"); });
  } else if (request.url === "/none") {
    response.statusCode = 304;
    response.end();
  } else if (request.url === "/hint") {
    response.writeEarlyHints({ link: "</a.css>; rel=preload" });
    response.end("small");
  } else {
    response.setHeader("content-length", "5");
    response.end("small");
  }
}).listen(process.argv[2]);
"#;

const GUNICORN_APP: &str = r#"
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if environ["REQUEST_METHOD"] == "POST":
        body = str(len(environ["wsgi.input"].read())).encode()
    elif path == "/large":
        body = b"x" * 300000
    elif path == "/none":
        start_response("304 Not Modified", [])
        return []
    elif path == "/pieces":
        start_response("200 OK", [])
        return iter([b"one ", b"two ", b"three"])
    else:
        body = b"small"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
"#;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(node_behind_us_is_understood, NODE),
        case!(gunicorn_behind_us_is_understood, GUNICORN),
        case!(nginx_behind_us_is_understood, NGINX),
        case!(haproxy_behind_us_is_understood, HAPROXY),
    ]
}

/// A server that listens on a Unix socket; killed when dropped.
struct Server {
    child: Child,
    folder: Folder,
}

impl Server {
    /// Starts `program` with `arguments`, which get the folder and the socket.
    #[track_caller]
    fn start(program: Need, arguments: impl Fn(&Folder, &Path) -> Vec<String>) -> Self {
        let folder = Folder::new();
        let socket = folder.path("server.sock");
        let child = program
            .command()
            .args(arguments(&folder, &socket))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let server = Self {
            child: child.expect("it runs"),
            folder,
        };
        until("it listens", || UnixStream::connect(&socket).ok());
        server
    }

    fn proxy(&self) -> Proxy {
        let socket = self.folder.path("server.sock");
        Setup::servers([format!("\"{}\"", socket.display())]).start()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, and then the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn post(client: &mut Client, fields: &str, body: &str) -> String {
    let response = client.ask(format!(
        "POST /post HTTP/1.1\r\nhost: test\r\n{fields}\r\n{body}"
    ));
    assert_eq!(response.status(), 200);
    response.text()
}

/// Requests of every kind in turn, so that each follows each other kind on a kept connection.
fn talk(proxy: &Proxy, one: impl Fn(&mut Client)) {
    let mut client = proxy.client();
    for _ in 0..3 {
        assert_eq!(client.get("/small").text(), "small");
        client.send("HEAD /small HTTP/1.1\r\nhost: test\r\n\r\n");
        let head = client.response_to_head();
        assert_eq!(
            (head.status(), head.field("content-length")),
            (200, Some("5"))
        );
        assert_eq!(client.get("/large").text(), "x".repeat(LARGE_BYTES));
        one(&mut client);
    }
    assert_eq!(proxy.metric("evenkeel_attempt_faults_total", &[]), 0.0);
    let reused = proxy.metric("evenkeel_server_connections_reused_total", &[]);
    assert!(reused >= 8.0, "{reused}");
}

/// Checks the answers of an application.
fn ask_application(client: &mut Client) {
    assert_eq!(client.get("/pieces").text(), "one two three");
    assert_eq!(client.get("/none").status(), 304);
    let body = "y".repeat(10_000);
    assert_eq!(post(client, "content-length: 10000\r\n", &body), "10000");
    let chunks = format!(
        "1f40\r\n{}\r\n7d0\r\n{}\r\n0\r\n\r\n",
        &body[..8000],
        &body[8000..]
    );
    let chunked = "transfer-encoding: chunked\r\n";
    assert_eq!(post(client, chunked, &chunks), "10000");
    assert_eq!(post(client, "content-length: 0\r\n", ""), "0");
}

fn node_behind_us_is_understood() {
    let node = Server::start(NODE, |folder, socket| {
        let app = folder.write("app.js", NODE_APP);
        vec![app.display().to_string(), socket.display().to_string()]
    });
    let proxy = node.proxy();
    talk(&proxy, |client| {
        ask_application(client);
        client.send("GET /hint HTTP/1.1\r\nhost: test\r\n\r\n");
        let (hints, response) = client.responses();
        assert_eq!(hints.len(), 1);
        assert_eq!(hints[0].status(), 103);
        assert_eq!(response.text(), "small");
        client.send(
            "POST /post HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n",
        );
        assert_eq!(client.head().status(), 100);
        assert_eq!(client.send("hello").response().text(), "5");
    });
}

fn gunicorn_behind_us_is_understood() {
    let gunicorn = Server::start(GUNICORN, |folder, socket| {
        folder.write("app.py", GUNICORN_APP);
        let folder = folder.path("");
        [
            "--chdir",
            &folder.display().to_string(),
            "-k",
            "gthread",
            "--threads",
            "4",
            "--keep-alive",
            "60",
            "-b",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("unix:{}", socket.display()), "app:app".to_owned()])
        .collect()
    });
    talk(&gunicorn.proxy(), ask_application);
}

fn nginx_behind_us_is_understood() {
    let nginx = Server::start(NGINX, |folder, socket| {
        folder.write("small", "small");
        folder.write("large", &"x".repeat(LARGE_BYTES));
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {};\n", folder.path(kind).display()))
            .concat();
        let text = format!(
            "daemon off;\nmaster_process off;\nuser root;\npid {};\nerror_log /dev/null;\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}server {{\nlisten unix:{};\nroot {};\n\
             location /gzip {{ gzip on; gzip_min_length 1; gzip_types *; alias {}; }} }}\n}}\n",
            folder.path("nginx.pid").display(),
            socket.display(),
            folder.path("").display(),
            folder.path("large").display(),
        );
        let file = folder.write("nginx.conf", &text);
        ["-e", "/dev/null", "-c"]
            .map(str::to_owned)
            .into_iter()
            .chain([file.display().to_string()])
            .collect()
    });
    talk(&nginx.proxy(), |client| {
        let part = client.ask("GET /large HTTP/1.1\r\nhost: test\r\nrange: bytes=5-9\r\n\r\n");
        assert_eq!((part.status(), part.text()), (206, "xxxxx".to_owned()));
        let whole = client.get("/small");
        let tag = whole.field("etag").expect("a tag");
        let same = client.ask(format!(
            "GET /small HTTP/1.1\r\nhost: test\r\nif-none-match: {tag}\r\n\r\n"
        ));
        assert_eq!(same.status(), 304);
        // In chunks.
        let packed =
            client.ask("GET /gzip HTTP/1.1\r\nhost: test\r\naccept-encoding: gzip\r\n\r\n");
        assert_eq!(packed.field("transfer-encoding"), Some("chunked"));
        assert_eq!(packed.body[..2], [0x1f, 0x8b]);
        assert_eq!(client.get("/absent").status(), 404);
    });
}

fn haproxy_behind_us_is_understood() {
    let haproxy = Server::start(HAPROXY, |folder, socket| {
        let large = folder.write("large.txt", &"x".repeat(LARGE_BYTES));
        let text = format!(
            "global\n tune.bufsize 400000\ndefaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
             frontend f\n bind unix@{}\n\
             http-request wait-for-body time 20s if {{ method POST }}\n\
             http-request return status 200 content-type text/plain lf-string \"%[req.body_len]\" if {{ method POST }}\n\
             http-request return status 200 content-type text/plain lf-file {} if {{ path /large }}\n\
             http-request return status 200 content-type text/plain string small\n",
            socket.display(),
            large.display(),
        );
        let file = folder.write("haproxy.cfg", &text);
        vec![
            "-db".to_owned(),
            "-q".to_owned(),
            "-f".to_owned(),
            file.display().to_string(),
        ]
    });
    let proxy = haproxy.proxy();
    talk(&proxy, |client| {
        let body = "y".repeat(10_000);
        assert_eq!(post(client, "content-length: 10000\r\n", &body), "10000");
        let chunks = format!("2710\r\n{body}\r\n0\r\n\r\n");
        assert_eq!(
            post(client, "transfer-encoding: chunked\r\n", &chunks),
            "10000"
        );
    });
}
