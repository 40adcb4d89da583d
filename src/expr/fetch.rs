//! The fetches: the sources of values. The table is [`crate::plan::expr::Fetch`].

use std::net::IpAddr;
use std::ops::ControlFlow;

use http::{HeaderName, header};

use crate::base::TlsKeys;
use crate::exchange::{ProxyFields, Reason};
use crate::plan::User;
use crate::plan::expr::{Argument, Fetch, Type};

use super::facts::{BodyFacts, ConnectionFacts, Facts, RequestFacts, ResponseFacts, Side};
use super::scratch::{Scratch, Value, address, leading_number};
use super::target_fetch::{path, path_and_query, url};
use super::variables::{Captured, Variables};
use super::{
    capture_fetch, certificate_fetch, head_fetch, process_fetch, state_fetch, table_fetch,
    tls_fetch,
};

/// The one value of a fetch: of several, the last one, or the wanted occurrence.
pub(super) fn one<'a>(
    fetch: Fetch,
    arguments: &'a [Argument],
    facts: &Facts<'a>,
    scratch: &mut Scratch,
) -> Value<'a> {
    let connection = &facts.connection;
    let of_request = |read: fn(&RequestFacts<'a>) -> Value<'a>| {
        facts.request.as_ref().map_or(Value::Absent, read)
    };
    match fetch {
        Fetch::Src => ip(connection.client.ip()),
        Fetch::SrcPort => int(connection.client.port()),
        Fetch::Dst => ip(connection.local.map(|local| local.ip())),
        Fetch::DstPort => int(connection.local.map(|local| local.port())),
        Fetch::SrcIsLocal => {
            let ip = connection.client.ip();
            Value::Bool(ip.is_some_and(|ip| (connection.is_local)(ip.to_canonical())))
        }
        Fetch::DstIsLocal => {
            let ip = connection.local.map(|local| local.ip());
            Value::Bool(ip.is_some_and(|ip| (connection.is_local)(ip.to_canonical())))
        }
        Fetch::FcPpAuthority => proxy_field(ProxyFields::AUTHORITY, connection),
        Fetch::FcPpUniqueId => proxy_field(ProxyFields::UNIQUE_ID, connection),
        Fetch::FcPpTlv => match arguments.first() {
            Some(Argument::Int(kind)) => proxy_field(*kind as u8, connection),
            _ => Value::Absent,
        },
        Fetch::SslFc => Value::Bool(connection.tls.is_some()),
        Fetch::SslFcSni => text(connection.tls.and_then(|tls| tls.server_name.as_deref())),
        Fetch::SslCUsed | Fetch::SslFcHasCrt => {
            Value::Bool(connection.tls.is_some_and(|tls| tls.certificate.is_some()))
        }
        Fetch::SslFcIsResumed => {
            let keys = connection.tls.map(|tls| tls.keys);
            Value::Bool(keys == Some(TlsKeys::Resumed))
        }
        Fetch::SslFcHasEarly => Value::Bool(false),
        Fetch::FeName => Value::Text(connection.frontend.as_bytes()),
        Fetch::UniqueId => Value::Text(facts.id.as_bytes()),
        Fetch::BeName => text(facts.backend),
        Fetch::Method => of_request(|request| Value::Text(request.method.as_str().as_bytes())),
        Fetch::Path => of_request(path),
        Fetch::Pathq => match facts.request {
            Some(request) => path_and_query(&request, scratch),
            None => Value::Absent,
        },
        Fetch::Query => of_request(|request| text(request.target.query())),
        Fetch::Url => match facts.request {
            Some(request) => url(&request, scratch),
            None => Value::Absent,
        },
        Fetch::Status => match facts.response {
            Some(response) => Value::Int(response.status.into()),
            None => Value::Absent,
        },
        Fetch::Reason => text(
            facts
                .response
                .and_then(|response| response.reason)
                .map(Reason::code),
        ),
        Fetch::SrvName => text(
            facts
                .response
                .and_then(|response: ResponseFacts<'a>| response.server),
        ),
        Fetch::ReqHdrCnt | Fetch::ResHdrCnt => {
            let lines = facts.lines(side(fetch), field(arguments));
            Value::Int(lines.map(|line| values(line).count()).sum::<usize>() as i64)
        }
        Fetch::ReqFhdrCnt | Fetch::ResFhdrCnt => {
            let lines = facts.lines(side(fetch), field(arguments));
            Value::Int(lines.count() as i64)
        }
        Fetch::ReqHdr | Fetch::ReqFhdr | Fetch::ResHdr | Fetch::ResFhdr => {
            occurrence(fetch, arguments, facts)
        }
        Fetch::ReqHdrIp | Fetch::ReqHdrVal | Fetch::ResHdrIp | Fetch::ResHdrVal => {
            match occurrence(fetch, arguments, facts) {
                Value::Text(text) => seen_as(fetch, text),
                other => other,
            }
        }
        Fetch::ReqHdrNames | Fetch::ResHdrNames => {
            head_fetch::names(arguments, side(fetch), facts, scratch)
        }
        Fetch::ReqCookNames | Fetch::ResCookNames => cookie_names(fetch, arguments, facts, scratch),
        Fetch::ReqHdrs | Fetch::ResHdrs => head_fetch::fields(side(fetch), facts, scratch),
        Fetch::ReqVer => of_request(head_fetch::version),
        Fetch::FcHttpMajor => of_request(head_fetch::major_version),
        Fetch::ReqBody => body(facts).map_or(Value::Absent, |body| Value::Text(body.bytes)),
        Fetch::ReqBodyLen => {
            body(facts).map_or(Value::Absent, |body| Value::Int(body.bytes.len() as i64))
        }
        Fetch::ReqBodySize => body(facts).map_or(Value::Absent, |body| {
            Value::Int(i64::try_from(body.size).unwrap_or(i64::MAX))
        }),
        Fetch::ReqProtoHttp if facts.request.is_some() => Value::Bool(true),
        Fetch::ReqProtoHttp
        | Fetch::ReqLen
        | Fetch::ReqPayload
        | Fetch::ReqPayloadLv
        | Fetch::ReqSslSni
        | Fetch::ReqSslAlpn
        | Fetch::ReqSslVer
        | Fetch::ReqSslHelloType
        | Fetch::RdpCookie
        | Fetch::RdpCookieCnt
        | Fetch::WaitEnd => match connection.content {
            Some(content) => content.value(fetch, arguments),
            None => Value::Absent,
        },
        Fetch::Base | Fetch::Baseq => head_fetch::base(fetch, facts, scratch),
        Fetch::Base32 | Fetch::Url32 => head_fetch::base_hash(fetch, facts, scratch),
        Fetch::HttpAuthType => head_fetch::auth_type(facts),
        Fetch::HttpAuthUser | Fetch::HttpAuthPass => head_fetch::basic(fetch, facts, scratch),
        Fetch::HttpAuth => Value::Bool(user(facts).is_some()),
        Fetch::HttpAuthGroup => {
            let group = user(facts).and_then(|user| user.groups.first());
            text(group.map(String::as_str))
        }
        Fetch::HttpAuthBearer => head_fetch::bearer(field(arguments), facts),
        Fetch::ReqCookCnt | Fetch::ResCookCnt => {
            let mut count = 0;
            let _ = each(fetch, arguments, facts, |_| {
                count += 1;
                ControlFlow::Continue(())
            });
            Value::Int(count)
        }
        Fetch::UrlParam | Fetch::UrlParamVal | Fetch::ReqBodyParam => {
            let mut found = Value::Absent;
            let _ = each(fetch, arguments, facts, |value| {
                found = value;
                ControlFlow::Break(())
            });
            found
        }
        Fetch::ReqCook | Fetch::ReqCookVal | Fetch::ResCook | Fetch::ResCookVal => {
            let has_name = matches!(arguments.first(), Some(Argument::Text(_)));
            let mut found = Value::Absent;
            let _ = each(fetch, arguments, facts, |value| {
                found = value;
                match has_name {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            });
            found
        }
        Fetch::SslFcHasSni => {
            Value::Bool(connection.tls.is_some_and(|tls| tls.server_name.is_some()))
        }
        Fetch::SslFcAlpn => text(connection.tls.and_then(|tls| tls.alpn.as_deref())),
        Fetch::SslFcProtocol => text(connection.tls.map(tls_fetch::protocol)),
        Fetch::SslFcCipher => text(connection.tls.map(tls_fetch::cipher)),
        Fetch::SslFcAlgKeysize | Fetch::SslFcUseKeysize => connection
            .tls
            .map_or(Value::Absent, |tls| Value::Int(tls_fetch::key_bits(tls))),
        Fetch::SslCVerify | Fetch::SslCErr | Fetch::SslCCaErr | Fetch::SslCCaErrDepth => {
            connection.tls.map_or(Value::Absent, |_| Value::Int(0))
        }
        Fetch::Env | Fetch::Hostname => Value::Absent,
        Fetch::Nbproc | Fetch::Proc => Value::Int(1),
        Fetch::Pid => Value::Int(std::process::id().into()),
        Fetch::Date => process_fetch::date(arguments),
        Fetch::DateUs => process_fetch::date_us(),
        Fetch::Rand => process_fetch::rand(arguments, scratch),
        Fetch::Uuid => process_fetch::uuid(scratch),
        Fetch::AlwaysTrue => Value::Bool(true),
        Fetch::AlwaysFalse => Value::Bool(false),
        Fetch::Bin => match arguments.first() {
            Some(Argument::Bytes(bytes)) => Value::Text(bytes),
            _ => Value::Absent,
        },
        Fetch::Ipv4 | Fetch::Ipv6 => match arguments.first() {
            Some(Argument::Ip(addr)) => ip(Some(*addr)),
            _ => Value::Absent,
        },
        Fetch::CaptureReqHdr => {
            capture_fetch::captured(Captured::Request, arguments, facts, scratch)
        }
        Fetch::CaptureResHdr => {
            capture_fetch::captured(Captured::Response, arguments, facts, scratch)
        }
        Fetch::Var => variable(arguments, facts, scratch),
        Fetch::ScConnCnt
        | Fetch::ScConnCur
        | Fetch::ScConnRate
        | Fetch::ScHttpReqCnt
        | Fetch::ScHttpReqRate
        | Fetch::ScHttpErrCnt
        | Fetch::ScHttpErrRate
        | Fetch::ScHttpFailCnt
        | Fetch::ScHttpFailRate
        | Fetch::ScKbytesIn
        | Fetch::ScBytesInRate
        | Fetch::ScKbytesOut
        | Fetch::ScBytesOutRate
        | Fetch::ScGetGpc
        | Fetch::ScGpcRate
        | Fetch::ScGetGpc0
        | Fetch::ScGpc0Rate
        | Fetch::ScGetGpc1
        | Fetch::ScGpc1Rate
        | Fetch::ScGetGpt
        | Fetch::ScGetGpt0
        | Fetch::ScTrackers
        | Fetch::ScTracked => fetch.reading().map_or(Value::Absent, |reading| {
            table_fetch::tracked(reading, fetch, arguments, facts)
        }),
        Fetch::TableCnt | Fetch::TableAvail => table_fetch::used(fetch, arguments, facts),
        Fetch::SslCDer
        | Fetch::SslCSha1
        | Fetch::SslCSDn
        | Fetch::SslCIDn
        | Fetch::SslCSerial
        | Fetch::SslCNotbefore
        | Fetch::SslCNotafter
        | Fetch::SslCKeyAlg
        | Fetch::SslCSigAlg
        | Fetch::SslCVersion
        | Fetch::SslFDer
        | Fetch::SslFSha1
        | Fetch::SslFSDn
        | Fetch::SslFIDn
        | Fetch::SslFSerial
        | Fetch::SslFNotbefore
        | Fetch::SslFNotafter
        | Fetch::SslFKeyAlg
        | Fetch::SslFSigAlg
        | Fetch::SslFVersion => certificate_fetch::value(fetch, arguments, facts, scratch),
        Fetch::Nbsrv
        | Fetch::BeConn
        | Fetch::BeConnFree
        | Fetch::Connslots
        | Fetch::Queue
        | Fetch::AvgQueue
        | Fetch::BeSessRate
        | Fetch::FeConn
        | Fetch::FeReqRate
        | Fetch::SrvIsUp
        | Fetch::SrvConn
        | Fetch::SrvConnFree
        | Fetch::SrvQueue
        | Fetch::SrvWeight
        | Fetch::SrvId => fetch.state_reading().map_or(Value::Absent, |reading| {
            state_fetch::read(reading, fetch.row().yields, arguments, facts)
        }),
        Fetch::Str => match arguments.first() {
            Some(Argument::Text(text)) => Value::Text(text.as_bytes()),
            _ => Value::Absent,
        },
        Fetch::Int => match arguments.first() {
            Some(Argument::Int(number)) => Value::Int(*number),
            _ => Value::Absent,
        },
        Fetch::Bool => match arguments.first() {
            Some(Argument::Bool(value)) => Value::Bool(*value),
            _ => Value::Absent,
        },
    }
}

/// Calls `see` with each value of a fetch that has many, in order, until it breaks.
pub(super) fn each<'a>(
    fetch: Fetch,
    arguments: &'a [Argument],
    facts: &Facts<'a>,
    mut see: impl FnMut(Value<'a>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match fetch {
        Fetch::ReqHdr
        | Fetch::ReqHdrIp
        | Fetch::ReqHdrVal
        | Fetch::ResHdr
        | Fetch::ResHdrIp
        | Fetch::ResHdrVal => {
            let lines = facts.lines(side(fetch), field(arguments));
            for value in lines.flat_map(values) {
                see(seen_as(fetch, value))?;
            }
        }
        Fetch::ReqFhdr | Fetch::ResFhdr => {
            for line in facts.lines(side(fetch), field(arguments)) {
                see(Value::Text(line))?;
            }
        }
        Fetch::ReqCook | Fetch::ReqCookCnt | Fetch::ReqCookVal => {
            let name = named(arguments);
            for line in facts.lines(Side::Request, Some(&header::COOKIE)) {
                for (key, value) in cookies(line) {
                    if name.is_none_or(|name| name == key) {
                        see(seen_as(fetch, value))?;
                    }
                }
            }
        }
        // Attributes follow the cookie after a semicolon (RFC 6265 §4.1.1).
        Fetch::ResCook | Fetch::ResCookCnt | Fetch::ResCookVal => {
            let name = named(arguments);
            for line in facts.lines(Side::Response, Some(&header::SET_COOKIE)) {
                if let Some((key, value)) = cookies(line).next()
                    && name.is_none_or(|name| name == key)
                {
                    see(seen_as(fetch, value))?;
                }
            }
        }
        Fetch::UrlParam | Fetch::UrlParamVal => {
            let Some(request) = &facts.request else {
                return ControlFlow::Continue(());
            };
            let is_wanted = wanted(named(arguments), arguments.get(2));
            for (key, value) in parameters(request, arguments.get(1)) {
                if is_wanted(key) {
                    see(seen_as(fetch, value))?;
                }
            }
        }
        Fetch::ReqBodyParam => {
            let is_wanted = wanted(named(arguments), arguments.get(1));
            let bytes = body(facts).map_or(&[][..], |body| body.bytes);
            // As in HAProxy: what follows the first `=`, whatever is before it.
            if named(arguments).is_none() {
                let mut parts = bytes.splitn(2, |&byte| byte == b'=');
                let Some(rest) = parts.nth(1) else {
                    return ControlFlow::Continue(());
                };
                let end = rest.iter().position(|byte| matches!(byte, b'&' | b';'));
                return see(Value::Text(&rest[..end.unwrap_or(rest.len())]));
            }
            for (key, value) in pairs(bytes, None) {
                if is_wanted(key) {
                    see(Value::Text(value))?;
                }
            }
        }
        Fetch::HttpAuthGroup => {
            let groups = user(facts).map_or(&[][..], |user| &user.groups);
            for group in groups {
                see(Value::Text(group.as_bytes()))?;
            }
        }
        // By the table, no other fetch has many values.
        _ => {}
    }
    ControlFlow::Continue(())
}

/// The value of one of many texts: for some fetches a number, or an address.
fn seen_as(fetch: Fetch, text: &[u8]) -> Value<'_> {
    match fetch.row().yields {
        Type::Int => Value::Int(leading_number(text)),
        Type::Ip => address(text).map_or(Value::Absent, Value::Ip),
        _ => Value::Text(text),
    }
}

