//! No key is accepted and has no effect: each one, with another value than its default, changes the
//! plan.

use std::collections::{HashSet, VecDeque};

use super::{BASE, plan};
use crate::config::haproxy_hints::fold;
use crate::config::keys::{self, Described, Part, Shape, View};
use crate::config::page::Page;
use crate::plan::{Bind, Frontend, FrontendTimeouts};

/// A value for each key that is neither its default nor that of [`BASE`] and of the rows before it.
const OTHER_VALUES: &[(&str, &str, &str)] = &[
    ("process", "workers", "3"),
    ("process", "max_connections", "100"),
    ("log", "level", "'debug'"),
    ("log", "format", "'json'"),
    ("log.access", "to", "'off'"),
    ("log.access", "format", "'clf'"),
    ("log.access", "fields", "['time', 'status']"),
    ("log.access", "mask", "'client'"),
    ("log.access", "mask_query", "'token'"),
    ("log.access", "when", "'status >= 500'"),
    ("log.access", "sample", "'1:100'"),
    ("log.access.syslog", "format", "'rfc5424'"),
    ("log.access.syslog", "facility", "'daemon'"),
    ("log.access.syslog", "tag", "'edge'"),
    ("reload", "watch", "false"),
    ("shutdown", "grace", "'1s'"),
    ("shutdown", "timeout", "'1s'"),
    ("shutdown", "tunnels", "'1s'"),
    ("admin", "listen", "'127.0.0.1:9901'"),
    ("admin", "socket_mode", "'600'"),
    ("admin", "hosts", "'lb.internal'"),
    ("admin", "ready_needs", "['app']"),
    ("admin.haproxy_socket", "listen", "'127.0.0.1:9902'"),
    ("admin.haproxy_socket", "socket_mode", "'640'"),
    ("admin.haproxy_socket", "level", "'user'"),
    ("admin.haproxy_socket", "timeout", "'1s'"),
    ("admin.haproxy_socket", "max_connections", "3"),
    ("defaults.frontend", "max_connections", "10"),
    ("defaults.frontend", "max_connections_per_ip", "10"),
    ("defaults.frontend", "timeout", "{ head = '1s' }"),
    ("defaults.frontend", "limits", "{ fields = 7 }"),
    ("defaults.frontend", "http2", "{ enabled = false }"),
    ("defaults.frontend", "half_close", "true"),
    ("defaults.frontend", "requires_host", "false"),
    ("defaults.frontend", "proxy_protocol", "'required'"),
    ("defaults.frontend", "trusted_proxies", "['10.0.0.0/8']"),
    ("defaults.frontend", "client_field", "'forwarded'"),
    ("defaults.frontend", "forwarding", "{ via = true }"),
    ("defaults.frontend", "request_id", "'x-id'"),
    ("defaults.frontend", "field_names", "'drop'"),
    ("defaults.frontend", "header_case", "'title'"),
    ("defaults.frontend", "upgrades", "['x']"),
    ("defaults.frontend", "compression", "{ algorithms = 'br' }"),
    ("defaults.frontend", "error_page", "{ body = 'a' }"),
    ("defaults.backend", "error_page", "{ body = 'a' }"),
    ("defaults.backend", "balance", "'least-connections'"),
    ("defaults.backend", "protocol", "'h2'"),
    ("defaults.backend", "send_proxy", "'v1'"),
    ("defaults.backend", "timeout", "{ connect = '1s' }"),
    ("defaults.backend", "health", "{ port = 81 }"),
    ("defaults.backend", "attempts", "1"),
    ("defaults.backend", "retry", "{ attempts = 1 }"),
    ("defaults.backend", "queue", "{ max = 0 }"),
    ("defaults.backend", "pool", "{ max_idle = 0 }"),
    ("defaults.backend", "limits", "{ fields = 7 }"),
    ("defaults.backend", "http2", "{ max_streams = 7 }"),
    ("defaults.backend", "header_case", "'preserve'"),
    ("defaults.backend", "compression", "{ algorithms = 'br' }"),
    ("frontend.NAME", "listen", "'127.0.0.1:8081'"),
    ("frontend.NAME.listen", "address", "'127.0.0.1:8096'"),
    ("frontend.NAME.listen", "tls", "'/b.pem'"),
    ("frontend.NAME.listen", "proxy_protocol", "'required'"),
    ("frontend.TCP.listen", "proxy_protocol", "'required'"),
    ("frontend.TCP.listen", "address", "'127.0.0.1:8097'"),
    ("frontend.NAME", "socket_mode", "'600'"),
    ("frontend.NAME", "backend", "'other'"),
    ("frontend.NAME", "max_connections", "10"),
    ("frontend.NAME", "max_connections_per_ip", "10"),
    ("frontend.NAME", "half_close", "true"),
    ("frontend.NAME", "requires_host", "false"),
    ("frontend.NAME", "proxy_protocol", "'required'"),
    ("frontend.NAME.proxy_protocol", "from", "'10.0.0.0/8'"),
    ("frontend.NAME", "trusted_proxies", "['10.0.0.0/8']"),
    ("frontend.NAME", "client_field", "'forwarded'"),
    ("frontend.NAME", "request_id", "'x-id'"),
    ("frontend.NAME", "field_names", "'drop'"),
    ("frontend.NAME", "header_case", "'title'"),
    ("frontend.NAME.tls", "certificates", "'/b.pem'"),
    ("frontend.NAME.tls", "default", "'a.example.com'"),
    ("frontend.NAME.tls", "strict_sni", "true"),
    ("frontend.NAME.tls", "min_version", "'1.3'"),
    ("frontend.NAME.tls", "alpn", "[]"),
    ("frontend.NAME.tls", "max_handshakes", "5"),
    (
        "frontend.NAME.tls",
        "client_auth",
        "{ mode = 'required', ca = '/ca.pem' }",
    ),
    ("frontend.NAME.tls.certificates", "certificate", "'/b.pem'"),
    ("frontend.NAME.tls.certificates", "key", "'/b.key'"),
    ("frontend.NAME.tls.client_auth", "mode", "'optional'"),
    ("frontend.NAME.tls.client_auth", "ca", "'/other.pem'"),
    ("frontend.NAME.tls.client_auth", "crl", "'/crl.pem'"),
    ("frontend.NAME.tls.names.NAME", "min_version", "'1.3'"),
    ("frontend.NAME.tls.names.NAME", "alpn", "[]"),
    (
        "frontend.NAME.tls.names.NAME",
        "client_auth",
        "{ ca = '/ca.pem' }",
    ),
    ("frontend.NAME.timeout", "handshake", "'1s'"),
    ("frontend.NAME", "upgrades", "['x']"),
    ("frontend.NAME.timeout", "head", "'1s'"),
    ("frontend.NAME.timeout", "body", "'1s'"),
    ("frontend.NAME.timeout", "keep_alive", "'1s'"),
    ("frontend.NAME.timeout", "linger", "'1s'"),
    ("frontend.NAME.timeout", "exchange", "'1s'"),
    ("frontend.NAME.timeout", "tunnel", "'1s'"),
    ("frontend.NAME.limits", "head", "'9KiB'"),
    ("frontend.NAME.limits", "fields", "7"),
    ("frontend.NAME.limits", "target", "'1KiB'"),
    ("frontend.NAME.limits", "linger", "'1KiB'"),
    (
        "frontend.NAME.compression",
        "algorithms",
        "['zstd', 'gzip']",
    ),
    ("frontend.NAME.error_page", "status", "[404, '500-599']"),
    ("frontend.NAME.error_page", "reason", "'queue.*'"),
    ("frontend.NAME.error_page", "content_type", "'text/plain'"),
    ("frontend.NAME.error_page", "headers", "{ x-a = 'b' }"),
    ("frontend.NAME.error_page", "body", "'b'"),
    ("frontend.NAME.error_page", "file", "'Cargo.toml'"),
    (
        "frontend.NAME.error_page",
        "errorfile",
        "'tests/it/rig/503.http'",
    ),
    ("frontend.NAME.error_page", "location", "'/sorry'"),
    (
        "frontend.NAME.error_page",
        "location_status",
        "303\nlocation = '/sorry'",
    ),
    ("frontend.NAME.error_page", "haproxy", "true"),
    ("frontend.NAME.error_page", "json", "true"),
    ("frontend.NAME.compression", "types", "'*/*'"),
    ("frontend.NAME.compression", "min_size", "'5B'"),
    ("frontend.NAME.compression", "offload", "true"),
    ("frontend.NAME.compression", "gzip_level", "9"),
    ("frontend.NAME.compression", "br_level", "0"),
    ("frontend.NAME.compression", "zstd_level", "9"),
    ("frontend.NAME.http2", "enabled", "false"),
    ("frontend.NAME.http2", "max_streams", "7"),
    ("frontend.NAME.http2", "stream_window", "'65KiB'"),
    ("frontend.NAME.http2", "connection_window", "'3MiB'"),
    ("frontend.NAME.http2", "open_requests", "'5MiB'"),
    ("frontend.NAME.http2", "resets_per_second", "7"),
    ("frontend.NAME.http2", "idle_frames_per_second", "7"),
    ("frontend.NAME.forwarding", "x_forwarded", "false"),
    ("frontend.NAME.forwarding", "forwarded", "true"),
    ("frontend.NAME.forwarding", "via", "true"),
    ("frontend.NAME.forwarding", "pass_untrusted", "true"),
    ("frontend.NAME.forwarding", "trusted_only", "'x-a'"),
    (
        "frontend.NAME.forwarding.client_certificate",
        "subject",
        "'x-subject'",
    ),
    (
        "frontend.NAME.forwarding.client_certificate",
        "sans",
        "'x-sans'",
    ),
    (
        "frontend.NAME.forwarding.client_certificate",
        "serial",
        "'x-serial'",
    ),
    (
        "frontend.NAME.forwarding.client_certificate",
        "fingerprint",
        "'x-fingerprint'",
    ),
    ("frontend.NAME.route", "name", "'first'"),
    ("frontend.NAME.route", "host", "'a'"),
    ("frontend.NAME.route", "path", "'/a'"),
    ("frontend.NAME.route", "path_regex", "'^/a'"),
    ("frontend.NAME.route", "method", "'GET'"),
    ("frontend.NAME.route", "header", "{ a = 'b' }"),
    ("frontend.NAME.route", "query", "{ a = 'b' }"),
    ("frontend.NAME.route", "when", "'ssl_fc'"),
    ("frontend.NAME.route", "client_certificate", "'required'"),
    ("frontend.NAME.route", "backend", "'other'"),
    ("frontend.NAME.passthrough", "name", "'first'"),
    ("frontend.NAME.passthrough", "sni", "'b'"),
    ("frontend.NAME.passthrough", "alpn", "'h2'"),
    ("frontend.NAME.passthrough", "when", "'dst_port == 443'"),
    ("frontend.NAME.passthrough", "backend", "'other'"),
    ("frontend.TCP", "listen", "'127.0.0.1:8083'"),
    ("frontend.TCP", "tls", "'/a.pem'"),
    ("frontend.TCP.listen", "tls", "'/a.pem'"),
    ("frontend.TCP", "socket_mode", "'600'"),
    ("frontend.TCP", "mode", "'http'"),
    ("frontend.TCP", "backend", "'other'"),
    ("frontend.TCP", "max_connections", "10"),
    ("frontend.TCP", "max_connections_per_ip", "10"),
    ("frontend.TCP", "proxy_protocol", "'required'"),
    ("frontend.TCP.timeout", "handshake", "'1s'"),
    ("frontend.TCP.timeout", "tunnel", "'1s'"),
    ("frontend.TCP.route", "name", "'first'"),
    ("frontend.TCP.route", "sni", "'a'"),
    ("frontend.TCP.route", "alpn", "'h2'"),
    ("frontend.TCP.route", "when", "'dst_port == 443'"),
    ("frontend.TCP.route", "backend", "'other'"),
    ("backend.NAME", "balance", "'least-connections'"),
    ("backend.NAME", "servers", "'10.0.0.2:80'"),
    ("backend.NAME", "protocol", "'h2'"),
    ("backend.NAME", "send_proxy", "'v1'"),
    ("backend.NAME.send_proxy", "version", "'v1'"),
    ("backend.NAME.send_proxy", "authority", "true"),
    ("backend.NAME.send_proxy", "unique_id", "true"),
    ("backend.NAME.send_proxy", "tls", "true"),
    ("backend.NAME", "attempts", "1"),
    ("backend.NAME.retry", "on", "['connect', '503']"),
    ("backend.NAME.retry", "attempts", "1"),
    ("backend.NAME", "header_case", "'preserve'"),
    ("backend.NAME", "error_page", "{ body = 'a' }"),
    ("backend.NAME", "compression", "{ algorithms = 'br' }"),
    ("backend.NAME.timeout", "connect", "'1s'"),
    ("backend.NAME.timeout", "response", "'1s'"),
    ("backend.NAME.timeout", "body", "'1s'"),
    ("backend.NAME.timeout", "queue", "'1s'"),
    ("backend.NAME.limits", "head", "'9KiB'"),
    ("backend.NAME.limits", "fields", "7"),
    ("backend.NAME.tls", "ca", "'/ca.pem'"),
    ("backend.NAME.tls", "verify", "'none'"),
    ("backend.NAME.tls", "verify_name", "'a'"),
    (
        "backend.NAME.tls",
        "fingerprint",
        "'sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'",
    ),
    ("backend.NAME.tls", "sni", "'off'"),
    ("backend.NAME.tls", "certificate", "'/other.pem'"),
    ("backend.NAME.tls", "key", "'/key.pem'"),
    ("backend.NAME.http2", "max_streams", "7"),
    ("backend.NAME.http2", "stream_window", "'1MiB'"),
    ("backend.NAME.http2", "ping_interval", "'1s'"),
    ("backend.NAME.http2", "ping_timeout", "'1s'"),
    ("backend.NAME.queue", "max", "0"),
    ("backend.NAME.pool", "max_idle", "0"),
    ("backend.NAME.pool", "idle_timeout", "'1s'"),
    ("backend.NAME.pool", "max_age", "'1h'"),
    ("backend.NAME.pool", "max_requests", "100"),
    ("backend.NAME.servers", "name", "'one'"),
    ("backend.NAME.servers", "address", "'10.0.0.2:80'"),
    ("backend.NAME.servers", "weight", "2"),
    ("backend.NAME.servers", "max_connections", "2"),
    ("backend.NAME.servers", "backup", "true"),
    ("backend.NAME.servers", "tls", "false"),
    ("backend.NAME.servers", "send_proxy", "'v1'"),
    ("backend.NAME.servers.health", "address", "'10.0.0.9'"),
    ("backend.NAME.servers.health", "port", "82"),
    ("backend.NAME.servers.health", "tls", "false"),
    ("backend.NAME.health", "type", "'tcp'"),
    ("backend.NAME.health", "path", "'/healthz'"),
    ("backend.NAME.health", "host", "'app'"),
    ("backend.NAME.health", "headers", "{ a = 'b' }"),
    ("backend.NAME.health", "status", "204"),
    ("backend.NAME.health", "body", "'ok'"),
    ("backend.NAME.health", "interval", "'3s'"),
    ("backend.NAME.health", "fast_interval", "'1s'"),
    ("backend.NAME.health", "timeout", "'1s'"),
    ("backend.NAME.health", "rise", "9"),
    ("backend.NAME.health", "fall", "9"),
    ("backend.NAME.health", "port", "81"),
    ("backend.NAME.health", "tls", "false"),
    ("backend.NAME.health", "initial", "'up'"),
    ("frontend.NAME.route", "split", "{ app = 1, other = 1 }"),
    (
        "frontend.NAME.route",
        "among",
        "'app'\nbackend = '%[method]'",
    ),
    ("frontend.NAME.connection_rule", "when", "'src == \"::1\"'"),
    ("frontend.NAME.connection_rule", "accept", "true"),
    ("frontend.NAME.connection_rule", "reject", "true"),
    ("frontend.NAME.connection_rule", "silent_drop", "true"),
    ("frontend.NAME.connection_rule", "expect_proxy", "true"),
    (
        "frontend.NAME.connection_rule",
        "set_src",
        "'ipv4(10.0.0.1)'",
    ),
    (
        "frontend.NAME.connection_rule",
        "set_var",
        "{ \"sess.a\" = 'src' }",
    ),
    ("frontend.NAME.connection_rule", "unset_var", "'sess.b'"),
    ("frontend.NAME.connection_rule", "set_src_port", "'int(7)'"),
    ("frontend.NAME.connection_rule", "set_dst", "'src'"),
    (
        "frontend.NAME.connection_rule",
        "set_dst_port",
        "'src_port'",
    ),
    ("frontend.NAME", "inspect_delay", "'7s'"),
    ("frontend.TCP", "inspect_delay", "'7s'"),
    ("defaults.frontend", "inspect_delay", "'7s'"),
    ("frontend.NAME.content_rule", "when", "'req.proto_http'"),
    ("frontend.NAME.content_rule", "accept", "true"),
    ("frontend.NAME.content_rule", "reject", "true"),
    ("frontend.NAME.content_rule", "silent_drop", "true"),
    ("frontend.NAME.content_rule", "set_src", "'ipv4(10.0.0.1)'"),
    (
        "frontend.NAME.content_rule",
        "set_var",
        "{ \"sess.a\" = 'req.len' }",
    ),
    ("frontend.NAME.content_rule", "unset_var", "'sess.b'"),
    ("frontend.NAME.content_rule", "set_src_port", "'int(7)'"),
    ("frontend.NAME.content_rule", "set_dst", "'src'"),
    ("frontend.NAME.content_rule", "set_dst_port", "'src_port'"),
    (
        "frontend.NAME.content_rule",
        "track",
        "{ table = 't', key = 'dst_port' }",
    ),
    ("frontend.NAME.rule", "on", "'response'"),
    ("frontend.NAME.rule", "when", "'ssl_fc'"),
    ("frontend.NAME.rule", "deny", "404"),
    ("frontend.NAME.rule", "return", "{ status = 204 }"),
    ("frontend.NAME.rule", "redirect", "{ location = '/b' }"),
    ("frontend.NAME.rule", "set_header", "{ x-a = 'b' }"),
    ("frontend.NAME.rule", "add_header", "{ x-a = 'b' }"),
    ("frontend.NAME.rule", "del_header", "'y'"),
    ("frontend.NAME.rule", "set_path", "'/b'"),
    ("frontend.NAME.rule", "set_pathq", "'/b?c'"),
    ("frontend.NAME.rule", "set_query", "'c'"),
    ("frontend.NAME.rule", "set_uri", "'/b?c'"),
    ("frontend.NAME.rule", "set_method", "'POST'"),
    ("frontend.NAME.rule", "normalize_uri", "'path-strip-dot'"),
    ("frontend.NAME.rule", "early_hint", "{ link = 'a' }"),
    ("frontend.NAME.rule", "set_status", "404\non = 'response'"),
    ("frontend.NAME.rule", "unset_var", "'txn.a'"),
    ("frontend.NAME.rule", "set_var", "{ 'txn.a' = 'src' }"),
    ("frontend.NAME.rule", "pause", "'1s'"),
    ("frontend.NAME.rule", "tarpit", "'1s'"),
    ("frontend.NAME.rule", "reject", "true"),
    ("frontend.NAME.rule", "silent_drop", "true"),
    ("frontend.NAME.rule", "monitor", "'/b'"),
    ("frontend.NAME.rule", "set_log_level", "'silent'"),
    (
        "frontend.NAME.rule",
        "jwt",
        "{ secret = 'abcdefghijklmnopqrstuvwxyz012345' }",
    ),
    (
        "frontend.NAME.rule",
        "auth",
        "{ users = { ann = '{PLAIN}x' } }",
    ),
    ("frontend.NAME.rule", "max_body", "'1MiB'"),
    (
        "frontend.NAME.rule",
        "forward_auth",
        "{ backend = 'other' }",
    ),
    ("frontend.NAME.rule.forward_auth", "backend", "'other'"),
    ("frontend.NAME.rule.forward_auth", "path", "'/a?b=%[path]'"),
    ("frontend.NAME.rule.forward_auth", "host", "'a.test'"),
    ("frontend.NAME.rule.forward_auth", "send", "['cookie']"),
    ("frontend.NAME.rule.forward_auth", "copy", "['x-a']"),
    ("frontend.NAME.rule.forward_auth", "timeout", "'1s'"),
    (
        "frontend.NAME.rule.forward_auth",
        "without_answer",
        "'pass'",
    ),
    ("frontend.NAME.rule.wait_for_body", "time", "'2s'"),
    ("frontend.NAME.rule.wait_for_body", "at_least", "'2KiB'"),
    ("frontend.NAME.rule.wait_for_body", "size", "'3KiB'"),
    ("frontend.NAME.rule.capture", "value", "'dst'"),
    ("frontend.NAME.rule.capture", "len", "7"),
    ("frontend.NAME.rule.capture", "id", "7"),
    ("frontend.NAME.rule.set_timeout", "connect", "'2s'"),
    ("frontend.NAME.rule.set_timeout", "response", "'2s'"),
    ("frontend.NAME.rule.set_timeout", "body", "'2s'"),
    ("frontend.NAME.rule.set_timeout", "queue", "'2s'"),
    ("frontend.NAME.rule.set_timeout", "exchange", "'2s'"),
    ("frontend.NAME.rule.set_timeout", "tunnel", "'2s'"),
    ("frontend.NAME.rule", "use_backend", "'other'"),
    ("frontend.NAME.rule.use_backend", "backend", "'x%[path]'"),
    ("frontend.NAME.rule.use_backend", "among", "['other']"),
    ("frontend.NAME.rule", "cors", "{ origins = '*' }"),
    (
        "frontend.NAME.rule",
        "security_headers",
        "true\non = 'after'",
    ),
    ("frontend.NAME.route.rule", "on", "'response'"),
    ("frontend.NAME.route.rule", "when", "'ssl_fc'"),
    ("frontend.NAME.route.rule", "deny", "404"),
    ("frontend.NAME.route.rule", "return", "{ status = 204 }"),
    (
        "frontend.NAME.route.rule",
        "redirect",
        "{ location = '/b' }",
    ),
    ("frontend.NAME.route.rule", "set_header", "{ x-a = 'b' }"),
    ("frontend.NAME.route.rule", "add_header", "{ x-a = 'b' }"),
    ("frontend.NAME.route.rule", "del_header", "'y'"),
    ("frontend.NAME.route.rule", "set_path", "'/b'"),
    ("frontend.NAME.route.rule", "set_var", "{ 'txn.a' = 'src' }"),
    ("frontend.NAME.route.rule", "pause", "'1s'"),
    (
        "frontend.NAME.route.rule",
        "jwt",
        "{ secret = 'abcdefghijklmnopqrstuvwxyz012345' }",
    ),
    (
        "frontend.NAME.route.rule",
        "auth",
        "{ users = { ann = '{PLAIN}x' } }",
    ),
    ("frontend.NAME.route.rule", "cors", "{ origins = '*' }"),
    (
        "frontend.NAME.route.rule",
        "security_headers",
        "true\non = 'after'",
    ),
    ("backend.NAME.rule", "on", "'response'"),
    ("backend.NAME.rule", "when", "'ssl_fc'"),
    ("backend.NAME.rule", "deny", "404"),
    ("backend.NAME.rule", "return", "{ status = 204 }"),
    ("backend.NAME.rule", "redirect", "{ location = '/b' }"),
    ("backend.NAME.rule", "set_header", "{ x-a = 'b' }"),
    ("backend.NAME.rule", "add_header", "{ x-a = 'b' }"),
    ("backend.NAME.rule", "del_header", "'y'"),
    ("backend.NAME.rule", "set_path", "'/b'"),
    ("backend.NAME.rule", "set_var", "{ 'txn.a' = 'src' }"),
    ("backend.NAME.rule", "pause", "'1s'"),
    (
        "backend.NAME.rule",
        "jwt",
        "{ secret = 'abcdefghijklmnopqrstuvwxyz012345' }",
    ),
    (
        "backend.NAME.rule",
        "auth",
        "{ users = { ann = '{PLAIN}x' } }",
    ),
    ("backend.NAME.rule", "cors", "{ origins = '*' }"),
    (
        "backend.NAME.rule",
        "security_headers",
        "true\non = 'after'",
    ),
    ("backend.NAME.rule", "use_server", "'10.0.0.1:80'"),
    ("table.NAME", "key", "'string(64)'"),
    ("table.NAME", "size", "7"),
    ("table.NAME", "expire", "'1s'"),
    ("table.NAME", "nopurge", "true"),
    ("table.NAME", "store", "['conn_cur', 'gpc_rate(3,1m)']"),
    ("frontend.NAME.rule.rate_limit", "name", "'other'"),
    ("frontend.NAME.rule.rate_limit", "key", "'path'"),
    ("frontend.NAME.rule.rate_limit", "rate", "'7/1m'"),
    ("frontend.NAME.rule.rate_limit", "burst", "7"),
    ("frontend.NAME.rule.rate_limit", "on_exceed", "'delay'"),
    ("frontend.NAME.rule.rate_limit", "status", "503"),
    ("frontend.NAME.rule.rate_limit", "retry_after", "false"),
    ("frontend.NAME.rule.rate_limit", "headers", "true"),
    ("frontend.NAME.rule.rate_limit", "size", "7"),
    ("frontend.NAME.rule.rate_limit", "ipv6_mask", "48"),
    (
        "frontend.NAME.route.rule",
        "rate_limit",
        "{ name = 'r', key = 'src', rate = '1/1s' }",
    ),
    (
        "backend.NAME.rule",
        "rate_limit",
        "{ key = 'src', rate = '1/1s' }",
    ),
    ("frontend.NAME.rule.sc_inc_gpc", "counter", "7"),
    ("frontend.NAME.rule.sc_inc_gpc", "index", "7"),
    ("frontend.NAME.rule.sc_set_gpt", "counter", "7"),
    ("frontend.NAME.rule.sc_set_gpt", "index", "7"),
    ("frontend.NAME.rule.sc_set_gpt", "value", "'src_port'"),
    ("frontend.NAME.route.rule", "sc_inc_gpc", "{ counter = 0 }"),
    (
        "frontend.NAME.route.rule",
        "sc_set_gpt",
        "{ counter = 0, value = 2 }",
    ),
    ("backend.NAME.rule", "sc_inc_gpc", "{ counter = 0 }"),
    (
        "backend.NAME.rule",
        "sc_set_gpt",
        "{ counter = 0, value = 2 }",
    ),
    (
        "frontend.NAME.rule",
        "track",
        "{ table = 't', key = 'dst_port' }",
    ),
    ("frontend.NAME.connection_rule.track", "table", "'u'"),
    ("frontend.NAME.connection_rule.track", "key", "'dst'"),
    ("frontend.NAME.connection_rule.track", "counter", "7"),
    ("frontend.NAME.content_rule.track", "table", "'u'"),
    ("frontend.NAME.content_rule.track", "key", "'dst'"),
    ("frontend.NAME.content_rule.track", "counter", "7"),
    ("frontend.NAME.rule.track", "table", "'u'"),
    ("frontend.NAME.rule.track", "key", "'dst'"),
    ("frontend.NAME.rule.track", "counter", "7"),
    (
        "frontend.NAME.route.rule",
        "track",
        "{ table = 't', key = 'src' }",
    ),
    ("backend.NAME.rule", "track", "{ table = 't', key = 'src' }"),
    ("frontend.NAME.rule.return", "status", "404"),
    ("frontend.NAME.rule.return", "content_type", "'text/html'"),
    ("frontend.NAME.rule.return", "headers", "{ x-a = 'b' }"),
    ("frontend.NAME.rule.return", "body", "'b'"),
    ("frontend.NAME.rule.return", "file", "'Cargo.toml'"),
    (
        "frontend.NAME.rule.return",
        "errorfile",
        "'tests/it/rig/503.http'",
    ),
    ("frontend.NAME.rule.redirect", "status", "301"),
    ("frontend.NAME.rule.redirect", "location", "'/c'"),
    ("frontend.NAME.rule.redirect", "prefix", "'/c'"),
    ("frontend.NAME.rule.redirect", "scheme", "'https'"),
    (
        "frontend.NAME.rule.redirect",
        "drop_query",
        "true\nprefix = '/b'",
    ),
    (
        "frontend.NAME.rule.redirect",
        "append_slash",
        "true\nprefix = '/b'\ndrop_query = true",
    ),
    (
        "frontend.NAME.rule.redirect",
        "keep_query",
        "true\nlocation = '/a'",
    ),
    (
        "frontend.NAME.rule.redirect",
        "ignore_empty",
        "true\nlocation = '/a'",
    ),
    (
        "frontend.NAME.rule.redirect",
        "set_cookie",
        "'a=b'\nlocation = '/a'",
    ),
    (
        "frontend.NAME.rule.redirect",
        "clear_cookie",
        "'a'\nlocation = '/a'",
    ),
    ("frontend.NAME.rule.tarpit", "time", "'2s'"),
    ("frontend.NAME.rule.tarpit", "status", "429"),
    ("frontend.NAME.rule.tarpit", "content_type", "'text/html'"),
    ("frontend.NAME.rule.tarpit", "headers", "{ x-a = 'b' }"),
    ("frontend.NAME.rule.tarpit", "body", "'b'"),
    ("frontend.NAME.rule.tarpit", "file", "'Cargo.toml'"),
    (
        "frontend.NAME.rule.tarpit",
        "errorfile",
        "'tests/it/rig/503.http'",
    ),
    ("frontend.NAME.rule", "stats", "{ path = '/s' }"),
    ("frontend.NAME.rule.stats", "path", "'/b'"),
    ("frontend.NAME.rule.stats", "format", "'prometheus'"),
    ("frontend.NAME.rule.stats", "refresh", "'5s'"),
    ("frontend.NAME.rule.stats", "hide_version", "true"),
    ("frontend.NAME.rule.stats", "title", "'a'"),
    ("frontend.NAME.rule.stats", "scope", "['web']"),
    ("frontend.NAME.rule.monitor", "path", "'/b'"),
    ("frontend.NAME.rule.monitor", "fail", "'ssl_fc'"),
    ("frontend.NAME.rule.del_header", "starts_with", "'b'"),
    ("frontend.NAME.rule.del_header", "ends_with", "'b'"),
    ("frontend.NAME.rule.del_header", "contains", "'b'"),
    ("frontend.NAME.rule.del_header", "matches", "'b'"),
    ("frontend.NAME.rule.replace_header", "name", "'y'"),
    ("frontend.NAME.rule.replace_header", "match", "'b'"),
    ("frontend.NAME.rule.replace_header", "with", "'b'"),
    ("frontend.NAME.rule.replace_path", "match", "'b'"),
    ("frontend.NAME.rule.replace_path", "with", "'/b'"),
    ("frontend.NAME.rule.cookie_attributes", "names", "'b'"),
    ("frontend.NAME.rule.cookie_attributes", "secure", "true"),
    ("frontend.NAME.rule.cookie_attributes", "http_only", "false"),
    ("frontend.NAME.rule.cookie_attributes", "same_site", "'lax'"),
    (
        "frontend.NAME.rule.jwt",
        "secret",
        "'fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210'",
    ),
    ("frontend.NAME.rule.jwt", "algorithms", "'HS384'"),
    ("frontend.NAME.rule.jwt", "issuer", "'https://b.example'"),
    ("frontend.NAME.rule.jwt", "audience", "'b'"),
    ("frontend.NAME.rule.jwt", "leeway", "'0s'"),
    ("frontend.NAME.rule.jwt", "claims", "{ x-b = 'b' }"),
    ("frontend.NAME.rule.auth", "realm", "'other'"),
    ("frontend.NAME.rule.auth", "required", "false"),
    (
        "frontend.NAME.rule.auth",
        "users",
        "{ joe = '{PLAIN}secret', ann = '$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a' }",
    ),
    ("frontend.NAME.rule.auth", "groups", "{ admins = 'joe' }"),
    ("frontend.NAME.rule.cors", "origins", "'https://b.example'"),
    ("frontend.NAME.rule.cors", "methods", "'PUT'"),
    ("frontend.NAME.rule.cors", "headers", "'x-b'"),
    ("frontend.NAME.rule.cors", "expose", "'x-b'"),
    ("frontend.NAME.rule.cors", "credentials", "true"),
    ("frontend.NAME.rule.cors", "max_age", "'1s'"),
    ("frontend.NAME.rule.security_headers", "hsts", "'off'"),
    (
        "frontend.NAME.rule.security_headers",
        "hsts_subdomains",
        "true",
    ),
    ("frontend.NAME.rule.security_headers", "nosniff", "false"),
    (
        "frontend.NAME.rule.security_headers",
        "frame_options",
        "'deny'",
    ),
    (
        "frontend.NAME.rule.security_headers",
        "referrer_policy",
        "'off'",
    ),
];

