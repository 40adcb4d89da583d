//! The output of `check --show` loads back to an equal plan, and no text causes a panic.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use ipnet::IpNet;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::{load, plan};
use crate::base::address::{Descriptor, UnixName};
use crate::base::{
    Address, ByteSize, FileMode, Fingerprint, ListenAddress, Name, Position, TlsVersion,
};
use crate::config::{show, written};
use crate::plan::expr::Condition;
use crate::plan::log::{
    Facility, JsonField, LineFormat, LogServer, Mask, MaskedFact, MaskedQuery, Preset, Sample,
    Syslog, SyslogFormat,
};
use crate::plan::{
    AccessLog, Action, Admin, Among, Backend, BackendHttp2, BackendLimits, BackendReference,
    BackendTimeouts, Balance, Bind, Certificates, ClientAuth, ClientCertificate,
    ClientCertificates, ClientField, ClientFields, Coding, CommandLevel, CommandSocket,
    Compression, ConnectionRule, DEFAULT_ALPN, Data, DefaultName, ErrorPage, FileAt, Forwarding,
    Frontend, FrontendLimits, FrontendTimeouts, HeaderCase, Health, HostPattern, Http2, HttpCheck,
    Identity, Initial, KeyType, Log, LogFormat, LogLevel, LogTarget, MOST_ELEMENTS, Mode,
    NameRules, Need, OddNames, On, Own, OwnCheck, OwnSettings, PathPattern, Peers, Plan, Pool,
    Predicate, Probe, Process, Protocol, ProxyProtocol, ProxyVersion, Queue, Reload, RequestIds,
    Retry, RetryOn, Route, Rule, SendProxy, Server, ServerTls, Shutdown, Sni, StatusSet, Stored,
    Table, Target, TcpRoute, Tls, TlsRules, Trust, TypePattern, UnixPeers, UnknownNames,
    ValuePattern, WhenFull,
};

const FULL: &str = include_str!("../../../conf/full.toml");

fn name() -> impl Strategy<Value = Name> {
    prop_oneof!["[a-z0-9._:$-]{1,8}", "[!-~&&[^\"\\\\]]{1,12}"]
        .prop_filter_map("a name", |text| Name::new(&text).ok())
}

fn names(least: usize) -> impl Strategy<Value = Vec<Name>> {
    btree_map(name().prop_map(|name| name.to_string()), Just(()), least..5).prop_map(|names| {
        let names = names.into_keys();
        names
            .map(|name| Name::new(&name).expect("a name"))
            .collect()
    })
}

fn duration() -> impl Strategy<Value = Duration> {
    (1_u64..10_000_000_000_000).prop_map(Duration::from_micros)
}

/// Any string, also one that looks like a variable.
fn text() -> impl Strategy<Value = String> {
    let parts = prop_oneof![
        Just("${".to_owned()),
        Just("$".to_owned()),
        Just("}".to_owned()),
        Just("\"\\\r\n\t\u{7f}\u{1}\u{2028}".to_owned()),
        any::<String>(),
    ];
    vec(parts, 1..4).prop_map(|parts| format!("x{}", parts.concat()))
}

fn ip() -> impl Strategy<Value = IpAddr> {
    any::<IpAddr>().prop_filter("to be connected to", |ip| match ip {
        IpAddr::V4(ip) => !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_unspecified() && ip.to_ipv4_mapped().is_none(),
    })
}

/// Addresses to listen on. Port 0 may come several times. All others contain `owner`, so no other
/// frontend has them.
fn binds(owner: String) -> impl Strategy<Value = Vec<Bind>> {
    let owner: String = owner.bytes().map(|byte| format!("{byte:02x}")).collect();
    let owner = owner.get(..40).unwrap_or(&owner).to_owned();
    let zone = Name::new("eth0").expect("a name");
    let others = vec![
        ListenAddress::At(Address::Unix(UnixName::Path(
            format!("/run/ü {owner}").into(),
        ))),
        ListenAddress::At(Address::Unix(UnixName::Abstract(format!("a${{{owner}")))),
        ListenAddress::At(Address::Zoned {
            ip: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1),
            zone,
            port: 0,
        }),
        ListenAddress::Inherited(Descriptor::Name(
            Name::new(&format!("n{owner}")).expect("a name"),
        )),
    ];
    let listen = prop_oneof![
        ip().prop_map(|ip| vec![ListenAddress::from(SocketAddr::new(ip, 0))]),
        proptest::sample::subsequence(others, 1..=4),
    ];
    let headers = vec(proxy_protocol(), 1..4);
    (listen, 0_u32..0o1000, headers).prop_map(|(addresses, mode, headers)| {
        let bind = |(addr, header): (ListenAddress, &ProxyProtocol)| Bind {
            mode: match addr.path() {
                Some(_) => FileMode(mode),
                None => FileMode::default(),
            },
            proxy_protocol: header.clone(),
            ..Bind::new(addr, Position::built_in())
        };
        // One PROXY setting for all addresses, or different ones.
        addresses
            .into_iter()
            .zip(headers.iter().cycle())
            .map(bind)
            .collect()
    })
}

fn peers() -> impl Strategy<Value = Peers> {
    let unix = select(vec![UnixPeers::Included, UnixPeers::Excluded]);
    (vec(network(), 0..3), unix).prop_map(|(networks, unix)| Peers { networks, unix })
}

fn send_proxy() -> impl Strategy<Value = SendProxy> {
    let version = select(vec![ProxyVersion::V1, ProxyVersion::V2]);
    let extras = any::<(bool, bool, bool)>();
    (version, extras).prop_map(|(version, (authority, unique_id, tls))| {
        let has_room = version == ProxyVersion::V2;
        SendProxy {
            version,
            authority: authority && has_room,
            unique_id: unique_id && has_room,
            tls: tls && has_room,
        }
    })
}

fn proxy_protocol() -> impl Strategy<Value = ProxyProtocol> {
    prop_oneof![
        Just(ProxyProtocol::Off),
        Just(ProxyProtocol::Required),
        peers().prop_filter_map("some peer", |peers| {
            let has_some = !peers.networks.is_empty() || peers.unix == UnixPeers::Included;
            has_some.then_some(ProxyProtocol::From(peers))
        }),
    ]
}

fn client_field() -> impl Strategy<Value = ClientField> {
    select(vec![ClientField::XForwardedFor, ClientField::Forwarded])
}

fn field_name() -> impl Strategy<Value = HeaderName> {
    "x-[a-z0-9!#$%&'*+.^_`|~-]{1,8}"
        .prop_map(|text| HeaderName::from_bytes(text.as_bytes()).expect("a field's name"))
}

