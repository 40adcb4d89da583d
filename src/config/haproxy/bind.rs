//! `bind` lines (manual §5.1).

use crate::config::raw::Value;

use super::address::listen_address;
use super::args::Args;
use super::files;
use super::global::Global;
use super::lexer::{self, Environment};
use super::verdict::Verdicts;
use super::write::{self, Keys};

/// What a `bind` line says about more than its addresses.
#[derive(Default)]
pub(super) struct Bound {
    pub(super) addresses: Vec<Value>,
    /// The permissions of the file of a Unix socket: of the frontend here.
    pub(super) socket_mode: Option<Value>,
}

/// Words that tune sockets or TLS without an effect on what clients see.
pub(super) const TUNING: &[(&str, bool)] = &[
    ("backlog", true),
    ("cc", true),
    ("defer-accept", false),
    ("group", true),
    ("user", true),
    ("uid", true),
    ("gid", true),
    ("id", true),
    ("name", true),
    ("label", true),
    ("level", true),
    ("nice", true),
    ("process", true),
    ("shards", true),
    ("thread", true),
    ("tfo", false),
    ("tcp-ut", true),
    ("mss", true),
    ("no-tls-tickets", false),
    ("curves", true),
    ("ecdhe", true),
    ("sigalgs", true),
    ("client-sigalgs", true),
    ("prefer-client-ciphers", false),
    ("no-sslv3", false),
    ("no-tlsv10", false),
    ("no-tlsv11", false),
    ("generate-certificates", false),
    ("npn", true),
];

/// Words that [`bind`] reads by name.
pub(super) const OWN: &[&str] = &[
    "ssl",
    "crt",
    "alpn",
    "ca-file",
    "crl-file",
    "verify",
    "strict-sni",
    "ssl-min-ver",
    "ciphers",
    "ciphersuites",
    "accept-proxy",
    "mode",
    "maxconn",
    "v4v6",
    "v6only",
    "proto",
    "default-crt",
    "no-alpn",
    "ca-verify-file",
    "force-tlsv13",
];

/// Words that would have an effect that Evenkeel does not have.
pub(super) const REFUSED: &[&str] = &[
    "accept-netscaler-cip",
    "crt-list",
    "interface",
    "namespace",
    "transparent",
    "allow-0rtt",
    "ca-ignore-err",
    "crt-ignore-err",
    "no-tlsv12",
    "force-tlsv10",
    "force-tlsv11",
    "force-tlsv12",
    "ssl-max-ver",
    "expose-fd",
    "ech",
];

/// Reads a `bind` line.
pub(super) fn bind(
    mut args: Args<'_>,
    global: &Global<'_>,
    environment: Environment<'_>,
    verdicts: &mut Verdicts,
) -> Option<Bound> {
    let address = args.need("address", verdicts)?;
    let mut bound = Bound::default();
    let (mut is_tls, mut accepts_proxy) = (false, false);
    let mut tls = Keys::default();
    let mut certificates = Vec::new();
    let mut client_auth = Keys::default();
    let mut verify = None;
    while let Some(word) = args.next() {
        let span = word.span;
        match &*word.text {
            "ssl" => is_tls = true,
            "crt" => {
                let file = args.need("file", verdicts)?;
                let base = global.crt_base;
                certificates.push(write::text(file.span, files::absolute(&file.text, base)));
            }
            "default-crt" => {
                let file = args.need("file", verdicts)?;
                let base = global.crt_base;
                certificates.insert(0, write::text(file.span, files::absolute(&file.text, base)));
            }
            "alpn" => {
                let names = args.need("list", verdicts)?;
                let items = names.text.split(',');
                let items = items
                    .map(|name| write::text(names.span, name.trim()))
                    .collect();
                tls.set("alpn", write::list(names.span, items));
            }
            "no-alpn" => tls.set("alpn", write::list(span, Vec::new())),
            "ca-file" | "ca-verify-file" => {
                let file = args.need("file", verdicts)?;
                let base = global.ca_base;
                client_auth.set(
                    "ca",
                    write::text(file.span, files::absolute(&file.text, base)),
                );
            }
            "crl-file" => {
                let file = args.need("file", verdicts)?;
                let base = global.ca_base;
                client_auth.set(
                    "crl",
                    write::text(file.span, files::absolute(&file.text, base)),
                );
            }
            "verify" => verify = Some(args.need("value", verdicts)?),
            "strict-sni" => tls.set("strict_sni", write::switch(span, true)),
            "ssl-min-ver" => {
                let version = args.need("version", verdicts)?;
                let written = match &*version.text {
                    "TLSv1.3" => "1.3",
                    "TLSv1.2" => "1.2",
                    _ => {
                        verdicts.approximated(version.span, "the oldest version is TLS 1.2");
                        "1.2"
                    }
                };
                tls.set("min_version", write::text(version.span, written));
            }
            "force-tlsv13" => tls.set("min_version", write::text(span, "1.3")),
            "ciphers" | "ciphersuites" => {
                args.need("list", verdicts)?;
                verdicts.approximated(
                    span,
                    "the cipher suites are those of rustls: AES-GCM and ChaCha20 with forward secrecy",
                );
            }
            "accept-proxy" => accepts_proxy = true,
            "mode" => {
                let mode = args.need("mode", verdicts)?;
                let mode_text = format!("{:0>4}", mode.text);
                bound.socket_mode = Some(write::text(mode.span, mode_text));
            }
            "maxconn" => {
                args.need("number", verdicts)?;
                verdicts.approximated(
                    span,
                    "the connections of one address have no limit of their own; `maxconn` of the frontend has",
                );
            }
            "v4v6" | "v6only" => {
                verdicts.approximated(span, "`[::]` listens on IPv6 alone; write `*` for both");
            }
            "proto" => {
                let protocol = args.need("protocol", verdicts)?;
                verdicts.approximated(
                    protocol.span,
                    "clients may speak HTTP/1.1 and HTTP/2 on every address",
                );
            }
            known if TUNING.iter().any(|(name, _)| *name == known) => {
                if TUNING.iter().any(|(name, value)| *name == known && *value) {
                    args.need("value", verdicts)?;
                }
                verdicts
                    .without_effect(span, "tuning of the socket, which Evenkeel does by itself");
            }
            known if REFUSED.contains(&known) => {
                verdicts.refused(span, known, "leave it out of the `bind` line");
                return None;
            }
            _ => {
                let known = TUNING.iter().map(|(name, _)| *name);
                let known = known.chain(REFUSED.iter().copied());
                verdicts.unknown(
                    "word of a `bind` line",
                    word,
                    known.chain(OWN.iter().copied()),
                );
                return None;
            }
        }
    }
    if let Some(verify) = verify.filter(|verify| verify.text != "none") {
        client_auth.set("mode", write::text(verify.span, verify.text.clone()));
        tls.set("client_auth", client_auth.at(verify.span));
    }
    if is_tls && global.is_tls13_alone && !tls.has("min_version") {
        tls.set("min_version", write::text(address.span, "1.3"));
    }
    if is_tls {
        tls.set("certificates", write::list(address.span, certificates));
    }
    for one in lexer::address(address, environment).split(',') {
        let written = listen_address(one.trim());
        let mut keys = Keys::default();
        keys.set("address", write::text(address.span, written));
        if is_tls {
            keys.set("tls", tls.clone().at(address.span));
        }
        if accepts_proxy {
            keys.set("proxy_protocol", write::text(address.span, "required"));
        }
        bound.addresses.push(keys.at(address.span));
    }
    Some(bound)
}
