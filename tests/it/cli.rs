//! The command line: `check`, `--version`, `--help`, and wrong arguments.

use std::path::Path;
use std::process::Output;

use crate::rig::{
    Authority, Deaf, Folder, Origin, Program, Proxy, RefusingAddress, Setup, evenkeel,
};

const VALID: &str = "[frontend.web]\nlisten = \"127.0.0.1:0\"\nbackend = \"app\"\n\
                     [backend.app]\nservers = [\"127.0.0.1:1\"]\n";

/// Three mistakes.
const INVALID: &str = "[frontend.web]\nlisten = \"127.0.0.1:0\"\nbackend = \"api\"\n\
                       [backend.app]\nservers = [{ adress = \"127.0.0.1:1\" }]\n\
                       timeout.response = 5\n";

fn check(text: &str, options: &[&str]) -> (i32, String, String) {
    let folder = Folder::new();
    let file = folder.write("evenkeel.toml", text);
    let file = file.display().to_string();
    let mut arguments = vec!["check", &file];
    arguments.extend(options);
    said(&evenkeel(&arguments))
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("it was not killed");
    (code, text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_valid_file_is_reported_as_valid() {
    let (code, stdout, stderr) = check(VALID, &[]);
    assert_eq!(code, 0);
    assert!(stdout.ends_with("evenkeel.toml is valid\n"), "{stdout}");
    assert_eq!(stderr, "");
}

#[test]
fn all_mistakes_of_a_file_are_reported_at_once_with_their_positions() {
    let (code, stdout, stderr) = check(INVALID, &[]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    let expected = [
        "evenkeel.toml:3:11",
        "backend `api` is not defined",
        "evenkeel.toml:5:14",
        "did you mean `address`?",
        "evenkeel.toml:6:20",
        "\"5s\"",
    ];
    for part in expected {
        assert!(stderr.contains(part), "{part} is missing in:\n{stderr}");
    }
}

#[test]
fn mistakes_can_be_had_as_json() {
    let (code, stdout, _) = check(INVALID, &["--format", "json"]);
    assert_eq!(code, 1);
    let mistakes: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    let mistakes = mistakes.as_array().expect("a list");
    assert!(mistakes.len() >= 3, "{stdout}");
    for mistake in mistakes {
        assert_eq!(mistake["severity"], "error");
        assert!(
            mistake["message"].is_string() && mistake["line"].is_u64(),
            "{mistake}"
        );
    }
    let (code, stdout, _) = check(VALID, &["--format", "json"]);
    assert_eq!((code, stdout.as_str()), (0, "[]\n"));
}

#[test]
fn a_configuration_can_be_shown_with_every_default_and_is_one() {
    let (code, shown, _) = check(VALID, &["--show"]);
    assert_eq!(code, 0);
    for part in [
        "keep_alive = \"1m\"",
        "round-robin",
        "127.0.0.1:9900",
        "request_id",
    ] {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
    let (code, again, stderr) = check(&shown, &["--show"]);
    assert_eq!((code, again), (0, shown), "{stderr}");
}

#[test]
fn a_file_that_is_not_there_is_a_mistake() {
    let (code, _, stderr) = said(&evenkeel(&["check", "/nowhere/evenkeel.toml"]));
    assert_eq!(code, 1);
    assert!(stderr.contains("/nowhere/evenkeel.toml"), "{stderr}");
}

#[test]
fn an_invalid_file_is_not_run() {
    let folder = Folder::new();
    let file = folder.write("evenkeel.toml", INVALID);
    let file = file.display().to_string();
    let (code, _, stderr) = said(&evenkeel(&["run", "-c", &file]));
    assert_eq!(code, 1);
    assert!(stderr.contains("did you mean `address`?"), "{stderr}");
}

#[test]
fn a_file_is_named_with_and_without_config() {
    let folder = Folder::new();
    let file = folder.write("evenkeel.toml", INVALID).display().to_string();
    for command in ["check", "run"] {
        for arguments in [&[command, &file][..], &[command, "--config", &file]] {
            let (code, _, stderr) = said(&evenkeel(arguments));
            assert_eq!(code, 1, "{arguments:?}");
            assert!(stderr.contains("did you mean `address`?"), "{stderr}");
        }
        let (code, ..) = said(&evenkeel(&[command]));
        assert_eq!(code, 2);
        let (code, ..) = said(&evenkeel(&[command, &file, "--config", &file]));
        assert_eq!(code, 2);
    }
}

#[test]
fn the_schema_is_printed_as_json() {
    let (code, stdout, stderr) = said(&evenkeel(&["schema"]));
    assert_eq!((code, stderr.as_str()), (0, ""));
    let schema: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert!(schema["properties"]["frontend"].is_object());
}

#[test]
fn the_files_that_come_with_it_are_valid() {
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    let mut files = vec![conf.join("minimal.toml"), conf.join("full.toml")];
    let recipes = std::fs::read_dir(conf.join("recipes")).expect("they are there");
    let recipes = recipes.map(|entry| entry.expect("an entry").path());
    files.extend(recipes.filter(|path| path.extension().is_some_and(|end| end == "toml")));
    // The paths of certificates are relative to the file.
    let folder = Folder::new();
    let authority = Authority::new("Test CA");
    let pair = authority.pair(&["www.example.com", "admin.example.com"]);
    std::fs::create_dir(folder.path("certs")).expect("a folder of our own");
    std::fs::create_dir(folder.path("lists")).expect("a folder of our own");
    for list in ["networks.txt", "agents.txt", "hosts.map"] {
        let text = std::fs::read_to_string(conf.join("recipes/lists").join(list));
        folder.write(&format!("lists/{list}"), &text.expect("it is there"));
    }
    folder.write("certs/site.pem", &pair.whole());
    folder.write("clients-ca.pem", &authority.pem);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("it is there");
        let path = folder.write("evenkeel.toml", &text).display().to_string();
        let (code, _, stderr) = said(&evenkeel(&["check", &path]));
        let path = file.display();
        assert_eq!(code, 0, "{path}: {stderr}");
    }
}

#[test]
fn the_version_has_commit_compiler_and_allocator() {
    for flag in ["--version", "-V"] {
        let (code, stdout, _) = said(&evenkeel(&[flag]));
        assert_eq!(code, 0);
        let expected = concat!("evenkeel ", env!("CARGO_PKG_VERSION"), "\n");
        assert!(stdout.starts_with(expected), "{stdout}");
        for part in ["commit", "rustc", "allocator"] {
            assert!(stdout.contains(part), "{part} is missing in:\n{stdout}");
        }
    }
}

#[test]
fn help_can_be_read_by_a_person() {
    let (code, stdout, _) = said(&evenkeel(&["--help"]));
    assert_eq!(code, 0);
    for part in ["run", "check", "Exit codes", "--version"] {
        assert!(stdout.contains(part), "{part} is missing in:\n{stdout}");
    }
    let (code, stdout, _) = said(&evenkeel(&["run", "--help"]));
    assert_eq!(code, 0);
    for part in ["--config", "SIGHUP", "SIGTERM"] {
        assert!(stdout.contains(part), "{part} is missing in:\n{stdout}");
    }
}

#[test]
fn a_wrong_command_line_is_answered_2() {
    for arguments in [&[][..], &["fly"], &["run"], &["check"], &["run", "--wrong"]] {
        let (code, ..) = said(&evenkeel(arguments));
        assert_eq!(code, 2, "{arguments:?}");
    }
}

// `evenkeel health`.

fn health(arguments: &[&str]) -> (i32, String, String) {
    said(&evenkeel(&[&["health"], arguments].concat()))
}

#[test]
fn a_proxy_that_is_ready_is_healthy() {
    let origin = Origin::named("a");
    let program = Program::start(&Setup::of(&[&origin]));
    let admin = program.admin_address().to_string();
    for (options, answer) in [(&[][..], "ready\n"), (&["--live"], "live\n")] {
        let outcome = health(&[&["--admin", &admin], options].concat());
        assert_eq!(outcome, (0, answer.to_owned(), String::new()));
    }
}

#[test]
fn a_proxy_that_waits_for_its_first_checks_lives_and_is_not_ready() {
    let deaf = Deaf::new();
    let checked =
        Setup::at([deaf.address()]).backend("health = { interval = \"60s\", timeout = \"60s\" }");
    let program = Program::start(&checked);
    let admin = program.admin_address().to_string();
    let (code, stdout, stderr) = health(&["--admin", &admin]);
    assert_eq!((code, &*stdout), (1, ""));
    assert_eq!(stderr, "503: 1 server waits for its first check\n");
    assert_eq!(health(&["--admin", &admin, "--live"]).0, 0);
}

#[test]
fn health_finds_the_admin_listener_in_the_configuration_even_if_that_has_mistakes_by_now() {
    let app = Origin::named("app");
    let folder = Folder::new();
    let socket = folder.path("admin.sock").display().to_string();
    let text = Setup::of(&[&app]).text(&folder.path("access.log")).replace(
        "[admin]\nlisten = \"127.0.0.1:0\"",
        &format!("[admin]\nlisten = [\"127.0.0.1:0\", \"{socket}\"]"),
    );
    let file = folder.write("evenkeel.toml", &text);
    let config = file.display().to_string();
    let proxy = Proxy::start(folder, file);
    assert_eq!(health(&["--config", &config]).0, 0);
    let broken = text.replace("backend = \"app\"", "backend = \"none\"\nnonsense = 1\n");
    proxy.folder().write("evenkeel.toml", &broken);
    assert_eq!(evenkeel(&["check", &config]).status.code(), Some(1));
    assert_eq!(health(&["--config", &config]).0, 0);
}

#[test]
fn a_proxy_that_is_not_there_or_does_not_answer_is_unhealthy_and_the_address_is_named() {
    let (refusing, deaf) = (RefusingAddress::new(), Deaf::new());
    let address = refusing.address().to_string();
    let (code, _, stderr) = health(&["--admin", &address]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains(&address) && stderr.contains("refused"),
        "{stderr}"
    );
    let address = deaf.address().to_string();
    let (code, _, stderr) = health(&["--admin", &address, "--timeout", "50ms"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("timed out after 50ms"), "{stderr}");
    let (code, _, stderr) = health(&["--admin", "localhost:9900"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("127.0.0.1:9900"), "{stderr}");
}

#[test]
fn an_answer_of_another_program_is_no_health() {
    let asked = |answer: &str| {
        let origin = Origin::answering_once(format!(
            "{answer}\r\nconnection: close\r\n\r\nready\u{1b}[2J"
        ));
        health(&["--admin", &origin.address().to_string()])
    };
    for answer in ["HTTP/1.1 2000 OK", "HTTP/1.1 20", "HTTP/2 200 OK"] {
        let (code, stdout, stderr) = asked(answer);
        assert_eq!((code, &*stdout), (1, ""), "{answer}");
        assert!(stderr.contains("the answer is not HTTP"), "{stderr}");
    }
    let shown = "ready\\u{1b}[2J\n";
    let (code, _, stderr) = asked("HTTP/1.1 503 No");
    assert_eq!((code, stderr), (1, format!("503: {shown}")));
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK";
    assert_eq!(asked(interim), (0, shown.to_owned(), String::new()));
}
