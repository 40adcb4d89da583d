//! The socket for HAProxy's commands: the same commands to HAProxy and to us, with one file.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::case::{Case, case};
use crate::program::{EVENKEEL, TIMEOUT};
use crate::rig::{Folder, Origin, until};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(answers_are_those_of_haproxy, HAPROXY),
        case!(a_session_goes_on_as_long_as_haproxys, HAPROXY),
        case!(figures_of_a_request_are_those_of_haproxy, HAPROXY),
        case!(one_tells_of_itself_in_each_form, HAPROXY),
        case!(a_web_page_gets_no_answer_to_its_commands),
        case!(a_client_that_says_nothing_makes_room_for_another),
        case!(a_level_and_its_file_are_as_written),
    ]
}

/// A proxy that runs, with a socket for commands. Ended when this is dropped.
struct Running {
    child: Child,
    folder: Folder,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Runs `command` with a file of `sections` behind a `global` with `stats` lines.
    fn start(program: &str, stats: &str, sections: &str) -> Self {
        let folder = Folder::new();
        let socket = folder.path("commands");
        let text = format!(
            "global\n stats socket {} {stats}\ndefaults\n mode http\n timeout connect 5s\n timeout client 30s\n \
             timeout server 30s\n{}",
            socket.display(),
            sections.replace("FOLDER", &folder.path("").display().to_string()),
        );
        let file = folder.write("haproxy.cfg", &text);
        let mut command = Command::new(program);
        match program == EVENKEEL {
            true => command.arg("haproxy").arg("-f").arg(file),
            false => command.args(["-db", "-f"]).arg(file),
        };
        let errors = folder.path("errors");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&errors).expect("a file"));
        let mut child = command.spawn().expect("it runs");
        until("it takes commands", || {
            if let Ok(Some(_)) = child.try_wait() {
                let said = std::fs::read_to_string(&errors).unwrap_or_default();
                unreachable!("it ended: {said}\n{text}");
            }
            UnixStream::connect(&socket).ok()
        });
        Self { child, folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path("commands")
    }

    /// The answer to `lines`, until the other side closes.
    fn ask(&self, lines: &str) -> String {
        ask(&self.socket(), lines)
    }

    /// The status of a request to the Unix socket that the file binds as `web`.
    fn request(&self, path: &str) -> String {
        let mut stream = UnixStream::connect(self.folder.path("web")).expect("it listens");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        )
        .expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it answers");
        text.lines().next().unwrap_or_default().to_owned()
    }
}

fn ask(socket: &Path, lines: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("it listens");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
    stream.write_all(lines.as_bytes()).expect("it reads");
    stream.shutdown(Shutdown::Write).expect("it is open");
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .expect("it answers, and closes");
    text
}

const SECTIONS: &str = "frontend web\n bind unix@FOLDERweb\n http-request track-sc0 hdr(x-key) table clients\n \
     default_backend app\n\
     backend app\n server a 192.0.2.1:80 weight 5\n server b 192.0.2.2:8080 backup\n server c 192.0.2.3:443 ssl verify none\n\
     backend clients\n stick-table type string len 20 size 100 expire 10m store gpc0,http_req_rate(10s),conn_cnt\n\
     backend more\n stick-table type ip size 1k store conn_cur\n server d 192.0.2.4:80\n";

fn both() -> [Running; 2] {
    ["haproxy", EVENKEEL].map(|program| Running::start(program, "level admin", SECTIONS))
}

/// `text` without what differs from one process to the next: places in memory and times.
fn plain(text: &str) -> String {
    let words = text.split_inclusive([' ', '\n']).map(|word| {
        let end = word.trim_end();
        let gap = &word[end.len()..];
        let plain = match end {
            // Younger versions than Debian's have it.
            "shard=0" => return String::new(),
            _ if end.starts_with("0x") => "0x:",
            _ if end.starts_with("exp=") => "exp=",
            _ => end,
        };
        format!("{plain}{gap}")
    });
    words.collect()
}

