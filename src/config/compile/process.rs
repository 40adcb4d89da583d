//! `[process]`, `[log]`, `[reload]`, `[shutdown]`, `[admin]`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::base::units::show_duration;
use crate::base::{Address, ListenAddress, Name};
use crate::config::compile::bind::{listen_addresses, refuse_idle_mode};
use crate::config::compile::cross::Written;
use crate::config::compile::name_of;
use crate::config::compile::route::host_pattern;
use crate::config::diagnostic::Diagnostic;
use crate::config::keys;
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::source::Span;
use crate::config::suggest;
use crate::plan::{
    AccessLog, Admin, HostPattern, Listen, Log, LogFormat, LogLevel, LogTarget, Process, Reload,
    Shutdown,
};

/// More threads than any machine has cores.
const MAX_WORKERS: i64 = 1024;

pub(super) fn process(top: &Section<'_>, report: &mut Report<'_>) -> Process {
    let default = Process::default();
    let Some(section) = top.section("process", &keys::PROCESS, report) else {
        return default;
    };
    Process {
        workers: section
            .count_or("workers", "auto", MAX_WORKERS, report)
            .map_or(default.workers, |count| {
                count.and_then(|count| NonZeroUsize::new(count as usize))
            }),
        max_connections: section
            .count_or("max_connections", "auto", i64::MAX, report)
            .map_or(default.max_connections, |count| {
                count.map(i64::unsigned_abs)
            }),
    }
}

pub(super) fn log(top: &Section<'_>, report: &mut Report<'_>) -> Log {
    let default = Log::default();
    let Some(section) = top.section("log", &keys::LOG, report) else {
        return default;
    };
    let levels = [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
    ];
    let hints = [
        ("err", "error"),
        ("warning", "warn"),
        ("notice", "info"),
        ("trace", "debug"),
    ];
    let formats = [("human", LogFormat::Human), ("json", LogFormat::Json)];
    let format_hints = [("text", "human"), ("plain", "human"), ("console", "human")];
    Log {
        level: section
            .choice("level", &levels, &hints, report)
            .unwrap_or(default.level),
        format: section
            .choice("format", &formats, &format_hints, report)
            .unwrap_or(default.format),
        access: section
            .section("access", &keys::LOG_ACCESS, report)
            .and_then(|access| access.setting("to"))
            .and_then(|to| access_log(to, report))
            .unwrap_or(default.access),
    }
}

fn access_log(to: Setting<'_>, report: &mut Report<'_>) -> Option<AccessLog> {
    const WORDS: [&str; 3] = ["stdout", "stderr", "off"];
    let text = to.text(report)?;
    let target = match text.value.as_str() {
        "stdout" => LogTarget::Stdout,
        "stderr" => LogTarget::Stderr,
        "off" => LogTarget::Off,
        // Without the `/`, a mistyped `"stdout"` would quietly become a file of that name.
        path if path.contains('/') && !path.ends_with('/') => LogTarget::File(PathBuf::from(path)),
        other => {
            let help = match suggest::nearest(other, WORDS) {
                Some(word) => format!(
                    "did you mean \"{word}\"? The path of a file must have a `/`: \"./access.log\""
                ),
                None => {
                    "write \"stdout\", \"stderr\", \"off\" or the path of a file, which must have a `/`: \
                         \"./access.log\""
                        .to_owned()
                }
            };
            report.error(
                to.span(),
                format!("the access log cannot go to {}", text.quoted()),
                help,
            );
            return None;
        }
    };
    Some(AccessLog {
        to: target,
        at: report.position(to.span()),
    })
}

pub(super) fn reload(top: &Section<'_>, report: &mut Report<'_>) -> Reload {
    let default = Reload::default();
    let Some(section) = top.section("reload", &keys::RELOAD, report) else {
        return default;
    };
    Reload {
        watch: section.boolean("watch", report).unwrap_or(default.watch),
    }
}

pub(super) fn shutdown(top: &Section<'_>, report: &mut Report<'_>) -> Shutdown {
    let default = Shutdown::default();
    let Some(section) = top.section("shutdown", &keys::SHUTDOWN, report) else {
        return default;
    };
    // Each may be 0: close listeners at once, cut exchanges at once.
    let mut duration = |key| section.setting(key)?.any_duration(report);
    let timeout = duration("timeout").unwrap_or(default.timeout);
    let shutdown = Shutdown {
        grace: duration("grace").unwrap_or(default.grace),
        timeout,
        tunnels: duration("tunnels").unwrap_or(Shutdown::tunnels_within(timeout)),
    };
    if shutdown.tunnels > shutdown.timeout
        && let Some(setting) = section.setting("tunnels")
    {
        report.error(
            setting.span(),
            format!(
                "`tunnels` is longer than `timeout`, which closes all that is open after {}",
                show_duration(shutdown.timeout)
            ),
            "write a shorter `tunnels`, or a longer `timeout`",
        );
    }
    shutdown
}

