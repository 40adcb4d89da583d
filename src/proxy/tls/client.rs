//! The facts of a client in its handshake.
//!
//! A certificate that arrives here was verified by rustls; its content was still written by others,
//! and goes into fields and logs: everything that is not visible ASCII is escaped.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::base::Fingerprint;
use crate::exchange::{ClientCertificate, ClientTls};
use crate::net::TlsFacts;

/// The facts of a client's handshake, for the rooms above; `shown` is the certificate for its name.
pub(crate) fn client_tls(facts: &TlsFacts, shown: Option<Arc<CertifiedKey>>) -> ClientTls {
    let certificate = facts.peer_certificates.first();
    ClientTls {
        version: facts.version,
        keys: facts.keys,
        cipher: facts.cipher,
        server_name: facts.server_name.clone(),
        // The protocols that we offer are text.
        alpn: facts
            .alpn
            .as_deref()
            .map(|name| String::from_utf8_lossy(name).into()),
        certificate: certificate.map(|der| described(der)),
        shown,
    }
}

/// A certificate that rustls could verify and this parser cannot read keeps its fingerprint.
fn described(der: &[u8]) -> ClientCertificate {
    let fingerprint = Fingerprint::of(der).digits();
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return ClientCertificate {
            fingerprint,
            der: der.into(),
            ..ClientCertificate::default()
        };
    };
    let sans = certificate.subject_alternative_name().ok().flatten();
    let sans = sans.map(|sans| sans.value.general_names.iter().filter_map(san));
    ClientCertificate {
        subject: distinguished_name(certificate.subject()),
        common_name: common_name(certificate.subject()),
        sans: sans.map_or_else(String::new, |sans| sans.collect::<Vec<_>>().join(",")),
        serial: serial(certificate.raw_serial()),
        fingerprint,
        der: der.into(),
    }
}

/// Without the leading zero that only marks the number as positive.
fn serial(bytes: &[u8]) -> String {
    let digits = match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    hex(digits).to_uppercase()
}

/// RFC 4514 §2: the last part first, with escapes for characters that have a meaning in the format.
fn distinguished_name(name: &X509Name<'_>) -> String {
    let parts: Vec<_> = name.iter().collect();
    let parts = parts.iter().rev().map(|part| {
        let values: Vec<String> = part.iter().map(attribute).collect();
        values.join("+")
    });
    parts.collect::<Vec<_>>().join(",")
}

fn common_name(name: &X509Name<'_>) -> String {
    let mut written = String::new();
    let first = name.iter_common_name().next();
    let value = first.and_then(|name| name.as_str().ok());
    for c in value.unwrap_or_default().chars() {
        push_escaped(&mut written, c);
    }
    written
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let kind = attribute.attr_type().to_id_string();
    let kind = match kind.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.6" => "C",
        "2.5.4.9" => "STREET",
        "0.9.2342.19200300.100.1.25" => "DC",
        "0.9.2342.19200300.100.1.1" => "UID",
        other => other,
    };
    let Ok(value) = attribute.as_str() else {
        return format!("{kind}=#{}", hex(attribute.as_slice()));
    };
    let mut written = format!("{kind}=");
    let last = value.chars().count().saturating_sub(1);
    for (index, c) in value.chars().enumerate() {
        let is_edge = (c == ' ' && (index == 0 || index == last)) || (c == '#' && index == 0);
        if is_edge || matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            written.push('\\');
        }
        push_escaped(&mut written, c);
    }
    written
}

fn san(name: &GeneralName<'_>) -> Option<String> {
    let (kind, value) = match name {
        GeneralName::DNSName(name) => ("DNS:", (*name).to_owned()),
        GeneralName::URI(uri) => ("URI:", (*uri).to_owned()),
        GeneralName::RFC822Name(address) => ("email:", (*address).to_owned()),
        GeneralName::IPAddress(bytes) => ("IP:", ip(bytes)?),
        _ => return None,
    };
    let mut written = kind.to_owned();
    for c in value.chars() {
        match c {
            // It separates two names.
            ',' => written.push_str("%2C"),
            c => push_escaped(&mut written, c),
        }
    }
    Some(written)
}

fn ip(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).to_string());
    }
    let v6 = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(v6).to_string())
}

fn push_escaped(out: &mut String, c: char) {
    if (c == ' ' || c.is_ascii_graphic()) && c != '%' {
        return out.push(c);
    }
    let mut room = [0; 4];
    for byte in c.encode_utf8(&mut room).bytes() {
        write!(out, "%{byte:02X}").expect("a string takes all that is written");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all that is written");
        text
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, SerialNumber};

    use super::*;

    #[test]
    fn the_text_of_a_certificate_cannot_add_to_a_field() {
        let mut params = CertificateParams::default();
        let name = &mut params.distinguished_name;
        name.push(DnType::OrganizationName, "Exämple\r\nX-Admin: 1");
        name.push(DnType::CommonName, "a, O=admins + #1 100%");
        let uri = "spiffe://a/b,DNS:root".try_into().expect("ASCII");
        params.subject_alt_names = vec![
            SanType::DnsName("a.test".try_into().expect("ASCII")),
            SanType::URI(uri),
            SanType::IpAddress([192, 0, 2, 1].into()),
        ];
        params.serial_number = Some(SerialNumber::from(vec![1, 0xab, 0xff]));
        let key = KeyPair::generate().expect("a key");
        let der = params.self_signed(&key).expect("a certificate");
        let found = described(der.der());
        assert_eq!(
            found.subject,
            "O=Ex%C3%A4mple%0D%0AX-Admin: 1,CN=a\\, O=admins \\+ #1 100%25"
        );
        assert_eq!(found.common_name, "a, O=admins + #1 100%25");
        assert_eq!(
            found.sans,
            "DNS:a.test,URI:spiffe://a/b%2CDNS:root,IP:192.0.2.1"
        );
        assert_eq!(found.serial, "01ABFF");
        assert_eq!(found.fingerprint.len(), 64);
    }

    #[test]
    fn bytes_that_are_no_certificate_have_only_a_fingerprint() {
        let found = described(b"abc");
        assert_eq!(
            found.fingerprint,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(found.subject, "");
    }
}
