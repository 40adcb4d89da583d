//! A `frontend`, `backend` or `listen` section with what it inherits: its lines by kind.
//!
//! Lines of the `defaults` before it come first, so that its own lines replace them. HAProxy runs kinds of rules in a fixed
//! order, whatever the order of the lines is, so each kind is kept for itself.

use std::collections::BTreeMap;

use crate::config::source::Span;
use crate::config::suggest;

use super::acl::Acls;
use super::args::Args;
use super::capture::Places;
use super::lexer::{Line, Word};
use super::old;
use super::option::{self, Effect, OPTIONS};
use super::quantity;
use super::verdict::Verdicts;

/// What a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Frontend,
    Backend,
    /// `listen`: both.
    Both,
}

/// The lines of a proxy, by kind.
#[derive(Debug)]
pub(super) struct Proxy<'l> {
    pub(super) name: &'l Word,
    pub(super) side: Side,
    pub(super) mode: Option<&'l Word>,
    pub(super) acls: Acls,
    /// What follows `bind`.
    pub(super) binds: Vec<Args<'l>>,
    pub(super) servers: Vec<&'l Line>,
    pub(super) default_servers: Vec<&'l Line>,
    pub(super) requests: Vec<&'l Line>,
    pub(super) responses: Vec<&'l Line>,
    /// Of `tcp-request content` and `inspect-delay`.
    pub(super) contents: Vec<&'l Line>,
    pub(super) afters: Vec<&'l Line>,
    pub(super) redirects: Vec<&'l Line>,
    pub(super) use_backends: Vec<&'l Line>,
    pub(super) use_servers: Vec<&'l Line>,
    pub(super) default_backend: Option<&'l Word>,
    pub(super) monitor_uri: Option<&'l Word>,
    pub(super) monitor_fail: Vec<&'l Line>,
    pub(super) stick_table: Option<&'l Line>,
    pub(super) compression: Vec<&'l Line>,
    pub(super) http_checks: Vec<&'l Line>,
    pub(super) tcp_checks: Vec<&'l Line>,
    pub(super) logs: Vec<&'l Line>,
    /// `tcp-request connection` and `session`.
    pub(super) connections: Vec<&'l Line>,
    /// Those of [`old::KEYWORDS`].
    pub(super) old: Vec<&'l Line>,
    pub(super) places: Places<'l>,
    pub(super) stats: Vec<&'l Line>,
    pub(super) monitor_net: Vec<&'l Word>,
    pub(super) dispatch: Option<&'l Word>,
    /// `server-template` lines.
    pub(super) templates: Vec<&'l Line>,
    pub(super) is_disabled: bool,
    /// Those of [`ERRORS`].
    pub(super) errors: Vec<&'l Line>,
    /// `log-format` and its like, the last of each.
    formats: BTreeMap<&'l str, &'l Line>,
    /// Options that are on, with their lines.
    options: BTreeMap<&'l str, &'l Line>,
    /// `timeout NAME`.
    timeouts: BTreeMap<&'l str, (Option<String>, Span)>,
    /// Keywords with one value, by name.
    settings: BTreeMap<&'l str, &'l Line>,
}

/// Keywords with one value that `frontend` or `backend` read.
pub(super) const SETTINGS: &[&str] = &[
    "balance",
    "http-reuse",
    "maxconn",
    "retries",
    "retry-on",
    "unique-id-header",
    "unique-id-format",
];

/// Keywords that are read line by line.
pub(super) const READ: &[&str] = &[
    "acl",
    "bind",
    "capture",
    "clitimeout",
    "compression",
    "contimeout",
    "declare",
    "default-server",
    "default_backend",
    "disabled",
    "dispatch",
    "enabled",
    "error-log-format",
    "http-after-response",
    "http-check",
    "http-request",
    "http-response",
    "log",
    "log-format",
    "mode",
    "monitor",
    "monitor-net",
    "monitor-uri",
    "no",
    "option",
    "redirect",
    "server",
    "server-template",
    "srvtimeout",
    "stats",
    "stick-table",
    "tcp-check",
    "timeout",
    "use-server",
    "use_backend",
];

/// Keywords about what clients get in place of an error.
pub(super) const ERRORS: &[&str] = &[
    "errorfile",
    "errorfiles",
    "errorloc",
    "errorloc302",
    "errorloc303",
    "http-error",
];

