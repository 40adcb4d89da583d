//! Reads the ClientHello, which is in the clear: the wanted name (SNI) and the offered protocols
//! (ALPN).
//!
//! TCP mode calls [`peek`] with the first bytes of a connection to find a backend without
//! terminating TLS. Only what decides a route is parsed; the rest of the message is validated by
//! the server.
//!
//! RFC 8446 §4.1.2 and §5.1 (records), RFC 6066 §3 (`server_name`), RFC 7301 §3.1 (ALPN).

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use super::host::Authority;

/// The longest message that is accepted. One with post-quantum key shares has 1.5 to 2.5 KiB; a
/// session ticket or an encrypted inner message adds a few more.
pub const LONGEST_MESSAGE_BYTES: usize = 16 * 1024;

/// The most records of one message. Libraries split it at the size of a packet or, to get past
/// filters, in the middle of the name: into a handful.
const MOST_RECORDS: usize = 64;

/// The most bytes that [`peek`] needs to decide.
pub const LONGEST_BYTES: usize = LONGEST_MESSAGE_BYTES + MOST_RECORDS * RECORD_HEAD_BYTES;

/// Type, version and length.
const RECORD_HEAD_BYTES: usize = 5;

/// RFC 8446 §5.1.
const LONGEST_RECORD_BYTES: usize = 1 << 14;

/// Type and length.
const MESSAGE_HEAD_BYTES: usize = 4;

// RFC 8446 §5.1 and §4.
const RECORD_OF_HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

// RFC 8446 §4.2.
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;

/// The beginning of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// Not TLS.
    NotTls,
    /// A TLS client.
    Tls(ClientHello),
}

/// The parsed parts of a ClientHello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The host, in the form of [`Authority::host`]. `None` also for an address, which is not
    /// allowed there (RFC 6066 §3).
    pub server_name: Option<String>,
    /// The protocols that it offers, the preferred one first.
    pub alpn: Vec<Vec<u8>>,
    /// `legacy_version`: 0x0303 for TLS 1.2 and 1.3.
    pub version: u16,
}

/// Looks like TLS and is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MalformedHello {
    /// A record that is not allowed here, is empty or too long.
    Record,
    /// Another message than a `ClientHello`.
    Message,
    /// More than [`LONGEST_MESSAGE_BYTES`], or in too many records.
    TooLong,
    /// A wrong length, or an extension that occurs twice.
    Field,
    /// A name that is no host name.
    ServerName,
}

impl fmt::Display for MalformedHello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Record => "a malformed TLS record",
            Self::Message => "a TLS connection that does not begin with a ClientHello",
            Self::TooLong => "a ClientHello that is longer than we read",
            Self::Field => "a malformed ClientHello",
            Self::ServerName => "a ClientHello with a malformed server name",
        })
    }
}

impl std::error::Error for MalformedHello {}

/// Parses the beginning of a connection; `None`: more bytes are needed, which never happens with
/// [`LONGEST_BYTES`] or more.
///
/// # Errors
///
/// [`MalformedHello`], as early as possible.
pub fn peek(bytes: &[u8]) -> Result<Option<First>, MalformedHello> {
    match bytes {
        [] | [RECORD_OF_HANDSHAKE] => return Ok(None),
        // Every version since SSL 3 begins with 3. No other protocol begins with these two bytes.
        [RECORD_OF_HANDSHAKE, 3, ..] => {}
        _ => return Ok(Some(First::NotTls)),
    }
    match message(bytes)? {
        Some(message) => Ok(Some(First::Tls(parse(&message)?))),
        None => Ok(None),
    }
}

/// The first message without its head, joined from its records.
fn message(bytes: &[u8]) -> Result<Option<Cow<'_, [u8]>>, MalformedHello> {
    let mut rest = bytes;
    let mut joined = Vec::new();
    for _ in 0..MOST_RECORDS {
        let Some((payload, is_whole)) = next_record(&mut rest)? else {
            return Ok(None);
        };
        if joined.is_empty() {
            // Nearly always the message is in one record: nothing is copied then.
            if let Some(length) = message_length(payload)?
                && let Some(message) = payload.get(MESSAGE_HEAD_BYTES..length)
            {
                return Ok(Some(Cow::Borrowed(message)));
            }
        }
        joined.extend_from_slice(payload);
        if let Some(length) = message_length(&joined)?
            && joined.len() >= length
        {
            joined.truncate(length);
            joined.drain(..MESSAGE_HEAD_BYTES);
            return Ok(Some(Cow::Owned(joined)));
        }
        if !is_whole {
            return Ok(None);
        }
    }
    Err(MalformedHello::TooLong)
}