fn variable<'a>(arguments: &'a [Argument], facts: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
    let value = match arguments.first() {
        Some(Argument::Variable(variable)) => facts.variable(variable, scratch),
        _ => Value::Absent,
    };
    match (value, arguments.get(1)) {
        (Value::Absent, Some(Argument::Text(default))) => Value::Text(default.as_bytes()),
        (value, _) => value,
    }
}

/// What a rule has read of the body.
fn body<'a>(facts: &Facts<'a>) -> Option<BodyFacts<'a>> {
    facts.request.and_then(|request| request.body)
}

/// Whether a parameter has the wanted name, if there is one.
fn wanted<'a>(
    name: Option<&'a [u8]>,
    flags: Option<&Argument>,
) -> impl Fn(&[u8]) -> bool + use<'a> {
    let ignores_case = matches!(flags, Some(Argument::Text(flags)) if flags == "i");
    move |key| {
        name.is_none_or(|name| match ignores_case {
            true => name.eq_ignore_ascii_case(key),
            false => name == key,
        })
    }
}

/// The user whose password a rule has verified.
fn user<'a>(facts: &Facts<'a>) -> Option<&'a User> {
    facts.variables.and_then(Variables::user)
}

fn ip<'a>(addr: Option<IpAddr>) -> Value<'a> {
    addr.map_or(Value::Absent, |addr| Value::Ip(addr.to_canonical()))
}