/// Keywords that change nothing, and why that is safe.
pub(super) const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("backlog", "tuning of the socket"),
    ("bind-process", "there is one process"),
    ("clitcpka-cnt", "tuning of the socket"),
    ("clitcpka-idle", "tuning of the socket"),
    ("clitcpka-intvl", "tuning of the socket"),
    ("description", "a comment"),
    ("desc", "a comment"),
    (
        "guid",
        "an identifier for a socket that does not exist here",
    ),
    ("id", "an identifier for statistics"),
    ("fullconn", "no server has `minconn`"),
    ("hash-type", "no balancer here has a hash"),
    (
        "load-server-state-from-file",
        "a reload keeps the state of servers",
    ),
    ("log-send-hostname", "syslog lines have no host name"),
    ("log-tag", "syslog lines have the tag `evenkeel`"),
    ("max-keep-alive-queue", "tuning"),
    (
        "server-state-file-name",
        "a reload keeps the state of servers",
    ),
    ("srvtcpka-cnt", "tuning of the socket"),
    ("srvtcpka-idle", "tuning of the socket"),
    ("srvtcpka-intvl", "tuning of the socket"),
];

/// Keywords of which something else comes.
pub(super) const APPROXIMATED: &[(&str, &str)] = &[
    ("grace", "a stop ends listening at once"),
    ("rate-limit", "new connections have no limit per second"),
];

/// Keywords that Evenkeel has nothing for, and what to do instead.
pub(super) const REFUSED: &[(&str, &str)] = &[
    ("appsession", "leave it out"),
    (
        "cookie",
        "stickiness does not exist yet: each request goes to the server whose turn it is",
    ),
    ("dynamic-cookie-key", "leave it out"),
    (
        "email-alert",
        "alert on the metric `evenkeel_backend_up_servers`",
    ),
    ("external-check", "write `option httpchk`"),
    ("filter", "write `compression`; other filters do not exist"),
    ("force-persist", "leave it out"),
    (
        "http-send-name-header",
        "leave it out: the server is chosen after the rules",
    ),
    ("ignore-persist", "leave it out"),
    ("log-steps", "leave it out"),
    ("persist", "stickiness does not exist yet"),
    ("source", "leave it out"),
    ("stick", "stickiness does not exist yet"),
    (
        "tcp-request",
        "`connection`, `session`, `content` and `inspect-delay` are read",
    ),
    ("tcp-response", "leave it out"),
    ("transparent", "leave it out"),
    ("use-fcgi-app", "FastCGI does not exist"),
];

/// Whether `line`, which is `tcp-request`, is one of those that are read.
fn is_of_content(line: &Line) -> bool {
    let what = line.words.get(1).map(|word| &*word.text);
    matches!(what, Some("content" | "inspect-delay"))
}

impl<'l> Proxy<'l> {
    /// The proxy of `header`, with the lines of its defaults and then its own.
    pub(super) fn read(
        name: &'l Word,
        side: Side,
        defaults: &'l [Line],
        own: &'l [Line],
        verdicts: &mut Verdicts,
    ) -> Self {
        let mut proxy = Self {
            name,
            side,
            mode: None,
            acls: Acls::default(),
            binds: Vec::new(),
            servers: Vec::new(),
            default_servers: Vec::new(),
            requests: Vec::new(),
            responses: Vec::new(),
            contents: Vec::new(),
            afters: Vec::new(),
            redirects: Vec::new(),
            use_backends: Vec::new(),
            use_servers: Vec::new(),
            default_backend: None,
            monitor_uri: None,
            monitor_fail: Vec::new(),
            stick_table: None,
            compression: Vec::new(),
            http_checks: Vec::new(),
            tcp_checks: Vec::new(),
            logs: Vec::new(),
            connections: Vec::new(),
            old: Vec::new(),
            places: Places::default(),
            stats: Vec::new(),
            monitor_net: Vec::new(),
            dispatch: None,
            templates: Vec::new(),
            is_disabled: false,
            errors: Vec::new(),
            formats: BTreeMap::new(),
            options: BTreeMap::new(),
            timeouts: BTreeMap::new(),
            settings: BTreeMap::new(),
        };
        for line in defaults {
            proxy.line(line, true, verdicts);
        }
        for line in own {
            proxy.line(line, false, verdicts);
        }
        proxy
    }

