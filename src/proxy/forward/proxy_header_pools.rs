//! The connections to servers that begin with a PROXY header, which names their client.
//!
//! The header holds for all of the connection, so the connection is never used for another client,
//! nor for another host name if the header has one. These connections belong to the client
//! connection and end with it: later they would wait for a client that most likely never returns
//! from the same port. Until then, idle ones are swept like all others of their server.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;

use crate::base::{Peer, TlsVersion};
use crate::exchange::{ClientTls, Record};
use crate::plan::{ProxyVersion, SendProxy};
use crate::proxy::backend::{Held, Lease, Server};
use crate::proxy::upstream::{ServerPool, ServerPools, Settings};
use crate::wire::host::Authority;
use crate::wire::proxy_protocol::{
    Checksum, ClientFlags, Endpoints, Extras, Header, Tls, Verified, write_v1, write_v2,
};

/// The most servers, clients and host names for which one client connection has pools; the oldest
/// are dropped. A connection of a trusted proxy has more than one client.
const MOST_POOLS: usize = 64;

/// The pools of server connections that belong to one client connection.
#[derive(Default)]
pub(crate) struct ProxyHeaderPools {
    pools: RefCell<Vec<PrivatePool>>,
    /// How many slots at servers it holds.
    held: Held,
}

struct PrivatePool {
    server: Arc<Server>,
    settings: Rc<Settings>,
    preamble: Bytes,
    pool: Rc<ServerPool>,
}

/// The connections that an attempt may use, and the first bytes of a new one.
pub(super) struct SelectedPool {
    pub(super) pool: Rc<ServerPool>,
    pub(super) preamble: Bytes,
}

impl ProxyHeaderPools {
    /// Counts the slots at servers that it holds.
    pub(super) fn held(&self) -> &Held {
        &self.held
    }

    /// The pool at the server of `lease` for an exchange whose request is for `host`. `host` is
    /// looked up only if it matters.
    pub(super) fn select<'a>(
        &self,
        lease: &Lease,
        record: &Record,
        host: impl FnOnce() -> Option<&'a HeaderValue>,
    ) -> SelectedPool {
        let server = lease.server();
        let pools = &server.pools;
        let Some(how) = send_proxy(lease) else {
            return SelectedPool {
                pool: pools.of(host),
                preamble: Bytes::new(),
            };
        };
        let host = host();
        let private = pools.private(host);
        let host = host.map(HeaderValue::as_bytes);
        let preamble = header(how, record, host, None);
        let pool = self.pool(&server.shared, &server.settings, &preamble, pools, private);
        // The connection's id is that of the exchange it is opened for.
        let preamble = match how.unique_id {
            true => header(how, record, host, Some(record.opening.id.as_bytes())),
            false => preamble,
        };
        SelectedPool { pool, preamble }
    }

    /// The pool for these; if there is none yet, it is `private`, which `pools` sweep from then on.
    fn pool(
        &self,
        server: &Arc<Server>,
        settings: &Rc<Settings>,
        preamble: &Bytes,
        pools: &ServerPools,
        private: ServerPool,
    ) -> Rc<ServerPool> {
        let mut known = self.pools.borrow_mut();
        let is_same = |kept: &PrivatePool| {
            Arc::ptr_eq(&kept.server, server)
                && kept.preamble == preamble
                && kept.settings.are_like(settings)
                && kept.pool.is_like(&private)
        };
        if let Some(kept) = known.iter().find(|kept| is_same(kept)) {
            return Rc::clone(&kept.pool);
        }
        if known.len() >= MOST_POOLS {
            known.remove(0);
        }
        let pool = Rc::new(private);
        pools.look_after(&pool);
        known.push(PrivatePool {
            server: Arc::clone(server),
            settings: Rc::clone(settings),
            preamble: preamble.clone(),
            pool: Rc::clone(&pool),
        });
        pool
    }
}

/// The first bytes of a connection to the server of `lease` for `exchange` alone, whose request is
/// for `host`.
pub(super) fn preamble(lease: &Lease, record: &Record, host: Option<&[u8]>) -> Bytes {
    match send_proxy(lease) {
        None => Bytes::new(),
        Some(how) => {
            let id = how.unique_id.then_some(record.opening.id.as_bytes());
            header(how, record, host, id)
        }
    }
}

/// The PROXY header setting for the server of `lease`.
fn send_proxy(lease: &Lease) -> Option<&SendProxy> {
    let of_backend = lease.backend().shared.plan.send_proxy.as_ref();
    lease.server().shared.own.send_proxy.or(of_backend)
}

fn header(
    how: &SendProxy,
    record: &Record,
    host: Option<&[u8]>,
    unique_id: Option<&[u8]>,
) -> Bytes {
    let endpoints = endpoints(record.opening.client, record.opening.local);
    let mut bytes = Vec::new();
    match how.version {
        ProxyVersion::V1 => write_v1(&endpoints, &mut bytes),
        ProxyVersion::V2 => {
            let tls = record.opening.tls.as_deref();
            let host = host.and_then(|host| Authority::parse(host).ok());
            // With TLS it is the client's SNI (`proxy-protocol.txt` §2.2.2).
            let asked = tls.and_then(|tls| tls.server_name.as_deref());
            let named = asked.or(host.as_ref().map(|host| &*host.host));
            let tls = tls.filter(|_| how.tls);
            let alpn = tls.and_then(|tls| tls.alpn.as_deref());
            let extras = Extras {
                alpn: alpn.map(str::as_bytes),
                authority: named.filter(|_| how.authority),
                unique_id,
                tls: tls.map(of_handshake),
            };
            write_v2(&Header { endpoints, extras }, Checksum::LeftOut, &mut bytes);
        }
    }
    bytes.into()
}

/// The facts of a client's handshake, in the header's form.
fn of_handshake(tls: &ClientTls) -> Tls<'_> {
    let certificate = tls.certificate.as_ref();
    let common_name = certificate.map(|shown| shown.common_name.as_str());
    Tls {
        client: match certificate {
            // With resumption it is unknown whether it was sent on this connection or on an earlier
            // one.
            Some(_) => ClientFlags::TLS.with(ClientFlags::CERTIFICATE_IN_SESSION),
            None => ClientFlags::TLS,
        },
        // A certificate that was not verified never reaches an exchange.
        verified: match certificate {
            Some(_) => Verified::YES,
            None => Verified::NO,
        },
        version: Some(match tls.version {
            TlsVersion::V1_2 => "TLSv1.2",
            TlsVersion::V1_3 => "TLSv1.3",
        }),
        common_name: common_name.filter(|name| !name.is_empty()),
        cipher: Some(tls.cipher),
        signature: None,
        key: None,
    }
}

fn endpoints(client: Peer, local: Option<SocketAddr>) -> Endpoints<'static> {
    let Peer::Ip(source) = client else {
        // A Unix socket's client has no name, and the socket's own means nothing to other hosts.
        return Endpoints::Unknown;
    };
    let nowhere = || {
        let ip = match source.ip() {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        SocketAddr::new(ip, 0)
    };
    Endpoints::Ip {
        source,
        destination: local.unwrap_or_else(nowhere),
    }
}
