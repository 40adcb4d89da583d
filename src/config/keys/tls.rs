//! TLS: `tls` of a frontend, of a backend and of what is in it.

use crate::base::TlsVersion;
use crate::config::page::{self, Page, file, key as quoted_key, list, string, strings};
use crate::plan::{
    Certificates, ClientAuth, ClientCertificates, FileAt, Need, Own, ServerTls, Sni, Tls, TlsRules,
    Trust, UnknownNames,
};

use super::kind::Shape;
use super::words::Words;
use super::{Keys, key};

const TEXTS: Shape = Shape::List(&Shape::Text);

/// Words of `tls` that are often written outside it, in a frontend or an item of `listen`.
pub(super) const TLS_HINTS: &str = r#"
    client_auth client_ca ca ca_file verify ssl_verify_client ssl_client_certificate mtls: write `tls = { certificates = "…", client_auth = { mode = "required", ca = "…" } }`
    crl crl_file ssl_crl: write `tls = { certificates = "…", client_auth = { mode = "required", ca = "…", crl = "…" } }`
    min_version ssl_min_ver ssl_protocols tls_min_version: write `tls = { certificates = "…", min_version = "1.2" }`
    strict_sni sni_strict: write `tls = { certificates = "…", strict_sni = true }`
    max_handshakes: write `tls = { certificates = "…", max_handshakes = … }`
    ciphers cipher_suites ciphersuites ssl_ciphers: leave it out: all cipher suites here are safe
    max_version ssl_max_ver: leave it out: TLS 1.3 is the newest version and always on
    alpn: write `tls = { certificates = "…", alpn = […] }`
    crt_list: write `tls = { certificates = "/path/to/directory" }`
    certificates: write `tls = { certificates = […] }`
"#;

pub(in crate::config) static FRONTEND_TLS: Keys<Tls> = Keys {
    keys: &[
        key("certificates")
            .means("PEM files with a chain, or directories of them.")
            .also("crt certificate cert")
            .compiled(
                Shape::List(&Shape::AnyOf(&[Shape::Text, Shape::Table(&CERTIFICATE)])),
                |tls| {
                    let certificates = tls.certificates.iter();
                    Some(list(certificates.map(|one| match &one.key {
                        None => file(&one.path),
                        Some(_) => CERTIFICATE.whole().inline(one),
                    })))
                },
            ),
        key("default")
            .means("Clients without SNI or with an unknown name get the certificate of this name.")
            .compiled(Shape::Text, |tls| {
                tls.default.as_ref().map(|default| string(&default.name))
            }),
        key("strict_sni")
            .means("true: clients without SNI or with an unknown name are refused.")
            .also("sni_strict")
            .own(
                Shape::Switch,
                |_, setting, tls, report| {
                    if setting.boolean(report) == Some(true) {
                        tls.unknown_names = UnknownNames::Refused;
                    }
                },
                |tls| Some((tls.unknown_names == UnknownNames::Refused).to_string()),
            ),
        key("max_handshakes")
            .means("Handshakes at a time; more wait, at most timeout.handshake.")
            .number(1, i64::MAX, |tls| &mut tls.max_handshakes),
        key("min_version")
            .means("The oldest version of TLS.")
            .also("ssl_min_ver protocols ssl_protocols versions")
            .word(TlsVersion::words, |tls| &mut tls.rules.min_version),
        key("alpn")
            .means("Protocols offered by ALPN, the preferred one first; []: none.")
            .compiled(ALPN, |tls| Some(strings(&tls.rules.alpn))),
        key("client_auth")
            .means("Ask clients for a certificate: \"off\", or a table.")
            .compiled(AUTH, |tls| Some(client_auth(&tls.rules.client_auth))),
        key("names")
            .means("Other settings for single names.")
            .compiled_tables(Shape::Named(&Shape::Table(&TLS_NAME)), |tls, path, page| {
                for own in &tls.names {
                    let name = quoted_key(&page::host_name(&own.name));
                    let path = Page::inner(path, &name);
                    page.table(&path);
                    TLS_NAME.whole().show(&path, &own.rules, page);
                }
            }),
    ],
    hints: r#"
        key: write `certificates = { certificate = "…", key = "…" }`
        ca_file ca verify: write `client_auth = { mode = "required", ca = "…" }`
        timeout: write `timeout = { handshake = "…" }` in the frontend
        maxsslconn: write `max_connections` in the frontend
        max_version ssl_max_ver: leave it out: TLS 1.3 is the newest version and always on
        ciphers cipher_suites ciphersuites ssl_ciphers: leave it out: all cipher suites here are safe
        curves ecdhe: leave it out: all key exchanges here are safe
        dhparam: leave it out: there is no DHE, only ECDHE and X25519MLKEM768
        session_tickets session_cache: leave it out: sessions are resumed
        ocsp: OCSP stapling does not exist yet
        crl: write `client_auth = { mode = "required", ca = "…", crl = "…" }`
        default_certificate: write `default = "NAME"`: a name that one of the certificates has
    "#,
    default: Some(|| Tls::new(Vec::new(), TlsRules::default())),
    ..Keys::EMPTY
};

const ALPN: Shape = Shape::List(&Shape::Words(&["h2", "http/1.1"]));
const AUTH: Shape = Shape::AnyOf(&[Shape::Words(&["off"]), Shape::Table(&CLIENT_AUTH)]);

