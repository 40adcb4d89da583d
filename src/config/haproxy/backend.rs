//! `backend` sections, and that half of `listen` sections.

use crate::config::raw::Value;
use crate::config::source::Span;

use super::args::Args;
use super::content;
use super::frontend::{buffer_request, compression, forwardfor, of_proxy};
use super::global::Global;
use super::lexer::{Environment, Line, Word};
use super::proxy::{Proxy, Side};
use super::quantity;
use super::server::Server;
use super::verdict::Verdicts;
use super::write::{self, Keys};
use super::{errors, health};

/// `[backend.NAME]` of a proxy. `adds_client`: whether it adds the client's address for frontends that do not.
pub(super) fn backend(
    proxy: &Proxy<'_>,
    global: &Global<'_>,
    adds_client: bool,
    environment: Environment<'_>,
    verdicts: &mut Verdicts,
) -> Value {
    let span = proxy.name.span;
    if proxy.side == Side::Backend {
        content::in_backend(proxy, verdicts);
    }
    let mut keys = Keys::default();
    balance(proxy, &mut keys, verdicts);
    let mut timeout = Keys::default();
    let mut set = |key: &str, names: &[&str]| {
        if let Some((Some(time), span)) = proxy.first_timeout(names) {
            timeout.set(key, write::text(*span, time.clone()));
        }
    };
    set("connect", &["connect"]);
    set("queue", &["queue", "connect"]);
    set("response", &["server"]);
    set("body", &["server"]);
    if !timeout.is_empty() {
        keys.set("timeout", timeout.at(span));
    }
    let is_written = |name| matches!(proxy.timeout_of(name), Some((Some(_), _)));
    if !is_written("server") || !is_written("connect") {
        verdicts.approximated(
            span,
            "without `timeout connect` or `timeout server` Evenkeel waits 2 s for a connection and 60 s for an answer, and not for ever",
        );
    }
    retries(proxy, &mut keys, verdicts);
    pool(proxy, &mut keys, verdicts);
    let servers = servers(proxy, global, environment, verdicts);
    let health = health::health(proxy, &servers, verdicts);
    backups(proxy, &servers, verdicts);
    let mut queue = None;
    for server in &servers {
        queue = queue.or_else(|| server.max_queue().cloned());
        if let Some((span, protocol)) = server.protocol {
            keys.set("protocol", write::text(span, protocol));
        }
        if let Some(cookie) = server.cookie {
            verdicts.without_effect(cookie, "the backend has no `cookie` that exists here");
        }
    }
    if let Some(most) = queue {
        keys.set("queue", write::table(span, "max", most));
    }
    if !proxy.is_tcp() {
        // Those of a `listen` section are in its frontend.
        let mut rules = match proxy.side {
            Side::Both => Vec::new(),
            _ => {
                let first = buffer_request(proxy).into_iter();
                first.chain(of_proxy(proxy, global, verdicts)).collect()
            }
        };
        rules.extend(use_servers(proxy, verdicts));
        if adds_client {
            rules.extend(forwardfor(proxy, verdicts));
        }
        if !rules.is_empty() {
            keys.set("rule", write::list(span, rules));
        }
        if proxy.side != Side::Both
            && let Some(compression) = compression(proxy, verdicts)
        {
            keys.set("compression", compression);
        }
    }
    if !proxy.is_tcp()
        && proxy.side == Side::Backend
        && let Some(pages) = errors::error_pages(proxy, global, verdicts)
    {
        keys.set("error_page", pages);
    }
    if let Some(health) = health {
        keys.set("health", health.at(span));
    }
    let servers = servers
        .into_iter()
        .map(|server| server.keys.at(server.span.unwrap_or(span)))
        .collect();
    keys.set("servers", write::list(span, servers));
    keys.at(span)
}