fn field_value() -> impl Strategy<Value = HeaderValue> {
    "[!-~]([ -~]{0,8}[!-~])?".prop_map(|text| HeaderValue::from_str(&text).expect("a value"))
}

fn pattern() -> impl Strategy<Value = ValuePattern> {
    prop_oneof![
        Just(ValuePattern::Present),
        "[!-~]?([ -~ü]{0,6}[!-~&&[^*]])?".prop_filter_map("a value", |text| {
            (!text.ends_with('*') && !text.starts_with(' ')).then_some(ValuePattern::Exact(text))
        }),
        "[!-~][ -~]{0,6}".prop_map(ValuePattern::Prefix),
    ]
}

fn predicates<N: Clone + std::fmt::Debug>(
    name: impl Strategy<Value = String>,
    parse: impl Fn(&str) -> N + 'static,
) -> impl Strategy<Value = Vec<Predicate<N>>> {
    btree_map(name, pattern(), 0..3).prop_map(move |predicates| {
        let predicate = |(name, value): (String, _)| Predicate {
            name: parse(&name),
            value,
        };
        predicates.into_iter().map(predicate).collect()
    })
}

fn host() -> impl Strategy<Value = HostPattern> {
    prop_oneof![
        "[a-z0-9-]{1,4}(\\.[a-z0-9-]{1,4}){0,2}".prop_map(HostPattern::Exact),
        "[a-z0-9-]{1,4}(\\.[a-z0-9-]{1,4}){0,2}".prop_map(HostPattern::Wildcard),
    ]
}

fn path() -> impl Strategy<Value = PathPattern> {
    prop_oneof![
        "(/[a-z0-9_~%$&'()+,;=:@!-]{0,4}){1,3}".prop_filter_map("a path in its form", |path| {
            let is_normal = crate::wire::path::normalise(&path) == path;
            is_normal.then_some(PathPattern::Exact(path))
        }),
        "(/[a-z0-9_~-]{1,4}){0,3}".prop_map(PathPattern::Prefix),
    ]
}

fn one_of(names: Vec<Name>) -> impl Strategy<Value = Name> {
    any::<Index>().prop_map(move |index| index.get(&names).clone())
}

fn route(backends: Vec<Name>) -> impl Strategy<Value = Route> {
    let methods = select(vec![Method::GET, Method::POST, Method::OPTIONS]);
    (
        vec(host(), 0..3),
        vec(path(), 0..3),
        vec(methods, 0..3),
        predicates(field_name().prop_map(|name| name.to_string()), |name| {
            HeaderName::from_bytes(name.as_bytes()).expect("a field's name")
        }),
        predicates(text(), str::to_owned),
        (option::of(when()), rules()),
        (
            select(vec![ClientCertificate::Any, ClientCertificate::Required]),
            target(backends),
        ),
    )
        .prop_map(
            |(
                hosts,
                paths,
                methods,
                headers,
                queries,
                (when, rules),
                (client_certificate, target),
            )| {
                let hosts_are_any = hosts.is_empty();
                Route {
                    name: Name::new("replaced").expect("a name"),
                    hosts,
                    paths,
                    methods,
                    headers,
                    queries,
                    when,
                    client_certificate,
                    target: match rules.iter().any(answers_all) {
                        true if hosts_are_any => Target::Answered,
                        _ => target,
                    },
                    rules,
                    at: Position::built_in(),
                    named_at: Position::built_in(),
                }
            },
        )
}

/// Whether `rule` answers every request: a route with it needs no backend.
fn answers_all(rule: &Rule) -> bool {
    rule.on == On::Request && rule.when.is_none() && rule.action.answers()
}

fn target(backends: Vec<Name>) -> impl Strategy<Value = Target> {
    let split = btree_map(one_of(backends.clone()), 1_u32..1_000_000, 1..4);
    let among = btree_map(one_of(backends.clone()), Just(()), 1..4);
    prop_oneof![
        one_of(backends).prop_map(|name| Target::Backend(BackendReference::built_in(name))),
        split.prop_map(|parts| {
            let mut parts: Vec<_> = parts.into_iter().collect();
            parts.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
            let parts = parts.into_iter();
            let parts = parts
                .map(|(name, weight)| (BackendReference::built_in(name), weight))
                .collect();
            Target::Split(parts)
        }),
        among.prop_map(|names| {
            let mut names: Vec<_> = names.into_keys().collect();
            names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
            let template = written::template("app-%[req.hdr(x-b),lower]");
            let names = names.into_iter().map(BackendReference::built_in);
            Target::Named(template, Among::These(names.collect()))
        }),
        Just(Target::Named(
            written::template("app-%[req.hdr(x-b),lower]"),
            Among::All
        )),
    ]
}

