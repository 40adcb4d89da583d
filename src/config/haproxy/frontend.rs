//! `frontend` sections, and that half of `listen` sections.

use std::cell::Cell;

use crate::config::raw::Value;
use crate::config::source::Span;

use super::acl::quoted;
use super::args::Args;
use super::content;
use super::context::{Context, On};
use super::global::Global;
use super::lexer::{Environment, Word};
use super::old::Stage;
use super::proxy::{Proxy, Side};
use super::quantity;
use super::rule;
use super::template::template;
use super::verdict::Verdicts;
use super::write::{self, Keys};
use super::{bind, capture, connection, errors, old, stats, userlist};

/// `[frontend.NAME]` of a proxy.
pub(super) fn frontend(
    proxy: &Proxy<'_>,
    global: &Global<'_>,
    environment: Environment<'_>,
    verdicts: &mut Verdicts,
) -> Value {
    let span = proxy.name.span;
    let mut keys = Keys::default();
    let mut addresses = Vec::new();
    for args in &proxy.binds {
        if let Some(bound) = bind::bind(*args, global, environment, verdicts) {
            addresses.extend(bound.addresses);
            if let Some(mode) = bound.socket_mode {
                keys.set("socket_mode", mode);
            }
        }
    }
    if !proxy.binds.is_empty() {
        keys.set("listen", write::list(span, addresses));
    }
    if let Some(line) = proxy.setting("maxconn") {
        let mut args = Args::after(line, 1);
        if let Some(word) = args.need("number", verdicts)
            && let Some(number) = quantity::count(word, verdicts)
            && number > 0
        {
            keys.set("max_connections", write::number(word.span, number));
        }
    }
    let backend = match (proxy.default_backend, proxy.side) {
        (Some(backend), _) => Some(backend),
        // A `listen` section has servers of its own.
        (None, Side::Both) => Some(proxy.name),
        _ => None,
    };
    if let Some(backend) = backend {
        keys.set("backend", write::text(backend.span, backend.text.clone()));
    }
    let connection_rules = connection::rules(proxy, verdicts);
    if !connection_rules.is_empty() {
        keys.set("connection_rule", write::list(span, connection_rules));
    }
    if proxy.is_tcp() {
        tcp(proxy, global, &mut keys, verdicts);
    } else {
        http(proxy, global, &mut keys, backend.is_some(), verdicts);
    }
    keys.at(span)
}

fn tcp(proxy: &Proxy<'_>, global: &Global<'_>, keys: &mut Keys, verdicts: &mut Verdicts) {
    let span = proxy.mode.map_or(proxy.name.span, |mode| mode.span);
    keys.set("mode", write::text(span, "tcp"));
    let mut timeout = Keys::default();
    if let Some((Some(time), span)) = proxy.first_timeout(&["tunnel", "client"]) {
        timeout.set("tunnel", write::text(*span, time.clone()));
    }
    if !timeout.is_empty() {
        keys.set("timeout", timeout.at(proxy.name.span));
    }
    for line in proxy
        .requests
        .iter()
        .chain(&proxy.responses)
        .chain(&proxy.redirects)
    {
        verdicts.without_effect(line.span, "it needs `mode http`, as in HAProxy");
    }
    content::in_tcp(proxy, &context(proxy, global), keys, verdicts);
    let routes = routes(proxy, global, verdicts);
    if !routes.is_empty() {
        keys.set("route", write::list(proxy.name.span, routes));
    }
}