    fn line(&mut self, line: &'l Line, is_inherited: bool, verdicts: &mut Verdicts) {
        let mut args = Args::after(line, 1);
        let is_frontend = self.side != Side::Backend;
        let is_backend = self.side != Side::Frontend;
        // What an inherited line says to the other side is no mistake.
        let only = |is_here: bool, of: &str, verdicts: &mut Verdicts| {
            if !is_here && !is_inherited {
                verdicts.without_effect(line.span, format!("only a {of} has this, as in HAProxy"));
            }
            is_here
        };
        match line.keyword() {
            "mode" => self.mode = args.need("mode", verdicts),
            "acl" => self.acls.declare(args, verdicts),
            "bind" => {
                if only(is_frontend, "frontend", verdicts) {
                    self.binds.push(args);
                }
            }
            "server" => {
                if only(is_backend, "backend", verdicts) {
                    self.servers.push(line);
                }
            }
            "default-server" => self.default_servers.push(line),
            "http-request" => {
                self.places.note(line, verdicts);
                self.requests.push(line);
            }
            "http-response" => {
                self.places.note(line, verdicts);
                self.responses.push(line);
            }
            "capture" | "declare" => {
                if only(is_frontend, "frontend", verdicts) {
                    self.places.note(line, verdicts);
                }
            }
            "tcp-request" if matches!(args.peek(), Some("connection" | "session")) => {
                if only(is_frontend, "frontend", verdicts) {
                    self.connections.push(line);
                }
            }
            "stats" => self.stats.push(line),
            "tcp-request" if is_of_content(line) => self.contents.push(line),
            "monitor-net" => self.monitor_net.extend(args.need("network", verdicts)),
            "dispatch" => {
                if only(is_backend, "backend", verdicts) {
                    self.dispatch = args.need("address", verdicts);
                }
            }
            "server-template" => {
                if only(is_backend, "backend", verdicts) {
                    self.templates.push(line);
                }
            }
            "disabled" => self.is_disabled = true,
            "enabled" => self.is_disabled = false,
            keyword if old::KEYWORDS.contains(&keyword) => self.old.push(line),
            "http-after-response" => self.afters.push(line),
            "redirect" => self.redirects.push(line),
            "use_backend" => {
                if only(is_frontend, "frontend", verdicts) {
                    self.use_backends.push(line);
                }
            }
            "use-server" => {
                if only(is_backend, "backend", verdicts) {
                    self.use_servers.push(line);
                }
            }
            "default_backend" => {
                if only(is_frontend, "frontend", verdicts) {
                    self.default_backend = args.need("name", verdicts);
                }
            }
            "monitor-uri" => self.monitor_uri = args.need("path", verdicts),
            "monitor" => self.monitor_fail.push(line),
            "stick-table" => self.stick_table = Some(line),
            "compression" => self.compression.push(line),
            "http-check" => self.http_checks.push(line),
            "tcp-check" => self.tcp_checks.push(line),
            "log" => self.logs.push(line),
            "log-format" | "error-log-format" | "log-format-sd" => {
                self.formats.insert(line.keyword(), line);
            }
            "timeout" => self.timeout(args, verdicts),
            "clitimeout" | "contimeout" | "srvtimeout" => {
                let name = match line.keyword() {
                    "clitimeout" => "client",
                    "contimeout" => "connect",
                    _ => "server",
                };
                if let Some(time) = args.need("time", verdicts) {
                    let written = quantity::time(time, verdicts);
                    self.timeouts.insert(name, (written, time.span));
                }
            }
            "option" => self.option(line, args, verdicts),
            "no" => self.no(line, args, verdicts),
            keyword if ERRORS.contains(&keyword) => self.errors.push(line),
            keyword if SETTINGS.contains(&keyword) => {
                self.settings.insert(keyword, line);
            }
            keyword => other(keyword, line, verdicts),
        }
    }

    fn timeout(&mut self, mut args: Args<'l>, verdicts: &mut Verdicts) {
        const TIMEOUTS: &[&str] = &[
            "check",
            "client",
            "client-fin",
            "client-hs",
            "connect",
            "http-keep-alive",
            "http-request",
            "queue",
            "server",
            "server-fin",
            "tarpit",
            "tunnel",
        ];
        let Some(name) = args.need("name", verdicts) else {
            return;
        };
        let known = match &*name.text {
            // Words of HAProxy 1.3.
            "clitimeout" => "client",
            "contimeout" => "connect",
            "srvtimeout" => "server",
            known if TIMEOUTS.contains(&known) => known,
            _ => return verdicts.unknown("timeout", name, TIMEOUTS.iter().copied()),
        };
        let Some(time) = args.need("time", verdicts) else {
            return;
        };
        let written = quantity::time(time, verdicts);
        if matches!(known, "client-fin" | "server-fin") {
            verdicts.approximated(
                name.span,
                "a connection that is closed on one side ends by the same timeouts as others",
            );
        }
        let known = TIMEOUTS.iter().find(|name| **name == known);
        if let Some(known) = known {
            self.timeouts.insert(known, (written, time.span));
        }
    }

