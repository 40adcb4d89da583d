//! HAProxy's command line: what scripts and service managers of HAProxy see of Evenkeel in its place.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::case::{Case, case};
use crate::program::{EVENKEEL, Program, TIMEOUT, own_address, shell};
use crate::rig::{Folder, Origin, until};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(a_file_that_is_right_is_0_and_one_that_is_wrong_is_1),
        case!(conditions_are_exit_codes_and_the_version_is_the_third_word),
        case!(under_the_name_haproxy_it_takes_haproxys_words),
        case!(files_and_directories_are_one_configuration),
        case!(sigint_ends_at_once_with_open_requests),
        case!(a_master_says_that_it_is_ready_and_ends_as_haproxys_does),
        case!(a_daemon_runs_when_its_parent_has_ended),
        case!(a_new_process_takes_the_port_of_the_old_one),
        case!(sockets_that_were_handed_over_are_named_by_variables),
    ]
}

const DEFAULTS: &str =
    "defaults\n mode http\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n";

fn said(arguments: &str) -> (String, ExitStatus) {
    shell(&format!("{EVENKEEL} haproxy {arguments}"))
}

/// A file that listens at `bind` and answers by itself.
fn file(folder: &Folder, bind: &str) -> PathBuf {
    let text = format!("{DEFAULTS}frontend web\n bind {bind}\n http-request return status 200\n");
    folder.write("cfg", &text)
}

/// The address of a test, with a port that needs no rights.
fn address(number: usize) -> SocketAddr {
    SocketAddr::from((own_address(200 + number), 8080))
}

/// The answer at an address, once something listens there.
fn answer(at: SocketAddr) -> String {
    let mut stream = until("it listens", || TcpStream::connect(at).ok());
    stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    text
}