fn http(
    proxy: &Proxy<'_>,
    global: &Global<'_>,
    keys: &mut Keys,
    has_backend: bool,
    verdicts: &mut Verdicts,
) {
    let span = proxy.name.span;
    if let Some(mode) = proxy.mode {
        keys.set("mode", write::text(mode.span, "http"));
    }
    keys.set("timeout", timeouts(proxy, verdicts).at(span));
    // HAProxy sends none of these by itself, and removes none.
    let mut forwarding = Keys::default();
    forwarding.set("x_forwarded", write::switch(span, false));
    forwarding.set("pass_untrusted", write::switch(span, true));
    forwarding.set("trusted_only", write::list(span, Vec::new()));
    keys.set("forwarding", forwarding.at(span));
    keys.set("requires_host", write::switch(span, false));
    request_id(proxy, keys, verdicts);
    if let Some(line) = proxy.has("http-restrict-req-hdr-names") {
        let mut args = Args::after(line, 2);
        if let Some(word) = args.need("value", verdicts) {
            let value = match &*word.text {
                "preserve" => "pass",
                "delete" => "drop",
                other => other,
            };
            keys.set("field_names", write::text(word.span, value));
        }
    }
    if let Some(line) = proxy.has_any(&["httpclose", "forceclose"]) {
        verdicts.approximated(
            line.span,
            "clients may keep their connections; those to servers end after each request",
        );
    }
    if let Some(line) = proxy.has("http-tunnel") {
        verdicts.approximated(
            line.span,
            "each request of a connection is read, and not the first alone",
        );
    }
    if let Some(compression) = compression(proxy, verdicts) {
        keys.set("compression", compression);
    }
    if let Some(pages) = errors::error_pages(proxy, global, verdicts) {
        keys.set("error_page", pages);
    }
    let rules = rules(proxy, global, verdicts);
    if !rules.is_empty() {
        keys.set("rule", write::list(span, rules));
    }
    let mut routes = routes(proxy, global, verdicts);
    if !has_backend && !proxy.use_backends.iter().any(is_unconditional) {
        // HAProxy answers 503 where no backend is found.
        let rule = write::table(span, "deny", write::number(span, 503));
        let rules = write::list(span, vec![rule]);
        let mut route = Keys::default();
        route.set("name", write::text(span, "no-backend"));
        route.set("rule", rules);
        routes.push(route.at(span));
    }
    if !routes.is_empty() {
        keys.set("route", write::list(span, routes));
    }
}

fn timeouts(proxy: &Proxy<'_>, verdicts: &mut Verdicts) -> Keys {
    let mut timeout = Keys::default();
    let mut set = |key: &str, names: &[&str]| {
        if let Some((Some(time), span)) = proxy.first_timeout(names) {
            timeout.set(key, write::text(*span, time.clone()));
        }
    };
    set("body", &["client"]);
    set("head", &["http-request", "client"]);
    set("keep_alive", &["http-keep-alive", "http-request", "client"]);
    set("tunnel", &["tunnel", "client"]);
    set("handshake", &["client-hs", "client"]);
    if !matches!(proxy.timeout_of("client"), Some((Some(_), _))) {
        verdicts.approximated(
            proxy.name.span,
            "without `timeout client` Evenkeel waits 10 s for a request and 30 s for a piece of its body, and not for ever",
        );
    }
    timeout
}

fn request_id(proxy: &Proxy<'_>, keys: &mut Keys, verdicts: &mut Verdicts) {
    let span = proxy.name.span;
    match proxy
        .setting("unique-id-header")
        .and_then(|line| line.words.get(1))
    {
        Some(word) => {
            keys.set(
                "request_id",
                write::text(word.span, word.text.to_ascii_lowercase()),
            );
            if let Some(line) = proxy.setting("unique-id-format") {
                verdicts.approximated(
                    line.span,
                    "the id is one of Evenkeel's, and has another form",
                );
            }
        }
        None => keys.set("request_id", write::text(span, "off")),
    }
}

/// The rules of a frontend in HAProxy's order: `tcp-request content`, monitor, `http-request`, `redirect`, and what `option forwardfor` adds;
/// then those for answers.
fn rules(proxy: &Proxy<'_>, global: &Global<'_>, verdicts: &mut Verdicts) -> Vec<Value> {
    let mut rules = content::in_http(proxy, &context(proxy, global), verdicts);
    if let Some(uri) = proxy.monitor_uri {
        let mut monitor = Keys::default();
        monitor.set("path", write::text(uri.span, uri.text.clone()));
        let mut conditions = Vec::new();
        let mut span: Span = uri.span;
        for line in &proxy.monitor_fail {
            let mut args = Args::after(line, 1);
            if !args.takes("fail") {
                verdicts.wrong(line.span, "`monitor` has `fail` behind it", "");
                continue;
            }
            if let Ok(Some((condition, at))) = proxy.acls.condition(args, verdicts) {
                conditions.push(format!("({condition})"));
                span = at;
            }
        }
        if !conditions.is_empty() {
            monitor.set("fail", write::text(span, conditions.join(" or ")));
        }
        let mut rule = Keys::default();
        // HAProxy compares with the query, if there is one.
        let condition = format!("pathq == {}", quoted(&uri.text));
        rule.set("when", write::text(uri.span, condition));
        rule.set("monitor", monitor.at(uri.span));
        rules.push(rule.at(uri.span));
    }
    rules.extend(buffer_request(proxy));
    rules.extend(of_proxy(proxy, global, verdicts));
    rules.extend(verified_for_routes(proxy, global, verdicts));
    rules.extend(forwardfor(proxy, verdicts));
    rules
}