/// Keys that other tests cover.
const ELSEWHERE: &[(&str, &str)] = &[
    // `frontend.TCP` covers it: these frontends have the keys of requests, which TCP mode excludes.
    ("frontend.NAME", "mode"),
    // In `defaults.rs`: the frontends here have keys of requests.
    ("defaults.frontend", "mode"),
    // In TCP mode alone: `content_rules.rs`.
    ("frontend.NAME.content_rule", "capture"),
    ("frontend.NAME.content_rule", "use_backend"),
    // In rules of a backend alone: `messages.rs`.
    ("frontend.NAME.rule", "use_server"),
    ("frontend.NAME.route.rule", "use_server"),
    // A file of users: `tests/it/auth.rs`.
    ("frontend.NAME.rule.auth", "file"),
    // A file of keys: `tests/it/jwt.rs`.
    ("frontend.NAME.rule.jwt", "file"),
    // They have the tables of `replace_header` and `replace_path`.
    ("frontend.NAME.rule", "replace_value"),
    ("frontend.NAME.rule", "replace_pathq"),
];

/// A configuration in which the table `path` exists, with `line` in it in place of the same key.
fn with_line(path: &str, key: &str, line: &str) -> String {
    let tables = [
        (
            "admin.haproxy_socket",
            "[[admin.haproxy_socket]]",
            "listen = ['127.0.0.1:9903', '/run/commands']",
        ),
        (
            "frontend.NAME",
            "[frontend.web]",
            "listen = ['127.0.0.1:8080', '/run/web.sock']\nbackend = 'app'",
        ),
        ("", "[frontend.bound]", "backend = 'app'"),
        (
            "frontend.NAME.listen",
            "[[frontend.bound.listen]]",
            "address = '127.0.0.1:8095'\ntls = '/a.pem'",
        ),
        ("", "[frontend.tcp-bound]", "mode = 'tcp'\nbackend = 'app'"),
        (
            "frontend.TCP.listen",
            "[[frontend.tcp-bound.listen]]",
            "address = '127.0.0.1:8094'",
        ),
        ("log.access", "[log.access]", "to = 'udp://127.0.0.1'"),
        ("admin", "[admin]", "listen = '/run/admin.sock'"),
        (
            "frontend.NAME.tls",
            "[frontend.web.tls]",
            "certificates = '/a.pem'\nclient_auth = { mode = 'optional', ca = '/ca.pem' }",
        ),
        (
            "frontend.NAME.tls.names.NAME",
            "[frontend.web.tls.names.'a.test']",
            "",
        ),
        (
            "frontend.NAME.tls.certificates",
            "[[frontend.other.tls.certificates]]",
            "certificate = '/a.pem'\nkey = '/a.key'",
        ),
        (
            "frontend.NAME.tls.client_auth",
            "[frontend.other.tls.client_auth]",
            "ca = '/ca.pem'",
        ),
        (
            "",
            "[frontend.other]",
            "listen = '127.0.0.1:8090'\nbackend = 'app'",
        ),
        (
            "frontend.NAME.error_page",
            "[[frontend.web.error_page]]",
            "status = 503\nbody = 'a'",
        ),
        (
            "frontend.NAME.route",
            "[[frontend.web.route]]",
            "backend = 'app'",
        ),
        (
            "frontend.NAME.route.rule",
            "[[frontend.web.route.rule]]",
            "del_header = 'x'",
        ),
        (
            "frontend.NAME.rule",
            "[[frontend.web.rule]]",
            "del_header = 'x'",
        ),
        ("", "[[frontend.web.rule]]", ""),
        (
            "frontend.NAME.rule.return",
            "[frontend.web.rule.return]",
            "body = 'a'",
        ),
        ("", "[[frontend.web.rule]]", ""),
        (
            "frontend.NAME.rule.redirect",
            "[frontend.web.rule.redirect]",
            "location = '/a'",
        ),
        ("", "[[frontend.web.rule]]", ""),
        (
            "frontend.NAME.rule.capture",
            "[frontend.web.rule.capture]",
            "value = 'src'",
        ),
        ("", "[[frontend.web.rule]]", ""),
        (
            "frontend.NAME.rule.forward_auth",
            "[frontend.web.rule.forward_auth]",
            "backend = 'app'",
        ),
        ("", "[[frontend.web.rule]]", ""),
        (
            "frontend.NAME.rule.wait_for_body",
            "[frontend.web.rule.wait_for_body]",
            "time = '1s'",
        ),
        ("", "[[frontend.web.rule]]", ""),
        (
            "frontend.NAME.rule.set_timeout",
            "[frontend.web.rule.set_timeout]",
            "connect = '1s'\nresponse = '1s'",
        ),
        ("", "[[frontend.web.rule]]", ""),
        (
            "frontend.NAME.rule.use_backend",
            "[frontend.web.rule.use_backend]",
            "backend = '%[path]'",
        ),
        ("", "[[frontend.web.rule]]", "when = 'ssl_fc'"),
        (
            "frontend.NAME.rule.tarpit",
            "[frontend.web.rule.tarpit]",
            "time = '1s'",
        ),
        ("", "[[frontend.web.rule]]", ""),
        (
            "frontend.NAME.rule.stats",
            "[frontend.web.rule.stats]",
            "path = '/a'",
        ),
        ("", "[[frontend.web.rule]]", ""),
        (
            "frontend.NAME.rule.monitor",
            "[frontend.web.rule.monitor]",
            "path = '/a'",
        ),
        ("", "[[frontend.web.rule]]", ""),
        (
            "frontend.NAME.rule.del_header",
            "[[frontend.web.rule.del_header]]",
            "starts_with = 'a'",
        ),
        ("", "[[frontend.web.rule]]", ""),
        (
            "frontend.NAME.rule.replace_header",
            "[frontend.web.rule.replace_header]",
            "name = 'x'\nmatch = 'a'\nwith = ''",
        ),
        ("", "[[frontend.web.rule]]", ""),
        (
            "frontend.NAME.rule.replace_path",
            "[frontend.web.rule.replace_path]",
            "match = 'a'\nwith = '/'",
        ),
        (
            "frontend.NAME.connection_rule",
            "[[frontend.web.connection_rule]]",
            "set_src = 'src'",
        ),
        ("", "[[frontend.web.connection_rule]]", ""),
        (
            "frontend.NAME.connection_rule.track",
            "[frontend.web.connection_rule.track]",
            "table = 't'\nkey = 'src'",
        ),
        (
            "frontend.NAME.content_rule",
            "[[frontend.web.content_rule]]",
            "set_src = 'src'",
        ),
        ("", "[[frontend.web.content_rule]]", ""),
        (
            "frontend.NAME.content_rule.track",
            "[frontend.web.content_rule.track]",
            "table = 't'\nkey = 'src'",
        ),
        ("", "[[frontend.web.rule]]", "on = 'after'"),
        (
            "frontend.NAME.rule.cookie_attributes",
            "[frontend.web.rule.cookie_attributes]",
            "http_only = true\nsame_site = 'strict'",
        ),
        ("", "[[frontend.web.rule]]", ""),
        (
            "frontend.NAME.rule.track",
            "[frontend.web.rule.track]",
            "table = 't'\nkey = 'src'",
        ),
        ("", "[[frontend.web.rule]]", ""),
        (
            "frontend.NAME.rule.sc_inc_gpc",
            "[frontend.web.rule.sc_inc_gpc]",
            "counter = 0",
        ),
        ("", "[[frontend.web.rule]]", ""),
        (
            "frontend.NAME.rule.sc_set_gpt",
            "[frontend.web.rule.sc_set_gpt]",
            "counter = 0\nvalue = 1",
        ),
        ("", "[[frontend.web.rule]]", ""),
        (
            "frontend.NAME.rule.rate_limit",
            "[frontend.web.rule.rate_limit]",
            "key = 'src'\nrate = '1/1s'",
        ),
        (
            "table.NAME",
            "[table.t]",
            "key = 'ip'\nsize = 10\nstore = 'conn_cnt'",
        ),
        ("", "[table.u]", "key = 'ip'\nsize = 10"),
        (
            "frontend.NAME.rule.jwt",
            "[[frontend.web.rule]]\n[frontend.web.rule.jwt]",
            "secret = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'",
        ),
        (
            "frontend.NAME.rule.auth",
            "[[frontend.web.rule]]\n[frontend.web.rule.auth]",
            "users = { joe = '{PLAIN}secret' }",
        ),
        (
            "frontend.NAME.rule.cors",
            "[[frontend.web.rule]]\n[frontend.web.rule.cors]",
            "origins = 'https://a.example'",
        ),
        (
            "frontend.NAME.rule.security_headers",
            "[[frontend.web.rule]]\non = 'after'\n[frontend.web.rule.security_headers]",
            "",
        ),
        (
            "frontend.NAME.passthrough",
            "[[frontend.secured.passthrough]]",
            "sni = 'a'\nbackend = 'app'",
        ),
        (
            "",
            "[frontend.secured]",
            "tls = '/a.pem'\nlisten = '127.0.0.1:8444'\nbackend = 'app'",
        ),
        (
            "frontend.TCP",
            "[frontend.tcp]",
            "mode = 'tcp'\nlisten = ['127.0.0.1:8082', '/run/tcp.sock']\nbackend = 'app'",
        ),
        (
            "frontend.TCP.route",
            "[[frontend.tcp.route]]",
            "backend = 'app'",
        ),
        ("backend.NAME", "[backend.app]", "servers = '10.0.0.1:80'"),
        (
            "backend.NAME.rule",
            "[[backend.app.rule]]",
            "del_header = 'x'",
        ),
        (
            "backend.NAME.servers",
            "[[backend.listed.servers]]",
            "address = '10.0.0.1:80'",
        ),
        (
            "backend.NAME.servers.health",
            "[backend.listed.servers.health]",
            "port = 81",
        ),
        ("backend.NAME.health", "[backend.listed.health]", ""),
        (
            "backend.NAME.tls",
            "[backend.listed.tls]",
            "certificate = '/client.pem'\nsni = 'a.example'",
        ),
        ("", "[backend.other]", "servers = '10.0.0.1:80'"),
    ];
    let mut text = String::new();
    let mut is_placed = false;
    for (table, header, lines) in tables {
        text.push_str(&format!("{header}\n"));
        // A rule has one action, a redirect one target.
        let is_exclusive = match path.rsplit('.').next() {
            Some("route") => matches!(key, "split" | "among"),
            Some("rule") => !matches!(key, "" | "on" | "when"),
            Some("connection_rule" | "content_rule") => !matches!(key, "" | "when"),
            Some("return") => matches!(key, "file" | "errorfile"),
            Some("error_page") => matches!(
                key,
                "file" | "errorfile" | "location" | "location_status" | "haproxy"
            ),
            Some("redirect") => !matches!(key, "" | "status"),
            Some("del_header") => !key.is_empty(),
            _ => false,
        };
        let own = |line: &&str| {
            table != path || !(is_exclusive || line.starts_with(&format!("{key} = ")))
        };
        let kept: Vec<&str> = lines.lines().filter(own).collect();
        text.push_str(&format!("{}\n", kept.join("\n")));
        if table == path {
            is_placed = true;
            text.push_str(&format!("{line}\n"));
        }
    }
    if !is_placed {
        let header = path
            .replace("frontend.NAME", "frontend.web")
            .replace("frontend.TCP", "frontend.tcp")
            .replace("backend.NAME", "backend.app");
        text.push_str(&format!("[{header}]\n{line}\n"));
    }
    text
}

