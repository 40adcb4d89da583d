//! TLS towards clients: certificates, and the settings of handshakes.

use std::path::PathBuf;

use http::HeaderName;

use crate::base::{Position, TlsVersion};
use crate::plan::HostPattern;

/// The protocols of ALPN by default, the best first; without `h2` if the frontend has HTTP/2 off.
pub const DEFAULT_ALPN: [&str; 2] = ["h2", "http/1.1"];

/// `[frontend.NAME.tls]`, or the `tls` of one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tls {
    /// At least one. The first certificate is the default.
    pub certificates: Vec<Certificates>,
    /// The name whose certificate a client gets that sends no SNI, or an unknown name. `None`: the
    /// first certificate.
    pub default: Option<DefaultName>,
    /// The answer to a client that asks for a name without a certificate.
    pub unknown_names: UnknownNames,
    /// The most handshakes at a time, from the ClientHello on; more wait.
    pub max_handshakes: u64,
    /// The rules for names without rules of their own.
    pub rules: TlsRules,
    /// In file order, each name once.
    pub names: Vec<NameRules>,
}

/// The default limit of handshakes at a time: some seconds' work of a core, and some hundred MB of
/// memory in the worst case.
const MAX_HANDSHAKES: u64 = 10_000;

/// Files with certificates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Certificates {
    /// A PEM file with a chain, or a directory of such files.
    pub path: PathBuf,
    /// The file with the key; `None`: the same, or the one beside it that ends in `.key`.
    pub key: Option<PathBuf>,
    /// Where it is written.
    pub at: Position,
}

/// The name of the default certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DefaultName {
    /// In lower case.
    pub name: String,
    /// Where it is written.
    pub at: Position,
}

/// The answer to a client that asks for a name without a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UnknownNames {
    /// It gets the default certificate, and may accept it or not.
    #[default]
    Default,
    /// It is refused, and so is one without SNI (`strict_sni`).
    Refused,
}

/// The settings of a handshake.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsRules {
    /// The oldest version.
    pub min_version: TlsVersion,
    /// Protocols for ALPN, the best first; empty: ALPN is not answered.
    pub alpn: Vec<String>,
    /// Where they are written; for a name that has those of all names, where these are.
    pub alpn_at: Position,
    /// Whether clients are asked for a certificate.
    pub client_auth: ClientAuth,
}

impl Default for TlsRules {
    fn default() -> Self {
        Self {
            min_version: TlsVersion::V1_2,
            alpn: DEFAULT_ALPN.map(str::to_owned).to_vec(),
            alpn_at: Position::built_in(),
            client_auth: ClientAuth::Off,
        }
    }
}

/// The rules of one name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameRules {
    /// A wildcard stands for exactly one label, as in a certificate (RFC 9525 §6.3).
    pub name: HostPattern,
    /// Its rules; a key that is not written is as for all names.
    pub rules: TlsRules,
    /// Where it is written.
    pub at: Position,
}

/// Whether clients are asked for a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClientAuth {
    /// They are not.
    #[default]
    Off,
    /// They are, and an invalid one is refused.
    On(ClientCertificates),
}

/// The client certificates that are accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientCertificates {
    /// Whether a client must have one.
    pub need: Need,
    /// PEM files with the authorities that sign them. At least one.
    pub ca: Vec<FileAt>,
    /// PEM files with revocation lists. With any, every authority must have one.
    pub crl: Vec<FileAt>,
}

/// Whether something may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// It may.
    Optional,
    /// It may not.
    Required,
}

/// A file, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileAt {
    /// The file.
    pub path: PathBuf,
    /// Where it is written.
    pub at: Position,
}

/// The request fields to servers with the client's certificate; `None`: not sent. No client of any
/// frontend can send these fields itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFields {
    /// Its subject (RFC 4514).
    pub subject: Option<HeaderName>,
    /// Its other names: `DNS:a.example,URI:spiffe://b`.
    pub sans: Option<HeaderName>,
    /// Its serial number, in hexadecimal digits.
    pub serial: Option<HeaderName>,
    /// The SHA-256 of it, in hexadecimal digits.
    pub fingerprint: Option<HeaderName>,
}

impl Tls {
    /// TLS with these certificates and rules, and every default.
    pub fn new(certificates: Vec<Certificates>, rules: TlsRules) -> Self {
        Self {
            certificates,
            default: None,
            unknown_names: UnknownNames::default(),
            max_handshakes: MAX_HANDSHAKES,
            rules,
            names: Vec::new(),
        }
    }

    /// The rules for `host`, which is in lower case, and the name that they were written for.
    pub fn rules_of(&self, host: Option<&str>) -> (&TlsRules, Option<&HostPattern>) {
        let own = host.and_then(|host| self.own_rules(host));
        match own {
            Some(own) => (&own.rules, Some(&own.name)),
            None => (&self.rules, None),
        }
    }

    fn own_rules(&self, host: &str) -> Option<&NameRules> {
        let is = |wanted: HostPattern| self.names.iter().find(|own| own.name == wanted);
        let above = || Some(host.split_once('.')?.1.to_owned());
        is(HostPattern::Exact(host.to_owned())).or_else(|| is(HostPattern::Wildcard(above()?)))
    }

    /// All rules, those for names without their own first.
    pub fn all_rules(&self) -> impl Iterator<Item = &TlsRules> {
        std::iter::once(&self.rules).chain(self.names.iter().map(|own| &own.rules))
    }
}

impl ClientFields {
    /// The fields that are sent.
    pub fn iter(&self) -> impl Iterator<Item = &HeaderName> {
        [&self.subject, &self.sans, &self.serial, &self.fingerprint]
            .into_iter()
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_own_rules_before_those_of_its_wildcard() {
        let own = |name| NameRules {
            name,
            rules: TlsRules::default(),
            at: Position::built_in(),
        };
        let exact = HostPattern::Exact("a.example".to_owned());
        let wildcard = HostPattern::Wildcard("example".to_owned());
        let tls = Tls {
            certificates: Vec::new(),
            default: None,
            unknown_names: UnknownNames::Default,
            max_handshakes: 1,
            rules: TlsRules::default(),
            names: vec![own(wildcard.clone()), own(exact.clone())],
        };
        let found = |host| tls.rules_of(host).1;
        assert_eq!(found(Some("a.example")), Some(&exact));
        assert_eq!(found(Some("b.example")), Some(&wildcard));
        assert_eq!(found(Some("c.b.example")), None, "one label and no more");
        assert_eq!(found(Some("example")), None);
        assert_eq!(found(None), None);
    }
}