/// The rule that verifies passwords for the conditions of `use_backend`; `None`: none asks.
fn verified_for_routes(
    proxy: &Proxy<'_>,
    global: &Global<'_>,
    verdicts: &mut Verdicts,
) -> Option<Value> {
    proxy.use_backends.iter().find_map(|line| {
        let (_, condition) = Args::after(line, 1).until_condition();
        let (condition, span) = proxy.acls.condition(condition, verdicts).ok()??;
        userlist::asked(condition, span, global, verdicts)?.1
    })
}

fn context<'a>(proxy: &'a Proxy<'_>, global: &'a Global<'a>) -> Context<'a> {
    Context {
        acls: &proxy.acls,
        tarpit: proxy
            .first_timeout(&["tarpit", "connect"])
            .and_then(|(time, _)| time.clone()),
        table: &proxy.name.text,
        global,
        places: &proxy.places,
        allowed: Cell::new(None),
        has_verified: Cell::new(false),
    }
}

/// The rules of a proxy: of a frontend or of a backend.
pub(super) fn of_proxy(
    proxy: &Proxy<'_>,
    global: &Global<'_>,
    verdicts: &mut Verdicts,
) -> Vec<Value> {
    let context = context(proxy, global);
    let mut rules = Vec::new();
    if proxy.is_disabled {
        // Who asks for a backend that is disabled finds none.
        let span = proxy.name.span;
        rules.push(write::table(span, "deny", write::number(span, 503)));
    }
    for net in &proxy.monitor_net {
        rules.extend(monitor_net(net));
    }
    let of_old = |stage: Stage, rules: &mut Vec<Value>, verdicts: &mut Verdicts| {
        let lines = proxy
            .old
            .iter()
            .filter(|line| old::stage(line.keyword()) == stage);
        for line in lines {
            rules.extend(old::rule(
                line,
                &proxy.acls,
                context.tarpit.as_deref(),
                verdicts,
            ));
        }
    };
    rules.extend(capture::rules(&proxy.places, true, verdicts));
    of_old(Stage::Block, &mut rules, verdicts);
    for line in &proxy.requests {
        rules.extend(
            rule::rule(On::Request, Args::after(line, 1), &context, verdicts)
                .into_iter()
                .flatten(),
        );
    }
    of_old(Stage::Request, &mut rules, verdicts);
    rules.extend(stats::rules(
        &proxy.stats,
        &proxy.name.text,
        &proxy.acls,
        verdicts,
    ));
    for line in &proxy.redirects {
        // The keyword is the action.
        rules.extend(
            rule::rule(On::Request, Args::after(line, 0), &context, verdicts)
                .into_iter()
                .flatten(),
        );
    }
    rules.extend(capture::rules(&proxy.places, false, verdicts));
    for (on, lines) in [(On::Response, &proxy.responses), (On::After, &proxy.afters)] {
        for line in lines {
            rules.extend(
                rule::rule(on, Args::after(line, 1), &context, verdicts)
                    .into_iter()
                    .flatten(),
            );
        }
    }
    of_old(Stage::Response, &mut rules, verdicts);
    rules
}

/// `monitor-net NET`: what comes from there is answered 200, and not logged.
fn monitor_net(net: &Word) -> [Value; 2] {
    let span = net.span;
    let rule = |key: &str, value: Value| {
        let mut keys = Keys::default();
        keys.set(
            "when",
            write::text(span, format!("src == {}", quoted(&net.text))),
        );
        keys.set(key, value);
        keys.at(span)
    };
    [
        rule("set_log_level", write::text(span, "silent")),
        rule(
            "return",
            write::table(span, "status", write::number(span, 200)),
        ),
    ]
}

/// The rule of `option http-buffer-request`, which comes before those that look at bodies.
pub(super) fn buffer_request(proxy: &Proxy<'_>) -> Option<Value> {
    let line = proxy.has("http-buffer-request")?;
    let time = proxy.first_timeout(&["http-request", "client"]);
    let time = time.and_then(|(time, _)| time.clone());
    let time = time.unwrap_or_else(|| "10s".to_owned());
    let wait = write::table(line.span, "time", write::text(line.span, time));
    let mut keys = Keys::default();
    keys.set("wait_for_body", wait);
    Some(keys.at(line.span))
}