fn balance(proxy: &Proxy<'_>, keys: &mut Keys, verdicts: &mut Verdicts) {
    let Some(line) = proxy.setting("balance") else {
        return;
    };
    let mut args = Args::after(line, 1);
    let Some(word) = args.need("method", verdicts) else {
        return;
    };
    let name = word.text.split('(').next().unwrap_or_default();
    let balance = match name {
        "roundrobin" | "static-rr" => "round-robin",
        "leastconn" => "least-connections",
        "random" => {
            verdicts.approximated(
                word.span,
                "the server with the fewest requests of all is chosen, and not of two by chance",
            );
            "least-connections"
        }
        "first" => {
            verdicts.approximated(
                word.span,
                "the servers take turns: the first is not filled first",
            );
            "round-robin"
        }
        "source" | "uri" | "url_param" | "hdr" | "hash" | "rdp-cookie" | "req.hdr" => {
            return verdicts.refused(
                word.span,
                &word.text,
                "no balancer chooses by a hash yet: write `roundrobin` or `leastconn` if clients need not stay at a server",
            );
        }
        _ => {
            let known = [
                "roundrobin",
                "static-rr",
                "leastconn",
                "first",
                "random",
                "source",
                "uri",
                "hdr",
                "url_param",
                "hash",
            ];
            return verdicts.unknown("balancing method", word, known);
        }
    };
    keys.set("balance", write::text(word.span, balance));
}

fn retries(proxy: &Proxy<'_>, keys: &mut Keys, verdicts: &mut Verdicts) {
    const MOST_ATTEMPTS: i64 = 10;
    let mut retry = Keys::default();
    let mut span: Span = proxy.name.span;
    // Three retries unless it says otherwise.
    let mut attempts = 4;
    if let Some(line) = proxy.setting("retries") {
        let mut args = Args::after(line, 1);
        if let Some(word) = args.need("number", verdicts)
            && let Some(number) = quantity::count(word, verdicts)
        {
            span = word.span;
            attempts = (number + 1).min(MOST_ATTEMPTS);
            if number > 0 && proxy.has("redispatch").is_none() {
                verdicts.approximated(
                    span,
                    "each retry goes to another server, as with `option redispatch 1`",
                );
            }
        }
    }
    retry.set("attempts", write::number(span, attempts));
    if let Some(line) = proxy.setting("retry-on") {
        let mut on = Vec::new();
        for word in Args::after(line, 1) {
            let words: &[&str] = match &*word.text {
                "conn-failure" => &["connect"],
                "empty-response" => &["empty"],
                "junk-response" => &["malformed"],
                "response-timeout" => &["timeout"],
                "0rtt-rejected" | "none" => &[],
                "all-retryable-errors" => &[
                    "connect",
                    "empty",
                    "malformed",
                    "timeout",
                    "500",
                    "502",
                    "503",
                    "504",
                ],
                _ if word.text.parse::<u16>().is_ok() => {
                    on.push(write::text(word.span, word.text.clone()));
                    continue;
                }
                _ => {
                    let known = [
                        "conn-failure",
                        "empty-response",
                        "junk-response",
                        "response-timeout",
                        "all-retryable-errors",
                        "none",
                    ];
                    verdicts.unknown("reason for a retry", word, known);
                    continue;
                }
            };
            on.extend(words.iter().map(|name| write::text(word.span, *name)));
        }
        verdicts.approximated(
            line.span,
            "a request whose method is not idempotent is tried again only if no server has seen it",
        );
        retry.set("on", write::list(line.span, on));
    }
    keys.set("retry", retry.at(span));
}

/// Connections to servers after a request.
fn pool(proxy: &Proxy<'_>, keys: &mut Keys, verdicts: &mut Verdicts) {
    let closing = proxy.has_any(&["http-server-close", "httpclose", "forceclose"]);
    let reuse = proxy.setting("http-reuse");
    let never = reuse.filter(|line| line.words.get(1).is_some_and(|word| word.text == "never"));
    if let Some(line) = closing.or(never) {
        keys.set(
            "pool",
            write::table(line.span, "max_idle", write::number(line.span, 0)),
        );
    } else if let Some(line) = reuse {
        verdicts.without_effect(
            line.span,
            "idle connections are used by all clients, as with `always`",
        );
    }
}

