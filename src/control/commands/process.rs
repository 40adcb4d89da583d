//! `show version`, `show env`, `show errors`, `show cli sockets`.

use std::fmt::Write as _;

use crate::base::clock;
use crate::observe::haproxy_date;

use super::{Answer, Asked, version};

pub(super) fn show_version(_: &Asked<'_>) -> Answer {
    Answer::text(version())
}

pub(super) fn show_env(asked: &Asked<'_>) -> Answer {
    let wanted = asked.argument(0);
    let mut text = String::new();
    for (name, value) in std::env::vars_os() {
        let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
        if wanted.is_empty() || name == wanted {
            let _ = writeln!(text, "{name}={value}");
        }
    }
    match text.is_empty() && !wanted.is_empty() {
        true => Answer::text("Variable not found\n"),
        false => Answer::Text(text),
    }
}

/// Bytes of refused messages are not kept: the access log has a line with the reason for each.
pub(super) fn show_errors(asked: &Asked<'_>) -> Answer {
    let name = asked.argument(0);
    let plan = &asked.state.current.load().plan;
    let mut names = plan.frontends.iter().map(|one| &one.name);
    let mut more = plan.backends.iter().map(|one| &one.name);
    let is_known = |known: &crate::base::Name| known.as_str() == name;
    if !["", "request", "response"].contains(&name) && !names.any(is_known) && !more.any(is_known) {
        return Answer::text("No such proxy.\n");
    }
    let now = haproxy_date(clock::wall());
    Answer::text(format!("Total events captured on [{now}] : 0\n"))
}

pub(super) fn show_sockets(asked: &Asked<'_>) -> Answer {
    let mut text = "# socket lvl processes\n".to_owned();
    for socket in &asked.state.current.load().plan.command_sockets {
        for bind in &socket.binds {
            let kind = match bind.addr.ip() {
                Some(addr) if addr.is_ipv4() => "ipv4@",
                Some(_) => "ipv6@",
                None => "",
            };
            let _ = writeln!(text, "{kind}{} {} all", bind.addr, socket.level.word());
        }
    }
    Answer::Text(text)
}
