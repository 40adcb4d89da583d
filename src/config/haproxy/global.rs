//! The `global` sections (manual §3).

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::args::Args;
use super::command_socket::CommandSockets;
use super::lexer::{Environment, Line};
use super::quantity;
use super::verdict::Verdicts;
use super::write::{self, Keys};

/// What the proxies need of `global`.
#[derive(Debug, Default)]
pub(super) struct Global<'l> {
    pub(super) logs: Vec<&'l Line>,
    pub(super) log_tag: Option<&'l str>,
    pub(super) ca_base: Option<&'l str>,
    pub(super) crt_base: Option<&'l str>,
    /// `ssl-server-verify none`.
    pub(super) verifies_no_server: bool,
    /// `ssl-default-bind-options ssl-min-ver TLSv1.3`.
    pub(super) is_tls13_alone: bool,
    /// `http-errors` sections by name.
    pub(super) http_errors: BTreeMap<&'l str, &'l [Line]>,
    /// `userlist` sections by name.
    pub(super) userlists: BTreeMap<&'l str, &'l [Line]>,
    /// `stats` lines.
    pub(super) command_sockets: CommandSockets,
    /// The list that conditions ask for.
    pub(super) used_list: RefCell<Option<String>>,
}

/// Keywords that change nothing that clients or servers could see.
pub(super) const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("busy-polling", "tuning"),
    ("close-spread-time", "tuning"),
    ("cluster-secret", "QUIC does not exist"),
    ("cpu-map", "workers are not bound to cores"),
    ("cpu-policy", "workers are not bound to cores"),
    ("cpu-set", "workers are not bound to cores"),
    ("description", "a comment"),
    (
        "expose-experimental-directives",
        "it allows what is reported where it is used",
    ),
    ("fd-hard-limit", "the limit of the process holds"),
    ("h1-case-adjust", "field names are in lower case"),
    ("insecure-fork-wanted", "no program is started"),
    ("limited-quic", "QUIC does not exist"),
    ("localpeer", "tables are not shared"),
    ("log-send-hostname", "syslog lines have no host name"),
    (
        "master-worker",
        "there is one process, which reloads itself",
    ),
    (
        "mworker-max-reloads",
        "there is one process, which reloads itself",
    ),
    ("nbproc", "there is one process"),
    ("no-memory-trimming", "tuning"),
    ("no", "tuning"),
    ("node", "a name for statistics"),
    ("noepoll", "tuning"),
    ("nogetaddrinfo", "tuning"),
    ("nopoll", "tuning"),
    ("noreuseport", "tuning"),
    ("nosplice", "tuning"),
    ("numa-cpu-mapping", "workers are not bound to cores"),
    ("profiling.memory", "tuning"),
    ("profiling.tasks", "tuning"),
    ("quiet", "tuning"),
    ("random-generator", "tuning"),
    ("server-state-base", "a reload keeps the state of servers"),
    ("server-state-file", "a reload keeps the state of servers"),
    ("set-dumpable", "tuning"),
    ("shm-stats-file", "tuning"),
    ("spread-checks", "the first checks are spread in any case"),
    (
        "ssl-dh-param-file",
        "finite-field key exchange is not offered",
    ),
    ("ssl-engine", "TLS is rustls"),
    ("ssl-load-extra-del-ext", "tuning"),
    (
        "ssl-load-extra-files",
        "a key beside its certificate is found",
    ),
    ("ssl-mode-async", "TLS is rustls"),
    ("ssl-propquery", "TLS is rustls"),
    ("ssl-provider", "TLS is rustls"),
    ("ssl-security-level", "TLS is rustls"),
    ("thread-groups", "tuning"),
    ("thread-hard-limit", "tuning"),
    ("uid", "see `user`"),
    (
        "ulimit-n",
        "the limit is raised as far as the system allows",
    ),
    ("unix-bind", "write `mode` in the `bind` line"),
    ("warn-blocked-traffic-after", "tuning"),
    ("zero-warning", "tuning"),
];

/// Keywords of which something else comes.
pub(super) const APPROXIMATED: &[(&str, &str)] = &[
    (
        "chroot",
        "Evenkeel stays in the file system that it was started in",
    ),
    (
        "daemon",
        "Evenkeel stays in the foreground: let a service manager start it",
    ),
    (
        "http-err-codes",
        "errors of clients are the statuses from 400 to 499",
    ),
    (
        "http-fail-codes",
        "failures of servers are the statuses from 500 to 599 without 501 and 505",
    ),
    ("gid", "Evenkeel keeps the group that started it"),
    (
        "group",
        "Evenkeel keeps the group that started it: start it with this one",
    ),
    ("maxconnrate", "new connections have no limit per second"),
    ("maxcomprate", "compression has no limit of bytes"),
    ("maxcompcpuusage", "compression has no limit of CPU"),
    ("maxpipes", "tuning"),
    ("maxsessrate", "new connections have no limit per second"),
    ("maxsslconn", "TLS connections count as all others"),
    (
        "maxsslrate",
        "handshakes have a limit at a time, `max_handshakes`, and none per second",
    ),
    ("pidfile", "no file with the process id is written"),
    (
        "ssl-default-bind-ciphers",
        "the cipher suites are those of rustls: AES-GCM and ChaCha20 with forward secrecy",
    ),
    (
        "ssl-default-bind-ciphersuites",
        "the cipher suites are those of rustls",
    ),
    (
        "ssl-default-bind-curves",
        "key exchange is X25519, P-256, P-384 and X25519MLKEM768",
    ),
    ("ssl-default-bind-sigalgs", "signatures are those of rustls"),
    (
        "ssl-default-server-ciphers",
        "the cipher suites are those of rustls: AES-GCM and ChaCha20 with forward secrecy",
    ),
    (
        "ssl-default-server-ciphersuites",
        "the cipher suites are those of rustls",
    ),
    ("ssl-default-server-options", "TLS to servers is 1.2 or 1.3"),
    (
        "user",
        "Evenkeel keeps the user that started it: start it as this one, with the capability for low ports",
    ),
];