fn int<'a>(number: Option<u16>) -> Value<'a> {
    number.map_or(Value::Absent, |number| Value::Int(number.into()))
}

fn text(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::Absent, |text| Value::Text(text.as_bytes()))
}

fn proxy_field<'a>(kind: u8, connection: &ConnectionFacts<'a>) -> Value<'a> {
    let fields = connection.proxy_fields;
    let value = fields.and_then(|fields| fields.get(kind));
    value.map_or(Value::Absent, Value::Text)
}

fn side(fetch: Fetch) -> Side {
    match fetch {
        Fetch::ResHdr
        | Fetch::ResFhdr
        | Fetch::ResHdrCnt
        | Fetch::ResFhdrCnt
        | Fetch::ResHdrIp
        | Fetch::ResHdrVal
        | Fetch::ResHdrNames
        | Fetch::ResHdrs => Side::Response,
        _ => Side::Request,
    }
}

fn field(arguments: &[Argument]) -> Option<&HeaderName> {
    match arguments.first() {
        Some(Argument::Field(name)) => Some(name),
        _ => None,
    }
}

/// The wanted name, as bytes.
fn named(arguments: &[Argument]) -> Option<&[u8]> {
    match arguments.first() {
        Some(Argument::Text(name)) => Some(name.as_bytes()),
        _ => None,
    }
}

