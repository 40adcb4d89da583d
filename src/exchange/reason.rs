//! Reasons: stable codes for log, metrics, admin API and documentation.
//!
//! One table. A code never changes its meaning; the page `conf/reference/reasons.md` is written
//! from it.

use http::StatusCode;

use crate::plan::RetryOn;

/// The side that a fault counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client's.
    Client,
    /// Ours.
    Proxy,
    /// The server's.
    Server,
}

/// After which failures another server may be tried: the words of `retry.on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The server has seen nothing of the request.
    Connect,
    /// The server has not processed the request.
    Refused,
    /// The server may have seen the request.
    Empty,
    /// The server may have seen the request, and may still process it.
    Timeout,
    /// The server has seen the request.
    Malformed,
    /// The answer would be the same, or a part of it was already passed on.
    Never,
}

impl Retry {
    /// The word that `retry.on` must have; `None`: no other server is tried.
    pub fn on(self) -> Option<RetryOn> {
        match self {
            Self::Connect => Some(RetryOn::Connect),
            Self::Refused => Some(RetryOn::Refused),
            Self::Empty => Some(RetryOn::Empty),
            Self::Timeout => Some(RetryOn::Timeout),
            Self::Malformed => Some(RetryOn::Malformed),
            Self::Never => None,
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $status:expr, $side:ident, $retry:ident;)+) => {
        /// Why a response was made here, or why an attempt or exchange failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// All of them, in the order of the life of a request.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            const TABLE: &'static [Row] = &[$(Row {
                code: $code,
                status: $status,
                side: Side::$side,
                retry: Retry::$retry,
                meaning: concat!($($doc),+),
            }),+];
        }
    };
}

struct Row {
    code: &'static str,
    /// 0: no answer is possible; the connection is cut or closed.
    status: u16,
    side: Side,
    retry: Retry,
    meaning: &'static str,
}

