//! The target of a check and its protocol: from the settings of the server, of the backend's
//! `health`, and of exchanges.

use std::net::SocketAddr;

use crate::base::Address;
use crate::plan::{self, OwnCheck, Protocol, ProxyVersion, SendProxy};
use crate::proxy::backend::{Backend, Server};
use crate::proxy::upstream::Transport;
use crate::wire::h1::HeadLimits;
use crate::wire::proxy_protocol::{Checksum, Endpoints, Extras, Header, write_v1, write_v2};

use super::HEAD_BOUND;

/// The server that a check asks, and how.
pub(in super::super) struct Target<'a> {
    pub(super) address: Address,
    /// What the configuration calls the server.
    pub(super) name: &'a str,
    pub(super) protocol: Protocol,
    pub(super) transport: Transport,
    /// The bounds of the head of an HTTP/1 answer.
    pub(super) head_limits: HeadLimits,
    /// The bytes that are sent first.
    pub(super) preamble: Vec<u8>,
}

impl<'a> Target<'a> {
    /// The target for `server` of `backend`, whose checks are `health`.
    pub(in super::super) fn of(
        backend: &Backend,
        server: &'a Server,
        health: &plan::Health,
    ) -> Self {
        let elsewhere = elsewhere(&server.own.check, &server.address, health);
        let send_proxy = server.own.send_proxy.or(backend.plan.send_proxy.as_ref());
        Self {
            preamble: match (&elsewhere, send_proxy) {
                (None, Some(how)) => preamble(how),
                // Another address or port mostly belongs to another program, which expects no PROXY
                // header.
                _ => Vec::new(),
            },
            address: elsewhere.unwrap_or_else(|| server.address.clone()),
            name: &server.name,
            protocol: backend.plan.protocol,
            transport: backend.check_transport(&server.own),
            head_limits: HeadLimits {
                bytes: HEAD_BOUND.min(backend.plan.limits.head.0 as usize),
                fields: backend.plan.limits.fields,
            },
        }
    }
}

/// The address of the check, if it differs from `address`, that of exchanges; `None`: it is the
/// same.
fn elsewhere(own: &OwnCheck, address: &Address, health: &plan::Health) -> Option<Address> {
    let port = own.port.or(health.port);
    match own.address {
        // Without any port, which `config` refuses, the check fails.
        Some(ip) => Some(SocketAddr::new(ip, port.or(address.port()).unwrap_or(0)).into()),
        None => port.map(|port| address.with_port(port)),
    }
}

/// A PROXY header for a connection of our own.
fn preamble(how: &SendProxy) -> Vec<u8> {
    let mut preamble = Vec::new();
    match how.version {
        // Version 1 has no word for it.
        ProxyVersion::V1 => write_v1(&Endpoints::Unknown, &mut preamble),
        ProxyVersion::V2 => {
            let header = Header {
                endpoints: Endpoints::Own,
                extras: Extras::default(),
            };
            write_v2(&header, Checksum::LeftOut, &mut preamble);
        }
    }
    preamble
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_closest_to_a_check_holds() {
        let server: Address = SocketAddr::from(([10, 0, 0, 1], 80)).into();
        let goes_to = |address: Option<[u8; 4]>, port: Option<u16>, of_backend: Option<u16>| {
            let own = OwnCheck {
                address: address.map(Into::into),
                port,
                ..OwnCheck::default()
            };
            let health = plan::Health {
                port: of_backend,
                ..plan::Health::default()
            };
            let elsewhere = elsewhere(&own, &server, &health);
            elsewhere.map(|address| address.to_string())
        };
        let at = |address: &str| Some(address.to_owned());
        assert_eq!(goes_to(None, None, None), None);
        assert_eq!(goes_to(None, None, Some(82)), at("10.0.0.1:82"));
        assert_eq!(goes_to(None, Some(81), Some(82)), at("10.0.0.1:81"));
        let other = Some([10, 0, 0, 2]);
        assert_eq!(goes_to(other, None, None), at("10.0.0.2:80"));
        assert_eq!(goes_to(other, None, Some(82)), at("10.0.0.2:82"));
        assert_eq!(goes_to(other, Some(81), Some(82)), at("10.0.0.2:81"));
    }
}
