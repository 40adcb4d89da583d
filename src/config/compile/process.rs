//! `[process]`, `[log]`, `[reload]`, `[shutdown]`, `[admin]`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::base::units::show_duration;
use crate::base::{Address, ListenAddress};
use crate::config::compile::cross::Written;
use crate::config::compile::frontend::{listen_addresses, refuse_idle_mode};
use crate::config::diagnostic::Diagnostic;
use crate::config::keys;
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::source::Span;
use crate::config::suggest;
use crate::plan::{
    AccessLog, Admin, Listen, Log, LogFormat, LogLevel, LogTarget, Process, Reload, Shutdown,
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
    let habits = [
        ("err", "error"),
        ("warning", "warn"),
        ("notice", "info"),
        ("trace", "debug"),
    ];
    let formats = [("human", LogFormat::Human), ("json", LogFormat::Json)];
    let format_habits = [("text", "human"), ("plain", "human"), ("console", "human")];
    Log {
        level: section
            .choice("level", &levels, &habits, report)
            .unwrap_or(default.level),
        format: section
            .choice("format", &formats, &format_habits, report)
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
        at: report.place(to.span()),
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
    let section = top.section("admin", &keys::ADMIN, report);
    let listen = section
        .as_ref()
        .and_then(|section| section.setting("listen"));
    let (Some(section), Some(listen)) = (&section, listen) else {
        if let Some(section) = &section {
            refuse_idle_mode(section, &[], report);
        }
        let default = Admin::default();
        for address in &default.listen {
            written.default_listener(address.addr.clone());
        }
        return Some(default);
    };
    if listen.is_word("off") {
        return None;
    }
    if let Kind::Boolean(is_on) = listen.value.kind {
        let help = match is_on {
            true => "leave `listen` out: the admin listener is on by default",
            false => "write `listen = \"off\"`",
        };
        listen.wrong_with("an address, or \"off\"", help, report);
        return None;
    }
    let addresses = listen_addresses(section, listen, written, report);
    warn_when_open_to_all(&addresses, listen.span(), report);
    Some(Admin { listen: addresses })
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