/// Rules of every shape. Only those with `on = "request"` read the request.
fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let texts = [
        "{ when = 'req.hdr(x) == \"$a ${B}\"', deny = 429 }",
        "{ deny = true, on = 'response', when = 'status == 500' }",
        "{ return = { status = 503, content_type = 'text/html', body = \"<p>%[src]\\n100%%\" } }",
        "{ return = { status = 204, headers = { x-b = '', X-Set-By-A-Rule = '%%[a]' } } }",
        "{ deny = { status = 429, headers = { x-a = '%[src]' }, body = '' } }",
        "{ on = 'response', deny = { content_type = 'text/html', body = '<p>%[status]' } }",
        "{ tarpit = '10s' }",
        "{ when = 'path == \"/a\"', reject = true }",
        "{ silent_drop = true }",
        "{ tarpit = { time = '1s', status = 429 } }",
        "{ tarpit = { time = '1s', content_type = 'text/html', body = '<p>%[src]' } }",
        "{ redirect = { location = '%[path]', ignore_empty = true } }",
        "{ monitor = '/healthz' }",
        "{ monitor = { path = '/healthz', fail = 'ssl_fc or src == \"::1\"' } }",
        "{ stats = { path = '/s?a', refresh = '5s', title = 'b', scope = ['web', 'x'] } }",
        "{ stats = { path = '/', format = 'prometheus', hide_version = true } }",
        "{ set_log_level = 'silent' }",
        "{ on = 'after', set_log_level = 'crit' }",
        "{ max_body = '10KiB' }",
        "{ wait_for_body = { time = '3s', at_least = '1KiB', size = '2KiB' } }",
        "{ wait_for_body = { time = '3s' } }",
        "{ on = 'response', capture = { value = 'res.hdr(server),lower', len = 1024, id = 31 } }",
        "{ capture = { value = 'src' } }",
        "{ set_timeout = { connect = '1s', tunnel = '1500ms' } }",
        "{ set_timeout = { response = '5m', body = '1s', queue = '1s', exchange = '1h' } }",
        "{ redirect = { scheme = 'https', drop_query = true, append_slash = true } }",
        "{ redirect = { location = '/a', keep_query = true, set_cookie = 'a=b' } }",
        "{ redirect = { prefix = '/a', clear_cookie = 'a' } }",
        "{ redirect = { scheme = 'https', status = 308 } }",
        "{ redirect = { prefix = 'https://b.example' } }",
        "{ redirect = { location = '/a?%[query]' } }",
        "{ set_header = { x-set-by-a-rule = '%[req.hdr(host),field(1,\" \")]', y-set-by-a-rule = '\"' } }",
        "{ on = 'after', add_header = { x-set-by-a-rule = '%[var(txn.a,b)]' } }",
        "{ on = 'after', del_header = ['server', 'Via'] }",
        "{ set_path = '/a%[path]' }",
        "{ del_header = ['x-a', { starts_with = 'X-B-' }, { matches = '^c[0-9]$' }] }",
        "{ on = 'response', del_header = [{ ends_with = '-b' }, { contains = 'c' }] }",
        "{ replace_header = { name = 'cookie', match = 'a=(\\d+)', with = \"b=\\\\1%[src]\" } }",
        "{ on = 'after', replace_value = { name = 'vary', match = '^x$', with = '' } }",
        "{ set_pathq = '%[pathq]&a' }",
        "{ set_query = 'a=%[src]' }",
        "{ set_uri = 'https://b.example/%[path]' }",
        "{ set_method = 'POST' }",
        "{ replace_path = { match = '^/a/(.*)', with = '/b/\\1' } }",
        "{ replace_pathq = { match = '.*', with = '\\0&c' } }",
        "{ normalize_uri = ['path-merge-slashes', 'percent-to-uppercase-strict'] }",
        "{ on = 'response', set_status = 599 }",
        "{ early_hint = { link = '</a>; rel=preload' } }",
        "{ on = 'after', cookie_attributes = { names = ['a'], secure = true, same_site = 'none' } }",
        "{ on = 'response', cookie_attributes = { http_only = true } }",
        "{ unset_var = ['txn.a', 'sess.b_2'] }",
        "{ set_var = { 'txn.a' = 'path,lower', 'sess.b_2' = 'int(3)', 'req.c' = 'src' } }",
        "{ pause = '1500ms' }",
        "{ auth = { realm = 'a b', users = { joe = '$5$rounds=1000$salt$CCvcOM6b7TEJDPb37Aec/9UpOg4QhPNAxPpL9ZzjTB7', 'a b' = '$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a' }, groups = { a = ['joe', 'a b'], 'b c' = 'joe' } } }",
        "{ jwt = { secret = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', algorithms = ['HS512', 'HS256'], issuer = 'a', audience = ['b', 'c'], leeway = '0s', claims = { X-B = 'b.c', x-a = 'a' } } }",
        "{ cors = { origins = '*', headers = '*', max_age = '0s' } }",
        "{ cors = { origins = ['https://*.a.example:8443', 'http://[::1]'], methods = ['PUT'], headers = ['X-A'], expose = ['X-B', 'x-c'], credentials = true } }",
        "{ on = 'response', security_headers = true }",
        "{ on = 'after', security_headers = { hsts = 'off', nosniff = false, frame_options = 'off', referrer_policy = 'no-referrer' } }",
    ];
    let rules = |texts: Vec<&'static str>| {
        let text = format!(
            "[frontend.a]\nlisten = ':1'\nbackend = 'b'\nrule = [{}]\n[backend.b]\nservers = '10.0.0.1:1'",
            texts.join(",")
        );
        let text = text.replace("$a ${B}", "$$a $${B}");
        plan(&text).frontends[0].rules.clone()
    };
    vec(select(texts.to_vec()), 0..4).prop_map(rules)
}

/// Error pages of every shape but those with files.
fn error_pages() -> impl Strategy<Value = Vec<ErrorPage>> {
    let texts = [
        "{ status = 503, body = '<p>%[status] %[unique-id]' }",
        "{ status = ['500-599', 404], reason = ['queue.*', 'route.none'], json = true }",
        "{ reason = 'backend.no_server', headers = { retry-after = '30' }, body = \"a\\n\", content_type = 'text/plain' }",
        "{ body = '', json = '{\"error\":%[status]}' }",
        "{ headers = { x-a = '%[reason]' } }",
        "{ status = 502, location = '/sorry', location_status = 303 }",
        "{ status = 400, haproxy = true }",
    ];
    let pages = |texts: Vec<&'static str>| {
        let text = format!(
            "[frontend.a]\nlisten = ':1'\nbackend = 'b'\nerror_page = [{}]\n[backend.b]\nservers = '10.0.0.1:1'",
            texts.join(",")
        );
        plan(&text).frontends[0].error_pages.clone()
    };
    subsequence(texts.to_vec(), 0..4).prop_map(pages)
}

/// Rules for connections of every shape.
fn connection_rules() -> impl Strategy<Value = Vec<ConnectionRule>> {
    let texts = [
        "{ when = 'src in [\"10.0.0.0/8\"]', accept = true }",
        "{ reject = true, when = 'not dst_port == 80' }",
        "{ silent_drop = true }",
        "{ expect_proxy = true }",
        "{ set_src = 'src,ipmask(24)' }",
        "{ set_var = { \"sess.a\" = 'src' } }",
        "{ set_src_port = 'dst_port' }",
        "{ set_dst = 'src' }",
        "{ set_dst_port = 'src_port,add(1)' }",
    ];
    let rules = |texts: Vec<&'static str>| {
        let text = format!(
            "[frontend.a]\nlisten = ':1'\nbackend = 'b'\nconnection_rule = [{}]\n[backend.b]\nservers = '10.0.0.1:1'",
            texts.join(",")
        );
        plan(&text).frontends[0].connection_rules.clone()
    };
    vec(select(texts.to_vec()), 0..4).prop_map(rules)
}