reasons! {
    /// The request head is not HTTP: bad request line, field, length or transfer coding.
    RequestHeadMalformed = "request.head.malformed", 400, Client, Never;
    /// The request head did not arrive in time.
    RequestHeadTimeout = "request.head.timeout", 408, Client, Never;
    /// The request head is larger than `limits.head` or has more fields than `limits.fields`.
    RequestHeadTooLarge = "request.head.too_large", 431, Client, Never;
    /// The open requests of a connection of HTTP/2 occupy more than `http2.open_requests`, or their heads more than half of it: the stream was refused (REFUSED_STREAM), and the client may send the request again.
    RequestHeadsTooLarge = "request.heads.too_large", 0, Client, Never;
    /// The request target is longer than `limits.target`.
    RequestTargetTooLong = "request.target.too_long", 414, Client, Never;
    /// The form of the request target does not fit the method (RFC 9112 §3.2).
    RequestTargetForm = "request.target.form", 400, Client, Never;
    /// The request has no host: no `Host` field in HTTP/1.1, no `:authority` in HTTP/2.
    RequestHostMissing = "request.host.missing", 400, Client, Never;
    /// The request has more than one `Host` field.
    RequestHostDuplicate = "request.host.duplicate", 400, Client, Never;
    /// The `Host` field is not a host with an optional port.
    RequestHostMalformed = "request.host.malformed", 400, Client, Never;
    /// The authority of an absolute-form target differs from `Host`.
    RequestHostConflict = "request.host.conflict", 400, Client, Never;
    /// The connection was opened for a name (SNI) with other TLS settings than the request's host (RFC 9110 §15.5.20).
    RequestHostMisdirected = "request.host.misdirected", 421, Client, Never;
    /// The client would not be let in with this TLS handshake any more: a reload requires a client certificate or trusts other authorities, or the certificate was revoked or has expired. On a new connection it is asked anew (RFC 9110 §15.5.20).
    RequestTlsOutdated = "request.tls.outdated", 421, Client, Never;
    /// The client's address is not what it would be on a new connection: a reload has changed whether its peer sends a PROXY header (RFC 9110 §15.5.20).
    RequestAddressOutdated = "request.address.outdated", 421, Client, Never;
    /// The method is CONNECT or TRACE, which Evenkeel does not forward.
    RequestMethodRefused = "request.method.refused", 405, Client, Never;
    /// The method is longer than 32 bytes (RFC 9112 §3).
    RequestMethodTooLong = "request.method.too_long", 501, Client, Never;
    /// The transfer coding is not exactly `chunked`.
    RequestTransferCoding = "request.transfer_coding", 501, Client, Never;
    /// `Upgrade` to a protocol in `upgrades`, on a request that has a body.
    RequestUpgradeBody = "request.upgrade.body", 400, Client, Never;
    /// `Upgrade: websocket` without exactly one valid `Sec-WebSocket-Key`, for an HTTP/2 server, which never sees the key (RFC 8441 §5).
    RequestUpgradeKey = "request.upgrade.key", 400, Client, Never;
    /// An extended CONNECT (RFC 8441) for a protocol that is not in `upgrades`.
    RequestProtocolRefused = "request.protocol.refused", 501, Client, Never;
    /// The expectation is not `100-continue`.
    RequestExpectation = "request.expectation", 417, Client, Never;
    /// A field name has other characters than letters, digits and `-`, and `field_names` is "reject".
    RequestFieldName = "request.field.name", 400, Client, Never;
    /// Some server would read the path as one that matches another route.
    RequestPathAmbiguous = "request.path.ambiguous", 400, Client, Never;
    /// No byte of the request body arrived in time (`timeout.body`).
    RequestBodyTimeout = "request.body.timeout", 408, Client, Never;
    /// The request body is longer than a rule allows (`max_body`).
    RequestBodyTooLarge = "request.body.too_large", 413, Client, Never;
    /// The request body does not have the framing that its head announced.
    RequestBodyMalformed = "request.body.malformed", 400, Client, Never;
    /// In TCP mode: the client's first TLS message (ClientHello) did not arrive in time (`timeout.handshake`).
    HelloTimeout = "hello.timeout", 0, Client, Never;
    /// In TCP mode: the client's first TLS message (ClientHello) was malformed or incomplete.
    HelloMalformed = "hello.malformed", 0, Client, Never;
    /// The client closed or reset the connection, or cancelled the request, before the exchange was over.
    ClientLeft = "client.left", 499, Client, Never;
    /// The client took no byte of the response in time (`timeout.body`).
    ClientStalled = "client.stalled", 0, Client, Never;
    /// The client violated HTTP/2: the connection was closed (GOAWAY), or the stream was reset.
    ClientProtocol = "client.protocol", 0, Client, Never;
    /// The client reset streams, made Evenkeel reset them, or sent frames without effect, above the limits of `http2`: the connection was closed (GOAWAY).
    ClientFlood = "client.flood", 0, Client, Never;
    /// No route matches, and the frontend has no backend of its own.
    RouteNone = "route.none", 404, Client, Never;
    /// The route requires a client certificate, and the client has shown none.
    RouteCertificate = "route.certificate", 403, Client, Never;
    /// A rule refused the exchange (`deny`). The status is the rule's.
    RuleDenied = "rule.denied", 403, Client, Never;
    /// A request was over the rate limit of a rule (`rate_limit`). The status is the rule's.
    RuleRateLimited = "rule.rate_limited", 429, Client, Never;
    /// The request has no credentials, or wrong ones, and a rule asks for them (`auth`).
    RuleUnauthorized = "rule.unauthorized", 401, Client, Never;
    /// A password had to be verified (`auth`), and as many verifications as may wait already did.
    RuleAuthBusy = "rule.auth_busy", 503, Proxy, Never;
    /// The server that a rule asked refused the request (`forward_auth`). The status is that server's.
    RuleForwardAuthRefused = "rule.forward_auth_refused", 401, Client, Never;
    /// No server that a rule asked gave a usable answer in time (`forward_auth`).
    RuleForwardAuthFailed = "rule.forward_auth_failed", 503, Proxy, Never;
    /// A rule answered in place of a server (`return`). The status is the rule's.
    RuleReturned = "rule.returned", 200, Proxy, Never;
    /// A rule refused the exchange after a while (`tarpit`). The status is the rule's.
    RuleTarpitted = "rule.tarpitted", 500, Client, Never;
    /// A rule reset the client's connection in place of an answer (`reject`).
    RuleRejected = "rule.rejected", 403, Client, Never;
    /// A rule closed the client's connection in place of an answer, so that the client does not notice (`silent_drop`).
    RuleDropped = "rule.dropped", 403, Client, Never;
    /// A rule said whether Evenkeel serves (`monitor`): 200, or 503 while its condition holds. Not logged.
    RuleMonitor = "rule.monitor", 200, Proxy, Never;
    /// A rule redirected the client (`redirect`). The status is the rule's.
    RuleRedirected = "rule.redirected", 302, Proxy, Never;
    /// A rule wrote what no request may have: a field or a target with a control character, an invalid method. In a rule for servers' answers the status is 502. The log has the rule.
    RuleInvalidValue = "rule.invalid_value", 400, Client, Never;
    /// No server of the backend is up, or all have weight 0.
    BackendNoServer = "backend.no_server", 503, Server, Never;
    /// Every server, or the one that a rule chose (`use_server`), is at its limit, and the queue is full.
    QueueFull = "queue.full", 503, Server, Never;
    /// No slot became free in time (`timeout.queue`).
    QueueTimeout = "queue.timeout", 503, Server, Never;
    /// The client asked for an upgrade (WebSocket), the backend has HTTP/2 (`protocol`), and the server does not support extended CONNECT (RFC 8441 §3). Or the client asked by extended CONNECT, and an HTTP/1.1 server gave an ordinary 2xx and not 101: the client would take it for the tunnel.
    UpgradeUnsupported = "upgrade.unsupported", 501, Proxy, Never;
    /// The server refused the connection.
    ServerConnectRefused = "server.connect.refused", 503, Server, Connect;
    /// The server did not accept the connection in time (`timeout.connect`).
    ServerConnectTimeout = "server.connect.timeout", 503, Server, Connect;
    /// The connection to the server failed: unreachable, reset while connecting, no local port free.
    ServerConnectFailed = "server.connect.failed", 503, Server, Connect;
    /// The TLS handshake with the server failed.
    ServerTlsHandshake = "server.tls.handshake", 503, Server, Connect;
    /// The server's certificate could not be verified: unknown CA, wrong name, or expired.
    ServerTlsCertificate = "server.tls.certificate", 503, Server, Connect;
    /// The server refused the stream (REFUSED_STREAM, or GOAWAY before it): in HTTP/2 that means that it has not processed the request.
    ServerStreamRefused = "server.stream.refused", 503, Server, Refused;
    /// The server closed the connection, or reset the stream, before it answered.
    ServerResponseEmpty = "server.response.empty", 502, Server, Empty;
    /// The server's response is not valid HTTP.
    ServerResponseMalformed = "server.response.malformed", 502, Server, Malformed;
    /// The server sent more than 64 KiB of interim responses (1xx) before its response.
    ServerResponseInterim = "server.response.interim", 502, Server, Malformed;
    /// The server sent no response head in time (`timeout.response`).
    ServerResponseTimeout = "server.response.timeout", 504, Server, Timeout;
    /// Of an attempt: the server answered with a status of `retry.on`, and another server was tried.
    ServerResponseUnwanted = "server.response.unwanted", 502, Server, Never;
    /// No byte of the response body arrived in time (`timeout.body`).
    ServerBodyTimeout = "server.body.timeout", 0, Server, Never;
    /// The server closed the connection in the middle of the response body.
    ServerBodyIncomplete = "server.body.incomplete", 0, Server, Never;
    /// The response body does not have the framing that its head announced.
    ServerBodyMalformed = "server.body.malformed", 0, Server, Never;
    /// The server reset the connection of a tunnel.
    ServerLeft = "server.left", 0, Server, Never;
    /// No byte passed through a tunnel for `timeout.tunnel`.
    TunnelIdle = "tunnel.idle", 0, Proxy, Never;
    /// A tunnel was still open `shutdown.tunnels` after its frontend was removed or the process began to drain; WebSocket peers got close code 1001.
    TunnelDrained = "tunnel.drained", 0, Proxy, Never;
    /// The whole exchange took longer than `timeout.exchange`.
    ExchangeTimeout = "exchange.timeout", 504, Server, Never;
    /// The exchange was still open after `shutdown.timeout`: its connection is closed. Or its frontend had just been removed: 503.
    ProxyStopped = "proxy.stopped", 503, Proxy, Never;
    /// The process has as many server connections as the open-file limit allows, and no idle one could be closed for this exchange in time. Or the exchange was open, its client took nothing, and it was aborted because another exchange needed the file descriptor.
    ProxyDescriptors = "proxy.descriptors", 503, Proxy, Never;
    /// A bug in Evenkeel: the exchange panicked, or Evenkeel wrote a head that HTTP/2 does not allow.
    ProxyPanic = "proxy.panic", 500, Proxy, Never;
}

