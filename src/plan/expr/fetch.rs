//! The fetches: the sources of values.
//!
//! One row for each fetch; `crate::expr::fetch` has its evaluation.

use crate::plan::{Data, Reading};

use super::parameter::{Parameter, parameters};
use super::state::{BackendReading, FrontendReading, ServerReading, StateReading};
use super::{Phase, Type};

/// The description of a fetch.
#[derive(Debug)]
pub struct Row {
    /// As it is written and shown.
    pub name: &'static str,
    /// Other ways to write it.
    pub aliases: &'static [&'static str],
    /// Its arguments, in order.
    pub parameters: &'static [Parameter],
    /// The type of its value.
    pub yields: Type,
    /// The first phase in which it has a value.
    pub since: Phase,
    /// Whether a condition looks at each of several values, if no occurrence is wanted.
    pub iterates: bool,
    /// The description for the reference.
    pub meaning: &'static str,
}

macro_rules! fetches {
    ($($(#[doc = $doc:literal])+
        $id:ident = $name:literal $(| $alias:literal)*,
        ($($parameter:tt)*), $yields:ident, $since:ident $(, $iterates:ident)?;)+) => {
        /// A source of values.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Fetch {
            $($(#[doc = $doc])+ $id,)+
        }

        impl Fetch {
            /// All of them, in the order of the reference.
            pub const ALL: &'static [Self] = &[$(Self::$id),+];

            const ROWS: &'static [Row] = &[$(Row {
                name: $name,
                aliases: &[$($alias),*],
                parameters: parameters!($($parameter)*),
                yields: Type::$yields,
                since: Phase::$since,
                iterates: fetches!(@iterates $($iterates)?),
                meaning: concat!($($doc),+),
            }),+];
        }
    };
    (@iterates) => { false };
    (@iterates Each) => { true };
}

/// The forms of a distinguished name; without one it is OpenSSL's.
const DN_FORMATS: &[&str] = &["rfc2253"];

/// The units of `date`.
const UNITS: &[&str] = &["s", "ms", "us"];