/// Rules for content of every shape, in both modes.
fn content_rules() -> impl Strategy<Value = Vec<ConnectionRule>> {
    let texts = [
        "{ when = 'not req.proto_http or req.len > 10', accept = true }",
        "{ reject = true, when = 'req.payload(0,4) == \"SSH-\"' }",
        "{ silent_drop = true }",
        "{ set_src = 'src,ipmask(24)' }",
        "{ set_var = { \"sess.sni\" = 'req.ssl_sni,lower' } }",
        "{ unset_var = \"sess.sni\" }",
    ];
    let rules = |texts: Vec<&'static str>| {
        let text = format!(
            "[frontend.a]\nlisten = ':1'\nbackend = 'b'\ncontent_rule = [{}]\n[backend.b]\nservers = '10.0.0.1:1'",
            texts.join(",")
        );
        plan(&text).frontends[0].content_rules.clone()
    };
    vec(select(texts.to_vec()), 0..4).prop_map(rules)
}

/// Conditions of every shape; `config::expression` has the tests of their parts.
fn when() -> impl Strategy<Value = Condition> {
    let texts = [
        "ssl_fc",
        "not ssl_fc or method == \"GET\"",
        "src in [\"10.0.0.0/8\", \"2001:db8::/32\"] and dst_port in [80, 8000:8010]",
        "req.hdr(x-a),lower,field(2,\" \") != \"\\\"quoted\\\" \\\\ and ${PORT}\"",
        "path matches \"^/(a|b)\\\\.c$\"",
        "req.hdr(x-a) == req.hdr(x-b)",
    ];
    select(texts.to_vec()).prop_map(written::condition)
}

/// The same for what is known of a connection.
fn when_of_connections() -> impl Strategy<Value = Condition> {
    let texts = [
        "src in [\"10.0.0.0/8\"]",
        "dst_port == 443 or not src == \"::1\"",
    ];
    select(texts.to_vec()).prop_map(written::condition)
}

fn routes(backends: Vec<Name>) -> impl Strategy<Value = Vec<Route>> {
    (names(0), vec(route(backends), 5)).prop_map(|(names, routes)| {
        let named = |(name, route): (Name, Route)| Route { name, ..route };
        names.into_iter().zip(routes).map(named).collect()
    })
}

fn network() -> impl Strategy<Value = IpNet> {
    (any::<IpAddr>(), 0_u8..=32)
        .prop_map(|(ip, length)| IpNet::new(ip, length).expect("a network").trunc())
}

fn header_case() -> impl Strategy<Value = HeaderCase> {
    select(vec![
        HeaderCase::Lower,
        HeaderCase::Title,
        HeaderCase::Preserve,
    ])
}

fn odd_names() -> impl Strategy<Value = OddNames> {
    select(vec![OddNames::Pass, OddNames::Drop, OddNames::Reject])
}

fn client_fields() -> impl Strategy<Value = ClientFields> {
    let field = || option::of(field_name());
    (field(), field(), field(), field()).prop_map(|(subject, sans, serial, fingerprint)| {
        ClientFields {
            subject,
            sans,
            serial,
            fingerprint,
        }
    })
}

fn file() -> impl Strategy<Value = PathBuf> {
    "/[a-z $\\\\.{}-]{1,6}[a-z]".prop_map(PathBuf::from)
}

fn file_at() -> impl Strategy<Value = FileAt> {
    file().prop_map(|path| FileAt {
        path,
        at: Position::built_in(),
    })
}

fn tls_rules() -> impl Strategy<Value = TlsRules> {
    let need = select(vec![Need::Optional, Need::Required]);
    let asked = (need, vec(file_at(), 1..3), vec(file_at(), 0..3))
        .prop_map(|(need, ca, crl)| ClientAuth::On(ClientCertificates { need, ca, crl }));
    (
        select(vec![TlsVersion::V1_2, TlsVersion::V1_3]),
        subsequence(DEFAULT_ALPN.map(str::to_owned).to_vec(), 0..=2),
        prop_oneof![Just(ClientAuth::Off), asked],
    )
        .prop_map(|(min_version, alpn, client_auth)| TlsRules {
            alpn_at: Position::built_in(),
            min_version,
            alpn,
            client_auth,
        })
}

fn tls() -> impl Strategy<Value = Tls> {
    let certificates = (file(), option::of(file())).prop_map(|(path, key)| Certificates {
        path,
        key,
        at: Position::built_in(),
    });
    let default = "[a-z]{1,4}\\.test".prop_map(|name| DefaultName {
        name,
        at: Position::built_in(),
    });
    let names = vec((host(), tls_rules()), 0..3).prop_map(|names| {
        let mut own: Vec<NameRules> = Vec::new();
        for (name, rules) in names {
            if own.iter().all(|known| known.name != name) {
                own.push(NameRules {
                    name,
                    rules,
                    at: Position::built_in(),
                });
            }
        }
        own
    });
    (
        vec(certificates, 1..3),
        option::of(default),
        select(vec![UnknownNames::Default, UnknownNames::Refused]),
        1..u64::MAX >> 1,
        tls_rules(),
        names,
    )
        .prop_map(
            |(certificates, default, unknown_names, max_handshakes, rules, names)| Tls {
                certificates,
                default,
                unknown_names,
                max_handshakes,
                rules,
                names,
            },
        )
}

