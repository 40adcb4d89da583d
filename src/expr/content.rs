//! What a client sends first, for rules for content: raw bytes, a ClientHello, or HTTP.
//!
//! The rules are evaluated while bytes still arrive. A fetch that has no value yet, or whose value may change,
//! notes that in [`Content::awaits_more`]; a test that does not hold is then undecided
//! ([`Condition::decide`](super::Condition::decide)), as in HAProxy.

use std::cell::Cell;

use crate::plan::expr::{Argument, Fetch};

use super::scratch::Value;

/// The first bytes of a connection.
#[derive(Debug)]
pub struct Content<'a> {
    /// As received.
    pub bytes: &'a [u8],
    /// The client's first TLS message.
    pub hello: Seen<Hello<'a>>,
    /// The head of an HTTP request.
    pub http: Seen<()>,
    /// Whether these are all bytes that the rules get.
    pub is_final: bool,
    /// Whether a value may change with more bytes. Written by fetches.
    awaits_more: Cell<bool>,
}

/// Something that bytes may begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<T> {
    /// More bytes decide.
    NotYet,
    /// They do not.
    No,
    /// They do.
    Yes(T),
}

/// A ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello<'a> {
    /// The name that the client asks for, in lower case.
    pub server_name: Option<&'a str>,
    /// The protocol that it prefers (ALPN).
    pub protocol: Option<&'a [u8]>,
    /// Its field `legacy_version`.
    pub version: u16,
}

impl<'a> Content<'a> {
    /// The content `bytes`, which begin in these ways.
    pub fn new(bytes: &'a [u8], hello: Seen<Hello<'a>>, http: Seen<()>, is_final: bool) -> Self {
        Self {
            bytes,
            hello,
            http,
            is_final,
            awaits_more: Cell::new(false),
        }
    }

    /// Whether a value that was read since the last call may change with more bytes.
    pub fn awaits_more(&self) -> bool {
        self.awaits_more.replace(false) && !self.is_final
    }

    fn wait<'v>(&self) -> Value<'v> {
        self.awaits_more.set(true);
        Value::Absent
    }

    /// The value of `fetch`, which is one of content.
    pub(super) fn value(&self, fetch: Fetch, arguments: &[Argument]) -> Value<'a> {
        let of_hello = |read: fn(Hello<'a>) -> Value<'a>| match self.hello {
            Seen::NotYet => self.wait(),
            Seen::No => Value::Absent,
            Seen::Yes(hello) => read(hello),
        };
        match fetch {
            Fetch::ReqLen => {
                self.awaits_more.set(true);
                Value::Int(self.bytes.len() as i64)
            }
            Fetch::ReqPayload => self.payload(number(arguments, 0), number(arguments, 1)),
            Fetch::ReqPayloadLv => self.payload_of_length(arguments),
            Fetch::ReqSslSni => of_hello(|hello| text(hello.server_name.map(str::as_bytes))),
            Fetch::ReqSslAlpn => of_hello(|hello| text(hello.protocol)),
            Fetch::ReqSslVer => of_hello(|hello| {
                let [major, minor] = hello.version.to_be_bytes();
                Value::Int((i64::from(major) << 16) + i64::from(minor))
            }),
            // Of all messages, only a ClientHello is read.
            Fetch::ReqSslHelloType => of_hello(|_| Value::Int(1)),
            Fetch::ReqProtoHttp => match self.http {
                Seen::NotYet => self.wait(),
                Seen::No => Value::Bool(false),
                Seen::Yes(()) => Value::Bool(true),
            },
            Fetch::RdpCookie => self.rdp_cookie(arguments),
            Fetch::RdpCookieCnt => match self.rdp_cookie(arguments) {
                Value::Absent => Value::Int(0),
                _ => Value::Int(1),
            },
            Fetch::WaitEnd => {
                self.awaits_more.set(true);
                Value::Bool(self.is_final)
            }
            _ => Value::Absent,
        }
    }

    /// `length` bytes from `offset` on; all that there are if it is 0.
    fn payload(&self, offset: usize, length: usize) -> Value<'a> {
        if length == 0 {
            self.awaits_more.set(true);
            return text(self.bytes.get(offset..));
        }
        let end = offset.saturating_add(length);
        match self.bytes.get(offset..end) {
            Some(bytes) => Value::Text(bytes),
            None => self.wait(),
        }
    }

    /// The bytes whose length is a number of so many bytes, most significant first.
    fn payload_of_length(&self, arguments: &[Argument]) -> Value<'a> {
        let (at, size) = (number(arguments, 0), number(arguments, 1));
        let behind = at.saturating_add(size);
        let Some(digits) = self.bytes.get(at..behind) else {
            return self.wait();
        };
        let length = digits
            .iter()
            .fold(0_usize, |length, digit| (length << 8) | usize::from(*digit));
        let start = match arguments.get(2) {
            // A sign makes it relative to the end of the number.
            Some(Argument::Text(written)) => {
                let offset = written.parse::<i64>().unwrap_or(0);
                match written.starts_with(['+', '-']) {
                    true => usize::try_from(behind as i64 + offset).unwrap_or(0),
                    false => usize::try_from(offset).unwrap_or(0),
                }
            }
            _ => behind,
        };
        match length {
            0 => Value::Absent,
            length => self.payload(start, length),
        }
    }

    /// The value of a cookie in the request of a client of the Remote Desktop Protocol: of the one with the
    /// wanted name, or of any (\[MS-RDPBCGR\] §2.2.1.1).
    fn rdp_cookie(&self, arguments: &[Argument]) -> Value<'a> {
        /// The heads of TPKT and of X.224.
        const HEADS: usize = 11;
        const WORD: &[u8] = b"Cookie:";
        let bytes = self.bytes;
        let fits = |bytes: &[u8], start: &[u8]| {
            let end = bytes.len().min(start.len());
            bytes[..end].eq_ignore_ascii_case(&start[..end])
        };
        if !fits(bytes, &[3]) {
            return Value::Absent;
        }
        let Some(rest) = bytes.get(HEADS..) else {
            return self.wait();
        };
        if !fits(rest, WORD) {
            return Value::Absent;
        }
        let Some(rest) = rest.get(WORD.len()..) else {
            return self.wait();
        };
        let rest = rest.trim_ascii_start();
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else {
            return self.wait();
        };
        let line = &rest[..end];
        let Some(equals) = line.iter().position(|byte| *byte == b'=') else {
            return Value::Absent;
        };
        let name = &line[..equals];
        let is_wanted = match arguments.first() {
            Some(Argument::Text(wanted)) => name.eq_ignore_ascii_case(wanted.as_bytes()),
            _ => true,
        };
        match is_wanted {
            true => Value::Text(&line[equals + 1..]),
            false => Value::Absent,
        }
    }
}

