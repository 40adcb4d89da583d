//! README.md, checked: its configurations load, its commands run, its links lead somewhere.
//!
//! A block of commands is run line by line in a directory that has the file `evenkeel.toml` of the
//! page, with free ports and with the servers of a demo. A block with the mark `build` holds
//! commands of Cargo, of which only the words are checked: running the tests from a test would
//! never end.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicUsize, Ordering};

use evenkeel::config::load_text;

use crate::case::{Case, case};
use crate::program::{EVENKEEL, Program, address_in, shell, shell_with};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(every_block_is_of_a_kind_that_is_tested_here),
        case!(every_configuration_loads_without_a_warning),
        case!(the_configurations_of_reference_pages_load_without_a_warning),
        case!(commands_of_cargo_are_words_that_it_and_the_program_know),
        case!(every_command_works, CURL),
        case!(the_arguments_of_the_image_are_valid),
        case!(the_image_has_what_its_build_and_tls_to_servers_need),
        case!(a_mistake_is_shown_as_the_page_says),
        case!(links_lead_to_files),
        case!(exit_codes_are_those_of_the_help),
    ]
}

/// A block between fences.
struct Block {
    language: String,
    /// What follows the language.
    mark: String,
    text: String,
}

fn page() -> String {
    fs::read_to_string(root().join("README.md")).expect("the page")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for line in page().lines() {
        match line.strip_prefix("```") {
            Some(_) if is_open => is_open = false,
            Some(info) => {
                is_open = true;
                let (language, mark) = info.split_once(' ').unwrap_or((info, ""));
                blocks.push(Block {
                    language: language.to_owned(),
                    mark: mark.to_owned(),
                    text: String::new(),
                });
            }
            None if is_open => {
                let block = blocks.last_mut().expect("it was opened");
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {}
        }
    }
    assert!(!is_open, "the last fence is missing");
    blocks
}

/// The texts of the blocks with this language and mark.
fn texts(language: &str, mark: &str) -> Vec<String> {
    let blocks = blocks().into_iter();
    let fitting = blocks.filter(|block| block.language == language && block.mark == mark);
    let texts: Vec<String> = fitting.map(|block| block.text).collect();
    assert!(!texts.is_empty(), "no block {language} {mark}");
    texts
}

/// The configuration that the page calls `evenkeel.toml`.
fn configuration() -> String {
    texts("toml", "evenkeel.toml").remove(0)
}

fn every_block_is_of_a_kind_that_is_tested_here() {
    for Block { language, mark, .. } in blocks() {
        let kind = format!("{language} {mark}");
        assert!(
            [
                "sh ",
                "sh build",
                "toml ",
                "toml evenkeel.toml",
                "haproxy ",
                "text ",
                "text check"
            ]
            .contains(&&*kind),
            "{kind}"
        );
    }
}

fn every_configuration_loads_without_a_warning() {
    let blocks = blocks()
        .into_iter()
        .filter(|block| block.language == "toml");
    let mut count = 0;
    for block in blocks {
        count += 1;
        let loaded = load_text("README.md", &block.text);
        let loaded = loaded.expect("a configuration without mistakes");
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    }
    assert_eq!(count, 9);
    assert!(configuration().lines().count() <= 10);
}

fn the_configurations_of_reference_pages_load_without_a_warning() {
    for name in ["routing.md", "rules.md"] {
        let page = fs::read_to_string(root().join("conf/reference").join(name)).expect("the page");
        let (_, after) = page.split_once("```toml\n").expect("a configuration");
        let (text, _) = after.split_once("```").expect("its end");
        let loaded = load_text(name, text).expect("a configuration without mistakes");
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    }
}

fn commands_of_cargo_are_words_that_it_and_the_program_know() {
    for text in texts("sh", "build") {
        for line in text.lines() {
            let (cargo, program) = line.split_once(" -- ").unwrap_or((line, "--help"));
            let words = cargo.strip_prefix("cargo").expect("a command of Cargo");
            let (said, status) = shell(&format!("{}{words} --help", env!("CARGO")));
            assert!(status.success(), "{line}: {said}");
            let (said, status) = shell(&format!("{EVENKEEL} {program} --help"));
            assert!(status.success(), "{line}: {said}");
        }
    }
}

fn the_arguments_of_the_image_are_valid() {
    let file = fs::read_to_string(root().join("packaging/Dockerfile")).expect("the file");
    let lists: Vec<Vec<String>> = file
        .lines()
        .filter_map(|line| line.trim().split_once(" [\"").map(|(_, list)| list))
        .map(|list| serde_json::from_str(&format!("[\"{list}")).expect("a list of words"))
        .collect();
    let [entry, run, check] = [1, 2, 0].map(|index| lists[index].as_slice());
    assert_eq!(entry, ["evenkeel"]);
    for words in [run, &check[1..]] {
        let output = Command::new(EVENKEEL).args(words).arg("--help").output();
        let output = output.expect("it was built with this test");
        assert!(output.status.success(), "{words:?}: {output:?}");
    }
    assert_eq!(check[..2], ["evenkeel", "health"]);
}

fn the_image_has_what_its_build_and_tls_to_servers_need() {
    let file = fs::read_to_string(root().join("packaging/Dockerfile")).expect("the file");
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    let stages: Vec<&str> = text.split("FROM ").skip(1).collect();
    let [build, image] = stages[..] else {
        unreachable!("two stages: {stages:?}");
    };
    let installs = |stage: &str, package: &str| {
        let mut lines = stage
            .lines()
            .filter(|line| line.contains("apt-get install"));
        lines.any(|line| line.split_whitespace().any(|word| word == package))
    };
    assert!(installs(build, "make"), "jemalloc is built with it");
    let (before, _) = build.split_once("cargo build").expect("it is built");
    assert!(installs(before, "make"), "before it is needed");
    assert!(installs(image, "ca-certificates"), "for `tls = true`");
    // The admin listener on loopback cannot be reached through a port of the container.
    let exposed = image
        .lines()
        .filter_map(|line| line.strip_prefix("EXPOSE "));
    assert_eq!(exposed.collect::<Vec<_>>(), ["8080"]);
    assert!(image.contains("HEALTHCHECK "));
}

fn every_command_works() {
    let demo = Program::demo();
    let servers = demo.said();
    let server = |name: &str| {
        let line = servers.lines().find(|line| line.contains(name));
        address_in(line.expect("a server")).to_string()
    };
    let text = configuration()
        .replace("0.0.0.0:8080", "127.0.0.1:0")
        .replace("10.0.0.1:80", &server("\"app-1\""))
        .replace("10.0.0.2:80", &server("\"app-2\""));
    let surroundings = Surroundings::new(&format!("{text}\n[admin]\nlisten = \"127.0.0.1:0\"\n"));

    let mut running = None;
    let mut reloads = 0;
    for line in texts("sh", "").iter().flat_map(|text| text.lines()) {
        let Some((program, admin)) = &mut running else {
            if line.starts_with("evenkeel run") {
                running = Some(surroundings.start(line));
            } else {
                surroundings.succeeds(line);
            }
            continue;
        };
        surroundings.runs(program);
        surroundings.succeeds(&line.replace("127.0.0.1:9900", admin));
        if line.contains("HUP") || line.contains("/reload") {
            reloads += 1;
            program.wait_for("configuration 1 stays");
        }
    }
    assert_eq!(reloads, 2);
}

fn a_mistake_is_shown_as_the_page_says() {
    let shown = texts("text", "check").remove(0);
    let mut lines = shown.lines();
    let wrong = lines.find_map(|line| line.split_once("7 | "));
    let (_, wrong) = wrong.expect("the line with the mistake");
    let configuration = configuration();
    let kept: Vec<&str> = configuration.lines().take(6).collect();
    let surroundings = Surroundings::new(&format!("{}\n{wrong}\n", kept.join("\n")));
    let (said, status) = surroundings.shell("evenkeel check evenkeel.toml");
    assert_eq!(status.code(), Some(1));
    assert!(said.starts_with(&shown), "{said}");
}

fn links_lead_to_files() {
    let page = page();
    let mut count = 0;
    for after in page.split("](").skip(1) {
        let target = after.split(')').next().expect("the end of a link");
        let (file, section) = target.split_once('#').unwrap_or((target, ""));
        let path = root().join(file);
        assert!(path.exists(), "{target}");
        if !section.is_empty() {
            let text = fs::read_to_string(path).expect("a page");
            assert!(sections(&text).any(|name| name == section), "{target}");
        }
        count += 1;
    }
    assert!(count > 10);
}

/// The anchors of the sections of a page.
fn sections(page: &str) -> impl Iterator<Item = String> + '_ {
    let titles = page.lines().filter(|line| line.starts_with('#'));
    titles.map(|line| {
        let title = line.trim_start_matches(['#', ' ']).to_lowercase();
        let is_kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | ' ');
        title
            .chars()
            .filter(is_kept)
            .collect::<String>()
            .replace(' ', "-")
    })
}