/// `tls.names` of a frontend.
pub(in crate::config) static TLS_NAME: Keys<TlsRules> = Keys {
    keys: &[
        key("min_version")
            .means("The oldest version of TLS.")
            .word(TlsVersion::words, |rules| &mut rules.min_version),
        key("alpn")
            .means("Protocols offered by ALPN, the preferred one first; []: none.")
            .compiled(ALPN, |rules| Some(strings(&rules.alpn))),
        key("client_auth")
            .means("Ask clients for a certificate: \"off\", or a table.")
            .compiled(AUTH, |rules| Some(client_auth(&rules.client_auth))),
    ],
    hints: "certificates: all certificates are in `tls` itself: each is found by its names",
    ..Keys::EMPTY
};

/// An item of `certificates`.
pub(in crate::config) static CERTIFICATE: Keys<Certificates> = Keys {
    keys: &[
        key("certificate")
            .means("A PEM file with the chain.")
            .also("crt path")
            .compiled(Shape::Text, |one| Some(file(&one.path))),
        key("key")
            .means("A PEM file with the key.")
            .compiled(Shape::Text, |one| one.key.as_deref().map(file)),
    ],
    ..Keys::EMPTY
};

pub(in crate::config) static CLIENT_AUTH: Keys<ClientCertificates> = Keys {
    keys: &[
        key("mode")
            .means("\"optional\": no certificate, or a valid one; \"required\"; \"off\".")
            .also("verify")
            .compiled(Shape::Words(&["off", "optional", "required"]), |auth| {
                Some(string(match auth.need {
                    Need::Optional => "optional",
                    Need::Required => "required",
                }))
            }),
        key("ca")
            .means("PEM files of the CAs that sign the certificates of clients.")
            .also("ca_file cafile authorities trusted_ca")
            .compiled(TEXTS, |auth| Some(files(&auth.ca))),
        key("crl")
            .means("Lists of revoked certificates; if there is one, each CA needs one.")
            .also("crl_file")
            .compiled(TEXTS, |auth| Some(files(&auth.crl))),
    ],
    ..Keys::EMPTY
};

/// `tls` of a backend, of a server, and of checks.
pub(super) const SERVER_TLS_SHAPE: Shape =
    Shape::AnyOf(&[Shape::Switch, Shape::Table(&SERVER_TLS)]);

pub(in crate::config) static SERVER_TLS: Keys<ServerTls> = Keys {
    keys: &[
        key("verify")
            .means("\"full\", or \"none\": no certificate is verified.")
            .compiled(Shape::Words(&["full", "none"]), |tls| {
                Some(string(match tls.trust {
                    Trust::Anyone => "none",
                    Trust::System | Trust::Authorities(_) | Trust::Fingerprints(_) => "full",
                }))
            }),
        key("fingerprint")
            .means("Fingerprints of the servers' certificates, in place of `ca`.")
            .compiled(TEXTS, |tls| match &tls.trust {
                Trust::Fingerprints(fingerprints) => {
                    let fingerprints = fingerprints.iter();
                    Some(list(fingerprints.map(|one| string(&one.to_string()))))
                }
                _ => None,
            }),
        key("ca")
            .means("Files with CAs, or with the servers' own certificates.")
            .also("ca_file cacert root_ca")
            .compiled(TEXTS, |tls| match &tls.trust {
                Trust::Authorities(authorities) => Some(files(authorities)),
                _ => None,
            }),
        key("sni")
            .means("The name in the handshake: \"host\", \"server\", \"off\", or a name.")
            .also("server_name")
            .compiled(Shape::Text, |tls| {
                Some(string(match &tls.sni {
                    Sni::Host => "host",
                    Sni::Server => "server",
                    Sni::Off => "off",
                    Sni::Fixed(name) => name,
                }))
            }),
        key("verify_name")
            .means("The name that the certificate must have, if that is not the name of `sni`.")
            .also("verifyhost")
            .compiled(Shape::Text, |tls| tls.verify_name.as_deref().map(string)),
        key("certificate")
            .means("The client certificate for servers that ask for one.")
            .compiled(Shape::Text, |tls| {
                let identity = tls.identity.as_ref();
                identity.map(|identity| file(&identity.certificate.path))
            }),
        key("key")
            .means("Its key, if that is not in the same file.")
            .compiled(Shape::Text, |tls| {
                let key = tls
                    .identity
                    .as_ref()
                    .and_then(|identity| identity.key.as_ref());
                key.map(|key| file(&key.path))
            }),
    ],
    hints: r#"
        fingerprints: write `fingerprint`, with a list if there are several
        pin: write `fingerprint = "sha256:…"`
        crt cert: write `certificate`, and `key` if it is in another file
        insecure_skip_verify: write `verify = "none"`; with `ca` it is not needed
        alpn: write `protocol` in the backend: it says what is offered
        certificates: write `certificate`: the one that is shown to servers which ask for one
        insecure skip_verify: write `verify = "none"`
        min_version: leave it out: TLS 1.2 and 1.3 are spoken
        ciphers: leave it out: all cipher suites here are safe
        crl: lists of revoked server certificates are not read yet
    "#,
    ..Keys::EMPTY
};

/// `tls` of a server or of checks, which replaces that of its backend; `None`: it is left out.
pub(super) fn own_tls(own: &Own<ServerTls>) -> Option<String> {
    match own {
        Own::Inherited => None,
        Own::Off => Some(false.to_string()),
        Own::On(tls) => Some(SERVER_TLS.whole().inline(tls)),
    }
}

fn files(files: &[FileAt]) -> String {
    list(files.iter().map(|named| file(&named.path)))
}

fn client_auth(auth: &ClientAuth) -> String {
    match auth {
        ClientAuth::Off => string("off"),
        ClientAuth::On(certificates) => CLIENT_AUTH.whole().inline(certificates),
    }
}