/// The wanted occurrence of a field's values, or of its lines; else the last one.
fn occurrence<'a>(fetch: Fetch, arguments: &'a [Argument], facts: &Facts<'a>) -> Value<'a> {
    let asked = match arguments.get(1) {
        Some(Argument::Int(index)) => *index,
        _ => -1,
    };
    let Some(nth) = asked.unsigned_abs().checked_sub(1) else {
        return Value::Absent;
    };
    let Ok(nth) = usize::try_from(nth) else {
        return Value::Absent;
    };
    let found = match fetch {
        Fetch::ReqFhdr | Fetch::ResFhdr => nth_of(asked > 0, nth, || {
            facts.lines(side(fetch), field(arguments))
        }),
        _ => nth_of(asked > 0, nth, || {
            facts.lines(side(fetch), field(arguments)).flat_map(values)
        }),
    };
    found.map_or(Value::Absent, Value::Text)
}

/// The item with index `nth`, counted from the end unless `is_forwards`. Lists can only be read
/// forwards: a comma within quotes does not separate.
fn nth_of<I: Iterator>(is_forwards: bool, nth: usize, items: impl Fn() -> I) -> Option<I::Item> {
    match is_forwards {
        true => items().nth(nth),
        false => {
            let index = items().count().checked_sub(nth + 1)?;
            items().nth(index)
        }
    }
}

