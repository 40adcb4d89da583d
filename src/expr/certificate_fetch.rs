//! Fetches of certificates: that of the client, and the one that was shown to it.
//!
//! Texts and forms are those of HAProxy, which has them from OpenSSL. A certificate is parsed anew
//! for each value: few configurations read more than one of them.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;
use x509_parser::x509::{AlgorithmIdentifier, AttributeTypeAndValue, X509Name};

use crate::plan::expr::{Argument, Fetch};

use super::facts::Facts;
use super::scratch::{Scratch, Value};

/// The value of `ssl_c_…` and `ssl_f_…`; absent without a certificate.
pub(super) fn value<'a>(
    fetch: Fetch,
    arguments: &[Argument],
    facts: &Facts<'a>,
    scratch: &mut Scratch,
) -> Value<'a> {
    let tls = facts.connection.tls;
    let of_client = tls.and_then(|tls| tls.certificate.as_ref());
    let of_client = of_client.map(|certificate| &*certificate.der);
    let of_frontend = tls.and_then(|tls| Some(&**tls.shown.as_ref()?.end_entity_cert().ok()?));
    let der = match fetch {
        Fetch::SslFDer
        | Fetch::SslFSha1
        | Fetch::SslFSDn
        | Fetch::SslFIDn
        | Fetch::SslFSerial
        | Fetch::SslFNotafter
        | Fetch::SslFNotbefore
        | Fetch::SslFKeyAlg
        | Fetch::SslFSigAlg
        | Fetch::SslFVersion => of_frontend,
        _ => of_client,
    };
    der.map_or(Value::Absent, |der| read(fetch, arguments, der, scratch))
}

fn read<'a>(
    fetch: Fetch,
    arguments: &[Argument],
    der: &'a [u8],
    scratch: &mut Scratch,
) -> Value<'a> {
    match fetch {
        Fetch::SslCDer | Fetch::SslFDer => return Value::Text(der),
        Fetch::SslCSha1 | Fetch::SslFSha1 => {
            let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, der);
            return scratch.write(|bytes| bytes.extend_from_slice(digest.as_ref()));
        }
        _ => {}
    }
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Value::Absent;
    };
    let validity = certificate.validity();
    match fetch {
        Fetch::SslCVersion | Fetch::SslFVersion => {
            // The number in the certificate begins at 0.
            Value::Int(i64::from(certificate.version().0) + 1)
        }
        Fetch::SslCSerial | Fetch::SslFSerial => {
            let serial = positive(certificate.raw_serial());
            scratch.write(|bytes| bytes.extend_from_slice(serial))
        }
        Fetch::SslCNotbefore | Fetch::SslFNotbefore => time(validity.not_before, scratch),
        Fetch::SslCNotafter | Fetch::SslFNotafter => time(validity.not_after, scratch),
        Fetch::SslCKeyAlg | Fetch::SslFKeyAlg => {
            algorithm(&certificate.public_key().algorithm, scratch)
        }
        Fetch::SslCSigAlg | Fetch::SslFSigAlg => {
            algorithm(&certificate.signature_algorithm, scratch)
        }
        Fetch::SslCSDn | Fetch::SslFSDn => name(certificate.subject(), arguments, scratch),
        _ => name(certificate.issuer(), arguments, scratch),
    }
}

/// Without the zero that only marks a number as positive.
fn positive(number: &[u8]) -> &[u8] {
    match number {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    }
}

/// `YYMMDDhhmmssZ`.
fn time<'a>(time: ASN1Time, scratch: &mut Scratch) -> Value<'a> {
    let time = time.to_datetime();
    let text = format!(
        "{:02}{:02}{:02}{:02}{:02}{:02}Z",
        time.year().rem_euclid(100),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    );
    scratch.write(|bytes| bytes.extend_from_slice(text.as_bytes()))
}