/// The length of a message with its head, if the head is complete.
fn message_length(bytes: &[u8]) -> Result<Option<usize>, MalformedHello> {
    if bytes.first().is_some_and(|&kind| kind != CLIENT_HELLO) {
        return Err(MalformedHello::Message);
    }
    let Some(&[_, high, middle, low]) = bytes.first_chunk::<MESSAGE_HEAD_BYTES>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([0, high, middle, low]) as usize + MESSAGE_HEAD_BYTES;
    if length > LONGEST_MESSAGE_BYTES {
        return Err(MalformedHello::TooLong);
    }
    Ok(Some(length))
}

/// The available part of the record at the beginning of `rest`, and whether it is complete; `rest`
/// moves past it.
fn next_record<'a>(rest: &mut &'a [u8]) -> Result<Option<(&'a [u8], bool)>, MalformedHello> {
    let wrong = match **rest {
        [kind, ..] if kind != RECORD_OF_HANDSHAKE => true,
        [_, major, ..] => major != 3,
        _ => false,
    };
    if wrong {
        return Err(MalformedHello::Record);
    }
    let Some((&[_, _, _, high, low], payload)) = rest.split_first_chunk::<RECORD_HEAD_BYTES>()
    else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length == 0 || length > LONGEST_RECORD_BYTES {
        // RFC 8446 §5.1: "Implementations MUST NOT send zero-length fragments of Handshake types".
        return Err(MalformedHello::Record);
    }
    let is_whole = payload.len() >= length;
    let (record, behind) = payload.split_at(length.min(payload.len()));
    *rest = behind;
    Ok(Some((record, is_whole)))
}

fn parse(message: &[u8]) -> Result<ClientHello, MalformedHello> {
    let mut fields = Fields(message);
    let mut hello = ClientHello {
        version: fields.take_u16()?,
        ..ClientHello::default()
    };
    // random
    fields.take(32)?;
    // legacy_session_id, cipher_suites, legacy_compression_methods
    fields.take_vector_u8()?;
    fields.take_vector_u16()?;
    fields.take_vector_u8()?;
    if fields.0.is_empty() {
        // TLS 1.2 without extensions (RFC 5246 §7.4.1.2).
        return Ok(hello);
    }
    let mut extensions = Fields(fields.take_vector_u16()?);
    if !fields.0.is_empty() {
        return Err(MalformedHello::Field);
    }
    let (mut has_name, mut has_alpn) = (false, false);
    while !extensions.0.is_empty() {
        let kind = extensions.take_u16()?;
        let value = extensions.take_vector_u16()?;
        match kind {
            // RFC 8446 §4.2: no extension twice. With two names, we and the server could each use
            // another one.
            SERVER_NAME if std::mem::replace(&mut has_name, true) => {
                return Err(MalformedHello::Field);
            }
            ALPN if std::mem::replace(&mut has_alpn, true) => return Err(MalformedHello::Field),
            SERVER_NAME => hello.server_name = parse_server_name(value)?,
            ALPN => hello.alpn = parse_alpn(value)?,
            _ => {}
        }
    }
    Ok(hello)
}

fn parse_server_name(value: &[u8]) -> Result<Option<String>, MalformedHello> {
    let mut outer = Fields(value);
    let mut list = Fields(outer.take_vector_u16()?);
    // One name of the only existing type: lists of several were never used, and a second name of
    // the same type is forbidden.
    let kind = list.take(1)?;
    let name = list.take_vector_u16()?;
    if kind != [0] || !list.0.is_empty() || !outer.0.is_empty() {
        return Err(MalformedHello::ServerName);
    }
    let text = str::from_utf8(name).map_err(|_| MalformedHello::ServerName)?;
    if text.parse::<IpAddr>().is_ok() {
        return Ok(None);
    }
    match Authority::parse(name) {
        // A colon is not part of a name, not even at its end.
        Ok(authority) if !name.contains(&b':') => Ok(Some(authority.host.into_owned())),
        _ => Err(MalformedHello::ServerName),
    }
}

fn parse_alpn(value: &[u8]) -> Result<Vec<Vec<u8>>, MalformedHello> {
    let mut outer = Fields(value);
    let mut list = Fields(outer.take_vector_u16()?);
    let mut protocols = Vec::new();
    while !list.0.is_empty() {
        let protocol = list.take_vector_u8()?;
        if protocol.is_empty() {
            return Err(MalformedHello::Field);
        }
        protocols.push(protocol.to_vec());
    }
    if protocols.is_empty() || !outer.0.is_empty() {
        return Err(MalformedHello::Field);
    }
    Ok(protocols)
}