fn frontend(name: Name, backends: Vec<Name>) -> impl Strategy<Value = Frontend> {
    let used = backends.clone();
    let bounds = (
        option::of(duration()),
        option::of(duration()),
        duration(),
        duration(),
    );
    let timeout = (duration(), duration(), duration(), bounds).prop_map(
        |(head, body, keep_alive, (exchange, tunnel, handshake, linger))| FrontendTimeouts {
            head,
            body,
            keep_alive,
            linger,
            exchange,
            handshake,
            tunnel,
        },
    );
    let limits = (
        8_u64 << 10..16 << 20,
        1_usize..20_000,
        1_u64..65_534,
        0_u64..1 << 40,
    );
    let limits = limits.prop_map(|(head, fields, target, linger)| FrontendLimits {
        head: ByteSize(head),
        fields,
        target: ByteSize(target),
        linger: ByteSize(linger),
    });
    let http2 = (
        any::<bool>(),
        1..10_000_u32,
        (
            64_u64 << 10..1 << 20,
            1_u64 << 20..1 << 30,
            64_u64 << 10..1 << 30,
        ),
        (1..1_000_000_u32, 1..1_000_000_u32),
    )
        .prop_map(|(enabled, max_streams, windows, rates)| Http2 {
            enabled,
            max_streams,
            stream_window: ByteSize(windows.0),
            connection_window: ByteSize(windows.1),
            open_requests: ByteSize(windows.1 + windows.2),
            resets_per_second: rates.0,
            idle_frames_per_second: rates.1,
        });
    let forwarding = (
        any::<(bool, bool, bool, bool)>(),
        vec(field_name(), 0..3),
        client_fields(),
    )
        .prop_map(
            |((x_forwarded, forwarded, via, pass_untrusted), trusted_only, client_certificate)| {
                Forwarding {
                    x_forwarded,
                    forwarded,
                    via,
                    pass_untrusted,
                    trusted_only: trusted_only.into_iter().collect(),
                    client_certificate,
                }
            },
        );
    let request_id = prop_oneof![
        Just(RequestIds::Off),
        field_name().prop_map(RequestIds::Field),
    ];
    let upgrades = btree_map("x[a-z0-9/!.]?[a-z]", Just(()), 0..3)
        .prop_map(|tokens| tokens.into_keys().collect());
    let listening = (
        binds(name.to_string()),
        option::of(1..u64::MAX >> 1),
        any::<bool>(),
        (peers(), client_field()),
        vec(option::of(0..3_usize), 8),
    );
    (
        Just(name),
        listening,
        routes(backends.clone()),
        one_of(backends),
        (timeout, limits, http2, forwarding),
        (
            request_id,
            (header_case(), odd_names()),
            vec(tls(), 3),
            (
                upgrades,
                (rules(), connection_rules(), content_rules(), duration()),
                compression(),
                error_pages(),
                target(used),
            ),
        ),
    )
        .prop_map(|(name, listening, routes, backend, settings, writing)| {
            let (mut binds, max_connections, half_close, identity, choices) = listening;
            let (trusted_proxies, client_field) = identity;
            let (timeout, limits, mut http2, forwarding) = settings;
            let (request_id, (header_case, field_names), any_tls, rest) = writing;
            let (upgrades, rules, compression, error_pages, used) = rest;
            let (mut rules, connection_rules, content_rules, inspect_delay) = rules;
            let mut routes = routes;
            // Each entry of `tls` belongs to an address; the entries are in the order of the
            // addresses.
            let mut tls: Vec<Tls> = Vec::new();
            for (bind, choice) in binds.iter_mut().zip(choices) {
                bind.tls = choice.map(|choice| {
                    let known = tls.iter().position(|known| *known == any_tls[choice]);
                    known.unwrap_or_else(|| {
                        tls.push(any_tls[choice].clone());
                        tls.len() - 1
                    })
                });
            }
            let asks = |tls: &Tls| {
                tls.all_rules()
                    .any(|one| one.client_auth != ClientAuth::Off)
            };
            if !tls.iter().any(asks) {
                // `check` refuses a route that requires a certificate if no address asks for one.
                for route in &mut routes {
                    route.client_certificate = ClientCertificate::Any;
                }
            }
            if max_connections.is_some() {
                let target = match used {
                    Target::Split(_) | Target::Answered => {
                        Target::Backend(BackendReference::built_in(backend.clone()))
                    }
                    used => used,
                };
                rules.push(Rule {
                    on: On::Request,
                    when: None,
                    action: Action::UseBackend(Box::new(target)),
                    at: Position::built_in(),
                    action_at: Position::built_in(),
                });
            }
            // ALPN offers "h2", so HTTP/2 must be enabled.
            http2.enabled |= !tls.is_empty();
            Frontend {
                name,
                at: Position::built_in(),
                binds,
                mode: Mode::Http,
                tcp_routes: Vec::new(),
                tls,
                backend: (routes.is_empty() || half_close)
                    .then_some(BackendReference::built_in(backend)),
                routes,
                max_connections,
                max_connections_per_ip: max_connections.and_then(|most| most.try_into().ok()),
                timeout,
                limits,
                http2,
                half_close,
                requires_host: !half_close,
                trusted_proxies,
                client_field,
                forwarding,
                request_id,
                field_names,
                header_case,
                upgrades,
                compression,
                error_pages,
                connection_rules,
                content_rules,
                inspect_delay,
                rules,
            }
        })
}

fn address() -> impl Strategy<Value = Address> {
    let zone = Name::new("br-1.2").expect("a name");
    prop_oneof![
        (ip(), 1..=u16::MAX).prop_map(|(ip, port)| Address::Ip(SocketAddr::new(ip, port))),
        (1..=u16::MAX).prop_map(move |port| Address::Zoned {
            ip: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1),
            zone: zone.clone(),
            port,
        }),
        "[a-z${}\\\"ü ]{1,20}".prop_map(|name| Address::Unix(UnixName::Abstract(name))),
        "(/[a-z${}\\\"ü ]{1,20}){1,2}".prop_map(|path| Address::Unix(UnixName::Path(path.into()))),
    ]
}

fn tcp_route(backends: Vec<Name>) -> impl Strategy<Value = TcpRoute> {
    let when = option::of(when_of_connections());
    (vec(host(), 0..3), vec(text(), 0..3), when, one_of(backends)).prop_map(
        |(sni, alpn, when, backend)| TcpRoute {
            name: Name::new("replaced").expect("a name"),
            sni,
            alpn,
            when,
            backend: BackendReference::built_in(backend),
            at: Position::built_in(),
            named_at: Position::built_in(),
        },
    )
}

/// Any frontend, in either mode.
fn any_frontend(name: Name, backends: Vec<Name>) -> impl Strategy<Value = Frontend> {
    let tcp_routes = (names(0), vec(tcp_route(backends.clone()), 5));
    let of_tcp = (
        any::<bool>(),
        duration(),
        tcp_routes,
        one_of(backends.clone()),
    );
    (frontend(name, backends), of_tcp).prop_map(
        |(http, (is_tcp, handshake, tcp_routes, backend))| {
            if !is_tcp {
                return http;
            }
            let named = |(name, tcp_route): (Name, TcpRoute)| TcpRoute { name, ..tcp_route };
            let tcp_routes: Vec<TcpRoute> = tcp_routes
                .0
                .into_iter()
                .zip(tcp_routes.1)
                .map(named)
                .collect();
            let default = FrontendTimeouts::default();
            Frontend {
                name: http.name,
                at: Position::built_in(),
                binds: http
                    .binds
                    .into_iter()
                    .map(|bind| Bind { tls: None, ..bind })
                    .collect(),
                mode: Mode::Tcp,
                routes: Vec::new(),
                backend: (tcp_routes.is_empty() || http.half_close)
                    .then_some(BackendReference::built_in(backend)),
                tcp_routes,
                max_connections: http.max_connections,
                max_connections_per_ip: http.max_connections_per_ip,
                connection_rules: http.connection_rules,
                content_rules: http.content_rules,
                inspect_delay: http.inspect_delay,
                timeout: FrontendTimeouts {
                    handshake,
                    tunnel: http.timeout.tunnel,
                    ..default
                },
                limits: FrontendLimits::default(),
                http2: Http2::default(),
                half_close: false,
                requires_host: true,
                tls: Vec::new(),
                trusted_proxies: Default::default(),
                client_field: Default::default(),
                forwarding: Forwarding::default(),
                request_id: RequestIds::default(),
                field_names: OddNames::default(),
                header_case: HeaderCase::default(),
                upgrades: vec!["websocket".to_owned()],
                compression: Compression::default(),
                error_pages: Vec::new(),
                rules: Vec::new(),
            }
        },
    )
}