pub(super) fn admin(
    top: &Section<'_>,
    written: &mut Written,
    report: &mut Report<'_>,
) -> Option<Admin> {
    let default = Admin::default();
    let Some(section) = top.section("admin", &keys::ADMIN, report) else {
        expect_default(&default, written);
        return Some(default);
    };
    let listen = match section.setting("listen") {
        Some(listen) if listen.is_word("off") => {
            refuse_without_listener(&section, report);
            return None;
        }
        Some(listen) if matches!(listen.value.kind, Kind::Boolean(_)) => {
            let help = match listen.value.kind {
                Kind::Boolean(true) => "leave `listen` out: the admin listener is on by default",
                _ => "write `listen = \"off\"`",
            };
            listen.wrong_with("an address, or \"off\"", help, report);
            return None;
        }
        Some(listen) => {
            let addresses = listen_addresses(&section, listen, written, report);
            warn_when_open_to_all(&addresses, listen.span(), report);
            addresses
        }
        None => {
            refuse_idle_mode(&section, &[], report);
            expect_default(&default, written);
            default.listen
        }
    };
    Some(Admin {
        listen,
        hosts: admin_hosts(&section, report),
        ready_needs: ready_needs(&section, written, report),
    })
}

/// Notes the addresses that are listened on although the file names none.
fn expect_default(default: &Admin, written: &mut Written) {
    for address in &default.listen {
        written.default_listener(address.addr.clone());
    }
}

/// Reports keys that say how the admin listener answers when there is none.
fn refuse_without_listener(section: &Section<'_>, report: &mut Report<'_>) {
    for key in ["hosts", "ready_needs"] {
        if let Some(setting) = section.setting(key) {
            report.error(
                setting.span(),
                format!("the admin listener is off, so `{key}` does nothing"),
                format!("leave `{key}` out, or write an address as `listen`"),
            );
        }
    }
}

/// Not `"*"`: the check exists to refuse names that the operator did not choose.
fn admin_hosts(section: &Section<'_>, report: &mut Report<'_>) -> Vec<HostPattern> {
    let mut hosts = Vec::new();
    for item in section.list("hosts").unwrap_or_default() {
        let Some(text) = item.text(report) else {
            continue;
        };
        match host_pattern(&text.value) {
            Ok(Some(pattern)) => hosts.push(pattern),
            Ok(None) => report.error(
                item.span(),
                "`hosts = \"*\"` would let any web page read metrics and status through DNS rebinding",
                "write the names by which this listener is asked: `\"lb1.internal\"`, `\"*.internal\"`",
            ),
            // Its reason speaks of routes.
            Err((_, help)) => report.error(
                item.span(),
                format!("{:?} is not a name that `Host` can be compared with", text.shown()),
                help,
            ),
        }
    }
    hosts
}

/// Backends that `/ready` asks about. That they exist is checked with all other names.
fn ready_needs(section: &Section<'_>, written: &mut Written, report: &mut Report<'_>) -> Vec<Name> {
    let mut needs: Vec<Name> = Vec::new();
    for item in section.list("ready_needs").unwrap_or_default() {
        let Some(text) = item.text(report) else {
            continue;
        };
        let Some(name) = name_of(text, "backend", item.span(), report) else {
            continue;
        };
        written.needs(&name, &text.shown(), item.span());
        needs.push(name);
    }
    needs
}

/// A wildcard is seldom meant for the admin listener; an address that is written out is.
fn warn_when_open_to_all(addresses: &[Listen], span: Span, report: &mut Report<'_>) {
    let open_port = |listen: &Listen| match &listen.addr {
        ListenAddress::At(Address::Ip(addr)) if addr.ip().is_unspecified() => Some(addr.port()),
        _ => None,
    };
    let Some(port) = addresses.iter().find_map(open_port) else {
        return;
    };
    let message = format!(
        "every machine that can reach port {port} of this host can read metrics and status and reload \
         the configuration"
    );
    let help = format!(
        "the admin listener asks for no password: write `\"127.0.0.1:{port}\"`, or an address that only \
         administrators can reach"
    );
    report.add(Diagnostic::warning(span, message).help(help));
}