fn servers(
    proxy: &Proxy<'_>,
    global: &Global<'_>,
    environment: Environment<'_>,
    verdicts: &mut Verdicts,
) -> Vec<Server> {
    let defaults: Vec<Args<'_>> = proxy
        .default_servers
        .iter()
        .map(|line| Args::after(line, 1))
        .collect();
    let mut servers = Vec::new();
    if let Some(address) = proxy.dispatch.filter(|_| proxy.servers.is_empty()) {
        // HAProxy writes `<DISPATCH>` for it in logs.
        let name = Word {
            text: "dispatch".to_owned(),
            ..address.clone()
        };
        let read = Server::read(&name, address, &[], None, global, environment, verdicts);
        servers.extend(read);
    }
    for line in &proxy.templates {
        from_template(line, &defaults, global, environment, &mut servers, verdicts);
    }
    for line in &proxy.servers {
        let mut args = Args::after(line, 1);
        let (Some(name), Some(address)) =
            (args.need("name", verdicts), args.need("address", verdicts))
        else {
            continue;
        };
        servers.extend(Server::read(
            name,
            address,
            &defaults,
            Some(args),
            global,
            environment,
            verdicts,
        ));
    }
    servers
}

/// The most servers of one line.
const MOST_SERVERS: i64 = 4096;

/// `server-template PREFIX NUMBER ADDRESS …`: so many servers with one address.
fn from_template(
    line: &Line,
    defaults: &[Args<'_>],
    global: &Global<'_>,
    environment: Environment<'_>,
    servers: &mut Vec<Server>,
    verdicts: &mut Verdicts,
) -> Option<()> {
    let mut args = Args::after(line, 1);
    let prefix = args.need("prefix", verdicts)?;
    let range = args.need("number", verdicts)?;
    let address = args.need("address", verdicts)?;
    let host = address
        .text
        .rsplit_once(':')
        .map_or(&*address.text, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.parse::<std::net::IpAddr>().is_err() {
        // Each of its servers would be another address of the name.
        verdicts.refused(
            line.span,
            "server-template",
            "write one `server` line for each server",
        );
        return None;
    }
    let (first, last) = range.text.split_once('-').unwrap_or(("1", &range.text));
    let (Ok(first), Ok(last)) = (first.parse::<i64>(), last.parse::<i64>()) else {
        verdicts.wrong(range.span, "this is not a number or a range of numbers", "");
        return None;
    };
    if first < 0 || last < first || last - first >= MOST_SERVERS {
        verdicts.wrong(
            range.span,
            "this is not a range of at most 4096 numbers",
            "",
        );
        return None;
    }
    for number in first..=last {
        let name = Word {
            text: format!("{}{number}", prefix.text),
            ..prefix.clone()
        };
        let read = Server::read(
            &name,
            address,
            defaults,
            Some(args),
            global,
            environment,
            verdicts,
        );
        servers.extend(read);
    }
    Some(())
}

fn backups(proxy: &Proxy<'_>, servers: &[Server], verdicts: &mut Verdicts) {
    let backups: Vec<&Server> = servers
        .iter()
        .filter(|server| server.keys.has("backup"))
        .collect();
    if let [_, second, ..] = backups.as_slice()
        && proxy.has("allbackups").is_none()
        && let Some(span) = second.span
    {
        verdicts.approximated(
            span,
            "all backup servers are used together, as with `option allbackups`",
        );
    }
}

fn use_servers(proxy: &Proxy<'_>, verdicts: &mut Verdicts) -> Vec<Value> {
    let mut rules = Vec::new();
    for line in &proxy.use_servers {
        let (mut before, condition) = Args::after(line, 1).until_condition();
        let Some(server) = before.need("name", verdicts) else {
            continue;
        };
        let mut rule = Keys::default();
        match proxy.acls.condition(condition, verdicts) {
            Ok(Some((condition, span))) => rule.set("when", write::text(span, condition)),
            Ok(None) => {}
            Err(()) => continue,
        }
        rule.set("use_server", write::text(server.span, server.text.clone()));
        rules.push(rule.at(line.span));
    }
    rules
}