fn server() -> impl Strategy<Value = Server> {
    (
        address(),
        0_u16..=256,
        option::of(1..=u32::MAX),
        any::<bool>(),
        own_settings(),
    )
        .prop_map(|(address, weight, max_connections, backup, own)| Server {
            name: Name::new("replaced").expect("a name"),
            address,
            weight,
            max_connections,
            backup,
            own,
            at: Position::built_in(),
            named_at: Position::built_in(),
        })
}

fn own<T: Clone + std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Own<T>> {
    prop_oneof![
        Just(Own::Inherited),
        Just(Own::Off),
        value.prop_map(|value| Own::On(Box::new(value))),
    ]
}

fn own_settings() -> impl Strategy<Value = OwnSettings> {
    let check = (
        option::of(ip()),
        option::of(1..=u16::MAX),
        own(server_tls()),
    );
    let check = check.prop_map(|(address, port, tls)| OwnCheck {
        address,
        port,
        tls,
        at: Position::built_in(),
    });
    (own(send_proxy()), own(server_tls()), check).prop_map(|(send_proxy, tls, check)| OwnSettings {
        send_proxy,
        tls,
        check,
    })
}

fn servers() -> impl Strategy<Value = Vec<Server>> {
    (names(0), vec(server(), 5)).prop_map(|(names, servers)| {
        let named = |(name, server): (Name, Server)| Server { name, ..server };
        names.into_iter().zip(servers).map(named).collect()
    })
}

fn probe() -> impl Strategy<Value = Probe> {
    let headers = btree_map(
        field_name().prop_map(|name| name.to_string()),
        field_value(),
        0..3,
    )
    .prop_map(|headers: BTreeMap<String, HeaderValue>| {
        let field = |(name, value): (String, _)| {
            (
                HeaderName::from_bytes(name.as_bytes()).expect("a field's name"),
                value,
            )
        };
        headers.into_iter().map(field).collect::<Vec<_>>()
    });
    let range =
        (100_u16..1000, 100_u16..1000).prop_map(|(one, other)| one.min(other)..=one.max(other));
    let host = option::of("[a-z]{1,8}(:80)?");
    let check = (
        "/[a-z0-9/?=&%$.-]{0,8}",
        host,
        headers,
        vec(range, 1..3),
        option::of(text()),
    );
    prop_oneof![
        Just(Probe::Tcp),
        check.prop_map(
            |(path, host, headers, status, body)| Probe::Http(HttpCheck {
                path,
                host: host.map(|host| HeaderValue::from_str(&host).expect("a value")),
                headers,
                status: StatusSet(status),
                body,
            })
        ),
    ]
}

fn health() -> impl Strategy<Value = Health> {
    let times = (duration(), duration(), duration());
    let counts = (1..=u32::MAX, 1..=u32::MAX, option::of(1..=u16::MAX));
    let initial = select(vec![Initial::Checked, Initial::Up]);
    let whole = (probe(), times, counts, own(server_tls()), initial);
    whole.prop_map(|(probe, times, counts, tls, initial)| Health {
        tls: match probe {
            Probe::Tcp => Own::Inherited,
            Probe::Http(_) => tls,
        },
        probe,
        interval: times.0.max(times.1),
        fast_interval: times.0.min(times.1),
        timeout: times.2,
        rise: counts.0,
        fall: counts.1,
        port: counts.2,
        initial,
        at: Position::built_in(),
    })
}

fn server_tls() -> impl Strategy<Value = ServerTls> {
    let file = || {
        text().prop_map(|text| FileAt {
            path: format!("/{}", text.replace('\0', "")).into(),
            at: Position::built_in(),
        })
    };
    let host = || "[a-z][a-z0-9]{0,5}(\\.[a-z][a-z0-9]{0,5}){1,2}";
    let trust = prop_oneof![
        Just(Trust::System),
        vec(file(), 1..3).prop_map(Trust::Authorities),
        Just(Trust::Anyone),
        vec(any::<u8>(), 1..3).prop_map(|seeds| {
            let each = seeds.into_iter().map(|seed| Fingerprint::of(&[seed]));
            Trust::Fingerprints(each.collect())
        }),
    ];
    // Not `Sni::Host`: a health check has no request that it could take the host from.
    let sni = prop_oneof![Just(Sni::Off), host().prop_map(Sni::Fixed)];
    let identity =
        (file(), option::of(file())).prop_map(|(certificate, key)| Identity { certificate, key });
    (trust, sni, option::of(host()), option::of(identity)).prop_map(
        |(trust, sni, verify_name, identity)| ServerTls {
            verify_name: verify_name
                .filter(|_| matches!(trust, Trust::System | Trust::Authorities(_))),
            trust,
            sni,
            identity,
            at: Position::built_in(),
        },
    )
}