fn answers_are_those_of_haproxy() {
    let [haproxy, evenkeel] = both();
    for command in [
        "show table",
        "show table clients",
        "show table nope",
        "show table clients foo",
        "show table clients data.nope gt 0",
        "show table clients data.gpc0 xx 0",
        "show table clients data.http_err_cnt gt 0",
        "show table clients data.gpc0 gt",
        "show table clients key",
        "show table clients key abc",
        "show servers state nope",
        "show servers conn nope",
        "show env NO_VARIABLE_OF_THIS_NAME",
        "show env a\\ b\\;c",
        "show errors nope",
        "show cli level",
        "get weight app/a",
        "get weight app/nope",
        "get weight nope/a",
        "get weight app",
        "  show   cli level  ",
        "show cli level;show cli level",
        "show cli level ; show table nope",
        "operator;show cli level;user;show cli level;operator;show cli level",
        "user;show servers conn nope",
        "user;show env",
    ] {
        let [expected, found] = [&haproxy, &evenkeel].map(|one| one.ask(&format!("{command}\n")));
        assert_eq!(plain(&found), plain(&expected), "{command}");
    }
    for (command, column) in [("show servers state", 10), ("show servers state app", 10)] {
        // Behind them: the age and the numbers of checks, which nobody makes here.
        let columns = |text: String| -> Vec<String> {
            let first = |line: &str| {
                line.split(' ')
                    .take(column - 1)
                    .collect::<Vec<_>>()
                    .join(" ")
            };
            text.lines().map(first).collect()
        };
        let [expected, found] =
            [&haproxy, &evenkeel].map(|one| columns(one.ask(&format!("{command}\n"))));
        // A backend without servers has no line, and its number counts.
        assert_eq!(found, expected, "{command}");
    }
    let unknown = evenkeel.ask("show nonsense\n");
    assert!(
        unknown.starts_with(
            "Unknown command, but maybe one of the following ones is a better match:\n  show "
        ) && unknown.ends_with("  quit                                    : disconnect\n\n"),
        "{unknown}"
    );
}

fn a_session_goes_on_as_long_as_haproxys() {
    let [haproxy, evenkeel] = both();
    for lines in [
        "prompt\nshow cli level\nshow cli level\n",
        "prompt\nshow cli level;show cli level\nquit\nshow cli level\n",
        "show cli level\nshow cli level\n",
        "prompt\nprompt\nshow cli level\n",
        // Half a line is no command.
        "show cli level",
        "",
    ] {
        let [expected, found] = [&haproxy, &evenkeel].map(|one| one.ask(lines));
        assert_eq!(found, expected, "{lines:?}");
    }
    // Without a prompt, the answer is the end, although the client could say more.
    let mut stream = UnixStream::connect(evenkeel.socket()).expect("it listens");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
    stream.write_all(b"show cli level\n").expect("it reads");
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .expect("it answers, and closes");
    assert_eq!(text, "admin\n\n");
}

/// The values of a row of `show stat`, by column.
fn row(text: &str, proxy: &str, name: &str) -> impl Fn(&str) -> String + use<> {
    let mut lines = text.lines();
    let head = lines.next().expect("a head").trim_start_matches("# ");
    let head: Vec<String> = head.split(',').map(str::to_owned).collect();
    let start = format!("{proxy},{name},");
    let row = lines.find(|line| line.starts_with(&start));
    let row = row.unwrap_or_else(|| unreachable!("no {start} in {text}"));
    let values: Vec<String> = row.split(',').map(str::to_owned).collect();
    move |column| {
        let index = head.iter().position(|known| known == column);
        values[index.unwrap_or_else(|| unreachable!("no column {column}"))].clone()
    }
}

fn figures_of_a_request_are_those_of_haproxy() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
    let sections = format!(
        "{SECTIONS}listen own\n bind unix@FOLDERown\n server s {}\n",
        origin.address()
    )
    .replace("bind unix@FOLDERweb", "bind unix@FOLDERother")
    .replace("bind unix@FOLDERown", "bind unix@FOLDERweb");
    let [haproxy, evenkeel] =
        ["haproxy", EVENKEEL].map(|program| Running::start(program, "level admin", &sections));
    let texts = [&haproxy, &evenkeel].map(|one| {
        assert_eq!(one.request("/"), "HTTP/1.1 200 OK");
        until("it is counted", || {
            let text = one.ask("show stat\n");
            let is_over = row(&text, "own", "FRONTEND")("scur") == "0";
            let is_counted = row(&text, "own", "BACKEND")("hrsp_2xx") == "1";
            (is_over && is_counted).then_some(text)
        })
    });
    for (proxy, name, columns) in [
        (
            "own",
            "FRONTEND",
            "scur stot ereq dreq status pid iid sid type hrsp_2xx hrsp_5xx req_tot mode intercepted",
        ),
        (
            "own",
            "s",
            "scur stot econ eresp status weight act bck sid iid lbtot type hrsp_2xx addr uweight",
        ),
        (
            "own",
            "BACKEND",
            "scur stot status weight act bck sid iid type hrsp_2xx req_tot",
        ),
        (
            "app",
            "b",
            "scur stot status weight act bck sid iid type addr",
        ),
        ("app", "BACKEND", "status weight act bck iid"),
        ("more", "d", "sid iid"),
    ] {
        let [expected, found] = [&texts[0], &texts[1]].map(|text| row(text, proxy, name));
        for column in columns.split(' ') {
            assert_eq!(
                found(column),
                expected(column),
                "{column} of {proxy}/{name}"
            );
        }
    }
    for (command, count) in [
        ("show stat own -1 -1", 3),
        ("show stat own 1 -1", 1),
        ("show stat own 4 1", 1),
        ("show stat own 4 2", 0),
        ("show stat -1 4 -1", 5),
        ("show stat 1 -1 -1", 0),
    ] {
        let [expected, found] = [&haproxy, &evenkeel].map(|one| {
            let text = one.ask(&format!("{command}\n"));
            let names = text.lines().skip(1).filter(|line| !line.is_empty());
            let names = names.map(|line| line.split(',').take(2).collect::<Vec<_>>().join("/"));
            names.collect::<Vec<_>>()
        });
        assert_eq!(found, expected, "{command}");
        assert_eq!(found.len(), count, "{command}: {found:?}");
    }
}