pub(super) const REFUSED: &[(&str, &str)] = &[
    ("51degrees-data-file", "leave it out"),
    ("default-path", "write absolute paths"),
    ("deviceatlas-json-file", "leave it out"),
    ("external-check", "write `option httpchk`"),
    ("httpclient.ssl.ca-file", "leave it out"),
    ("lua-load", "Evenkeel runs no code of its users"),
    ("lua-load-per-thread", "Evenkeel runs no code of its users"),
    ("lua-prepend-path", "Evenkeel runs no code of its users"),
    ("wurfl-data-file", "leave it out"),
];

/// Reads the lines of one section. What it says of the process goes to `process`, `shutdown`.
pub(super) fn read<'l>(
    lines: &'l [Line],
    global: &mut Global<'l>,
    top: &mut BTreeMap<&'static str, Keys>,
    environment: Environment<'_>,
    verdicts: &mut Verdicts,
) {
    for line in lines {
        let mut args = Args::after(line, 1);
        let span = line.span;
        match line.keyword() {
            "maxconn" => {
                if let Some(word) = args.need("number", verdicts)
                    && let Some(number) = quantity::count(word, verdicts)
                    && number > 0
                {
                    let process = top.entry("process").or_default();
                    process.set("max_connections", write::number(word.span, number));
                }
            }
            "nbthread" => {
                if let Some(word) = args.need("number", verdicts)
                    && let Some(number) = quantity::count(word, verdicts)
                {
                    let process = top.entry("process").or_default();
                    process.set("workers", write::number(word.span, number));
                }
            }
            "hard-stop-after" => {
                if let Some(word) = args.need("time", verdicts)
                    && let Some(time) = quantity::time(word, verdicts)
                {
                    let shutdown = top.entry("shutdown").or_default();
                    shutdown.set("timeout", write::text(word.span, time));
                }
            }
            "stats" => global.command_sockets.line(args, environment, verdicts),
            "log" => global.logs.push(line),
            "log-tag" => global.log_tag = args.need("tag", verdicts).map(|word| &*word.text),
            "ca-base" => global.ca_base = args.need("directory", verdicts).map(|word| &*word.text),
            "crt-base" => {
                global.crt_base = args.need("directory", verdicts).map(|word| &*word.text)
            }
            "key-base" => verdicts.refused(
                span,
                "key-base",
                "put the key into the file of its certificate",
            ),
            "ssl-server-verify" => {
                if let Some(word) = args.need("value", verdicts) {
                    global.verifies_no_server = word.text == "none";
                }
            }
            "ssl-default-bind-options" => {
                let words = args.rest();
                let is_min = |pair: &[super::lexer::Word]| {
                    pair[0].text == "ssl-min-ver" && pair[1].text == "TLSv1.3"
                };
                global.is_tls13_alone |= words.windows(2).any(is_min)
                    || words
                        .iter()
                        .any(|word| word.text == "force-tlsv13" || word.text == "no-tlsv12");
                for word in words.iter().filter(|word| {
                    word.text.starts_with("force-tlsv1") && word.text != "force-tlsv13"
                }) {
                    verdicts.approximated(word.span, "TLS 1.2 and 1.3 are offered");
                }
            }
            "setenv" | "presetenv" | "unsetenv" | "resetenv" => verdicts.refused(
                span,
                line.keyword(),
                "write `setenv NAME VALUE`, or `unsetenv NAME`",
            ),
            keyword if keyword.starts_with("tune.") || keyword.starts_with("profiling") => {
                verdicts.without_effect(span, "tuning, which Evenkeel does by itself");
            }
            keyword => {
                let of = |table: &'static [(&'static str, &'static str)]| {
                    table.iter().find(|(known, _)| *known == keyword)
                };
                if let Some((_, why)) = of(WITHOUT_EFFECT) {
                    verdicts.without_effect(span, *why);
                } else if let Some((_, what)) = of(APPROXIMATED) {
                    verdicts.approximated(span, *what);
                } else if let Some((_, instead)) = of(REFUSED) {
                    verdicts.refused(span, keyword, *instead);
                } else {
                    let own = [
                        "maxconn",
                        "nbthread",
                        "hard-stop-after",
                        "log",
                        "log-tag",
                        "stats",
                        "ca-base",
                        "crt-base",
                        "ssl-server-verify",
                        "ssl-default-bind-options",
                        "setenv",
                    ];
                    let tables = WITHOUT_EFFECT.iter().chain(APPROXIMATED).chain(REFUSED);
                    let known = tables.map(|(name, _)| *name).chain(own);
                    verdicts.unknown("keyword of `global`", &line.words[0], known);
                }
            }
        }
    }
}