#[test]
fn every_key_changes_the_plan() {
    for (path, key, value) in OTHER_VALUES {
        // A table that has no effect without its only key.
        let needed = match *path {
            "frontend.NAME.proxy_protocol" => "from = '192.0.2.1'",
            _ => "",
        };
        let without = plan(&with_line(path, "", needed));
        let with = plan(&with_line(path, key, &format!("{key} = {value}")));
        assert_ne!(with, without, "{path}: {key} = {value} does nothing");
    }
}

/// Every kind of table by its shortest path, with `NAME` for names that the user chooses and `TCP`
/// for frontends in TCP mode.
pub(super) fn tables() -> Vec<(String, &'static dyn Described)> {
    static TCP: View<'static, Frontend> = keys::FRONTEND.part(Part::Tcp);
    static TCP_BIND: View<'static, Bind> = keys::BIND.part(Part::Tcp);
    static TCP_TIMEOUT: View<'static, FrontendTimeouts> = keys::FRONTEND_TIMEOUT.part(Part::Tcp);
    let mut tables: Vec<(String, &'static dyn Described)> = vec![
        ("frontend.TCP".to_owned(), &TCP),
        ("frontend.TCP.listen".to_owned(), &TCP_BIND),
        ("frontend.TCP.timeout".to_owned(), &TCP_TIMEOUT),
        ("frontend.TCP.route".to_owned(), &keys::TCP_ROUTE),
    ];
    let mut seen = HashSet::new();
    let mut next: VecDeque<(String, Shape)> = [(String::new(), Shape::Table(&keys::TOP))].into();
    while let Some((path, shape)) = next.pop_front() {
        let inner = |name: &str| Page::inner(&path, name);
        match shape {
            Shape::Named(shape) => next.push_back((inner("NAME"), *shape)),
            Shape::List(shape) => next.push_front((path, *shape)),
            Shape::AnyOf(shapes) => {
                next.extend(shapes.iter().map(|shape| (path.clone(), *shape)));
            }
            Shape::Table(table) if seen.insert(std::ptr::from_ref(table).cast::<()>()) => {
                // Keys of `[defaults]` are keys of frontends and backends too.
                if !path.starts_with("defaults.") {
                    let keys = table.about().into_iter();
                    next.extend(keys.map(|about| (inner(about.name), about.shape)));
                }
                tables.push((path, table));
            }
            _ => {}
        }
    }
    tables
}

