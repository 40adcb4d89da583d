//! Several files as one: merging, conflicts, missing files, and the files to watch.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::BASE;
use crate::config::{Color, Loaded, load};

/// A directory of one test, removed at its end.
struct Directory(PathBuf);

impl Directory {
    fn with(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // The brackets must not be taken for a pattern.
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

    /// The messages, without the directory's own name.
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
fn other_files_add_certificates_to_the_tls_of_a_frontend_and_not_to_that_of_an_address() {
    let own = "listen = [':443', { address = ':8443', tls = '/own.pem' }]";
    let main = format!(
        "include = 'site.toml'\n{}tls.certificates = '/a.pem'\n{BACKEND}",
        FRONTEND.replace("listen = '127.0.0.1:8080'", own)
    );
    let site = "[frontend.web.tls]\ncertificates = '/site.pem'\n";
    let directory = Directory::with(&[("main.toml", &main), ("site.toml", site)]);
    let frontend = &directory.load().plan.frontends[0];
    let files = frontend.tls.iter().map(|tls| tls.certificates.len());
    assert_eq!(files.collect::<Vec<_>>(), [2, 1]);
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
fn one_file_a_site_has_its_routes_certificates_names_and_backend() {
    let site = |name: &str| {
        format!(
            "[[frontend.web.route]]
name = '{name}'
host = '{name}.test'
backend = '{name}'

[frontend.web.tls]
certificates = '{name}.pem'

[frontend.web.tls.names.'{name}.test']
min_version = '1.3'

[backend.{name}]
servers = '10.0.0.1:80'
"
        )
    };
    let directory = Directory::with(&[
        (
            "main.toml",
            "include = ['sites/*.toml', 'last.toml']
[frontend.web]
listen = '127.0.0.1:8443'
tls = { certificates = 'main.pem' }
[[frontend.web.route]]
name = 'main'
path = '/.well-known/*'
backend = 'a'
",
        ),
        ("sites/b.toml", &site("b")),
        ("sites/a.toml", &site("a")),
        (
            "last.toml",
            "[[frontend.web.route]]\nname = 'last'\nbackend = 'a'\n[frontend.web.timeout]\nhead = '3s'\n",
        ),
    ]);
    let frontend = directory.load().plan.frontends.remove(0);
    let names: Vec<&str> = frontend.routes.iter().map(|route| &*route.name).collect();
    assert_eq!(names, ["main", "a", "b", "last"]);
    assert_eq!(frontend.timeout.head.as_secs(), 3);
    let tls = &frontend.tls[0];
    let files: Vec<PathBuf> = tls.certificates.iter().map(|c| c.path.clone()).collect();
    // Paths are relative to the file that they are written in.
    assert_eq!(
        files,
        ["main.pem", "sites/a.pem", "sites/b.pem"].map(|name| directory.path(name))
    );
    assert_eq!(tls.names.len(), 2);
}

#[test]
fn the_files_of_a_configuration_may_come_before_the_one_with_the_frontend() {
    let directory = Directory::with(&[
        (
            "main.toml",
            "include = 'web.toml'\n[[frontend.web.route]]\nname = 'x'\npath = '/x'\nbackend = 'app'\n",
        ),
        (
            "web.toml",
            &format!(
                "{FRONTEND}{BACKEND}[[frontend.web.route]]\nname = 'y'\npath = '/y'\nbackend = 'app'\n"
            ),
        ),
    ]);
    let plan = directory.load().plan;
    let names: Vec<&str> = plan.frontends[0].routes.iter().map(|r| &*r.name).collect();
    assert_eq!(names, ["x", "y"]);
}

#[test]
fn a_frontend_in_two_files_names_both_positions() {
    let directory = Directory::with(&[
        (
            "main.toml",
            &format!(
                "include = '*.conf'\n{FRONTEND}tls = 'main.pem'\n[[frontend.web.route]]\nname = 'x'\nhost = 'x'\nbackend = 'app'\n{BACKEND}"
            ),
        ),
        (
            "a.conf",
            "[[frontend.web.route]]\nname = 'x'\nhost = 'a'\nbackend = 'app'\n[frontend.web.tls]\ncertificates = 'a.pem'\n",
        ),
        (
            "b.conf",
            "[frontend.web]\nlisten = ':80'\nbackend = 'app'\n[frontend.wbe]\n[[frontend.wbe.route]]\nbackend = 'app'\n[backend.app]\nservers = []\n",
        ),
    ]);
    insta::assert_snapshot!(directory.errors(), @r##"
        error: two routes of `[frontend.web]` have the name `x`
         --> a.conf:2:8
          |
        2 | name = 'x'
          |        ^^^
          |
         ::: main.toml:7:8
          |
        7 | name = 'x'
          |        --- the first is here
          |
          = help: give one of them another `name`; a route without a name has its number as its name

        error: `frontend.web.tls` is already written in another file
         --> a.conf:5:15
          |
        5 | [frontend.web.tls]
          |               ^^^
          |
         ::: main.toml:5:1
          |
        5 | tls = 'main.pem'
          | --- the other is here
          |
          = help: write `[frontend.NAME.tls]` with `certificates = […]` in both files: lists of certificates are joined

        error: `[frontend.web]` is in two files, and both have `listen`, `backend`
         --> b.conf:1:11
          |
        1 | [frontend.web]
          |           ^^^
          |
         ::: main.toml:2:11
          |
        2 | [frontend.web]
          |           --- the other is here
          |
          = help: keep each key in one file, or give one of the two another name

        error: `[frontend.wbe]` has no `listen`
         --> b.conf:4:11
          |
        4 | [frontend.wbe]
          |           ^^^
          |
          = help: did you mean `[[frontend.web.route]]`?

        error: `backend.app.servers` is already written in another file
          --> b.conf:8:1
           |
         8 | servers = []
           | ^^^^^^^
           |
          ::: main.toml:11:1
           |
        11 | servers = '10.0.0.1:80'
           | ------- the other is here
           |
           = help: keep all servers of a backend in one file, or give one backend another name
    "##);
}

#[test]
fn a_key_in_two_files_is_a_mistake_that_names_both() {
    let directory = Directory::with(&[
        (
            "main.toml",
            &format!("include = ['a.toml']\n[log]\nlevel = 'warn'\n{BASE}"),
        ),
        ("a.toml", &format!("{BACKEND}[log]\nlevel = 'info'\n")),
    ]);
    insta::assert_snapshot!(directory.errors(), @r##"
        error: `backend.app.servers` is already written in another file
          --> a.toml:2:1
           |
         2 | servers = '10.0.0.1:80'
           | ^^^^^^^
           |
          ::: main.toml:10:1
           |
        10 | servers = ["10.0.0.1:80"]
           | ------- the other is here
           |
           = help: keep all servers of a backend in one file, or give one backend another name

        error: `log.level` is already written in another file
         --> a.toml:4:1
          |
        4 | level = 'info'
          | ^^^^^
          |
         ::: main.toml:3:1
          |
        3 | level = 'warn'
          | ----- the other is here
          |
          = help: keep one of the two
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

        error: cannot include `sub`: is a directory
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

        error: this is not a valid pattern: invalid range pattern
         --> main.toml:1:53
          |
        1 | include = ['none/*.toml', 'missing.toml', 'sub', 5, '[']
          |                                                     ^^^
          |
          = help: write `"conf.d/*.toml"`
    "##);
}

#[test]
fn files_that_include_each_other_are_reported() {
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
          = help: a file must not include itself or a file that includes it: leave it out of `include`
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
          = help: known in `[frontend.web]` are `listen`, `socket_mode`, `mode`, `backend`, `max_connections`, `max_connections_per_ip`, `proxy_protocol`, `half_close`, `trusted_proxies`, `client_field`, `request_id`, `field_names`, `header_case`, `upgrades`, `compression`, `connection_rule`, `rule`, `content_rule`, `inspect_delay`, `timeout` and 8 more

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
