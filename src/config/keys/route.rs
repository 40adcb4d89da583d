//! Routes: `[[frontend.NAME.route]]`, in HTTP and in TCP mode.

use crate::config::page::{self, host, list_of_any, string};
use crate::plan::{
    Among, ClientCertificate, PathPattern, Predicate, Route, Target, TcpRoute, ValuePattern,
};

use super::kind::Shape;
use super::rule::{self, RULE};
use super::words::Words;
use super::{Keys, key};

const TEXTS: Shape = Shape::List(&Shape::Text);
const PAIRS: Shape = Shape::Named(&Shape::Text);

/// `check --show` leaves out the conditions that a route does not have: no value stands for them.
pub(in crate::config) static ROUTE: Keys<Route> = Keys {
    keys: &[
        key("name")
            .means("The route's name in the access log and in metrics; else its number.")
            .compiled(Shape::Text, |route| Some(string(&route.name))),
        key("host")
            .means("\"a.example.com\", or \"*.example.com\" for one or more labels before it.")
            .also("domain hostname server_name")
            .compiled(TEXTS, |route| list_of_any(route.hosts.iter().map(host))),
        key("path")
            .means("\"/exact\", or \"/start/*\" for `/start` and everything below it.")
            .also("uri url")
            .compiled(TEXTS, |route| list_of_any(route.paths.iter().map(path))),
        key("path_regex")
            .means("Regular expressions, one of which the path must match.")
            .not_shown(TEXTS),
        key("method")
            .means("Methods, one of which the request must have.")
            .also("verb")
            .compiled(TEXTS, |route| {
                let methods = route.methods.iter();
                list_of_any(methods.map(|method| string(method.as_str())))
            }),
        key("header")
            .means("Fields: \"value\", \"start*\", or \"*\" for any value. All must hold.")
            .compiled(PAIRS, |route| predicates(&route.headers)),
        key("query")
            .means("Parameters of the query, in the same form.")
            .compiled(PAIRS, |route| predicates(&route.queries)),
        key("when")
            .means("Any other condition.")
            .compiled(Shape::Text, |route| {
                route.when.as_ref().map(|when| string(&when.to_string()))
            }),
        key("client_certificate")
            .means("\"required\": a client that has shown no certificate is answered 403.")
            .word(ClientCertificate::words, |route| {
                &mut route.client_certificate
            }),
        key("rule")
            .means("Rules for what this route matches; they run after those of the frontend.")
            .compiled(Shape::List(&Shape::Table(&RULE)), |route| {
                rule::shown(&route.rules)
            }),
        key("backend")
            .means("Where requests go; \"%[…]\": the backend that the expression names.")
            .also("use_backend default_backend service upstream to proxy_pass")
            .compiled(Shape::Text, |route| match &route.target {
                Target::Backend(backend) => Some(string(&backend.name)),
                Target::Named(template, _) => Some(page::template(template)),
                Target::Split(_) | Target::Answered => None,
            }),
        key("among")
            .means(
                "The backends that the expression in `backend` may name; all if it is not written.",
            )
            .also("allowed_backends")
            .compiled(Shape::List(&Shape::Text), |route| match &route.target {
                Target::Named(_, Among::These(among)) => {
                    Some(page::list(among.iter().map(|one| string(&one.name))))
                }
                _ => None,
            }),
        key("split")
            .means("Several backends by weight, each request by itself.")
            .compiled(Shape::Named(&Shape::Number(0, i64::MAX)), |route| {
                let Target::Split(parts) = &route.target else {
                    return None;
                };
                let parts = parts.iter();
                Some(page::table(parts.map(|(backend, weight)| {
                    (page::key(&backend.name), weight.to_string())
                })))
            }),
    ],
    hints: r#"
        rules: write `rule = [{ … }]`
        hosts domains: write `host`; it takes a list
        paths: write `path`; it takes a list
        methods: write `method`; it takes a list
        headers hdr: write `header = { name = "value" }`
        path_beg prefix path_prefix: write `path = "/start/*"`
        url_param params args: write `query = { name = "value" }`
        sni: `sni` is for routes in TCP mode (`mode = "tcp"`) and for `passthrough`; in HTTP write `host`
        alpn: `alpn` is for routes in TCP mode (`mode = "tcp"`) and for `passthrough`
        hdr_dom: write `host = "*.example.com"`
        path_reg path_regexp regex regexp: write `path_regex = '^/item/[0-9]+$'`
        path_end: write `when = 'path ends_with ".php"'`
        cookie: write `when = 'req.cook(name) == "value"'`
        src client_ip remote_ip remote_addr source: write `when = 'src in ["10.0.0.0/8"]'`
        scheme port: write a frontend of its own for each port: its routes are its own
        if match acl: conditions are the keys `host`, `path`, `method`, `header` and `query`, and any other is `when = "…"`
        priority order: leave it out: the first route that matches wins
        weight backends: write `split = { stable = 95, canary = 5 }`
        servers: servers are written in a `[backend.NAME]`, which `backend` names
        timeout: timeouts are keys of the frontend and of the backend: write `timeout` there
        mtls: write `client_certificate = "required"`
    "#,
    ..Keys::EMPTY
};

/// A route in TCP mode, or of `passthrough`.
pub(in crate::config) static TCP_ROUTE: Keys<TcpRoute> = Keys {
    keys: &[
        key("name")
            .means("The route's name in the access log and in metrics; else its number.")
            .compiled(Shape::Text, |route| Some(string(&route.name))),
        key("sni")
            .means("The names that a TLS client asks for, in the form of hosts.")
            .also("req.ssl_sni")
            .compiled(TEXTS, |route| list_of_any(route.sni.iter().map(host))),
        key("alpn")
            .means("Protocols, one of which the client offers (ALPN).")
            .compiled(TEXTS, |route| {
                list_of_any(route.alpn.iter().map(|name| string(name)))
            }),
        key("when")
            .means("Any other condition of the connection.")
            .also("if condition")
            .compiled(Shape::Text, |route| {
                route.when.as_ref().map(|when| string(&when.to_string()))
            }),
        key("backend")
            .means("Where connections go.")
            .also("use_backend")
            .compiled(Shape::Text, |route| Some(string(&route.backend.name))),
    ],
    hints: r#"
        host hostname: write `sni`: the name that a client of TLS asks for
        path method query: leave it out: in TCP mode there are no requests, only bytes
        header: leave it out: in TCP mode there are no fields that could be read or written
        split weight backends: in TCP mode a route has one `backend`
        deny reject block rule rules: in TCP mode a connection that no route matches is closed: leave `backend` of the frontend out, and write routes for what may pass
        src client_ip remote_ip remote_addr source: write `when = 'src in ["10.0.0.0/8"]'`
        port: write `when = "dst_port == 443"`
    "#,
    ..Keys::EMPTY
};

fn path(path: &PathPattern) -> String {
    match path {
        PathPattern::Exact(path) => string(path),
        PathPattern::Prefix(path) => string(&format!("{path}/*")),
    }
}

fn predicates<N: AsRef<str>>(predicates: &[Predicate<N>]) -> Option<String> {
    if predicates.is_empty() {
        return None;
    }
    let predicates = predicates.iter().map(|predicate| {
        let value = match &predicate.value {
            ValuePattern::Present => string("*"),
            ValuePattern::Exact(text) => string(text),
            ValuePattern::Prefix(text) => string(&format!("{text}*")),
        };
        (page::key(predicate.name.as_ref()), value)
    });
    Some(page::table(predicates))
}
