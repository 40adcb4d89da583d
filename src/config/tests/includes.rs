//! Several files as one: what is merged, what contradicts, what is missing, and what is watched.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::BASE;
use crate::config::{Color, Loaded, load};

/// A directory of a test's own, gone with it.
struct Directory(PathBuf);

impl Directory {
    fn with(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // The brackets are there to be taken for a pattern by mistake.
        let name = format!("evenkeel-include-[{}-{number}]", std::process::id());
        let directory = Self(std::env::temp_dir().join(name));
        for (name, text) in files {
            directory.write(name, text);
        }
        directory
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        let parent = path.parent().expect("a file is in a directory");
        fs::create_dir_all(parent).expect("a directory for the test");
        fs::write(path, text).expect("a file for the test");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    #[track_caller]
    fn load(&self) -> Loaded {
        load(&self.path("main.toml")).expect("a configuration without mistakes")
    }

    /// What is said, with the directory's own name left out.
    #[track_caller]
    fn errors(&self) -> String {
        let diagnostics = load(&self.path("main.toml")).expect_err("mistakes");
        let said = diagnostics.render(Color::Never);
        said.replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const FRONTEND: &str = "[frontend.web]\nlisten = '127.0.0.1:8080'\nbackend = 'app'\n";
const BACKEND: &str = "[backend.app]\nservers = '10.0.0.1:80'\n";

#[test]
fn included_files_count_as_if_they_stood_there() {
    let main =
        format!("include = ['conf.d/*.toml', 'log.toml']\n[log]\nlevel = 'warn'\n{FRONTEND}");
    let directory = Directory::with(&[
        ("main.toml", &main),
        (
            "conf.d/20-other.toml",
            "[backend.other]\nservers = '10.0.0.2:80'\n",
        ),
        (
            "conf.d/10-app.toml",
            &format!(
                "{BACKEND}[[frontend.more.route]]\nbackend = 'other'\n[frontend.more]\nlisten = ':81'"
            ),
        ),
        ("conf.d/.10-app.toml.swp.toml", "not a configuration"),
        ("conf.d/readme.md", "not a configuration"),
        ("log.toml", "[log]\nformat = 'json'\naccess.to = 'off'\n"),
    ]);
    let loaded = directory.load();
    let names: Vec<&str> = loaded
        .plan
        .backends
        .iter()
        .map(|backend| &*backend.name)
        .collect();
    assert_eq!(names, ["app", "other"]);
    assert_eq!(loaded.plan.frontends.len(), 2);
    assert_eq!(loaded.plan.log.level, crate::plan::LogLevel::Warn);
    assert_eq!(loaded.plan.log.format, crate::plan::LogFormat::Json);
    let mut files = [
        "main.toml",
        "log.toml",
        "conf.d/10-app.toml",
        "conf.d/20-other.toml",
    ]
    .map(|name| directory.path(name));
    files.sort();
    assert_eq!(loaded.watch.files, files);
    let at = &loaded.plan.backends[0].servers[0].at;
    assert_eq!(*at.file, *directory.path("conf.d/10-app.toml"));
}

#[test]
fn a_new_file_of_a_pattern_and_no_other_concerns_the_configuration() {
    let directory =
        Directory::with(&[("main.toml", &format!("include = 'conf.d/*.toml'\n{BASE}"))]);
    let watch = directory.load().watch;
    let concerns = |name: &str| watch.concerns(&directory.path(name));
    assert!(concerns("main.toml"));
    assert!(concerns("conf.d/new.toml"));
    for other in [
        "conf.d/.new.toml",
        "conf.d/new.toml~",
        "conf.d/a/b.toml",
        "other.toml",
    ] {
        assert!(!concerns(other), "{other}");
    }
}

#[test]
fn secret_files_are_relative_to_the_file_that_names_them_and_watched() {
    let directory = Directory::with(&[
        (
            "main.toml",
            &format!("include = 'conf.d/*.toml'\n{FRONTEND}"),
        ),
        (
            "conf.d/app.toml",
            &format!(
                "{BACKEND}health = {{ headers = {{ authorization = 'Bearer ${{file:token}}' }} }}"
            ),
        ),
        ("conf.d/token", "s3cret\n"),
    ]);
    let loaded = directory.load();
    assert!(loaded.watch.files.contains(&directory.path("conf.d/token")));
    let shown = crate::config::show(&loaded.plan);
    assert!(
        !shown.contains("s3cret") && shown.contains("authorization"),
        "{shown}"
    );
    assert!(!format!("{:?}", loaded.plan).contains("s3cret"));
}

#[test]
fn what_two_files_say_is_a_mistake_that_names_both() {
    let directory = Directory::with(&[
        (
            "main.toml",
            &format!("include = ['a.toml']\n[log]\nlevel = 'warn'\n{BASE}"),
        ),
        ("a.toml", &format!("{BACKEND}[log]\nlevel = 'info'\n")),
    ]);
    insta::assert_snapshot!(directory.errors(), @r##"
        error: `backend.app` is already defined in another file
         --> a.toml:1:10
          |
        1 | [backend.app]
          |          ^^^
          |
         ::: main.toml:9:10
          |
        9 | [backend.app]
          |          --- defined here first
          |
          = help: keep one of the two, or give one another name

        error: `log.level` is already defined in another file
         --> a.toml:4:1
          |
        4 | level = 'info'
          | ^^^^^
          |
         ::: main.toml:3:1
          |
        3 | level = 'warn'
          | ----- defined here first
          |
          = help: keep one of the two, or give one another name
    "##);
}

#[test]
fn a_name_must_exist_and_a_pattern_need_not() {
    let text = format!("include = ['none/*.toml', 'missing.toml', 'sub', 5, '[']\n{FRONTEND}");
    let directory = Directory::with(&[("main.toml", &text), ("sub/a.toml", "")]);
    insta::assert_snapshot!(directory.errors(), @r##"
        error: cannot include `missing.toml`: there is no such file
         --> main.toml:1:27
          |
        1 | include = ['none/*.toml', 'missing.toml', 'sub', 5, '[']
          |                           ^^^^^^^^^^^^^^

        error: cannot include `sub`: Is a directory (os error 21)
         --> main.toml:1:43
          |
        1 | include = ['none/*.toml', 'missing.toml', 'sub', 5, '[']
          |                                           ^^^^^
          |
          = help: write `"sub/*.toml"` for the files in it

        error: `include` must be a path or a list of paths, and is the number 5
         --> main.toml:1:50
          |
        1 | include = ['none/*.toml', 'missing.toml', 'sub', 5, '[']
          |                                                  ^
          |
          = help: write `include = ["conf.d/*.toml"]`

        error: this is no pattern: invalid range pattern
         --> main.toml:1:53
          |
        1 | include = ['none/*.toml', 'missing.toml', 'sub', 5, '[']
          |                                                     ^^^
          |
          = help: write `"conf.d/*.toml"`
    "##);
}

#[test]
fn files_that_include_each_other_are_told() {
    let directory = Directory::with(&[
        ("main.toml", &format!("include = 'a.toml'\n{BASE}")),
        ("a.toml", "include = './main.toml'\n"),
    ]);
    insta::assert_snapshot!(directory.errors(), @r##"
        error: `./main.toml` includes itself
         --> a.toml:1:11
          |
        1 | include = './main.toml'
          |           ^^^^^^^^^^^^^
          |
          = help: leave the file that includes, and those that include it, out
    "##);
}

#[test]
fn a_file_that_is_included_twice_counts_once() {
    let directory = Directory::with(&[
        (
            "main.toml",
            &format!("include = ['app.toml', '*p.toml']\n{FRONTEND}"),
        ),
        ("app.toml", BACKEND),
    ]);
    assert_eq!(directory.load().plan.backends.len(), 1);
}

#[test]
fn mistakes_of_all_files_come_out_in_one_run() {
    let directory = Directory::with(&[
        (
            "main.toml",
            &format!("include = 'conf.d/*.toml'\n{FRONTEND}half_closed = true\n"),
        ),
        ("conf.d/a.toml", "[backend.app]\nservers = ['10.0.0.1:80'\n"),
        ("conf.d/b.toml", "[backend.b]\nserver = '10.0.0.1:80'\n"),
    ]);
    insta::assert_snapshot!(directory.errors(), @r##"
        error: unknown key `half_closed`, did you mean `half_close`?
         --> main.toml:5:1
          |
        5 | half_closed = true
          | ^^^^^^^^^^^
          |
          = help: known in `[frontend.web]` are `listen`, `socket_mode`, `mode`, `tls`, `backend`, `max_connections`, `timeout`, `limits`, `http2`, `half_close`, `proxy_protocol`, `trusted_proxies`, `client_field`, `forwarding`, `request_id`, `header_case`, `upgrades`, `passthrough`, `route`

        error: not TOML: unclosed array, expected `]`
         --> conf.d/a.toml:2:25
          |
        2 | servers = ['10.0.0.1:80'
          |                         ^

        error: unknown key `server` in `[backend.b]`
         --> conf.d/b.toml:2:1
          |
        2 | server = '10.0.0.1:80'
          | ^^^^^^
          |
          = help: write `servers = ["…"]`
    "##);
}

#[test]
fn a_main_file_that_cannot_be_read_is_named() {
    let directory = Directory::with(&[("other.toml", "")]);
    insta::assert_snapshot!(directory.errors(), @r##"
        error: cannot read the configuration: there is no such file
        --> main.toml:1:1
    "##);
    fs::write(directory.path("main.toml"), b"a = \"\xff\"").expect("a file for the test");
    insta::assert_snapshot!(directory.errors(), @r##"
        error: cannot read the configuration: it is not UTF-8 text (byte 5)
        --> main.toml:1:1
    "##);
    assert!(load(Path::new("/")).is_err());
}
