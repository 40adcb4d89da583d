//! The fields of a line, for the page `conf/reference/access-log.md`. A test holds the page and the
//! lines to this table.

/// One field of a line.
pub(in crate::observe) struct Field {
    /// With the field that contains it: `times_ms.total`, `failed[].reason`.
    pub(in crate::observe) name: &'static str,
    /// The type in JSON.
    pub(in crate::observe) kind: &'static str,
    /// A value as in a line.
    pub(in crate::observe) example: &'static str,
    pub(in crate::observe) meaning: &'static str,
}

/// All of them, in the order of a line.
#[rustfmt::skip]
pub(in crate::observe) const FIELDS: &[Field] = {
    const TEXT: &str = "string";
    const TEXT_OR_NULL: &str = "string or `null`";
    const NUMBER: &str = "number";
    const NUMBER_OR_NULL: &str = "number or `null`";
    const IF_CUT: &str = "number, if cut";
    const fn field(name: &'static str, kind: &'static str, example: &'static str, meaning: &'static str) -> Field {
        Field { name, kind, example, meaning }
    }
    &[
        field("time", TEXT, "\"2026-03-01T12:34:56.789Z\"", "When the request head was complete, in UTC (RFC 3339). In TCP mode: when the connection was routed."),
        field("frontend", TEXT_OR_NULL, "\"web\"", "The frontend. `null` if a reload has just removed it."),
        field("route", TEXT_OR_NULL, "\"api\"", "The route: its `name`, or its number in the file. `null` if the frontend's own `backend` took the request, or no route was reached."),
        field("backend", TEXT_OR_NULL, "\"app\"", "The backend that was chosen."),
        field("server", TEXT_OR_NULL, "\"10.0.0.2:80\"", "The server of the attempt that decided: the one whose answer the client got, else the last."),
        field("client", TEXT, "\"192.0.2.7:51234\"", "The client's IP address and port, for every version of HTTP; `unix` for a Unix socket. If the request comes from one of `trusted_proxies`: the address that it names, with the port of its own connection. With PROXY protocol: address and port of its header."),
        field("method", TEXT_OR_NULL, "\"GET\"", "The method. `null` in TCP mode, and if it was not read (see below). At most 32 bytes."),
        field("method_bytes", IF_CUT, "60000", "How long the method was."),
        field("host", TEXT_OR_NULL, "\"example.com:8080\"", "The host as sent, with its port if there is one: of an absolute target or `:authority`, else of `Host`. At most 260 bytes."),
        field("host_bytes", IF_CUT, "60000", "How long the host was."),
        field("target", TEXT_OR_NULL, "\"/v1/a?b=c\"", "Path and query as sent, in the same form for every version of HTTP: without scheme and host. `*` for `OPTIONS *`, host and port for CONNECT. With the escapes that Evenkeel adds (see [refusals](refusals.md)). At most 8 KiB; at most 2 KiB of a request whose head could not be read."),
        field("target_bytes", IF_CUT, "9000", "How long the target was, as far as it was read."),
        field("version", TEXT_OR_NULL, "\"HTTP/2\"", "`HTTP/1.0`, `HTTP/1.1` or `HTTP/2`; with `method`: `CONNECT` and `HTTP/2` is an extended CONNECT (WebSocket)."),
        field("user_agent", TEXT_OR_NULL, "\"curl/8.5.0\"", "`User-Agent`; the first line of several. At most 512 bytes."),
        field("user_agent_bytes", IF_CUT, "60000", "How long it was."),
        field("referer", TEXT_OR_NULL, "\"https://example.com/\"", "`Referer`; the first line of several. At most 1 KiB."),
        field("referer_bytes", IF_CUT, "60000", "How long it was."),
        field("tls_version", TEXT_OR_NULL, "\"1.3\"", "The version of TLS. `null` without TLS, and with `passthrough`."),
        field("tls_cipher", TEXT_OR_NULL, "\"TLS_AES_256_GCM_SHA384\"", "The cipher suite, by its IANA name."),
        field("sni", TEXT_OR_NULL, "\"example.com\"", "The name that the client asked for by TLS (SNI). At most 255 bytes."),
        field("sni_bytes", IF_CUT, "9000", "How long it was."),
        field("status", NUMBER_OR_NULL, "200", "The status that the client was sent. If it was sent none: the status that it would have been sent; 499 if it had left. `null` in TCP mode, and for a stream that was refused (`request.heads.too_large`)."),
        field("reason", TEXT_OR_NULL, "\"server.connect.refused\"", "Why the proxy answered itself, or why the exchange ended early: see [reasons](reasons.md)."),
        field("request_id", TEXT_OR_NULL, "\"0123456789abcdef\"", "The request id, as sent to the server and in the proxy's own answers. At most 128 characters. `null` if the client got none."),
        field("generation", NUMBER, "7", "The number of the configuration: 1 after the start, one more after each reload."),
        field("attempts", NUMBER, "1", "How many times a server was tried."),
        field("failed", "array, if there was more than one attempt", "[{…}]", "The other attempts, in order."),
        field("failed[].server", TEXT_OR_NULL, "\"10.0.0.1:80\"", "The server."),
        field("failed[].reason", TEXT_OR_NULL, "\"server.connect.refused\"", "Why the attempt failed."),
        field("failed[].status", NUMBER_OR_NULL, "503", "The status that the server answered with; `null` if it did not."),
        field("bytes_in", NUMBER, "3", "Bytes of the request body, or from the client in a tunnel or in TCP mode."),
        field("bytes_out", NUMBER, "512", "Bytes of the response body, or to the client in a tunnel or in TCP mode. After a reset of HTTP/1.1: those that the client's system took."),
        field("times_ms", "object", "{…}", "Where the time went, in milliseconds with three decimals."),
        field("times_ms.head", NUMBER_OR_NULL, "0.120", "From the first byte of the head to its last."),
        field("times_ms.queue", NUMBER_OR_NULL, "0.000", "Waiting for a free slot of a server."),
        field("times_ms.connect", NUMBER_OR_NULL, "0.210", "Opening the connection to the server, with TLS. `null` if an open connection was used."),
        field("times_ms.response", NUMBER_OR_NULL, "1.480", "From a connection to the server being ready to its response head; of the attempt that decided."),
        field("times_ms.total", NUMBER, "2.500", "From the first byte of the request to the last byte of the response."),
    ]
};