fn backend(name: Name) -> impl Strategy<Value = Backend> {
    let timeout = (duration(), duration(), duration(), duration()).prop_map(
        |(connect, response, body, queue)| BackendTimeouts {
            connect,
            response,
            body,
            queue,
        },
    );
    let pool = (
        0_usize..1000,
        duration(),
        option::of(duration()),
        option::of(1..u64::MAX >> 1),
    )
        .prop_map(|(max_idle, idle_timeout, max_age, max_requests)| Pool {
            max_idle,
            idle_timeout,
            max_age,
            max_requests,
        });
    let limits =
        (8_u64 << 10..16 << 20, 1_usize..20_000).prop_map(|(head, fields)| BackendLimits {
            head: ByteSize(head),
            fields,
        });
    let balance = select(vec![Balance::RoundRobin, Balance::LeastConnections]);
    let protocol = select(vec![Protocol::Auto, Protocol::Http1, Protocol::Http2]);
    let http2 = (
        1_u32..=1000,
        64_u64 << 10..16 << 20,
        option::of(duration()),
        duration(),
    )
        .prop_map(
            |(max_streams, window, ping_interval, ping_timeout)| BackendHttp2 {
                max_streams,
                stream_window: ByteSize(window),
                ping_interval,
                ping_timeout,
            },
        );
    (
        (Just(name), balance, servers(), option::of(health())),
        (
            timeout,
            pool,
            limits,
            protocol,
            http2,
            option::of(server_tls()),
            option::of(send_proxy()),
        ),
        (
            retry(),
            0_usize..=1_000_000,
            header_case(),
            rules(),
            option::of(any::<prop::sample::Index>()),
            compression(),
            error_pages(),
        ),
    )
        .prop_map(|(main, bounds, mut rest)| {
            let (name, balance, mut servers, mut health) = main;
            let is_unix = |server: &Server| matches!(server.address, Address::Unix(_));
            for server in &mut servers {
                let own = &mut server.own.check;
                match &health {
                    None => *own = OwnCheck::default(),
                    Some(health) if health.probe == Probe::Tcp => own.tls = Own::Inherited,
                    Some(_) => {}
                }
                if let Address::Unix(_) = server.address {
                    own.address = None;
                    own.port = None;
                }
            }
            if let Some(index) = rest.4.filter(|_| !servers.is_empty()) {
                let name = index.get(&servers).name.clone();
                rest.3.push(Rule {
                    on: On::Request,
                    when: None,
                    action: Action::UseServer(name),
                    at: Position::built_in(),
                    action_at: Position::built_in(),
                });
            }
            if let Some(health) = &mut health
                && servers.iter().any(is_unix)
            {
                health.port = None;
            }
            Backend {
                name,
                at: Position::built_in(),
                balance,
                servers,
                timeout: bounds.0,
                health,
                retry: rest.0,
                queue: Queue { max: rest.1 },
                pool: bounds.1,
                limits: bounds.2,
                protocol: bounds.3,
                send_proxy: bounds.6,
                http2: bounds.4,
                tls: bounds.5,
                header_case: rest.2,
                rules: rest.3,
                compression: rest.5,
                error_pages: rest.6,
            }
        })
}

fn compression() -> impl Strategy<Value = Compression> {
    let codings = vec![Coding::Gzip, Coding::Br, Coding::Zstd];
    let types = vec!["text/*", "*/*", "application/*+json", "text/html"];
    (
        subsequence(codings, 0..=3).prop_shuffle(),
        subsequence(types, 0..=4),
        (0_u64..1 << 30, any::<bool>()),
        (1_u32..=9, 0_u32..=9, 1_u32..=9),
    )
        .prop_map(|(algorithms, types, (size, offload), levels)| Compression {
            algorithms,
            types: types.into_iter().filter_map(TypePattern::new).collect(),
            min_size: ByteSize(size),
            offload,
            gzip_level: levels.0,
            br_level: levels.1,
            zstd_level: levels.2,
        })
}

fn retry() -> impl Strategy<Value = Retry> {
    let statuses = (400_u16..600).prop_map(|status| {
        let status = http::StatusCode::from_u16(status);
        RetryOn::Status(status.expect("three digits"))
    });
    let words = select(vec![
        RetryOn::Connect,
        RetryOn::Empty,
        RetryOn::Refused,
        RetryOn::Timeout,
        RetryOn::Malformed,
    ]);
    (vec(prop_oneof![words, statuses], 0..5), 1_u32..=10).prop_map(|(on, attempts)| {
        let mut retry = Retry {
            on: Vec::new(),
            attempts,
        };
        // No word comes twice.
        for one in on {
            if !retry.has(one) {
                retry.on.push(one);
            }
        }
        retry
    })
}

fn process() -> impl Strategy<Value = Process> {
    (option::of(1_usize..=1024), option::of(1..u64::MAX >> 1)).prop_map(
        |(workers, max_connections)| Process {
            workers: workers.and_then(std::num::NonZeroUsize::new),
            max_connections,
        },
    )
}

fn log() -> impl Strategy<Value = Log> {
    let to = prop_oneof![
        select(vec![LogTarget::Off, LogTarget::Stdout, LogTarget::Stderr]),
        text().prop_filter_map("a file", |text| {
            let is_file = !text.ends_with('/');
            is_file.then(|| LogTarget::File(format!("./{text}").into()))
        }),
        ("[a-z0-9.-]{1,9}|::1", 1..u16::MAX)
            .prop_map(|(host, port)| { LogTarget::Udp(LogServer { host, port }) }),
        ("[a-z0-9.-]{1,9}|2001:db8::1", 1..u16::MAX)
            .prop_map(|(host, port)| { LogTarget::Tcp(LogServer { host, port }) }),
        Just(LogTarget::Unix("/dev/log".into())),
    ];
    let levels = vec![
        LogLevel::Error,
        LogLevel::Warn,
        LogLevel::Info,
        LogLevel::Debug,
    ];
    let formats = vec![LogFormat::Human, LogFormat::Json];
    let lines = [
        "%ci",
        "%[src]%{+E}[var(txn.a,\"b c\"),upper] %{+Q,+X}[str(a)]",
        " %{+Q,+E}r 100%% %{+X}cp:%% ",
        "{\"a\": \"%HM\"}  [%tr] %%ci é",
        "%{+json}o %(a)ci %(b \"c:str){+X}cp %(d)[src,ipmask(24)] %(e:sint)[var(txn.a)]",
    ];
    let line = prop_oneof![
        Just(LineFormat::Json),
        Just(LineFormat::Ecs),
        proptest::sample::subsequence(JsonField::ALL.to_vec(), 1..=JsonField::ALL.len())
            .prop_map(LineFormat::JsonOf),
        select(Preset::ALL.to_vec()).prop_map(|preset| LineFormat::Preset(
            preset,
            written::line_template(preset.template())
        )),
        select(lines.to_vec()).prop_map(|text| LineFormat::Template(written::line_template(text))),
    ];
    let formats_of_syslog = vec![SyslogFormat::Rfc3164, SyslogFormat::Rfc5424];
    let facilities = Facility::WORDS.iter().map(|(_, facility)| *facility);
    let syslog = (
        select(formats_of_syslog),
        select(facilities.collect::<Vec<_>>()),
        "[!-9A-Z]{1,48}",
    )
        .prop_map(|(format, facility, tag)| Syslog {
            format,
            facility,
            tag,
        });
    let samples = ["1:100", "1,3-5:10"].map(Sample::parse).to_vec();
    let conditions = [
        "status >= 500",
        "src in [\"10.0.0.0/8\"] and be_name == \"a\"",
    ];
    let when = option::of(select(conditions.to_vec()).prop_map(written::condition));
    let query = prop_oneof![
        Just(MaskedQuery::All),
        vec(text(), 0..3).prop_map(MaskedQuery::Named),
    ];
    let facts = vec![MaskedFact::Client, MaskedFact::UserAgent, MaskedFact::Sni];
    let mask = (query, proptest::sample::subsequence(facts, 0..=3))
        .prop_map(|(query, facts)| Mask { query, facts });
    let which = (when, option::of(select(samples)), mask);
    let access = (to, line, syslog, which).prop_map(|(to, format, syslog, which)| AccessLog {
        when: which.0,
        sample: which.1.flatten(),
        mask: which.2,
        syslog: match to.is_syslog() {
            true => syslog,
            false => Syslog::default(),
        },
        to,
        format,
        at: Position::built_in(),
    });
    let access = vec(access, 1..4);
    (select(levels), select(formats), access).prop_map(|(level, format, access)| Log {
        level,
        format,
        access,
    })
}

