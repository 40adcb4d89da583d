//! The access logs: `log` lines and the format of each frontend (manual §8).

use std::collections::BTreeMap;

use crate::config::raw::Value;
use crate::config::source::Span;
use crate::plan::log::Preset;

use super::acl::quoted;
use super::args::Args;
use super::capture;
use super::global::Global;
use super::lexer::Line;
use super::proxy::{Proxy, Side};
use super::verdict::Verdicts;
use super::write::{self, Keys};

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    to: String,
    /// `None`: no syslog.
    facility: Option<String>,
    is_rfc5424: bool,
    sample: Option<String>,
}

/// The frontends that write in one format to one target.
struct Group {
    span: Span,
    frontends: Vec<String>,
}

/// `[[log.access]]` for all frontends.
pub(super) fn access_logs(
    proxies: &[Proxy<'_>],
    global: &Global<'_>,
    start: Span,
    verdicts: &mut Verdicts,
) -> Value {
    let mut groups: BTreeMap<(Target, String, bool), Group> = BTreeMap::new();
    let frontends = proxies.iter().filter(|proxy| proxy.side != Side::Backend);
    let count = frontends.clone().count();
    for proxy in frontends {
        let mut lines: Vec<&Line> = Vec::new();
        for line in &proxy.logs {
            match Args::after(line, 1).peek() {
                Some("global") => lines.extend(&global.logs),
                _ => lines.push(line),
            }
        }
        let format = format(proxy, verdicts);
        let is_short = proxy.has("dontlog-normal").is_some();
        for line in lines {
            let Some(target) = target(line, verdicts) else {
                continue;
            };
            let group = groups
                .entry((target, format.clone(), is_short))
                .or_insert_with(|| Group {
                    span: line.span,
                    frontends: Vec::new(),
                });
            if !group.frontends.contains(&proxy.name.text) {
                group.frontends.push(proxy.name.text.clone());
            }
        }
    }
    if groups.is_empty() {
        let off = write::table(start, "to", write::text(start, "off"));
        return write::list(start, vec![off]);
    }
    let logs = groups
        .into_iter()
        .map(|((target, format, is_short), group)| {
            let Group { span, frontends } = group;
            let mut keys = Keys::default();
            keys.set("to", write::text(span, target.to));
            keys.set("format", write::text(span, format));
            let mut conditions = Vec::new();
            if frontends.len() < count {
                let names: Vec<String> = frontends.iter().map(|name| quoted(name)).collect();
                conditions.push(format!("fe_name in [{}]", names.join(", ")));
            }
            if is_short {
                conditions.push("status >= 500".to_owned());
            }
            if !conditions.is_empty() {
                keys.set("when", write::text(span, conditions.join(" and ")));
            }
            if let Some(sample) = target.sample {
                keys.set("sample", write::text(span, sample));
            }
            if let Some(facility) = target.facility {
                let mut syslog = Keys::default();
                let format = if target.is_rfc5424 {
                    "rfc5424"
                } else {
                    "rfc3164"
                };
                syslog.set("format", write::text(span, format));
                syslog.set("facility", write::text(span, facility));
                syslog.set(
                    "tag",
                    write::text(span, global.log_tag.unwrap_or("haproxy")),
                );
                keys.set("syslog", syslog.at(span));
            }
            keys.at(span)
        });
    write::list(start, logs.collect())
}

/// The format of a frontend's lines.
fn format(proxy: &Proxy<'_>, verdicts: &mut Verdicts) -> String {
    if let Some(line) = proxy.format("log-format")
        && let Some(word) = line.words.get(1)
    {
        return match proxy.places.cookie {
            Some(_) => with_cookie(&word.text),
            None => word.text.clone(),
        };
    }
    if let Some(line) = proxy.format("error-log-format") {
        verdicts.approximated(line.span, "lines of errors have the same format as others");
    }
    if let Some(line) = proxy.has("dontlog-normal") {
        verdicts.approximated(
            line.span,
            "only exchanges with a status from 500 on have a line",
        );
    }
    if let Some(line) = proxy.has("httpslog") {
        verdicts.approximated(
            line.span,
            "the line is that of `option httplog`, without the fields about TLS",
        );
        return "haproxy-http".to_owned();
    }
    if let Some(line) = proxy.has("httplog") {
        return match Args::after(line, 2).peek() {
            Some("clf") => "clf".to_owned(),
            _ if proxy.is_tcp() => "haproxy-tcp".to_owned(),
            _ if proxy.places.cookie.is_some() => with_cookie(Preset::HaproxyHttp.template()),
            _ => "haproxy-http".to_owned(),
        };
    }
    if proxy.has("tcplog").is_none() && !proxy.logs.is_empty() {
        verdicts.approximated(
            proxy.name.span,
            "without `option httplog` or `tcplog` the log has lines as of `option tcplog`",
        );
    }
    "haproxy-tcp".to_owned()
}

/// `format` with the cookies that `capture cookie` keeps.
fn with_cookie(format: &str) -> String {
    let request = format!("%[var({})]", capture::OF_REQUEST);
    let response = format!("%[var({})]", capture::OF_RESPONSE);
    format.replace("%CC", &request).replace("%CS", &response)
}

/// `log TARGET [len N] [format F] [sample R:N] FACILITY [LEVEL [MINLEVEL]]`; `None`: no lines of traffic go there.
fn target(line: &Line, verdicts: &mut Verdicts) -> Option<Target> {
    let mut args = Args::after(line, 1);
    let address = args.need("address", verdicts)?;
    let (mut is_rfc5424, mut sample) = (false, None);
    while let Some(word) = args.peek() {
        match word {
            "len" => {
                args.next();
                let word = args.need("length", verdicts)?;
                verdicts.without_effect(word.span, "lines are as long as they are");
            }
            "format" => {
                args.next();
                is_rfc5424 = args.need("format", verdicts)?.text == "rfc5424";
            }
            "sample" => {
                args.next();
                sample = Some(args.need("sample", verdicts)?.text.clone());
            }
            "profile" => {
                verdicts.refused(line.span, "log-profile", "write a `log-format`");
                return None;
            }
            _ => break,
        }
    }
    let facility = args.need("facility", verdicts)?.text.clone();
    let level = args.next();
    if let Some(level) = level
        && !matches!(&*level.text, "info" | "debug")
    {
        // Lines of traffic are of the level info.
        verdicts.without_effect(
            line.span,
            "only changes of servers are of this level: they are in the log of the process, on standard error",
        );
        return None;
    }
    let text = address.text.as_str();
    let (to, is_syslog) = match text {
        "stdout" | "fd@1" => ("stdout".to_owned(), false),
        "stderr" | "fd@2" => ("stderr".to_owned(), false),
        path if path.starts_with('/') => (format!("unix:{path}"), true),
        _ if text.starts_with("ring@")
            || text.starts_with("backend@")
            || text.starts_with("fd@") =>
        {
            verdicts.refused(address.span, text, "write the address of the syslog server");
            return None;
        }
        _ => {
            let (scheme, rest) = match text.split_once('@') {
                Some(("tcp" | "tcp4" | "tcp6", rest)) => ("tcp", rest),
                Some((_, rest)) => ("udp", rest),
                None => ("udp", text),
            };
            let has_port = match rest.rsplit_once(':') {
                Some((host, _)) => !host.contains(':') || host.ends_with(']'),
                None => false,
            };
            let port = if has_port { "" } else { ":514" };
            (format!("{scheme}://{rest}{port}"), true)
        }
    };
    Some(Target {
        to,
        facility: is_syslog.then_some(facility),
        is_rfc5424,
        sample,
    })
}