/// The values of a line: separated by commas that are not within quotes, without the space around
/// them. A line has at least one (RFC 9110 §5.6.1, §5.6.4).
fn values(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut is_quoted = false;
        let mut is_escaped = false;
        let comma = text.iter().position(|&byte| {
            match (is_escaped, byte) {
                (true, _) => is_escaped = false,
                (false, b'\\') => is_escaped = is_quoted,
                (false, b'"') => is_quoted = !is_quoted,
                (false, b',') => return !is_quoted,
                _ => {}
            }
            false
        });
        let (value, after) = match comma {
            Some(comma) => (&text[..comma], Some(&text[comma + 1..])),
            None => (text, None),
        };
        rest = after;
        Some(value.trim_ascii())
    })
}

/// Names and values of a line of cookies (RFC 6265 §5.4).
fn cookies(line: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    line.split(|&byte| byte == b';').filter_map(|cookie| {
        let equals = cookie.iter().position(|&byte| byte == b'=')?;
        Some((
            cookie[..equals].trim_ascii(),
            cookie[equals + 1..].trim_ascii(),
        ))
    })
}

/// The names of all cookies of a head, joined with the delimiter of the arguments.
fn cookie_names<'a>(
    fetch: Fetch,
    arguments: &'a [Argument],
    facts: &Facts<'a>,
    scratch: &mut Scratch,
) -> Value<'a> {
    // Only the first pair of `Set-Cookie` is a cookie.
    let (side, name, most) = match fetch {
        Fetch::ResCookNames => (Side::Response, &header::SET_COOKIE, 1),
        _ => (Side::Request, &header::COOKIE, usize::MAX),
    };
    let delimiter = named(arguments).unwrap_or(b",");
    if facts.headers(side).is_none() {
        return Value::Absent;
    }
    let lines = facts.lines(side, Some(name));
    let cookies = lines.flat_map(|line| cookies(line).take(most));
    scratch.write(|bytes| {
        for (index, (name, _)) in cookies.enumerate() {
            if index > 0 {
                bytes.extend_from_slice(delimiter);
            }
            bytes.extend_from_slice(name);
        }
    })
}