fetches! {
    /// The client's address: the peer of the connection, or what a PROXY header or a trusted proxy says it is. Absent for a peer without an address.
    Src = "src", (), Ip, Connection;
    /// The client's port. Absent for a peer without an address, and when only the address is known from a trusted proxy.
    SrcPort = "src_port", (), Int, Connection;
    /// The address that the client connected to. Absent on a Unix socket.
    Dst = "dst", (), Ip, Connection;
    /// The port that the client connected to.
    DstPort = "dst_port", (), Int, Connection;
    /// Whether the address that the client connected to is one of this machine: not that behind a PROXY header, most often. It asks the system each time.
    DstIsLocal = "dst_is_local", (), Bool, Connection;
    /// Whether the client's address is one of this machine. It asks the system each time.
    SrcIsLocal = "src_is_local", (), Bool, Connection;
    /// The host name that the client asked the proxy before us for, from the PROXY header (version 2). Absent without one.
    FcPpAuthority = "fc_pp_authority", (), Text, Connection;
    /// The identifier of the connection in the PROXY header (version 2). Absent without one.
    FcPpUniqueId = "fc_pp_unique_id", (), Text, Connection;
    /// The value of a field of the PROXY header (version 2), the first of its type. `type` is a number from 0 to 255 (`0xEA` too), or `ALPN`, `AUTHORITY`, `CRC32C`, `NOOP`, `UNIQUE_ID`, `SSL` or `NETNS`. Absent without one.
    FcPpTlv = "fc_pp_tlv", (! "type" TlvType), Text, Connection;
    /// Whether the client speaks TLS.
    SslFc = "ssl_fc", (), Bool, Handshake;
    /// The name that the client asked for in its TLS handshake, in lower case. Absent without TLS or without a name.
    SslFcSni = "ssl_fc_sni", (), Text, Handshake;
    /// Whether the client asked for a name in its TLS handshake.
    SslFcHasSni = "ssl_fc_has_sni", (), Bool, Handshake;
    /// The protocol that was negotiated in the TLS handshake: `h2`. Absent without one.
    SslFcAlpn = "ssl_fc_alpn", (), Text, Handshake;
    /// The version of TLS: `TLSv1.2` or `TLSv1.3`. Absent without TLS.
    SslFcProtocol = "ssl_fc_protocol", (), Text, Handshake;
    /// The cipher suite, by OpenSSL's name. Absent without TLS.
    SslFcCipher = "ssl_fc_cipher", (), Text, Handshake;
    /// The bits of the cipher's key: 128 or 256. Absent without TLS.
    SslFcAlgKeysize = "ssl_fc_alg_keysize", (), Int, Handshake;
    /// Those of them that are secret: all.
    SslFcUseKeysize = "ssl_fc_use_keysize", (), Int, Handshake;
    /// Whether the client showed a certificate; see `ssl_c_used`.
    SslFcHasCrt = "ssl_fc_has_crt", (), Bool, Handshake;
    /// Whether the client resumed an earlier session instead of a full handshake.
    SslFcIsResumed = "ssl_fc_is_resumed", (), Bool, Handshake;
    /// Whether the client sent early data: never, Evenkeel accepts none.
    SslFcHasEarly = "ssl_fc_has_early", (), Bool, Handshake;
    /// The result of verifying the client's certificate: always 0, since a handshake with a bad one fails. Absent without TLS.
    SslCVerify = "ssl_c_verify", (), Int, Handshake;
    /// The mistake in the client's certificate: always 0, as `ssl_c_verify`.
    SslCErr = "ssl_c_err", (), Int, Handshake;
    /// The mistake in a certificate above it: always 0.
    SslCCaErr = "ssl_c_ca_err", (), Int, Handshake;
    /// How far above it that one is: always 0.
    SslCCaErrDepth = "ssl_c_ca_err_depth", (), Int, Handshake;
    /// Whether the client showed a certificate, which was then verified.
    SslCUsed = "ssl_c_used", (), Bool, Handshake;
    /// The whole of the client's certificate, in DER. Absent without one, here and for the others.
    SslCDer = "ssl_c_der", (), Bytes, Handshake;
    /// The SHA-1 of the client's certificate: 20 bytes.
    SslCSha1 = "ssl_c_sha1", (), Bytes, Handshake;
    /// The subject of the client's certificate: `/C=FR/O=Example/CN=name`, with `rfc2253` as format `CN=name,O=Example,C=FR`. With an entry (`cn`) its value; of several the first, or the one with this occurrence, and -1 is the last.
    SslCSDn = "ssl_c_s_dn", (? "entry" Text, ? "occurrence" Int, ? "format" OneOf(DN_FORMATS)), Text, Handshake;
    /// The issuer of the client's certificate; see `ssl_c_s_dn`.
    SslCIDn = "ssl_c_i_dn", (? "entry" Text, ? "occurrence" Int, ? "format" OneOf(DN_FORMATS)), Text, Handshake;
    /// The serial number of the client's certificate, as bytes.
    SslCSerial = "ssl_c_serial", (), Bytes, Handshake;
    /// When the client's certificate begins to be valid, in UTC: `YYMMDDhhmmssZ`.
    SslCNotbefore = "ssl_c_notbefore", (), Text, Handshake;
    /// When the client's certificate expires: `YYMMDDhhmmssZ`.
    SslCNotafter = "ssl_c_notafter", (), Text, Handshake;
    /// The algorithm of the key of the client's certificate, by OpenSSL's short name: `rsaEncryption`, `id-ecPublicKey`. Its number (OID) if we do not know the name, here and for `ssl_c_sig_alg`.
    SslCKeyAlg = "ssl_c_key_alg", (), Text, Handshake;
    /// The algorithm by which the client's certificate is signed, by OpenSSL's short name: `RSA-SHA256`, `ecdsa-with-SHA256`.
    SslCSigAlg = "ssl_c_sig_alg", (), Text, Handshake;
    /// The version of the client's certificate: 3.
    SslCVersion = "ssl_c_version", (), Int, Handshake;
    /// The whole of the certificate that was shown to the client, in DER. Absent without one.
    SslFDer = "ssl_f_der", (), Bytes, Handshake;
    /// The SHA-1 of the certificate that was shown to the client: 20 bytes.
    SslFSha1 = "ssl_f_sha1", (), Bytes, Handshake;
    /// The subject of the certificate that was shown to the client: `/C=FR/O=Example/CN=name`, with `rfc2253` as format `CN=name,O=Example,C=FR`. With an entry (`cn`) its value; of several the first, or the one with this occurrence, and -1 is the last.
    SslFSDn = "ssl_f_s_dn", (? "entry" Text, ? "occurrence" Int, ? "format" OneOf(DN_FORMATS)), Text, Handshake;
    /// The issuer of the certificate that was shown to the client; see `ssl_f_s_dn`.
    SslFIDn = "ssl_f_i_dn", (? "entry" Text, ? "occurrence" Int, ? "format" OneOf(DN_FORMATS)), Text, Handshake;
    /// The serial number of the certificate that was shown to the client, as bytes.
    SslFSerial = "ssl_f_serial", (), Bytes, Handshake;
    /// When the certificate that was shown to the client begins to be valid, in UTC: `YYMMDDhhmmssZ`.
    SslFNotbefore = "ssl_f_notbefore", (), Text, Handshake;
    /// When the certificate that was shown to the client expires: `YYMMDDhhmmssZ`.
    SslFNotafter = "ssl_f_notafter", (), Text, Handshake;
    /// The algorithm of the key of the certificate that was shown to the client; see `ssl_c_key_alg`.
    SslFKeyAlg = "ssl_f_key_alg", (), Text, Handshake;
    /// The algorithm by which the certificate that was shown to the client is signed; see `ssl_c_sig_alg`.
    SslFSigAlg = "ssl_f_sig_alg", (), Text, Handshake;
    /// The version of the certificate that was shown to the client: 3.
    SslFVersion = "ssl_f_version", (), Int, Handshake;
    /// The name of the frontend.
    FeName = "fe_name", (), Text, Connection;
    /// The id of the exchange, as in the log: the client's, if it sent a valid one and the frontend
    /// keeps it (`request_id`), else a new one.
    UniqueId = "unique-id", (), Text, Connection;
    /// The method, as received: `GET`.
    Method = "method", (), Text, Request;
    /// The path of the target as received, without the query: `/a/b`.
    Path = "path", (), Text, Request;
    /// The path with the query: `/a/b?c=d`.
    Pathq = "pathq", (), Text, Request;
    /// The text after the first `?`. Absent without a `?`; empty if nothing follows it.
    Query = "query", (), Text, Request;
    /// The target: with scheme and host in HTTP/2 and where a client of HTTP/1.1 sent them, else a path with its query. `pathq` is the same for all.
    Url = "url", (), Text, Request;
    /// The value of a query parameter, not decoded. Without a name, that of the first one. `delimiter` is the character that parameters begin after, `?` unless it is given. With `i` as flag the name's case does not count.
    UrlParam = "url_param" | "urlp", (? "name" Text, ? "delimiter" Text, ? "flags" CaseFlag), Text, Request, Each;
    /// A value of a request field. Values are separated by commas and by lines; a comma between double quotes separates nothing, and a quote without its end reaches to the end of the line. Without an occurrence: the last one, and in a condition each; 1 is the first, -1 the last.
    ReqHdr = "req.hdr" | "hdr", (? "name" Field, ? "occurrence" Int), Text, Request, Each;
    /// A whole line of a request field; commas do not separate. Occurrences as for `req.hdr`.
    ReqFhdr = "req.fhdr", (? "name" Field, ? "occurrence" Int), Text, Request, Each;
    /// The number of lines of a request field; of all fields without a name.
    ReqFhdrCnt = "req.fhdr_cnt", (? "name" Field), Int, Request;
    /// A value of a request field as an address, with a port after an IPv4 address left out. Absent if it is none. Occurrences as for `req.hdr`.
    ReqHdrIp = "req.hdr_ip" | "hdr_ip", (? "name" Field, ? "occurrence" Int), Ip, Request, Each;
    /// A value of a request field as the number that it begins with. Occurrences as for `req.hdr`.
    ReqHdrVal = "req.hdr_val" | "hdr_val", (? "name" Field, ? "occurrence" Int), Int, Request, Each;
    /// The names of all lines of the request's head in lower case, joined with `delimiter`, which is a comma unless it is given.
    ReqHdrNames = "req.hdr_names", (? "delimiter" Text), Text, Request;
    /// All lines of the request's head after the first, each with its line end, and the empty line.
    ReqHdrs = "req.hdrs", (), Bytes, Request;
    /// The version of HTTP: `1.1`, `2.0`.
    ReqVer = "req.ver" | "req_ver", (), Text, Request;
    /// The major version of HTTP that the client speaks.
    FcHttpMajor = "fc_http_major", (), Int, Request;
    /// Always true: what is no HTTP has no request. In rules for content: whether the client has sent the head of a request, or the preface of HTTP/2.
    ReqProtoHttp = "req.proto_http" | "req_proto_http", (), Bool, Request;
    /// The host and the path, without the query: `a.example/b`. Without a host the path alone.
    Base = "base", (), Text, Request;
    /// The host, the path and the query.
    Baseq = "baseq", (), Text, Request;
    /// A hash of the host and the path, 32 bits.
    Base32 = "base32", (), Int, Request;
    /// A hash of the host, the path and the query, 32 bits.
    Url32 = "url32", (), Int, Request;
    /// The value of a query parameter as the number that it begins with; see `url_param`.
    UrlParamVal = "urlp_val" | "url_param_val", (? "name" Text, ? "delimiter" Text), Int, Request, Each;
    /// The number of cookies that the client sent, with this name or at all.
    ReqCookCnt = "req.cook_cnt" | "cook_cnt", (? "name" Text), Int, Request;
    /// The value of a cookie as the number that it begins with; see `req.cook`.
    ReqCookVal = "req.cook_val" | "cook_val", (? "name" Text), Int, Request, Each;
    /// The names of all cookies that the client sent, joined with `delimiter`, which is a comma unless it is given.
    ReqCookNames = "req.cook_names", (? "delimiter" Text), Text, Request;
    /// The scheme of the credentials that the client sent: `Basic` or `Bearer`. They are not checked. Absent for other schemes.
    HttpAuthType = "http_auth_type", (), Text, Request;
    /// The user of the client's Basic credentials, which are not checked.
    HttpAuthUser = "http_auth_user", (), Text, Request;
    /// The password of the client's Basic credentials.
    HttpAuthPass = "http_auth_pass", (), Text, Request;
    /// Whether a rule (`auth`) has verified the password of the client's Basic credentials.
    HttpAuth = "http_auth", (), Bool, Request;
    /// A group of the user whose password a rule (`auth`) has verified; in a condition each one. Absent without such a user, and for one without groups.
    HttpAuthGroup = "http_auth_group", (), Text, Request, Each;
    /// The token after `Bearer` in `Authorization`, or in another field. It is not checked.
    HttpAuthBearer = "http_auth_bearer", (? "field" Field), Text, Request;
    /// The number of values of a request field, as `req.hdr` counts them; of all fields without a name.
    ReqHdrCnt = "req.hdr_cnt" | "hdr_cnt", (? "name" Field), Int, Request;
    /// The value of a cookie that the client sent. Without a name: of the first cookie. In a condition: each one with that name, else the last.
    ReqCook = "req.cook" | "cook", (? "name" Text), Text, Request, Each;
    /// The number of bytes that the client has sent; it grows until a rule decides.
    ReqLen = "req.len" | "req_len", (), Int, Content;
    /// `length` of the bytes that the client has sent, from `offset` on; with 0 all that have come. Absent if there are fewer.
    ReqPayload = "req.payload" | "payload", (! "offset" IntIn(0, 1 << 20), ! "length" IntIn(0, 1 << 20)), Bytes, Content;
    /// The bytes of a text with its length before it: a number of `size` bytes at `offset`. They follow it, or begin at `start`; with a sign this counts from the end of the number.
    ReqPayloadLv = "req.payload_lv" | "payload_lv", (! "offset" IntIn(0, 1 << 20), ! "size" IntIn(1, 4), ? "start" Text), Bytes, Content;
    /// The name that the client asks for in its first TLS message (SNI), in lower case. Absent without TLS or without a name.
    ReqSslSni = "req.ssl_sni" | "req_ssl_sni", (), Text, Content;
    /// The protocol that the client prefers in its first TLS message (ALPN).
    ReqSslAlpn = "req.ssl_alpn", (), Text, Content;
    /// The version in the client's first TLS message, as 65536 times its first number and its second: 196611 is 3.3. TLS 1.3 says 3.3 there, too.
    ReqSslVer = "req.ssl_ver" | "req_ssl_ver", (), Int, Content;
    /// 1: the client's first TLS message has come, and is a ClientHello.
    ReqSslHelloType = "req.ssl_hello_type" | "req_ssl_hello_type", (), Int, Content;
    /// The value of a cookie (`mstshash`) in the request of a client of the Remote Desktop Protocol; without a name, of any.
    RdpCookie = "req.rdp_cookie" | "rdp_cookie", (? "name" Text), Text, Content;
    /// The number of such cookies: 0 or 1.
    RdpCookieCnt = "req.rdp_cookie_cnt" | "rdp_cookie_cnt", (? "name" Text), Int, Content;
    /// Whether no more bytes are waited for: `inspect_delay` is over, the client has sent all, or as much as is kept.
    WaitEnd = "wait_end", (), Bool, Content;
    /// The body of the request, as far as a rule (`wait_for_body`) has waited for it. Absent without such a rule before, here and for the others.
    ReqBody = "req.body", (), Bytes, Request;
    /// The number of bytes of the body that a rule has waited for.
    ReqBodyLen = "req.body_len", (), Int, Request;
    /// The length of the body that the client has announced; without one, of what has come.
    ReqBodySize = "req.body_size", (), Int, Request;
    /// The value of a parameter in a body of the form `a=1&b=2`, not decoded. Without a name, that of the first one. With `i` as flag the name's case does not count.
    ReqBodyParam = "req.body_param", (? "name" Text, ? "flags" CaseFlag), Text, Request, Each;
    /// The name of the backend.
    BeName = "be_name", (), Text, Backend;
    /// The status of the response: `200`.
    Status = "status", (), Int, Response;
    /// Why Evenkeel made the response itself, or why the exchange failed: the code of a [reason](reasons.md). Absent for a server's response. (Not HAProxy's.)
    Reason = "reason", (), Text, Response;
    /// A value of a response field; see `req.hdr`.
    ResHdr = "res.hdr" | "shdr", (? "name" Field, ? "occurrence" Int), Text, Response, Each;
    /// A whole line of a response field; see `req.fhdr`.
    ResFhdr = "res.fhdr", (? "name" Field, ? "occurrence" Int), Text, Response, Each;
    /// The number of values of a response field; see `req.hdr_cnt`.
    ResHdrCnt = "res.hdr_cnt" | "shdr_cnt", (? "name" Field), Int, Response;
    /// The number of lines of a response field; of all fields without a name.
    ResFhdrCnt = "res.fhdr_cnt", (? "name" Field), Int, Response;
    /// A value of a response field as an address; see `req.hdr_ip`.
    ResHdrIp = "res.hdr_ip" | "shdr_ip", (? "name" Field, ? "occurrence" Int), Ip, Response, Each;
    /// A value of a response field as a number; see `req.hdr_val`.
    ResHdrVal = "res.hdr_val" | "shdr_val", (? "name" Field, ? "occurrence" Int), Int, Response, Each;
    /// The names of all lines of the response's head; see `req.hdr_names`.
    ResHdrNames = "res.hdr_names", (? "delimiter" Text), Text, Response;
    /// All lines of the response's head; see `req.hdrs`.
    ResHdrs = "res.hdrs", (), Bytes, Response;
    /// The value of a cookie that the response sets; see `req.cook`.
    ResCook = "res.cook" | "scook", (? "name" Text), Text, Response, Each;
    /// The number of cookies that the response sets, with this name or at all.
    ResCookCnt = "res.cook_cnt" | "scook_cnt", (? "name" Text), Int, Response;
    /// The value of a cookie that the response sets, as the number that it begins with.
    ResCookVal = "res.cook_val" | "scook_val", (? "name" Text), Int, Response, Each;
    /// The names of all cookies that the response sets; see `req.cook_names`.
    ResCookNames = "res.cook_names", (? "delimiter" Text), Text, Response;
    /// The name of the server that answered.
    SrvName = "srv_name", (), Text, Response;
    /// What the last `set_var` of a rule gave this variable: `var(txn.tenant)`. Its scope says how long it lives: `sess` as long as the client's connection, `txn` as long as the exchange, `req` until the request was sent, `res` from the response on. `default` where it was not set; without one it is absent then.
    Var = "var", (! "name" Variable, ? "default" Text), Any, Connection;
    /// What a rule has captured of the request at the place `index` (`capture`). Absent if there was nothing.
    CaptureReqHdr = "capture.req.hdr", (! "index" Int), Text, Handshake;
    /// The same, of the response.
    CaptureResHdr = "capture.res.hdr", (! "index" Int), Text, Response;
    /// How many exchanges were tracked in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScConnCnt = "sc_conn_cnt", (! "counter" Int, ? "table" Table), Int, Connection;
    /// How many exchanges are tracked now in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScConnCur = "sc_conn_cur", (! "counter" Int, ? "table" Table), Int, Connection;
    /// How many exchanges were tracked in the period in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScConnRate = "sc_conn_rate", (! "counter" Int, ? "table" Table), Int, Connection;
    /// The requests in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScHttpReqCnt = "sc_http_req_cnt", (! "counter" Int, ? "table" Table), Int, Connection;
    /// The requests in the period in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScHttpReqRate = "sc_http_req_rate", (! "counter" Int, ? "table" Table), Int, Connection;
    /// The errors of the client in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScHttpErrCnt = "sc_http_err_cnt", (! "counter" Int, ? "table" Table), Int, Connection;
    /// The errors of the client in the period in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScHttpErrRate = "sc_http_err_rate", (! "counter" Int, ? "table" Table), Int, Connection;
    /// The failures of servers in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScHttpFailCnt = "sc_http_fail_cnt", (! "counter" Int, ? "table" Table), Int, Connection;
    /// The failures of servers in the period in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScHttpFailRate = "sc_http_fail_rate", (! "counter" Int, ? "table" Table), Int, Connection;
    /// The bytes from the client, in units of 1,024 in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScKbytesIn = "sc_kbytes_in", (! "counter" Int, ? "table" Table), Int, Connection;
    /// The bytes from the client in the period in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScBytesInRate = "sc_bytes_in_rate", (! "counter" Int, ? "table" Table), Int, Connection;
    /// The bytes to the client, in units of 1,024 in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScKbytesOut = "sc_kbytes_out", (! "counter" Int, ? "table" Table), Int, Connection;
    /// The bytes to the client in the period in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScBytesOutRate = "sc_bytes_out_rate", (! "counter" Int, ? "table" Table), Int, Connection;
    /// The counter `index` of `gpc` in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScGetGpc = "sc_get_gpc", (! "index" Int, ! "counter" Int, ? "table" Table), Int, Connection;
    /// The increments of the counter `index` in the period in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScGpcRate = "sc_gpc_rate", (! "index" Int, ! "counter" Int, ? "table" Table), Int, Connection;
    /// The first counter in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScGetGpc0 = "sc_get_gpc0", (! "counter" Int, ? "table" Table), Int, Connection;
    /// The increments of the first counter in the period in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScGpc0Rate = "sc_gpc0_rate", (! "counter" Int, ? "table" Table), Int, Connection;
    /// The second counter in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScGetGpc1 = "sc_get_gpc1", (! "counter" Int, ? "table" Table), Int, Connection;
    /// The increments of the second counter in the period in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScGpc1Rate = "sc_gpc1_rate", (! "counter" Int, ? "table" Table), Int, Connection;
    /// The tag `index` of `gpt` in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScGetGpt = "sc_get_gpt", (! "index" Int, ! "counter" Int, ? "table" Table), Int, Connection;
    /// The first tag in the entry that is tracked as `counter`. Absent where nothing is tracked.
    ScGetGpt0 = "sc_get_gpt0", (! "counter" Int, ? "table" Table), Int, Connection;
    /// How many exchanges track the entry that is tracked as `counter`.
    ScTrackers = "sc_trackers", (! "counter" Int, ? "table" Table), Int, Connection;
    /// Whether an entry is tracked as `counter`.
    ScTracked = "sc_tracked", (! "counter" Int), Bool, Connection;
    /// The entries of a table.
    TableCnt = "table_cnt", (! "table" Table), Int, Connection;
    /// How many more entries a table has room for.
    TableAvail = "table_avl" | "table_avail", (! "table" Table), Int, Connection;
    /// How many servers of a backend take traffic. Without a name of that of the exchange, here and for the others.
    Nbsrv = "nbsrv", (? "backend" Backend), Int, Connection;
    /// How many exchanges are at the servers of a backend or in its queue.
    BeConn = "be_conn", (? "backend" Backend), Int, Connection;
    /// How many slots are free at the servers of a backend that take traffic; -1 when one of them has no `max_connections`.
    BeConnFree = "be_conn_free", (? "backend" Backend), Int, Connection;
    /// The same, and the free places in the backend's queue.
    Connslots = "connslots", (? "backend" Backend), Int, Connection;
    /// How many exchanges wait in the queue of a backend.
    Queue = "queue", (? "backend" Backend), Int, Connection;
    /// The same for each server that takes traffic, rounded up; without one twice the number that wait.
    AvgQueue = "avg_queue", (? "backend" Backend), Int, Connection;
    /// How many exchanges a backend got in the last second. They are counted from the first time on that an expression asks.
    BeSessRate = "be_sess_rate", (? "backend" Backend), Int, Connection;
    /// How many client connections of a frontend are open.
    FeConn = "fe_conn", (? "frontend" Frontend), Int, Connection;
    /// How many requests a frontend got in the last second. They are counted from the first time on that an expression asks.
    FeReqRate = "fe_req_rate", (? "frontend" Frontend), Int, Connection;
    /// Whether a server may get traffic: its checks pass, and nothing else keeps traffic from it. `BACKEND/SERVER`; the name of a server without one is its address.
    SrvIsUp = "srv_is_up", (! "server" Server), Bool, Connection;
    /// How many exchanges are at a server.
    SrvConn = "srv_conn", (! "server" Server), Int, Connection;
    /// How many slots are free at a server; -1 when it has no `max_connections`.
    SrvConnFree = "srv_conn_free", (! "server" Server), Int, Connection;
    /// How many exchanges wait for a server alone, because a rule has chosen it.
    SrvQueue = "srv_queue", (! "server" Server), Int, Connection;
    /// The weight of a server.
    SrvWeight = "srv_weight", (! "server" Server), Int, Connection;
    /// The number of the server that answered, among those of its backend, from 1.
    SrvId = "srv_id", (), Int, Response;
    /// The value that an environment variable had when the configuration was loaded.
    Env = "env", (! "name" Text), Text, Connection;
    /// The name of this machine.
    Hostname = "hostname", (), Text, Connection;
    /// The number of processes: 1.
    Nbproc = "nbproc", (), Int, Connection;
    /// The number of this process: 1.
    Proc = "proc", (), Int, Connection;
    /// The process id.
    Pid = "pid", (), Int, Connection;
    /// The time as seconds since 1970, with `offset` added. In another unit (`ms`, `us`) both are in that unit.
    Date = "date", (? "offset" Int, ? "unit" OneOf(UNITS)), Int, Connection;
    /// The microseconds of the time within its second.
    DateUs = "date_us", (), Int, Connection;
    /// A number below `range`, which is 4294967296 unless it is given, by chance. Not for secrets.
    Rand = "rand", (? "range" IntIn(1, i64::MAX)), Int, Connection;
    /// A UUID of version 4, by chance. Not for secrets.
    Uuid = "uuid", (? "version" OneOf(&["4"])), Text, Connection;
    /// True.
    AlwaysTrue = "always_true", (), Bool, Connection;
    /// False.
    AlwaysFalse = "always_false", (), Bool, Connection;
    /// The bytes that these hexadecimal digits stand for.
    Bin = "bin", (! "digits" Hexadecimal), Bytes, Connection;
    /// This IPv4 address.
    Ipv4 = "ipv4", (! "address" Ipv4), Ip, Connection;
    /// This IPv6 address.
    Ipv6 = "ipv6", (! "address" Ipv6), Ip, Connection;
    /// This text.
    Str = "str", (! "text" Text), Text, Connection;
    /// This number.
    Int = "int", (! "number" Int), Int, Connection;
    /// `true` or `false`.
    Bool = "bool", (! "value" Bool), Bool, Connection;
}