impl Reason {
    /// The stable code: `server.connect.refused`.
    pub fn code(self) -> &'static str {
        self.row().code
    }

    /// The status of the answer; `None` if none can be sent any more.
    pub fn status(self) -> Option<StatusCode> {
        StatusCode::from_u16(self.row().status).ok()
    }

    /// Whose side it is.
    pub fn side(self) -> Side {
        self.row().side
    }

    /// The word of `retry.on` for it.
    pub fn retry(self) -> Retry {
        self.row().retry
    }

    /// One sentence for the docs.
    pub fn meaning(self) -> &'static str {
        self.row().meaning.trim()
    }

    /// Its index in [`Reason::ALL`], for arrays of counters.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The reason of an exchange whose task is dropped in the middle: the process ends, or the task
    /// panicked.
    pub fn of_drop() -> Self {
        if std::thread::panicking() {
            Self::ProxyPanic
        } else {
            Self::ProxyStopped
        }
    }

    fn row(self) -> &'static Row {
        &Self::TABLE[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_lower_case_paths() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), index);
            let code = reason.code();
            assert!(
                code.bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'_'),
                "{code}"
            );
            let same = Reason::ALL.iter().filter(|other| other.code() == code);
            assert_eq!(same.count(), 1, "{code}");
        }
    }

    #[test]
    fn connect_is_every_failure_without_a_sent_byte_and_nothing_else() {
        for reason in Reason::ALL {
            let code = reason.code();
            let starts = ["server.connect.", "server.tls."];
            let sent_nothing = starts.iter().any(|start| code.starts_with(start));
            assert_eq!(reason.retry() == Retry::Connect, sent_nothing, "{code}");
        }
    }

    #[test]
    fn only_after_what_a_server_did_another_one_is_tried() {
        for reason in Reason::ALL {
            let is_tried = reason.retry() != Retry::Never;
            assert!(
                !is_tried || reason.side() == Side::Server,
                "{}",
                reason.code()
            );
        }
    }
}