/// The rest of a message, parsed from its beginning (RFC 8446 §3.4).
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], MalformedHello> {
        self.0.split_off(..length).ok_or(MalformedHello::Field)
    }

    fn take_u16(&mut self) -> Result<u16, MalformedHello> {
        let (chunk, rest) = self.0.split_first_chunk().ok_or(MalformedHello::Field)?;
        self.0 = rest;
        Ok(u16::from_be_bytes(*chunk))
    }

    fn take_vector_u8(&mut self) -> Result<&'a [u8], MalformedHello> {
        let length = usize::from(self.take(1)?[0]);
        self.take(length)
    }

    fn take_vector_u16(&mut self) -> Result<&'a [u8], MalformedHello> {
        let length = usize::from(self.take_u16()?);
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn u16_bytes(number: usize) -> [u8; 2] {
        u16::try_from(number).expect("short").to_be_bytes()
    }

    fn vector_u16(bytes: &[u8]) -> Vec<u8> {
        [&u16_bytes(bytes.len())[..], bytes].concat()
    }

    fn extension(kind: u16, value: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &vector_u16(value)].concat()
    }

    fn server_name(name: &[u8]) -> Vec<u8> {
        let entry = [&[0][..], &vector_u16(name)].concat();
        extension(SERVER_NAME, &vector_u16(&entry))
    }

    fn alpn(protocols: &[&[u8]]) -> Vec<u8> {
        let list: Vec<u8> = protocols
            .iter()
            .flat_map(|protocol| [&[protocol.len() as u8][..], protocol].concat())
            .collect();
        extension(ALPN, &vector_u16(&list))
    }

    /// A message with these extensions.
    fn hello(extensions: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend_from_slice(&[7; 32]);
        body.extend_from_slice(&[0, 0, 2, 0x13, 1, 1, 0]);
        body.extend_from_slice(&vector_u16(&extensions.concat()));
        message(&body)
    }

    fn message(body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).expect("short").to_be_bytes();
        [&[CLIENT_HELLO], &length[1..], body].concat()
    }

    /// `message` in records of at most `size` bytes.
    fn in_records(message: &[u8], size: usize) -> Vec<u8> {
        message.chunks(size).flat_map(record).collect()
    }

    fn record(payload: &[u8]) -> Vec<u8> {
        [&[22, 3, 1][..], &vector_u16(payload)].concat()
    }

    fn read(extensions: &[Vec<u8>]) -> Result<ClientHello, MalformedHello> {
        match peek(&record(&hello(extensions)))?.expect("complete") {
            First::Tls(hello) => Ok(hello),
            First::NotTls => unreachable!("it begins like TLS"),
        }
    }

    #[test]
    fn the_name_and_the_protocols_are_found_among_other_extensions() {
        let extensions = [
            extension(0x0a0a, b""),
            server_name(b"WWW.Example.com"),
            extension(43, &[2, 3, 4]),
            alpn(&[b"h2", b"http/1.1"]),
        ];
        let expected = ClientHello {
            server_name: Some("www.example.com".to_owned()),
            alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            version: 0x0303,
        };
        assert_eq!(read(&extensions), Ok(expected));
    }

    #[test]
    fn a_client_may_say_neither() {
        let silent = ClientHello {
            version: 0x0303,
            ..ClientHello::default()
        };
        assert_eq!(read(&[]), Ok(silent.clone()));
        assert_eq!(read(&[server_name(b"192.0.2.1")]), Ok(silent.clone()));
        assert_eq!(read(&[server_name(b"2001:db8::1")]), Ok(silent.clone()));
        let mut without_extensions = vec![3, 3];
        without_extensions.extend_from_slice(&[7; 32]);
        without_extensions.extend_from_slice(&[0, 0, 2, 0x13, 1, 1, 0]);
        let bytes = record(&message(&without_extensions));
        assert_eq!(peek(&bytes), Ok(Some(First::Tls(silent))));
    }

    #[test]
    fn other_protocols_are_recognised_by_their_first_bytes() {
        for bytes in [
            &b"G"[..],
            b"SSH-2.0",
            b"\x16G",
            b"\x80\x2e\x01",
            b"\x15\x03",
            b"\0",
        ] {
            assert_eq!(peek(bytes), Ok(Some(First::NotTls)), "{bytes:?}");
        }
        for bytes in [&b""[..], b"\x16", b"\x16\x03"] {
            assert_eq!(peek(bytes), Ok(None), "{bytes:?}");
        }
    }

    #[test]
    fn a_message_in_many_records_and_many_reads_is_one() {
        // As large as one with post-quantum key shares.
        let extensions = [extension(51, &[9; 1300]), server_name(b"a.example")];
        let message = hello(&extensions);
        let expected = peek(&record(&message)).expect("well-formed");
        for size in [message.len(), 1000, 100, 23] {
            let bytes = in_records(&message, size);
            for length in 0..bytes.len() {
                assert_eq!(peek(&bytes[..length]), Ok(None), "{size}: after {length}");
            }
            assert_eq!(peek(&bytes), Ok(expected.clone()), "{size}");
            let with_more = [&bytes[..], b"\x14\x03\x03\0\x01\x01"].concat();
            assert_eq!(peek(&with_more), Ok(expected.clone()), "{size}");
        }
    }

    #[test]
    fn a_record_that_continues_after_the_message_does_not_delay_it() {
        let message = hello(&[server_name(b"a.example")]);
        let bytes = record(&[&message[..], &[0; 100]].concat());
        let needed = RECORD_HEAD_BYTES + message.len();
        assert!(matches!(peek(&bytes[..needed]), Ok(Some(First::Tls(_)))));
        assert_eq!(peek(&bytes[..needed - 1]), Ok(None));
    }

    #[test]
    fn a_message_is_read_up_to_its_bounds() {
        let filled = |bytes: usize| {
            let empty = hello(&[extension(21, b"")]).len();
            hello(&[extension(21, &vec![0; bytes - empty])])
        };
        let at_bound = filled(LONGEST_MESSAGE_BYTES);
        assert_eq!(at_bound.len(), LONGEST_MESSAGE_BYTES);
        assert!(matches!(peek(&record(&at_bound)), Ok(Some(First::Tls(_)))));
        let past_it = in_records(&filled(LONGEST_MESSAGE_BYTES + 1), 100);
        assert_eq!(peek(&past_it[..9]), Err(MalformedHello::TooLong));

        let message = hello(&[extension(21, &[0; 1000])]);
        let most = in_records(&message, message.len().div_ceil(MOST_RECORDS));
        assert!(matches!(peek(&most), Ok(Some(First::Tls(_)))));
        let too_many = in_records(&message, message.len() / (MOST_RECORDS + 1));
        assert_eq!(peek(&too_many), Err(MalformedHello::TooLong));
    }

    #[test]
    fn records_and_messages_of_a_wrong_type_are_refused() {
        let cases = [
            (&b"\x16\x03\x01\0\0"[..], MalformedHello::Record),
            (b"\x16\x03\x01\x40\x01", MalformedHello::Record),
            (b"\x16\x03\x01\0\x01\x01\x15", MalformedHello::Record),
            (b"\x16\x03\x01\0\x01\x01\x16\x02", MalformedHello::Record),
            (b"\x16\x03\x01\0\x05\x02", MalformedHello::Message),
        ];
        for (bytes, fault) in cases {
            assert_eq!(peek(bytes), Err(fault), "{bytes:?}");
        }
    }

    #[test]
    fn malformed_extensions_are_refused() {
        let cases = [
            vec![alpn(&[])],
            vec![alpn(&[b""])],
            vec![alpn(&[b"h2"]), alpn(&[b"h2"])],
            vec![server_name(b"a"), server_name(b"b")],
            vec![vec![0, 21, 0]],
            vec![vec![0, 21, 0, 2, 1]],
            vec![extension(ALPN, &[0, 3, 2, b'h', b'2', 0])],
        ];
        for extensions in cases {
            assert_eq!(
                read(&extensions),
                Err(MalformedHello::Field),
                "{extensions:?}"
            );
        }
        let mut longer = hello(&[]);
        longer.push(0);
        longer[3] += 1;
        assert_eq!(peek(&record(&longer)), Err(MalformedHello::Field));
    }

    #[test]
    fn an_invalid_host_name_is_refused() {
        for name in [
            &b""[..],
            b"a b",
            b"a:443",
            b"a:",
            b"[::1]",
            b"a..b",
            b"a/b",
            b"\xff",
        ] {
            let fault = read(&[server_name(name)]);
            assert_eq!(fault, Err(MalformedHello::ServerName), "{name:?}");
        }
        let two = [&[0][..], &vector_u16(b"a"), &[0], &vector_u16(b"b")].concat();
        for list in [&two[..], &[1, 0, 1, b'a']] {
            let name = extension(SERVER_NAME, &vector_u16(list));
            assert_eq!(read(&[name]), Err(MalformedHello::ServerName), "{list:?}");
        }
    }

    proptest! {
        #[test]
        fn how_it_is_cut_does_not_matter(name in "[a-z]{1,20}(\\.[a-z]{1,20}){0,3}", size in 8usize..200) {
            let message = hello(&[server_name(name.as_bytes()), alpn(&[b"h2"])]);
            let expected = ClientHello {
                server_name: Some(name),
                alpn: vec![b"h2".to_vec()],
                version: 0x0303,
            };
            prop_assert_eq!(peek(&in_records(&message, size)), Ok(Some(First::Tls(expected))));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = peek(&bytes);
            let _ = peek(&record(&message(&bytes)));
            let mut body = vec![3; 34];
            body.extend_from_slice(&bytes);
            let _ = peek(&record(&message(&body)));
        }
    }
}