impl Fetch {
    /// Its row.
    pub fn row(self) -> &'static Row {
        &Self::ROWS[self as usize]
    }

    /// What it reads of an entry that is tracked; `None`: it is not such a fetch.
    pub fn reading(self) -> Option<Reading> {
        Some(match self {
            Self::ScConnCnt => Reading::Data(Data::ConnCnt),
            Self::ScConnCur => Reading::Data(Data::ConnCur),
            Self::ScConnRate => Reading::Data(Data::ConnRate),
            Self::ScHttpReqCnt => Reading::Data(Data::HttpReqCnt),
            Self::ScHttpReqRate => Reading::Data(Data::HttpReqRate),
            Self::ScHttpErrCnt => Reading::Data(Data::HttpErrCnt),
            Self::ScHttpErrRate => Reading::Data(Data::HttpErrRate),
            Self::ScHttpFailCnt => Reading::Data(Data::HttpFailCnt),
            Self::ScHttpFailRate => Reading::Data(Data::HttpFailRate),
            Self::ScKbytesIn => Reading::Kilobytes(Data::BytesInCnt),
            Self::ScBytesInRate => Reading::Data(Data::BytesInRate),
            Self::ScKbytesOut => Reading::Kilobytes(Data::BytesOutCnt),
            Self::ScBytesOutRate => Reading::Data(Data::BytesOutRate),
            Self::ScGetGpc => Reading::Data(Data::Gpc),
            Self::ScGpcRate => Reading::Data(Data::GpcRate),
            Self::ScGetGpc0 => Reading::Data(Data::Gpc0),
            Self::ScGpc0Rate => Reading::Data(Data::Gpc0Rate),
            Self::ScGetGpc1 => Reading::Data(Data::Gpc1),
            Self::ScGpc1Rate => Reading::Data(Data::Gpc1Rate),
            Self::ScGetGpt => Reading::Data(Data::Gpt),
            Self::ScGetGpt0 => Reading::Data(Data::Gpt0),
            Self::ScTrackers => Reading::Trackers,
            Self::ScTracked => Reading::Exists,
            _ => return None,
        })
    }

    /// What it reads of the present state of a backend, a server or a frontend; `None`: it is not
    /// such a fetch.
    pub fn state_reading(self) -> Option<StateReading> {
        let of_backend = |reading| Some(StateReading::Backend(reading));
        let of_server = |reading| Some(StateReading::Server(reading));
        match self {
            Self::Nbsrv => of_backend(BackendReading::Usable),
            Self::BeConn => of_backend(BackendReading::Exchanges),
            Self::BeConnFree => of_backend(BackendReading::FreeSlots),
            Self::Connslots => of_backend(BackendReading::FreePlaces),
            Self::Queue => of_backend(BackendReading::Queue),
            Self::AvgQueue => of_backend(BackendReading::QueuePerServer),
            Self::BeSessRate => of_backend(BackendReading::Rate),
            Self::FeConn => Some(StateReading::Frontend(FrontendReading::Connections)),
            Self::FeReqRate => Some(StateReading::Frontend(FrontendReading::Rate)),
            Self::SrvIsUp => of_server(ServerReading::IsUp),
            Self::SrvConn => of_server(ServerReading::Exchanges),
            Self::SrvConnFree => of_server(ServerReading::FreeSlots),
            Self::SrvQueue => of_server(ServerReading::Queue),
            Self::SrvWeight => of_server(ServerReading::Weight),
            Self::SrvId => of_server(ServerReading::Number),
            _ => None,
        }
    }

    /// Whether its first argument is an element of an array of data.
    pub fn has_element(self) -> bool {
        matches!(self, Self::ScGetGpc | Self::ScGpcRate | Self::ScGetGpt)
    }

    /// Whether its value contains the path of the request's target.
    pub fn reads_path(self) -> bool {
        matches!(
            self,
            Self::Path
                | Self::Pathq
                | Self::Url
                | Self::UrlParam
                | Self::UrlParamVal
                | Self::Base
                | Self::Baseq
        )
    }

    /// Whether it looks at the body of the request.
    pub fn reads_body(self) -> bool {
        matches!(
            self,
            Self::ReqBody | Self::ReqBodyLen | Self::ReqBodySize | Self::ReqBodyParam
        )
    }

    /// Whether it looks at the first bytes of a connection.
    pub fn reads_content(self) -> bool {
        self.row().since == Phase::Content
    }

    /// Whether it looks at the fields of the response.
    pub fn reads_response_fields(self) -> bool {
        self.row().name.starts_with("res.")
    }

    /// Whether it looks at the PROXY header.
    pub fn reads_proxy_header(self) -> bool {
        matches!(
            self,
            Self::FcPpAuthority | Self::FcPpUniqueId | Self::FcPpTlv
        )
    }

    /// The fetch with this name or alias.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fetch| {
            let row = fetch.row();
            row.name == name || row.aliases.contains(&name)
        })
    }
}