fn one_tells_of_itself_in_each_form() {
    let [haproxy, evenkeel] = both();
    let names = |text: &str, separator: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.is_empty());
        lines
            .map(|line| line.split(separator).next().unwrap_or_default().to_owned())
            .collect()
    };
    // Each of our fields is one of theirs, in the same place, with the same type and tags.
    let known = haproxy.ask("show info typed\n");
    let known: Vec<&str> = known.lines().map(type_of).collect();
    let typed = evenkeel.ask("show info typed\n");
    for line in typed.lines().filter(|line| !line.is_empty()) {
        assert!(known.contains(&type_of(line)), "{line}");
    }
    let known = names(&haproxy.ask("show info desc\n"), ":");
    let lines = names(&evenkeel.ask("show info desc\n"), ":");
    assert!(lines.len() > 20, "{lines:?}");
    assert!(lines.iter().all(|name| known.contains(name)), "{lines:?}");
    let json = evenkeel.ask("show info json\n");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json[0]["field"]["name"], "Name");
    assert_eq!(json[0]["tags"]["origin"], "Product");
    let pid = format!("Pid: {}\n", evenkeel.child.id());
    assert!(evenkeel.ask("show info\n").contains(&pid));
    // The same for figures.
    let [known, typed] = [&haproxy, &evenkeel].map(|one| one.ask("show stat typed\n"));
    let known: Vec<&str> = known.lines().map(type_of).collect();
    let lines: Vec<&str> = typed.lines().filter(|line| !line.is_empty()).collect();
    for line in &lines {
        assert!(known.contains(&type_of(line)), "{line}");
    }
    assert!(lines.len() > 50, "{typed}");
    let json = evenkeel.ask("show stat json\n");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json[0][0]["value"]["value"], "web");
}

/// A line of a typed form without its value.
fn type_of(line: &str) -> &str {
    let end = line
        .match_indices(':')
        .nth(2)
        .map_or(line.len(), |(at, _)| at);
    &line[..end]
}

fn a_web_page_gets_no_answer_to_its_commands() {
    let folder = Folder::new();
    let text = "[admin]\nlisten = \"off\"\nhaproxy_socket = { listen = \"127.0.0.1:0\", level = \"admin\" }\n\
                [frontend.web]\nlisten = \"127.0.0.1:0\"\nbackend = \"app\"\n\
                [backend.app]\nservers = [\"192.0.2.1:80\"]\n";
    let file = folder.write("evenkeel.toml", text);
    let mut program = crate::program::Program::start(&format!("run --config {}", file.display()));
    let line = program.wait_for("commands are taken at ");
    let at = line.rsplit(' ').next().expect("an address").to_owned();
    let ask = |text: &str| {
        let mut stream = TcpStream::connect(&at).expect("it listens");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
        stream.write_all(text.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        // Closed with bytes unread, a reset is an end, too.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).expect("text")
    };
    assert_eq!(ask("show cli level\n"), "admin\n\n");
    assert_eq!(ask("POST / HTTP/1.1\r\nshow cli level\n"), "");
}

fn a_client_that_says_nothing_makes_room_for_another() {
    let sections = SECTIONS.to_owned();
    let stats = "level admin\n stats timeout 1s\n stats maxconn 1";
    let evenkeel = Running::start(EVENKEEL, stats, &sections);
    let silent = UnixStream::connect(evenkeel.socket()).expect("it listens");
    // It waits for the silent one to be over, and is answered then.
    assert_eq!(evenkeel.ask("show cli level\n"), "admin\n\n");
    drop(silent);
    // A line without an end is bounded, and ends the session alone.
    let mut endless = UnixStream::connect(evenkeel.socket()).expect("it listens");
    let _ = endless.write_all(&vec![b'a'; 1 << 20]);
    assert_eq!(evenkeel.ask("show cli level\n"), "admin\n\n");
}

fn a_level_and_its_file_are_as_written() {
    let default = Running::start(EVENKEEL, "", SECTIONS);
    assert_eq!(default.ask("show cli level\n"), "operator\n\n");
    let mode = |one: &Running| {
        let file = std::fs::metadata(one.socket()).expect("a file");
        file.permissions().mode() & 0o777
    };
    assert_eq!(mode(&default), 0o600);
    let user = Running::start(EVENKEEL, "mode 666 level user", SECTIONS);
    assert_eq!(
        user.ask("show cli level;show env\n"),
        "user\n\nPermission denied\n\n"
    );
    assert_eq!(mode(&user), 0o666);
}