fn number(arguments: &[Argument], index: usize) -> usize {
    match arguments.get(index) {
        Some(Argument::Int(number)) => usize::try_from(*number).unwrap_or(usize::MAX),
        _ => 0,
    }
}

fn text<'a>(text: Option<&'a [u8]>) -> Value<'a> {
    text.map_or(Value::Absent, Value::Text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::written;
    use crate::expr::tests::Asked;
    use crate::expr::{Condition, Scratch};

    const HELLO: Hello<'_> = Hello {
        server_name: Some("a.test"),
        protocol: Some(b"h2"),
        version: 0x0303,
    };

    /// What `condition` is for `content`.
    fn decided(condition: &str, content: &Content<'_>) -> Option<bool> {
        let condition = Condition::compile(&written::condition(condition));
        let asked = Asked::get("/");
        let mut facts = asked.facts();
        facts.request = None;
        facts.connection.content = Some(content);
        condition.decide(&facts, &mut Scratch::default())
    }

    #[test]
    fn a_test_that_may_change_is_undecided_until_it_holds_or_all_bytes_are_there() {
        let beginning = |bytes, is_final| Content::new(bytes, Seen::NotYet, Seen::NotYet, is_final);
        for (condition, early, late) in [
            ("req.len > 3", None, Some(false)),
            ("not req.len > 3", None, Some(true)),
            ("req.len == 2", Some(true), Some(true)),
            ("req.payload(0,2) == \"ab\"", Some(true), Some(true)),
            ("req.payload(0,2) == \"xy\"", Some(false), Some(false)),
            ("req.payload(1,2) == \"bc\"", None, Some(false)),
            ("req.payload(0,0) == \"abc\"", None, Some(false)),
            ("req.ssl_sni == \"a.test\"", None, Some(false)),
            ("req.proto_http", None, Some(false)),
            ("wait_end", None, Some(true)),
            // "and" is false as soon as one part is, and "or" true.
            (
                "req.len > 3 and src == \"10.9.9.9\"",
                Some(false),
                Some(false),
            ),
            (
                "req.len > 3 or src == \"192.0.2.7\"",
                Some(true),
                Some(true),
            ),
            ("req.len > 3 and src == \"192.0.2.7\"", None, Some(false)),
        ] {
            assert_eq!(
                decided(condition, &beginning(b"ab", false)),
                early,
                "{condition}"
            );
            assert_eq!(
                decided(condition, &beginning(b"ab", true)),
                late,
                "{condition}"
            );
        }
    }

    #[test]
    fn a_hello_and_texts_with_a_length_are_read() {
        let bytes = b"\x02hi\x00\x03xabc";
        let content = Content::new(bytes, Seen::Yes(HELLO), Seen::Yes(()), false);
        for condition in [
            "req.ssl_sni == \"a.test\" and req.ssl_alpn == \"h2\"",
            "req.ssl_ver == 196611 and req.ssl_hello_type == 1",
            "req.proto_http",
            "req.payload_lv(0,1) == \"hi\"",
            "req.payload_lv(3,2,+1) == \"abc\"",
            "req.payload_lv(3,2,6) == \"abc\"",
        ] {
            assert_eq!(decided(condition, &content), Some(true), "{condition}");
        }
        assert_eq!(decided("req.payload_lv(3,2,7) found", &content), None);
        assert_eq!(decided("rdp_cookie found", &content), Some(false));
    }

    #[test]
    fn no_bytes_panic() {
        let samples: [&[u8]; 5] = [
            b"",
            b"\x03",
            b"\x03\0\0\0\0\0\0\0\0\0\0Cookie: a",
            b"\xff\xff\xff\xff",
            &[3; 64],
        ];
        for bytes in samples {
            let content = Content::new(bytes, Seen::No, Seen::No, true);
            for condition in [
                "req.payload_lv(0,4,-9) found",
                "req.payload_lv(0,4,+99999999999) found",
                "req.payload(1048576,1048576) found",
                "rdp_cookie(a) found or rdp_cookie_cnt > 0",
            ] {
                assert!(decided(condition, &content).is_some());
            }
        }
    }
}