/// The rule of `option forwardfor`: a line of its own behind those that the request has.
pub(super) fn forwardfor(proxy: &Proxy<'_>, verdicts: &mut Verdicts) -> Option<Value> {
    let line = proxy.has("forwardfor")?;
    let span = line.span;
    let mut args = Args::after(line, 2);
    let (mut name, mut conditions) = ("x-forwarded-for".to_owned(), Vec::new());
    let mut is_if_none = false;
    while let Some(word) = args.next() {
        match &*word.text {
            "except" => {
                let network = args.need("network", verdicts)?;
                conditions.push(format!("src != {}", quoted(&network.text)));
            }
            "header" => name = args.need("name", verdicts)?.text.to_ascii_lowercase(),
            "if-none" => is_if_none = true,
            _ => {
                verdicts.unknown(
                    "word of `option forwardfor`",
                    word,
                    ["except", "header", "if-none"],
                );
                return None;
            }
        }
    }
    if is_if_none {
        conditions.push(format!("req.fhdr_cnt({name}) == 0"));
    }
    let mut keys = Keys::default();
    if !conditions.is_empty() {
        keys.set("when", write::text(span, conditions.join(" and ")));
    }
    keys.set(
        "add_header",
        write::table(span, &name, write::text(span, "%[src]")),
    );
    Some(keys.at(span))
}

/// Whether a `use_backend` holds for every request.
fn is_unconditional(line: &&super::lexer::Line) -> bool {
    Args::after(line, 1).until_condition().1.peek().is_none()
}

fn routes(proxy: &Proxy<'_>, global: &Global<'_>, verdicts: &mut Verdicts) -> Vec<Value> {
    let mut routes = Vec::new();
    for line in &proxy.use_backends {
        let (mut before, condition) = Args::after(line, 1).until_condition();
        let Some(backend) = before.need("name", verdicts) else {
            continue;
        };
        before.end(verdicts);
        let mut route = Keys::default();
        match proxy.acls.condition(condition, verdicts) {
            Ok(Some((condition, span))) => {
                // The password was verified for a rule before; see `verified_for_routes`.
                let Some((condition, _)) = userlist::asked(condition, span, global, verdicts)
                else {
                    continue;
                };
                route.set("when", write::text(span, condition));
            }
            Ok(None) => {}
            Err(()) => continue,
        }
        let name = match backend.text.contains("%[") {
            true => match template(backend, verdicts) {
                Some(name) => name,
                None => continue,
            },
            false => backend.text.clone(),
        };
        route.set("backend", write::text(backend.span, name));
        routes.push(route.at(line.span));
    }
    routes
}

/// `compression` of a frontend or a backend.
pub(super) fn compression(proxy: &Proxy<'_>, verdicts: &mut Verdicts) -> Option<Value> {
    let mut keys = Keys::default();
    let mut span = None;
    for line in &proxy.compression {
        let mut args = Args::after(line, 1);
        let word = args.need("word", verdicts)?;
        let items = |words: &[super::lexer::Word]| {
            let items = words
                .iter()
                .map(|word| write::text(word.span, word.text.clone()));
            items.collect::<Vec<_>>()
        };
        match &*word.text {
            "algo" | "algo-res" => {
                span = Some(line.span);
                let mut algorithms = Vec::new();
                for word in args.rest() {
                    match &*word.text {
                        "gzip" => algorithms.push(write::text(word.span, "gzip")),
                        "identity" => {}
                        _ => verdicts.approximated(
                            word.span,
                            "clients that accept this alone get an answer that is not compressed",
                        ),
                    }
                }
                keys.set("algorithms", write::list(line.span, algorithms));
            }
            "type" | "type-res" => keys.set("types", write::list(line.span, items(args.rest()))),
            "offload" => keys.set("offload", write::switch(line.span, true)),
            "minsize-res" => {
                let size = args.need("size", verdicts)?;
                let number = quantity::size(size, verdicts)?;
                keys.set("min_size", write::text(size.span, format!("{number}B")));
            }
            "direction" if args.peek() == Some("response") => {}
            "direction" | "algo-req" | "type-req" | "minsize-req" => {
                verdicts.refused(line.span, "compression of requests", "leave it out");
            }
            _ => verdicts.unknown(
                "word of `compression`",
                word,
                ["algo", "type", "offload", "direction"],
            ),
        }
    }
    let span = span?;
    if !keys.has("types") {
        let all = write::text(span, "*/*");
        keys.set("types", write::list(span, vec![all]));
    }
    if !keys.has("min_size") {
        keys.set("min_size", write::text(span, "0B"));
    }
    Some(keys.at(span))
}