fn start(arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Program {
    let mut command = Command::new(EVENKEEL);
    command.arg("haproxy").args(arguments);
    prepare(&mut command);
    Program::of(command)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

fn a_file_that_is_right_is_0_and_one_that_is_wrong_is_1() {
    let folder = Folder::new();
    let good = file(&folder, "127.0.0.1:0");
    let (output, status) = said(&format!("-c -dM -dI -dW -f {}", good.display()));
    assert_eq!((output.as_str(), status.code()), ("", Some(0)));
    let (output, status) = said(&format!("-c -V -f {}", good.display()));
    assert_eq!(
        (output.as_str(), status.code()),
        ("Configuration file is valid\n", Some(0))
    );
    let bad = folder.write(
        "bad",
        &format!("{DEFAULTS}frontend web\n bid 127.0.0.1:0\n"),
    );
    for words in ["-c -f", "-d -f", "-D -f", "-Ws -f"] {
        let (output, status) = said(&format!("{words} {}", bad.display()));
        assert_eq!(status.code(), Some(1), "{words}: {output}");
        let line = format!(
            ") : config : parsing [{}:7] : unknown keyword `bid`",
            bad.display()
        );
        assert!(
            output.contains("[ALERT]    (") && output.contains(&line),
            "{output}"
        );
        assert!(output.contains("did you mean `bind`?"), "{output}");
    }
    for words in ["", "-f", "-c", "--nonsense", "-f /nonexistent/cfg"] {
        assert_eq!(said(words).1.code(), Some(1), "{words}");
    }
}

fn conditions_are_exit_codes_and_the_version_is_the_third_word() {
    for (condition, code) in [
        ("feature(OPENSSL) && version_atleast(2.6)", 0),
        ("!feature(OPENSSL)", 1),
        ("feature(QUIC) || feature(LUA)", 1),
        ("streq(a,a) && !streq(a,b)", 0),
        ("nonsense(", 1),
    ] {
        let (output, status) = said(&format!("-cc '{condition}'"));
        assert_eq!(status.code(), Some(code), "{condition}: {output}");
    }
    let (output, status) = shell(&format!(
        "KIND=quic {EVENKEEL} haproxy -cc 'streq(\"$KIND\",quic) && streq(\"${{NONE-a}}\",a)'"
    ));
    assert_eq!(status.code(), Some(0), "{output}");
    let (output, _) = said("-v");
    let third = output.split_whitespace().nth(2).unwrap_or_default();
    assert!(output.starts_with("HAProxy version 3."), "{output}");
    assert!(third.contains("evenkeel"), "{output}");
    let (output, _) = said("-vv");
    assert!(output.contains("\n  TARGET  = linux-glibc\n"), "{output}");
}

fn under_the_name_haproxy_it_takes_haproxys_words() {
    let folder = Folder::new();
    let link = folder.path("haproxy");
    symlink(EVENKEEL, &link).expect("a link");
    let good = file(&folder, "127.0.0.1:0");
    let (output, status) = shell(&format!("{} -c -V -f {}", link.display(), good.display()));
    assert_eq!(
        (output.as_str(), status.code()),
        ("Configuration file is valid\n", Some(0))
    );
}

fn files_and_directories_are_one_configuration() {
    let (folder, at) = (Folder::new(), address(1));
    folder.write("first", DEFAULTS);
    fs::create_dir(folder.path("more")).expect("a folder");
    folder.write(
        "more/20-web.cfg",
        &format!("frontend web\n bind {at}\n default_backend app\n"),
    );
    folder.write(
        "more/10-app.cfg",
        "backend app\n http-request return status 201\n",
    );
    folder.write("more/ignored.txt", "nonsense\n");
    let files = ["first", "more"].map(|name| folder.path(name));
    let mut program = start(
        &["-d", "-f", text(&files[0]), "-f", text(&files[1])],
        |_| {},
    );
    program.wait_for("is running");
    assert!(
        answer(at).starts_with("HTTP/1.1 201 "),
        "{}",
        program.said()
    );
    let (output, status) = shell(&format!(
        "{EVENKEEL} check -f {} -f {}",
        files[0].display(),
        files[1].display()
    ));
    assert!(status.success(), "{output}");
}

fn sigint_ends_at_once_with_open_requests() {
    let (folder, at) = (Folder::new(), address(2));
    let origin = Origin::silent();
    let file = folder.write(
        "cfg",
        &format!(
            "{DEFAULTS}listen web\n bind {at}\n server s {}\n",
            origin.address()
        ),
    );
    for (count, signal) in [(1, Signal::INT), (2, Signal::TERM)] {
        let mut program = start(&["-d", "-f", text(&file)], |_| {});
        program.wait_for("is running");
        let mut stream = TcpStream::connect(at).expect("it listens");
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .expect("it reads");
        origin.wait_for_requests(count);
        program.signal(signal);
        assert_eq!(program.ended().code(), Some(0), "{}", program.said());
    }
}

fn a_master_says_that_it_is_ready_and_ends_as_haproxys_does() {
    let (folder, at) = (Folder::new(), address(3));
    let file = file(&folder, &at.to_string());
    let (pid_file, manager) = (folder.path("pid"), folder.path("notify"));
    let socket = UnixDatagram::bind(&manager).expect("a socket");
    socket.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
    let mut program = start(
        &["-d", "-Ws", "-f", text(&file), "-p", text(&pid_file)],
        |command| {
            command.env("NOTIFY_SOCKET", &manager);
        },
    );
    let mut message = [0; 256];
    let length = socket.recv(&mut message).expect("it is ready");
    assert!(message[..length].starts_with(b"READY=1"));
    let pid = fs::read_to_string(&pid_file).expect("it is written before");
    let own = Pid::as_raw(Some(program.pid()));
    assert_eq!(pid, format!("{own}\n"));
    assert!(answer(at).starts_with("HTTP/1.1 200 "));
    program.signal(Signal::USR2);
    program.wait_for("configuration 1 stays");
    program.signal(Signal::INT);
    assert_eq!(program.ended().code(), Some(130), "{}", program.said());
}

fn a_daemon_runs_when_its_parent_has_ended() {
    let (folder, at) = (Folder::new(), address(4));
    let file = file(&folder, &at.to_string());
    let pid_file = folder.path("pid");
    fs::create_dir(folder.path("sub")).expect("a folder");
    // The child must not go to the directory once more.
    let (output, status) = shell(&format!(
        "cd {} && {EVENKEEL} haproxy -D -C sub -f {} -p {}",
        folder.path("").display(),
        file.display(),
        pid_file.display()
    ));
    assert_eq!(status.code(), Some(0), "{output}");
    let pid = fs::read_to_string(&pid_file).expect("it is written before the parent ends");
    let pid = Pid::from_raw(pid.trim().parse().expect("a number")).expect("a process");
    assert!(answer(at).starts_with("HTTP/1.1 200 "));
    kill_process(pid, Signal::TERM).expect("it runs");
    until("it has ended", || has_ended(pid).then_some(()));
}

/// Whether a process has ended: it may be left for `init` to ask after.
fn has_ended(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat"));
    test_kill_process(pid).is_err() || status.is_ok_and(|text| text.contains(") Z "))
}

fn a_new_process_takes_the_port_of_the_old_one() {
    let (folder, at) = (Folder::new(), address(5));
    let file = file(&folder, &at.to_string());
    let mut old = start(&["-d", "-f", text(&file)], |_| {});
    old.wait_for("is running");
    let pid = Pid::as_raw(Some(old.pid())).to_string();
    let mut new = start(&["-d", "-f", text(&file), "-sf", &pid], |_| {});
    new.wait_for("is running");
    assert_eq!(old.ended().code(), Some(0), "{}", old.said());
    assert!(answer(at).starts_with("HTTP/1.1 200 "));
}

fn sockets_that_were_handed_over_are_named_by_variables() {
    let folder = Folder::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    fcntl_setfd(&listener, FdFlags::empty()).expect("it is open");
    let file = file(&folder, "\"fd@${web}\"");
    let mut program = start(&["-d", "-f", text(&file)], |command| {
        command.env("web", listener.as_raw_fd().to_string());
    });
    program.wait_for("is running");
    let at = listener.local_addr().expect("bound");
    assert!(answer(at).starts_with("HTTP/1.1 200 "));
}
