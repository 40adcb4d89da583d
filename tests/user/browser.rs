//! A real browser: the connections and requests that it makes by itself.
//!
//! Headless Chromium loads a page through TLS. The page does what pages do, and posts the results
//! to the server; the test waits for that.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio_tungstenite::tungstenite;

use crate::case::{Case, case};
use crate::need::CHROMIUM;
use crate::rig::{Folder, Gate, Origin, Setup, Visit, Way, until};

pub(crate) fn cases() -> Vec<Case> {
    vec![case!(
        a_page_with_all_that_it_asks_for_comes_on_one_connection_of_http_2,
        CHROMIUM
    )]
}

/// Requested at once. A browser has six connections to an HTTP/1 server.
const PARTS: usize = 30;

/// The page; more bytes than any window are posted to `/echo`.
const PAGE: &str = r#"<!doctype html>
<title>A page</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/style.css">
<body><img src="/picture.svg" alt="">
<script>
async function text(target, options) {
    const answer = await fetch(target, options);
    return `${answer.status} ${await answer.text()}`;
}
function spoken() {
    return new Promise((resolve, reject) => {
        const socket = new WebSocket(`wss://${location.host}/socket`);
        socket.onopen = () => socket.send("hello");
        socket.onmessage = (event) => { socket.close(1000); resolve(event.data); };
        socket.onerror = () => reject(new Error("no socket"));
    });
}
async function outcome() {
    const parts = await Promise.all([...Array(30).keys()].map((n) => text(`/part/${n}`)));
    const posted = "0123456789".repeat(200000);
    const echo = await text("/echo", { method: "POST", body: posted });
    const socket = await spoken();
    const entries = performance.getEntriesByType("resource").filter((one) => one.responseEnd);
    const color = getComputedStyle(document.body).color;
    return {
        parts: new Set(parts).size === 30 && parts.every((one, n) => one === `200 part ${n}`),
        echo: echo === `200 ${posted}`,
        socket,
        style: color === "rgb(1, 2, 3)",
        protocols: [...new Set(entries.map((one) => one.nextHopProtocol))],
    };
}
onload = () => outcome()
    .catch((error) => ({ error: String(error) }))
    .then((all) => fetch("/outcome", { method: "POST", body: JSON.stringify(all) }));
</script>
"#;

/// A browser with one page. Killed when dropped, with all its processes.
struct Browser {
    /// Its first process, which may be a script that starts the others.
    child: Child,
    log: PathBuf,
    _folder: Folder,
}

impl Browser {
    #[track_caller]
    fn open(url: &str) -> Self {
        let folder = Folder::new();
        let log = folder.path("log");
        let stderr = File::create(&log).expect("a folder of our own");
        let child = CHROMIUM
            .command()
            // Ours is the only page, and it may run as root, where there is no sandbox.
            .args(["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"])
            // The browser does not trust the test's authority.
            .args(["--ignore-certificate-errors", "--no-proxy-server"])
            // Otherwise it exits when the page is loaded.
            .arg("--remote-debugging-port=0")
            .arg(format!(
                "--user-data-dir={}",
                folder.path("profile").display()
            ))
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .process_group(0)
            .spawn();
        Self {
            child: child.expect("it runs"),
            log,
            _folder: folder,
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// The page and all that it requests, without the WebSocket. Parts are answered when all were
/// requested.
fn site() -> Origin {
    let (asked, gate) = (AtomicUsize::new(0), Gate::default());
    let answer = move |visit: &mut Visit| {
        let Some(request) = visit.request() else {
            return false;
        };
        let (kind, body) = match request.target() {
            "/" => ("text/html", PAGE.as_bytes().to_vec()),
            "/style.css" => ("text/css", b"body { color: rgb(1, 2, 3) }".to_vec()),
            "/picture.svg" => (
                "image/svg+xml",
                b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(),
            ),
            "/echo" => ("text/plain", request.body),
            "/outcome" => ("text/plain", Vec::new()),
            target => {
                if asked.fetch_add(1, Ordering::SeqCst) + 1 == PARTS {
                    gate.open();
                }
                gate.pass();
                ("text/plain", target[1..].replace('/', " ").into_bytes())
            }
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        visit.send(head) && visit.send(body)
    };
    Origin::scripted(move |visit| while answer(visit) {})
}

/// Echoes.
fn sockets() -> Origin {
    Origin::scripted(|visit| {
        if let Ok(mut socket) = tungstenite::accept(visit.stream()) {
            while let Ok(said) = socket.read() {
                if said.is_text() && socket.send(said).is_err() {
                    return;
                }
            }
        }
    })
}

fn a_page_with_all_that_it_asks_for_comes_on_one_connection_of_http_2() {
    let (site, sockets) = (site(), sockets());
    let way = Way::tls();
    let setup = Setup::of(&[&site])
        .also("sockets", &sockets)
        .route("path = \"/socket\"\nbackend = \"sockets\"");
    let proxy = way.of(setup).start();
    let _browser = Browser::open(&format!("https://{}/", proxy.address()));

    let outcome = until("the outcome", || {
        let requests = site.requests();
        let outcome = requests.into_iter().find(|one| one.target() == "/outcome");
        outcome.map(|one| String::from_utf8_lossy(&one.body).into_owned())
    });
    assert_eq!(
        outcome,
        r#"{"parts":true,"echo":true,"socket":"hello","style":true,"protocols":["h2"]}"#
    );
    // The page, its style and its picture, the parts, the echo, the WebSocket, the results.
    let lines = proxy.wait_for_lines(3 + PARTS + 3);
    for line in &lines {
        assert_eq!(
            (line.text("version"), line.verdict()),
            ("HTTP/2", (200, "-")),
            "{line:?}"
        );
    }
    let socket = lines.iter().find(|line| line.text("target") == "/socket");
    assert_eq!(socket.expect("its line").text("method"), "CONNECT");
    let client = lines[0].text("client");
    assert!(lines.iter().all(|line| line.text("client") == client));
}