/// The whole name, or the value of one of its entries.
fn name<'a>(name: &X509Name<'_>, arguments: &[Argument], scratch: &mut Scratch) -> Value<'a> {
    let entry = match arguments.first() {
        Some(Argument::Text(entry)) if !entry.is_empty() => Some(entry),
        _ => None,
    };
    let Some(entry) = entry else {
        let is_reversed = matches!(arguments.get(2), Some(Argument::Text(_)));
        return scratch.write(|bytes| match is_reversed {
            true => bytes.extend_from_slice(rfc2253(name).as_bytes()),
            false => one_line(name, bytes),
        });
    };
    let values = name.iter_attributes().filter(|attribute| {
        let short = short_name(attribute);
        short.eq_ignore_ascii_case(entry)
    });
    let values: Vec<&[u8]> = values.map(AttributeTypeAndValue::as_slice).collect();
    let found = match arguments.get(1) {
        Some(Argument::Int(nth @ ..0)) => {
            let back = usize::try_from(nth.unsigned_abs()).unwrap_or(usize::MAX);
            values.len().checked_sub(back)
        }
        Some(Argument::Int(nth)) => usize::try_from(*nth)
            .ok()
            .and_then(|nth| nth.checked_sub(1)),
        _ => Some(0),
    };
    match found.and_then(|index| values.get(index)) {
        Some(value) => scratch.write(|bytes| bytes.extend_from_slice(value)),
        None => Value::Absent,
    }
}

/// `/C=FR/O=Example/CN=name`, as OpenSSL's `X509_NAME_oneline`.
fn one_line(name: &X509Name<'_>, bytes: &mut Vec<u8>) {
    for attribute in name.iter_attributes() {
        bytes.push(b'/');
        bytes.extend_from_slice(short_name(attribute).as_bytes());
        bytes.push(b'=');
        bytes.extend_from_slice(attribute.as_slice());
    }
}

/// `CN=name,O=Example,C=FR`: the last part first, with escapes (RFC 2253 §2).
fn rfc2253(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    let parts: Vec<_> = name.iter().collect();
    for (index, part) in parts.iter().rev().enumerate() {
        if index > 0 {
            text.push(',');
        }
        for (index, attribute) in part.iter().enumerate() {
            if index > 0 {
                text.push('+');
            }
            text.push_str(&short_name(attribute));
            text.push('=');
            escape(attribute.as_slice(), &mut text);
        }
    }
    text
}

fn escape(value: &[u8], text: &mut String) {
    for (index, byte) in value.iter().enumerate() {
        let is_first = index == 0;
        let is_edge = is_first || index + 1 == value.len();
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => {
                text.push('\\');
                text.push(char::from(*byte));
            }
            b' ' if is_edge => text.push_str("\\ "),
            b'#' if is_first => text.push_str("\\#"),
            b' '..=b'~' => text.push(char::from(*byte)),
            other => write!(text, "\\{other:02X}").expect("a string takes all that is written"),
        }
    }
}

/// OpenSSL's short name of an algorithm, else its number.
fn algorithm<'a>(algorithm: &AlgorithmIdentifier<'_>, scratch: &mut Scratch) -> Value<'a> {
    let id = algorithm.algorithm.to_id_string();
    let known = match id.as_str() {
        "1.2.840.113549.1.1.1" => "rsaEncryption",
        "1.2.840.113549.1.1.4" => "RSA-MD5",
        "1.2.840.113549.1.1.5" => "RSA-SHA1",
        "1.2.840.113549.1.1.10" => "RSASSA-PSS",
        "1.2.840.113549.1.1.11" => "RSA-SHA256",
        "1.2.840.113549.1.1.12" => "RSA-SHA384",
        "1.2.840.113549.1.1.13" => "RSA-SHA512",
        "1.2.840.113549.1.1.14" => "RSA-SHA224",
        "1.2.840.10040.4.1" => "DSA",
        "1.2.840.10045.2.1" => "id-ecPublicKey",
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
        "1.2.840.10045.4.3.1" => "ecdsa-with-SHA224",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
        "1.3.101.112" => "ED25519",
        "1.3.101.113" => "ED448",
        number => number,
    };
    scratch.write(|bytes| bytes.extend_from_slice(known.as_bytes()))
}

/// OpenSSL's short name of the kind of an attribute, else its number.
fn short_name(attribute: &AttributeTypeAndValue<'_>) -> String {
    let id = attribute.attr_type().to_id_string();
    let known = match id.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "title",
        "2.5.4.13" => "description",
        "2.5.4.42" => "GN",
        "2.5.4.43" => "initials",
        "1.2.840.113549.1.9.1" => "emailAddress",
        "0.9.2342.19200300.100.1.25" => "DC",
        "0.9.2342.19200300.100.1.1" => "UID",
        _ => return id,
    };
    known.to_owned()
}
