//! The health check of a backend: `option httpchk`, `http-check`, `tcp-check` and the words of servers.

use crate::config::source::Span;

use super::args::Args;
use super::proxy::Proxy;
use super::server::Server;
use super::verdict::Verdicts;
use super::write::{self, Keys};

/// `health` of the backend.
pub(super) fn health(
    proxy: &Proxy<'_>,
    servers: &[Server],
    verdicts: &mut Verdicts,
) -> Option<Keys> {
    let first = servers.iter().find(|server| server.is_checked)?;
    for server in servers.iter().filter(|server| !server.is_checked) {
        let span = server.span?;
        verdicts.approximated(
            span,
            "this server is checked, too: all servers of a backend are, or none",
        );
    }
    let mut keys = first.check.clone();
    for server in servers.iter().filter(|server| server.is_checked) {
        if !server.check.is_like(&first.check)
            && let Some(span) = server.span
        {
            verdicts.approximated(
                span,
                "the times and counts of the first server's checks hold for all servers of the backend",
            );
        }
    }
    let span = first.span?;
    // A server takes traffic before its first check.
    keys.set("initial", write::text(span, "up"));
    if let Some((Some(time), span)) = proxy.timeout_of("check") {
        keys.set("timeout", write::text(*span, time.clone()));
    }
    match proxy.has("httpchk") {
        Some(line) => http(proxy, Args::after(line, 2), &mut keys, verdicts),
        None => {
            keys.set("type", write::text(span, "tcp"));
            for line in &proxy.tcp_checks {
                let args = Args::after(line, 1);
                match args.peek() {
                    Some("connect") => {}
                    Some("comment") => verdicts.without_effect(line.span, "a comment"),
                    // A check that passes where HAProxy's fails would send requests to the wrong servers.
                    Some(word) => verdicts.refused(
                        line.span,
                        &format!("tcp-check {word}"),
                        "leave the lines out: the check opens a connection, and nothing else",
                    ),
                    None => {}
                }
            }
        }
    }
    Some(keys)
}

/// `option httpchk [method] [uri] [version [host]]`, and the lines of `http-check`.
fn http(proxy: &Proxy<'_>, args: Args<'_>, keys: &mut Keys, verdicts: &mut Verdicts) {
    let span: Span = args.line().span;
    let mut request = Request::default();
    let words: Vec<&str> = args.rest().iter().map(|word| &*word.text).collect();
    match words.as_slice() {
        [] => {}
        [path] => request.path = Some((*path).to_owned()),
        [method, path, version @ ..] => {
            request.method = Some((*method).to_owned());
            request.path = Some((*path).to_owned());
            // Fields were once written behind the version: `HTTP/1.1\r\nHost:\ www`.
            let version = version.join(" ");
            for line in version.split("\r\n").skip(1) {
                if let Some((name, value)) = line.split_once(':') {
                    request.field(name.trim(), value.trim());
                }
            }
        }
    }
    let mut headers = Vec::new();
    for line in &proxy.http_checks {
        let mut args = Args::after(line, 1);
        let Some(word) = args.need("word", verdicts) else {
            continue;
        };
        match &*word.text {
            "send" => {
                let read = send(args, &mut request, verdicts);
                if read.is_none() {
                    continue;
                }
            }
            "expect" => expect(args, keys, verdicts),
            "send-state" | "comment" | "connect" => verdicts.without_effect(
                line.span,
                "the server is asked at its own address, or where `port` and `addr` say",
            ),
            "disable-on-404" => verdicts.refused(
                line.span,
                "http-check disable-on-404",
                "leave it out, and set the weight of the server to 0",
            ),
            "set-var" | "unset-var" | "set-var-fmt" => {
                verdicts.refused(line.span, "a variable of a check", "leave it out");
            }
            _ => verdicts.unknown(
                "word of `http-check`",
                word,
                [
                    "send",
                    "expect",
                    "connect",
                    "comment",
                    "disable-on-404",
                    "send-state",
                    "set-var",
                ],
            ),
        }
    }
    let method = request.method.as_deref().unwrap_or("OPTIONS");
    if method != "GET" {
        verdicts.approximated(span, format!("the check is a GET, and no {method}"));
    }
    let path = request.path.unwrap_or_else(|| "/".to_owned());
    keys.set("path", write::text(span, path));
    if let Some(host) = request.host {
        keys.set("host", write::text(span, host));
    }
    headers.append(&mut request.headers);
    if !headers.is_empty() {
        let mut table = Keys::default();
        for (name, value) in headers {
            table.set(&name, write::text(span, value));
        }
        keys.set("headers", table.at(span));
    }
}