#[test]
fn the_list_above_has_every_key() {
    let tables = tables();
    assert!(tables.len() > 40, "only {} tables", tables.len());
    for (path, table) in tables.iter().filter(|(path, _)| !path.is_empty()) {
        for about in table.about() {
            let key = (path.as_str(), about.name);
            let inner = Page::inner(path, about.name);
            let is_rule = matches!(about.name, "rule" | "connection_rule" | "content_rule");
            let is_table = is_rule || tables.iter().any(|(path, _)| *path == inner);
            let is_names = tables
                .iter()
                .any(|(path, _)| *path == format!("{inner}.NAME"));
            let is_table = is_table || is_names;
            let is_there = OTHER_VALUES.iter().any(|row| (row.0, row.1) == key);
            assert!(is_there || is_table || ELSEWHERE.contains(&key), "{key:?}");
        }
    }
}

#[test]
fn every_key_says_what_it_means() {
    for (path, table) in tables() {
        for about in table.about() {
            let means = about.means;
            assert!(means.ends_with('.'), "[{path}] {}: {means}", about.name);
        }
    }
}

#[test]
fn a_word_of_elsewhere_has_one_answer_and_is_no_key() {
    for (path, table) in tables() {
        let mut seen = HashSet::new();
        for word in table.words() {
            assert_eq!(fold(word), word, "[{path}]");
            assert!(seen.insert(word), "[{path}] {word} is answered twice");
            assert!(!table.names().contains(&word), "[{path}] {word} is a key");
            assert!(table.hint(word).is_some(), "[{path}] {word}");
        }
    }
}

#[test]
fn a_missing_key_has_the_default_of_the_plan() {
    let plan = plan(BASE);
    assert_eq!(plan.process, Default::default());
    assert_eq!(plan.log, Default::default());
    assert_eq!(plan.reload, Default::default());
    assert_eq!(plan.shutdown, Default::default());
    assert_eq!(plan.admin, Some(Default::default()));
    let frontend = &plan.frontends[0];
    assert_eq!(frontend.timeout, Default::default());
    assert_eq!(frontend.limits, Default::default());
    assert_eq!(frontend.http2, Default::default());
    assert_eq!(frontend.forwarding, Default::default());
    assert_eq!(frontend.request_id, Default::default());
    let backend = &plan.backends[0];
    assert_eq!(backend.timeout, Default::default());
    assert_eq!(backend.protocol, Default::default());
    assert_eq!(backend.tls, None);
    assert_eq!(backend.limits, Default::default());
    assert_eq!(backend.http2, Default::default());
    assert_eq!(backend.pool, Default::default());
    assert_eq!(backend.queue, Default::default());
    assert_eq!(backend.health, None);
}