    fn option(&mut self, line: &'l Line, mut args: Args<'l>, verdicts: &mut Verdicts) {
        let Some(name) = args.need("name", verdicts) else {
            return;
        };
        match option::effect(&name.text) {
            None => verdicts.unknown("option", name, OPTIONS.iter().map(|(name, _)| *name)),
            Some(Effect::Refused(instead)) => {
                verdicts.refused(line.span, &format!("option {}", name.text), instead);
            }
            Some(effect) => {
                match effect {
                    Effect::Approximated(what) => verdicts.approximated(line.span, what),
                    Effect::Without(why) => verdicts.without_effect(line.span, why),
                    _ => {}
                }
                // One of these takes the place of another.
                const MODES: [&str; 5] = [
                    "http-keep-alive",
                    "http-server-close",
                    "httpclose",
                    "forceclose",
                    "http-tunnel",
                ];
                if MODES.contains(&&*name.text) {
                    self.options.retain(|option, _| !MODES.contains(option));
                }
                const CHECKS: [&str; 9] = [
                    "httpchk",
                    "tcp-check",
                    "ldap-check",
                    "mysql-check",
                    "pgsql-check",
                    "redis-check",
                    "smtpchk",
                    "spop-check",
                    "ssl-hello-chk",
                ];
                if CHECKS.contains(&&*name.text) {
                    self.options.retain(|option, _| !CHECKS.contains(option));
                }
                self.options.insert(&name.text, line);
            }
        }
    }

    fn no(&mut self, line: &'l Line, mut args: Args<'l>, verdicts: &mut Verdicts) {
        match args.peek() {
            Some("option") => {
                args.next();
                let Some(name) = args.need("name", verdicts) else {
                    return;
                };
                if option::effect(&name.text).is_none() {
                    return verdicts.unknown("option", name, OPTIONS.iter().map(|(name, _)| *name));
                }
                self.options.remove(&*name.text);
                if matches!(
                    &*name.text,
                    "dontlognull" | "abortonclose" | "http-keep-alive"
                ) {
                    verdicts
                        .approximated(line.span, "Evenkeel does what this option says in any case");
                }
            }
            Some("log") => self.logs.clear(),
            _ => verdicts.wrong(line.span, "`no` is for `option` and `log`", ""),
        }
    }

    /// The line of an option that is on.
    pub(super) fn has(&self, option: &str) -> Option<&'l Line> {
        self.options.get(option).copied()
    }

    /// The first line of one of these options.
    pub(super) fn has_any(&self, options: &[&str]) -> Option<&'l Line> {
        options.iter().find_map(|option| self.has(option))
    }

    /// The time of `timeout NAME`: `None`: not written; with `None` in it: for ever.
    pub(super) fn timeout_of(&self, name: &str) -> Option<&(Option<String>, Span)> {
        self.timeouts.get(name)
    }

    /// The first of these timeouts that is written.
    pub(super) fn first_timeout(&self, names: &[&str]) -> Option<&(Option<String>, Span)> {
        names.iter().find_map(|name| self.timeout_of(name))
    }

    /// The line of a keyword with one value.
    pub(super) fn setting(&self, keyword: &str) -> Option<&'l Line> {
        self.settings.get(keyword).copied()
    }

    pub(super) fn format(&self, keyword: &str) -> Option<&'l Line> {
        self.formats.get(keyword).copied()
    }

    /// The backends that it names. A name made by a template may be any.
    pub(super) fn backends(&self) -> impl Iterator<Item = &'l str> {
        let used = self
            .use_backends
            .iter()
            .filter_map(|line| line.words.get(1));
        used.chain(self.default_backend).map(|word| &*word.text)
    }

    /// Whether it passes on connections, and not requests: HAProxy's default.
    pub(super) fn is_tcp(&self) -> bool {
        self.mode.is_none_or(|mode| mode.text != "http")
    }
}

/// A keyword that no proxy reads.
fn other(keyword: &str, line: &Line, verdicts: &mut Verdicts) {
    let span = line.words[0].span;
    if let Some((_, why)) = WITHOUT_EFFECT.iter().find(|(known, _)| *known == keyword) {
        return verdicts.without_effect(line.span, *why);
    }
    if let Some((_, what)) = APPROXIMATED.iter().find(|(known, _)| *known == keyword) {
        return verdicts.approximated(line.span, *what);
    }
    if let Some((_, instead)) = REFUSED.iter().find(|(known, _)| *known == keyword) {
        return verdicts.refused(line.span, keyword, *instead);
    }
    let known = READ
        .iter()
        .chain(SETTINGS)
        .chain(ERRORS)
        .chain(old::KEYWORDS)
        .copied();
    let known = known.chain(
        WITHOUT_EFFECT
            .iter()
            .chain(APPROXIMATED)
            .chain(REFUSED)
            .map(|(name, _)| *name),
    );
    let near = suggest::nearest(keyword, known);
    let help = near.map_or(String::new(), |near| format!("did you mean `{near}`?"));
    verdicts.wrong(span, format!("unknown keyword `{keyword}`"), help);
}
