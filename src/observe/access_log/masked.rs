//! An exchange without what a log must not contain.
//!
//! A masked value is written as `***`; an address is shortened to its network. The texts are copied
//! for that: only a log with a mask pays for it.

use std::net::SocketAddr;

use ipnet::IpNet;

use crate::base::Peer;
use crate::exchange::{ClientTls, LoggedField, LoggedRequest, RequestTexts};
use crate::plan::log::{Mask, MaskedFact, MaskedQuery};
use crate::wire::query::Decoded;

/// Stands for a masked value.
const MASKED: &[u8] = b"***";

/// The client's network, as far as it does not tell a person: what analytics usually keep.
pub(super) fn client(mask: &Mask, client: Peer) -> Peer {
    let Peer::Ip(addr) = client else {
        return client;
    };
    if !mask.facts.contains(&MaskedFact::Client) {
        return client;
    }
    let ip = addr.ip().to_canonical();
    let bits = if ip.is_ipv4() { 24 } else { 48 };
    let network = IpNet::new_assert(ip, bits).network();
    Peer::Ip(SocketAddr::new(network, 0))
}

/// The name that a TLS client asked for.
pub(super) fn sni<'a>(mask: &Mask, sni: Option<&'a str>) -> Option<&'a str> {
    match mask.facts.contains(&MaskedFact::Sni) {
        true => sni.map(|_| "***"),
        false => sni,
    }
}

/// The TLS connection, masked.
pub(super) fn tls(mask: &Mask, tls: &ClientTls) -> ClientTls {
    let mut masked = tls.clone();
    if mask.facts.contains(&MaskedFact::Sni) {
        masked.server_name = masked.server_name.map(|_| "***".into());
    }
    masked
}

/// The request, masked.
pub(super) fn request(mask: &Mask, request: &LoggedRequest) -> LoggedRequest {
    let of = |field| request.text(field).map(|text| text.bytes);
    let unless = |fact, text: Option<Vec<u8>>| match mask.facts.contains(&fact) {
        true => text.map(|_| MASKED.to_vec()),
        false => text,
    };
    let target = of(LoggedField::Target).map(|target| query(&mask.query, target));
    let referer = of(LoggedField::Referer).map(|referer| query(&mask.query, referer));
    let referer = unless(MaskedFact::Referer, referer);
    let host = unless(MaskedFact::Host, of(LoggedField::Host).map(<[u8]>::to_vec));
    let agent = of(LoggedField::UserAgent).map(<[u8]>::to_vec);
    let agent = unless(MaskedFact::UserAgent, agent);
    let whole = request
        .text(LoggedField::Target)
        .map(|text| text.whole_bytes);
    let masked = LoggedRequest::of(&RequestTexts {
        method: of(LoggedField::Method),
        target: target.as_deref(),
        host: host.as_deref(),
        user_agent: agent.as_deref(),
        referer: referer.as_deref(),
        version: request.version(),
    });
    let was_cut = request
        .text(LoggedField::Target)
        .is_some_and(|text| text.bytes.len() < text.whole_bytes);
    match (was_cut, whole) {
        (true, Some(whole)) => masked.with_target_of(whole),
        _ => masked,
    }
}

/// `target` with the values of masked parameters replaced.
fn query(mask: &MaskedQuery, target: &[u8]) -> Vec<u8> {
    let Some(start) = target.iter().position(|&byte| byte == b'?') else {
        return target.to_vec();
    };
    let (path, query) = target.split_at(start + 1);
    // A fragment is part of no request; a `Referer` has none either.
    let mut masked = path.to_vec();
    let is_end = |byte: &u8| matches!(byte, b'&' | b';');
    for part in query.split_inclusive(is_end) {
        let (parameter, end) = match part.split_last() {
            Some((last, parameter)) if is_end(last) => (parameter, Some(*last)),
            _ => (part, None),
        };
        let equals = parameter.iter().position(|&byte| byte == b'=');
        match equals {
            Some(equals) if is_masked(mask, &parameter[..equals]) => {
                masked.extend_from_slice(&parameter[..=equals]);
                masked.extend_from_slice(MASKED);
            }
            // A parameter without a name could be the secret itself.
            None if *mask == MaskedQuery::All && !parameter.is_empty() => {
                masked.extend_from_slice(MASKED);
            }
            _ => masked.extend_from_slice(parameter),
        }
        masked.extend(end);
    }
    masked
}

fn is_masked(mask: &MaskedQuery, name: &[u8]) -> bool {
    match mask {
        MaskedQuery::All => true,
        MaskedQuery::Named(names) => names.iter().any(|masked| {
            let lower = |byte: u8| byte.to_ascii_lowercase();
            Decoded::of_bytes(name)
                .map(lower)
                .eq(masked.bytes().map(lower))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(names: &[&str], target: &str) -> String {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let masked = query(&MaskedQuery::Named(names), target.as_bytes());
        String::from_utf8(masked).expect("text")
    }

    #[test]
    fn the_values_of_masked_parameters_are_not_written() {
        let names = ["token", "pass word"];
        for (target, expected) in [
            ("/a", "/a"),
            ("/token=1", "/token=1"),
            ("/a?", "/a?"),
            ("/a?token", "/a?token"),
            ("/a?token=", "/a?token=***"),
            ("/a?token=s&b=c", "/a?token=***&b=c"),
            ("/a?b=c;ToKen=s;d", "/a?b=c;ToKen=***;d"),
            ("/a?%74oken=s&&x", "/a?%74oken=***&&x"),
            ("/a?pass+word=s=t&xtoken=1", "/a?pass+word=***&xtoken=1"),
        ] {
            assert_eq!(masked(&names, target), expected, "{target}");
        }
        let all = |target: &str| {
            let masked = query(&MaskedQuery::All, target.as_bytes());
            String::from_utf8(masked).expect("text")
        };
        assert_eq!(all("/a?b=c&secret&d=e"), "/a?b=***&***&d=***");
    }

    #[test]
    fn an_address_is_shortened_to_its_network() {
        let mask = Mask {
            facts: vec![MaskedFact::Client],
            ..Mask::default()
        };
        let shortened = |addr: &str| {
            let addr: SocketAddr = addr.parse().expect("an address");
            client(&mask, Peer::Ip(addr)).to_string()
        };
        assert_eq!(shortened("192.0.2.7:51234"), "192.0.2.0:0");
        assert_eq!(shortened("[2001:db8:1:2::7]:443"), "[2001:db8:1::]:0");
        assert_eq!(shortened("[::ffff:192.0.2.7]:443"), "192.0.2.0:0");
    }
}