/// The request of a check.
#[derive(Default)]
struct Request {
    method: Option<String>,
    path: Option<String>,
    host: Option<String>,
    headers: Vec<(String, String)>,
}

impl Request {
    fn field(&mut self, name: &str, value: &str) {
        match name.eq_ignore_ascii_case("host") {
            true => self.host = Some(value.to_owned()),
            false => self
                .headers
                .push((name.to_ascii_lowercase(), value.to_owned())),
        }
    }
}

fn send(mut args: Args<'_>, request: &mut Request, verdicts: &mut Verdicts) -> Option<()> {
    while let Some(word) = args.next() {
        match &*word.text {
            "meth" => request.method = Some(args.need("method", verdicts)?.text.clone()),
            "uri" => request.path = Some(args.need("path", verdicts)?.text.clone()),
            "ver" => {
                args.need("version", verdicts)?;
            }
            "hdr" => {
                let name = args.need("name", verdicts)?;
                let value = args.need("value", verdicts)?;
                request.field(&name.text, &value.text);
            }
            "body" | "body-lf" | "uri-lf" => {
                verdicts.refused(
                    word.span,
                    &word.text,
                    "the request of a check is a GET with a fixed path",
                );
                return None;
            }
            _ => {
                verdicts.unknown("word", word, ["meth", "uri", "ver", "hdr", "body"]);
                return None;
            }
        }
    }
    Some(())
}

fn expect(mut args: Args<'_>, keys: &mut Keys, verdicts: &mut Verdicts) {
    let span = args.span();
    if args.takes("!") {
        return verdicts.refused(span, "http-check expect !", "write what is expected");
    }
    let Some(what) = args.need("word", verdicts) else {
        return;
    };
    match &*what.text {
        "status" => {
            if let Some(word) = args.need("status", verdicts) {
                let items = word.text.split(',');
                let items = items.map(|item| match item.parse() {
                    Ok(number) => write::number(word.span, number),
                    Err(_) => write::text(word.span, item),
                });
                keys.set("status", write::list(word.span, items.collect()));
            }
        }
        "rstatus" => {
            if let Some(word) = args.need("regular expression", verdicts) {
                match regex::Regex::new(&word.text) {
                    Ok(regex) => {
                        let items = matching_statuses(&regex).into_iter();
                        let items = items.map(|item| write::text(word.span, item)).collect();
                        keys.set("status", write::list(word.span, items));
                    }
                    Err(_) => verdicts.wrong(word.span, "this is not a regular expression", ""),
                }
            }
        }
        "string" => {
            if let Some(word) = args.need("text", verdicts) {
                keys.set("body", write::text(word.span, word.text.clone()));
                keys.set("status", write::text(word.span, "100-599"));
            }
        }
        other => verdicts.refused(
            span,
            &format!("http-check expect {other}"),
            "write `status` or `string`",
        ),
    }
}

/// The statuses that match, as ranges.
fn matching_statuses(regex: &regex::Regex) -> Vec<String> {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for status in (100..600).filter(|status| regex.is_match(&status.to_string())) {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == status => *last = status,
            _ => ranges.push((status, status)),
        }
    }
    let written = ranges.into_iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    written.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regular_expression_of_statuses_becomes_ranges() {
        let regex = regex::Regex::new("^(2|3)[0-9][0-9]$|404").expect("it is one");
        assert_eq!(matching_statuses(&regex), ["200-399", "404"]);
    }
}
