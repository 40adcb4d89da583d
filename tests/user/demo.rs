//! `evenkeel demo` as a user sees it who starts it and pastes the commands of its guide.

use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;

use crate::case::{Case, case};
use crate::program::{Program, TIMEOUT, address_in, shell};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(
            pasted_lines_show_the_turns_a_server_that_goes_and_comes_back_and_the_end_of_all,
            CURL
        ),
        case!(the_printed_configuration_can_be_saved_and_used),
        case!(ctrl_c_ends_it_at_once_although_a_request_is_open, CURL),
        case!(a_taken_port_is_named_with_the_flag_that_changes_it),
    ]
}

/// The lines to paste.
fn lines(demo: &Program) -> Vec<String> {
    let said = demo.said();
    let lines = said.lines().filter_map(|line| line.strip_prefix("    "));
    lines.map(str::to_owned).collect()
}

fn line_with<'a>(lines: &'a [String], text: &str) -> &'a str {
    let mut found = lines.iter().filter(|line| line.contains(text));
    found.next().expect("a line to paste")
}

fn pasted_lines_show_the_turns_a_server_that_goes_and_comes_back_and_the_end_of_all() {
    let mut demo = Program::demo();
    let lines = lines(&demo);

    let (said, status) = shell(&lines[0]);
    assert!(status.success());
    let mut servers: Vec<&str> = said.lines().collect();
    assert_eq!(servers.len(), 6, "{said}");
    assert_eq!(servers[..3], servers[3..], "in turn");
    servers.sort();
    servers.dedup();
    assert_eq!(
        servers,
        ["hello from app-1", "hello from app-2", "hello from app-3"]
    );

    let (said, _) = shell(line_with(&lines, "/stop?for=5s"));
    assert!(said.contains("stops for 5s"), "{said}");
    assert_eq!(said.matches("hello from").count(), 6, "none fails: {said}");
    let down = demo.wait_for("is down: connection refused");
    assert!(down.contains("2 of 3 up"), "{down}");
    demo.wait_for("is back");
    demo.wait_for("3 of 3 up");

    let (said, _) = shell(line_with(&lines, "/stop?for=6s"));
    assert_eq!(said.matches("stops for 6s").count(), 3, "{said}");
    assert!(said.contains("HTTP/1.1 503 Service Unavailable"), "{said}");
    assert!(said.contains("reason: backend.no_server"), "{said}");
    assert!(said.contains("retry-after: "), "{said}");
    demo.wait_for("0 of 3 up");
    demo.wait_for("3 of 3 up");

    let (said, _) = shell(line_with(&lines, "/echo"));
    assert!(said.starts_with("POST /echo HTTP/1.1\n"), "{said}");
    assert!(said.contains("x-forwarded-for: 127.0.0.1\n"), "{said}");
    assert!(said.ends_with("\n\na body"), "{said}");
    let (said, _) = shell(line_with(&lines, "/slow"));
    assert!(said.contains(", after 500ms"), "{said}");
    let (said, _) = shell(line_with(&lines, "/status/503"));
    assert!(said.contains("503 Service Unavailable from app-"), "{said}");
    let admin = lines.iter().find(|line| line.ends_with("/status"));
    let (said, _) = shell(admin.expect("a line to paste"));
    assert_eq!(said.matches("\"state\": \"up\"").count(), 3, "{said}");
    let (said, _) = shell(line_with(&lines, "/metrics"));
    assert!(said.contains("server=\"app-1\",status=\"200\"} "), "{said}");
}

fn the_printed_configuration_can_be_saved_and_used() {
    let demo = Program::demo();
    let said = demo.said();
    let from = said.find("[frontend.web]").expect("a configuration");
    let to = said.find("\nTry in another terminal").expect("a guide");
    // Events come on standard error, and may be read between two lines of the guide.
    let is_event = |line: &&str| line.starts_with(|first: char| first.is_ascii_digit());
    let lines = said[from..to].lines().filter(|line| !is_event(line));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    let loaded = evenkeel::config::load_text("demo", &text).expect("a valid one");
    assert!(loaded.warnings.is_empty());
    assert!(!text.contains(":0\""), "the real ports: {text}");
}

fn ctrl_c_ends_it_at_once_although_a_request_is_open() {
    let mut demo = Program::demo();
    let lines = lines(&demo);
    let slow = line_with(&lines, "/slow").replace("500", "60000");
    let mut curl = Command::new("sh")
        .args(["-c", &slow])
        .spawn()
        .expect("there is a shell");
    let metrics =
        line_with(&lines, "/metrics").replace("evenkeel_server_requests_total", "in_flight");
    let deadline = Instant::now() + TIMEOUT;
    while !shell(&metrics).0.contains("} 1") {
        assert!(Instant::now() < deadline, "it never arrives");
    }
    demo.signal(Signal::INT);
    assert_eq!(demo.ended().code(), Some(0), "{}", demo.said());
    curl.wait().expect("it is our child");
}

fn a_taken_port_is_named_with_the_flag_that_changes_it() {
    let first = Program::demo();
    let address = address_in(&first.said());
    let mut second = Program::start(&format!("demo --listen {address} --admin 127.0.0.1:0"));
    assert_eq!(second.ended().code(), Some(3));
    let said = second.said();
    assert!(said.contains(&format!("{address} is taken")), "{said}");
    assert!(said.contains("`--listen 127.0.0.1:0`"), "{said}");
}