/// Names and values of the parameters after a delimiter, which is `?` by default.
fn parameters<'a>(
    request: &RequestFacts<'a>,
    delimiter: Option<&Argument>,
) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
    let delimiter = match delimiter {
        Some(Argument::Text(text)) => text.as_bytes().first().copied(),
        _ => None,
    };
    let behind = match delimiter {
        None | Some(b'?') => request.target.query().map(str::as_bytes),
        Some(other) => {
            let path = request.path.as_bytes();
            let query = request.target.query().unwrap_or_default().as_bytes();
            [path, query].into_iter().find_map(|text| {
                let at = text.iter().position(|&byte| byte == other)?;
                Some(&text[at + 1..])
            })
        }
    };
    let separator = delimiter.filter(|&byte| byte != b'?');
    pairs(behind.unwrap_or_default(), separator)
}

/// Names and values of parameters, separated by `&`, `;` and `separator`.
fn pairs(text: &[u8], separator: Option<u8>) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(move |&byte| byte == b'&' || byte == b';' || Some(byte) == separator)
        .filter(|parameter| !parameter.is_empty())
        .map(
            |parameter| match parameter.iter().position(|&byte| byte == b'=') {
                Some(equals) => (&parameter[..equals], &parameter[equals + 1..]),
                None => (parameter, &[][..]),
            },
        )
}