fn admin(backends: Vec<Name>) -> impl Strategy<Value = Option<Admin>> {
    let parts = (
        binds("admin".to_owned()),
        vec(host(), 0..3),
        vec(one_of(backends), 0..3),
    );
    option::of(parts.prop_map(|(mut binds, hosts, ready_needs)| {
        for bind in &mut binds {
            bind.proxy_protocol = ProxyProtocol::Off;
        }
        Admin {
            binds,
            hosts,
            ready_needs: ready_needs
                .into_iter()
                .map(BackendReference::built_in)
                .collect(),
        }
    }))
}

fn command_socket() -> impl Strategy<Value = CommandSocket> {
    let parts = (
        binds("commands".to_owned()),
        select(CommandLevel::ALL.to_vec()),
        duration().prop_filter("longer than 0", |time| !time.is_zero()),
        1..=1000_u32,
    );
    parts.prop_map(|(mut binds, level, timeout, max_connections)| {
        for bind in &mut binds {
            bind.proxy_protocol = ProxyProtocol::Off;
        }
        CommandSocket {
            binds,
            level,
            timeout,
            max_connections,
        }
    })
}

fn reload() -> impl Strategy<Value = Reload> {
    any::<bool>().prop_map(|watch| Reload { watch })
}

fn shutdown() -> impl Strategy<Value = Shutdown> {
    (duration(), duration(), duration()).prop_map(|(grace, one, other)| Shutdown {
        grace,
        timeout: one.max(other),
        tunnels: one.min(other),
    })
}

fn plans() -> impl Strategy<Value = Plan> {
    (names(1), names(1)).prop_flat_map(|(frontends, backends)| {
        let each_frontend: Vec<_> = frontends
            .into_iter()
            .map(|name| any_frontend(name, backends.clone()))
            .collect();
        let whole = (
            process(),
            log(),
            reload(),
            shutdown(),
            admin(backends.clone()),
            vec(command_socket(), 0..2),
        );
        let each_backend: Vec<_> = backends.into_iter().map(backend).collect();
        let each_table =
            names(0).prop_flat_map(|names| names.into_iter().map(table).collect::<Vec<_>>());
        let all = (whole, each_frontend, each_backend, each_table);
        all.prop_map(|(whole, frontends, backends, tables)| Plan {
            process: whole.0,
            log: whole.1,
            reload: whole.2,
            shutdown: whole.3,
            admin: whole.4,
            command_sockets: whole.5,
            frontends,
            backends,
            tables,
        })
    })
}

fn table(name: Name) -> impl Strategy<Value = Table> {
    let key = prop_oneof![
        Just(KeyType::Ip),
        Just(KeyType::Ipv4),
        Just(KeyType::Integer),
        (1..=1024_u16).prop_map(KeyType::String),
        (1..=1024_u16).prop_map(KeyType::Binary),
    ];
    let store = subsequence(Data::ALL.to_vec(), 0..=Data::ALL.len());
    let stored = store.prop_flat_map(|store| {
        let stored = |data: Data| (Just(data), 1..=MOST_ELEMENTS, duration());
        store.into_iter().map(stored).collect::<Vec<_>>()
    });
    let expire = option::of(duration());
    let when_full = select(vec![WhenFull::Purge, WhenFull::Refuse]);
    (key, 1..1_000_000_usize, expire, when_full, stored).prop_map(
        move |(key, size, expire, when_full, stored)| Table {
            key,
            size,
            expire,
            when_full,
            store: stored
                .into_iter()
                .map(|(data, count, period)| Stored {
                    data,
                    count: if data.kind().is_array() { count } else { 1 },
                    period: match data.kind().is_rate() {
                        true => period.max(Duration::from_millis(1)),
                        false => Duration::ZERO,
                    },
                })
                .collect(),
            ..Table::new(name.clone(), Position::built_in())
        },
    )
}

proptest! {
    #[test]
    fn a_shown_plan_loads_back_to_an_equal_plan(original in plans()) {
        let shown = show(&original);
        match load(&shown) {
            Ok(loaded) => prop_assert_eq!(loaded.plan, original, "{}", shown),
            Err(diagnostics) => prop_assert!(false, "{}\n{}", diagnostics, shown),
        }
    }

    #[test]
    fn no_text_panics(text: String) {
        let _ = load(&text).map_err(|diagnostics| (diagnostics.to_string(), diagnostics.to_json()));
    }

    #[test]
    fn no_change_of_a_file_panics(
        changes in vec((any::<Index>(), 0_usize..6, select(vec![
            "", "\"", "'", "[", "]", "{", "}", "=", ".", ",", "#", "\n", "${", "\"\"\"", "5", "-1", "1e9",
            "ü", "\u{0}", "[[a]]", "[frontend.web]", "true", "1979-05-27", "*", ":", "/",
        ])), 1..6)
    ) {
        let mut characters: Vec<String> = FULL.chars().map(String::from).collect();
        for (at, removed, added) in changes {
            let at = at.index(characters.len());
            let end = (at + removed).min(characters.len());
            characters.splice(at..end, [added.to_owned()]);
        }
        let _ = load(&characters.concat()).map_err(|diagnostics| (diagnostics.to_string(), diagnostics.to_json()));
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = load(&String::from_utf8_lossy(&bytes)).map_err(|diagnostics| diagnostics.to_string());
    }
}

#[test]
fn the_fullest_file_reads_back_from_what_is_shown() {
    let full = plan(FULL);
    assert_eq!(plan(&show(&full)), full);
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    for nested in ["[", "{a=", "a."] {
        assert!(load(&format!("a = {}", nested.repeat(100_000))).is_err());
        assert!(load(&format!("[{}", nested.repeat(100_000))).is_err());
    }
}