fn exit_codes_are_those_of_the_help() {
    let page = page();
    let (_, table) = page
        .split_once("| exit code | when |\n|---|---|\n")
        .expect("a table");
    let (help, _) = shell(&format!("{EVENKEEL} --help"));
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let listed: Vec<String> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            format!("  {:<3} {}", cells[1], cells[2])
        })
        .collect();
    assert_eq!(listed.len(), 5);
    assert!(help.contains(&listed.join("\n")), "{help}");
}

/// A directory with a configuration, and the program under its name.
struct Surroundings {
    directory: PathBuf,
}

impl Surroundings {
    fn new(configuration: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("evenkeel-readme-{}-{number}", process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(directory.join("bin")).expect("a directory");
        fs::write(directory.join("evenkeel.toml"), configuration).expect("it writes");
        symlink(EVENKEEL, directory.join("bin/evenkeel")).expect("it links");
        // curl must fail when the page expects an answer and there is an error.
        fs::write(directory.join(".curlrc"), "fail\n").expect("it writes");
        Self { directory }
    }

    /// Makes the name of the program mean this one, and no other of this machine.
    fn runs(&self, program: &Program) {
        let pidof = self.directory.join("bin/pidof");
        let script = format!("#!/bin/sh\necho {}\n", program.pid());
        fs::write(&pidof, script).expect("it writes");
        fs::set_permissions(&pidof, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }

    fn start(&self, line: &str) -> (Program, String) {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec {line}")]);
        self.prepare(&mut command);
        let mut program = Program::of(command);
        let admin = address_in(&program.wait_for("metrics and status are at")).to_string();
        program.wait_for("2 of 2 up");
        (program, admin)
    }

    fn succeeds(&self, line: &str) {
        let (said, status) = self.shell(line);
        assert!(status.success(), "{line}: {said}");
    }

    fn shell(&self, line: &str) -> (String, process::ExitStatus) {
        shell_with(line, |command| self.prepare(command))
    }

    fn prepare(&self, command: &mut Command) {
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = self.directory.join("bin");
        command
            .current_dir(&self.directory)
            .env("CURL_HOME", &self.directory)
            .env("PATH", format!("{}:{path}", bin.display()));
    }
}

impl Drop for Surroundings {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}
