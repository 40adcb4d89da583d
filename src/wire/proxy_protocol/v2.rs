//! Version 2: a binary block, with fields of type, length and value after the addresses (§2.2).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{
    ClientFlags, Endpoints, Extras, Header, LONGEST_BYTES, LONGEST_UNIQUE_ID_BYTES, Malformed,
    OneFamily, Tls, Verified, in_one_family,
};

/// Twelve bytes that no other protocol begins with.
pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, command, family and length.
const FIXED_BYTES: usize = 16;

/// The room for the path of a Unix socket.
const UNIX_BYTES: usize = 108;

/// Longer values are not written: our names and identifiers are shorter, and a header should fit
/// into one packet.
const LONGEST_WRITTEN_BYTES: usize = 1024;

// The commands, with the version above them.
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;

// Families of addresses, in the upper four bits.
const UNSPEC: u8 = 0x0;
const INET: u8 = 0x1;
const INET6: u8 = 0x2;
const UNIX: u8 = 0x3;

// Transports, in the lower four bits.
const STREAM: u8 = 0x1;
const DATAGRAM: u8 = 0x2;

// Types of fields.
const ALPN: u8 = 0x01;
const AUTHORITY: u8 = 0x02;
const CRC32C: u8 = 0x03;
const UNIQUE_ID: u8 = 0x05;
const SSL: u8 = 0x20;
const SSL_VERSION: u8 = 0x21;
const SSL_CN: u8 = 0x22;
const SSL_CIPHER: u8 = 0x23;
const SSL_SIG_ALG: u8 = 0x24;
const SSL_KEY_ALG: u8 = 0x25;

/// Whether a header ends with a checksum over itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// It does.
    Written,
    /// It does not: TCP has one of its own.
    LeftOut,
}

/// Writes `header`. Without addresses nothing else is written either, because few receivers read
/// on; a value of more than 1 KiB, and an identifier of more than 128 bytes, is left out.
pub fn write_v2(header: &Header<'_>, checksum: Checksum, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(SIGNATURE);
    let has_addresses = write_endpoints(&header.endpoints, out);
    if has_addresses {
        write_extras(&header.extras, out);
    }
    let crc_at = (checksum == Checksum::Written && has_addresses).then(|| {
        write_field(CRC32C, &[0; 4], out);
        out.len() - 4
    });
    let length = u16::try_from(out.len() - start - FIXED_BYTES)
        .expect("a few fields of a bounded length each");
    out[start + FIXED_BYTES - 2..start + FIXED_BYTES].copy_from_slice(&length.to_be_bytes());
    if let Some(at) = crc_at {
        let sum = crc32c(&[&out[start..]]);
        out[at..].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Writes command, family, a placeholder for the length, and the addresses. Returns whether there
/// are any.
fn write_endpoints(endpoints: &Endpoints<'_>, out: &mut Vec<u8>) -> bool {
    match endpoints {
        Endpoints::Own => out.extend_from_slice(&[LOCAL, UNSPEC, 0, 0]),
        Endpoints::Unknown => out.extend_from_slice(&[PROXY, UNSPEC, 0, 0]),
        Endpoints::Ip {
            source,
            destination,
        } => {
            match in_one_family(*source, *destination) {
                OneFamily::V4(source, destination) => {
                    out.extend_from_slice(&[PROXY, INET << 4 | STREAM, 0, 0]);
                    out.extend_from_slice(&source.octets());
                    out.extend_from_slice(&destination.octets());
                }
                OneFamily::V6(source, destination) => {
                    out.extend_from_slice(&[PROXY, INET6 << 4 | STREAM, 0, 0]);
                    out.extend_from_slice(&source.octets());
                    out.extend_from_slice(&destination.octets());
                }
            }
            out.extend_from_slice(&source.port().to_be_bytes());
            out.extend_from_slice(&destination.port().to_be_bytes());
            return true;
        }
        Endpoints::Unix {
            source,
            destination,
        } => {
            out.extend_from_slice(&[PROXY, UNIX << 4 | STREAM, 0, 0]);
            for path in [source, destination] {
                let path = &path[..path.len().min(UNIX_BYTES)];
                out.extend_from_slice(path);
                out.resize(out.len() + UNIX_BYTES - path.len(), 0);
            }
            return true;
        }
    }
    false
}

fn write_extras(extras: &Extras<'_>, out: &mut Vec<u8>) {
    if let Some(alpn) = extras.alpn {
        write_field(ALPN, alpn, out);
    }
    if let Some(authority) = extras.authority {
        write_field(AUTHORITY, authority.as_bytes(), out);
    }
    if let Some(id) = extras
        .unique_id
        .filter(|id| id.len() <= LONGEST_UNIQUE_ID_BYTES)
    {
        write_field(UNIQUE_ID, id, out);
    }
    if let Some(tls) = &extras.tls {
        write_tls(tls, out);
    }
}

fn write_tls(tls: &Tls<'_>, out: &mut Vec<u8>) {
    let mut value = vec![tls.client.0];
    value.extend_from_slice(&tls.verified.0.to_be_bytes());
    let names = [
        (SSL_VERSION, tls.version),
        (SSL_CN, tls.common_name),
        (SSL_CIPHER, tls.cipher),
        (SSL_SIG_ALG, tls.signature),
        (SSL_KEY_ALG, tls.key),
    ];
    for (kind, name) in names {
        if let Some(name) = name {
            write_field(kind, name.as_bytes(), &mut value);
        }
    }
    write_length(SSL, value.len(), out);
    out.extend_from_slice(&value);
}

fn write_field(kind: u8, value: &[u8], out: &mut Vec<u8>) {
    if value.len() <= LONGEST_WRITTEN_BYTES {
        write_length(kind, value.len(), out);
        out.extend_from_slice(value);
    }
}

fn write_length(kind: u8, length: usize, out: &mut Vec<u8>) {
    let length = u16::try_from(length).expect("a few values of 1 KiB at most");
    out.push(kind);
    out.extend_from_slice(&length.to_be_bytes());
}

/// Reads a header from `bytes`, which begin with [`SIGNATURE`] or are the beginning of it.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Header<'_>, usize)>, Malformed> {
    let Some(&command) = bytes.get(SIGNATURE.len()) else {
        return Ok(None);
    };
    if command != LOCAL && command != PROXY {
        return Err(Malformed::Command);
    }
    let Some(&[family, high, low]) = bytes.get(SIGNATURE.len() + 1..FIXED_BYTES) else {
        return Ok(None);
    };
    let length = FIXED_BYTES + usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST_BYTES {
        return Err(Malformed::TooLong);
    }
    let Some(whole) = bytes.get(..length) else {
        return Ok(None);
    };
    let header = if command == LOCAL {
        // "must … discard the protocol block including the family which is ignored"
        without_addresses(Endpoints::Own)
    } else {
        parse_block(family, whole)?
    };
    Ok(Some((header, length)))
}

/// Types and values of the fields of `header`, which `parse` has accepted. None without addresses.
pub fn fields(header: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = header.get(fields_at(header)..).unwrap_or_default();
    std::iter::from_fn(move || next_field(&mut rest).ok().flatten())
}

/// Where the fields of `header` begin; without fields, its end.
fn fields_at(header: &[u8]) -> usize {
    let end = header.len();
    if !header.starts_with(SIGNATURE) {
        return end;
    }
    match header[SIGNATURE.len()..] {
        [PROXY, family, ..] if family & 0xf != UNSPEC => match family >> 4 {
            INET => FIXED_BYTES + 2 * (4 + 2),
            INET6 => FIXED_BYTES + 2 * (16 + 2),
            UNIX => FIXED_BYTES + 2 * UNIX_BYTES,
            _ => end,
        },
        _ => end,
    }
}

fn without_addresses(endpoints: Endpoints<'_>) -> Header<'_> {
    Header {
        endpoints,
        extras: Extras::default(),
    }
}

fn parse_block(family: u8, whole: &[u8]) -> Result<Header<'_>, Malformed> {
    let (family, transport) = (family >> 4, family & 0xf);
    if family > UNIX || transport > DATAGRAM {
        return Err(Malformed::Family);
    }
    if family == UNSPEC || transport == UNSPEC {
        // The specification does not define the length of an address of no family, so the fields
        // cannot be found.
        return Ok(without_addresses(Endpoints::Unknown));
    }
    let mut rest = &whole[FIXED_BYTES..];
    let endpoints = match family {
        INET => parse_ip::<4>(&mut rest, |ip| Ipv4Addr::from(ip).into()),
        INET6 => parse_ip::<16>(&mut rest, |ip| Ipv6Addr::from(ip).into()),
        _ => parse_unix(&mut rest),
    };
    let endpoints = endpoints.ok_or(Malformed::Addresses)?;
    let extras = parse_extras(rest, whole)?;
    Ok(Header { endpoints, extras })
}

fn parse_ip<const N: usize>(
    rest: &mut &[u8],
    to_ip: impl Fn([u8; N]) -> std::net::IpAddr,
) -> Option<Endpoints<'static>> {
    let source = to_ip(*rest.split_off_first_chunk_of()?);
    let destination = to_ip(*rest.split_off_first_chunk_of()?);
    let from = u16::from_be_bytes(*rest.split_off_first_chunk_of()?);
    let to = u16::from_be_bytes(*rest.split_off_first_chunk_of()?);
    Some(Endpoints::Ip {
        source: SocketAddr::new(source, from),
        destination: SocketAddr::new(destination, to),
    })
}

fn parse_unix<'a>(rest: &mut &'a [u8]) -> Option<Endpoints<'a>> {
    let source = rest.split_off_first_chunk_of::<UNIX_BYTES>()?;
    let destination = rest.split_off_first_chunk_of::<UNIX_BYTES>()?;
    Some(Endpoints::Unix {
        source: without_filling(source),
        destination: without_filling(destination),
    })
}

/// `path` without the zeros at its end. Zeros within an abstract name stay.
fn without_filling(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|&byte| byte != 0);
    &path[..end.map_or(0, |end| end + 1)]
}

fn parse_extras<'a>(mut rest: &'a [u8], whole: &[u8]) -> Result<Extras<'a>, Malformed> {
    let mut extras = Extras::default();
    let mut checksum = None;
    while let Some((kind, value)) = next_field(&mut rest)? {
        match kind {
            ALPN => once(&mut extras.alpn, value)?,
            AUTHORITY => once(&mut extras.authority, text(value)?)?,
            UNIQUE_ID if value.len() > LONGEST_UNIQUE_ID_BYTES => return Err(Malformed::Extra),
            UNIQUE_ID => once(&mut extras.unique_id, value)?,
            SSL => once(&mut extras.tls, parse_tls(value)?)?,
            CRC32C => {
                let sum: [u8; 4] = value.try_into().map_err(|_| Malformed::Extra)?;
                once(&mut checksum, (sum, whole.len() - rest.len() - sum.len()))?;
            }
            // Padding (`NOOP`), a name space, a sender's own types: ignored.
            _ => {}
        }
    }
    if let Some((sum, at)) = checksum {
        let computed = crc32c(&[&whole[..at], &[0; 4], &whole[at + sum.len()..]]);
        if computed.to_be_bytes() != sum {
            return Err(Malformed::Checksum);
        }
    }
    Ok(extras)
}

fn parse_tls(mut value: &[u8]) -> Result<Tls<'_>, Malformed> {
    let &[client] = value.split_off_first_chunk_of().ok_or(Malformed::Extra)?;
    let verified = *value.split_off_first_chunk_of().ok_or(Malformed::Extra)?;
    let mut tls = Tls {
        client: ClientFlags(client),
        verified: Verified(u32::from_be_bytes(verified)),
        version: None,
        common_name: None,
        cipher: None,
        signature: None,
        key: None,
    };
    while let Some((kind, value)) = next_field(&mut value)? {
        let field = match kind {
            SSL_VERSION => &mut tls.version,
            SSL_CN => &mut tls.common_name,
            SSL_CIPHER => &mut tls.cipher,
            SSL_SIG_ALG => &mut tls.signature,
            SSL_KEY_ALG => &mut tls.key,
            _ => continue,
        };
        once(field, text(value)?)?;
    }
    Ok(tls)
}

/// Type and value of the field at the beginning of `rest`, which moves past it.
fn next_field<'a>(rest: &mut &'a [u8]) -> Result<Option<(u8, &'a [u8])>, Malformed> {
    if rest.is_empty() {
        return Ok(None);
    }
    let &[kind, high, low] = rest.split_off_first_chunk_of().ok_or(Malformed::Extra)?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let value = rest.split_off(..length).ok_or(Malformed::Extra)?;
    Ok(Some((kind, value)))
}

/// Fails if the type occurred before: of two values, a server behind us may use the other one.
fn once<T>(field: &mut Option<T>, value: T) -> Result<(), Malformed> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(Malformed::Extra),
    }
}

fn text(value: &[u8]) -> Result<&str, Malformed> {
    str::from_utf8(value).map_err(|_| Malformed::Extra)
}

/// `slice::split_first_chunk`, which also advances the slice.
trait SplitOffChunk<'a> {
    fn split_off_first_chunk_of<const N: usize>(&mut self) -> Option<&'a [u8; N]>;
}

impl<'a> SplitOffChunk<'a> for &'a [u8] {
    fn split_off_first_chunk_of<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (chunk, rest) = self.split_first_chunk()?;
        *self = rest;
        Some(chunk)
    }
}

/// CRC-32C of the joined `parts` (RFC 9260 Appendix A; Castagnoli's polynomial, reflected).
fn crc32c(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().copied().flatten();
    !bytes.fold(u32::MAX, |sum, &byte| {
        CRC_TABLE[usize::from(sum as u8 ^ byte)] ^ (sum >> 8)
    })
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let mut sum = index as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum >> 1) ^ if sum & 1 == 1 { 0x82f6_3b78 } else { 0 };
            bit += 1;
        }
        table[index] = sum;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::super::tests::{ip, is_read_incrementally};
    use super::*;

    /// A header of `command` and `family` with `block` after its length.
    fn header(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend_from_slice(&[command, family]);
        bytes.extend_from_slice(&u16::try_from(block.len()).expect("short").to_be_bytes());
        bytes.extend_from_slice(block);
        bytes
    }

    const ADDRESSES: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 2, 0x12, 0x67, 0, 80];

    /// A header for TCP over IPv4 with `fields` after the addresses.
    fn with_fields(fields: &[u8]) -> Vec<u8> {
        header(PROXY, 0x11, &[&ADDRESSES[..], fields].concat())
    }

    #[test]
    fn all_fields_of_a_header_are_listed_also_those_of_unknown_types() {
        let of = |bytes: &[u8]| {
            let (_, length) = parse(bytes).expect("well-formed").expect("complete");
            let fields = fields(&bytes[..length]);
            fields
                .map(|(kind, value)| (kind, value.to_vec()))
                .collect::<Vec<_>>()
        };
        let two = [&[0xea, 0, 1, b'a'][..], &[AUTHORITY, 0, 2, b'b', b'c']].concat();
        let expected = [(0xea, b"a".to_vec()), (AUTHORITY, b"bc".to_vec())];
        assert_eq!(of(&with_fields(&two)), expected);
        let ipv6 = header(PROXY, 0x21, &[&[0; 36][..], &two].concat());
        assert_eq!(of(&ipv6), expected);
        let unix = header(PROXY, 0x31, &[&[0; 216][..], &two].concat());
        assert_eq!(of(&unix), expected);
        assert_eq!(of(&with_fields(&[])), []);
        for without in [
            header(LOCAL, 0x11, &[&ADDRESSES[..], &two].concat()),
            header(PROXY, 0, &two),
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n".to_vec(),
        ] {
            assert_eq!(of(&without), [], "{without:?}");
        }
    }

    fn written(header: &Header<'_>, checksum: Checksum) -> Vec<u8> {
        let mut out = Vec::new();
        write_v2(header, checksum, &mut out);
        out
    }

    #[test]
    fn families_and_transports_of_the_specification_are_read() {
        let v4 = ip("192.0.2.1:4711", "192.0.2.2:80");
        let mut v6 = [0; 36];
        v6[15] = 1;
        v6[31] = 2;
        v6[35] = 80;
        let mut unix = [0; 216];
        unix[108..113].copy_from_slice(b"/a.sk");
        let unix_endpoints = Endpoints::Unix {
            source: b"",
            destination: b"/a.sk",
        };
        for transport in [STREAM, DATAGRAM] {
            let cases = [
                (INET, &ADDRESSES[..], v4.clone()),
                (INET6, &v6, ip("[::1]:0", "[::2]:80")),
                (UNIX, &unix, unix_endpoints.clone()),
            ];
            for (family, block, endpoints) in cases {
                let bytes = header(PROXY, family << 4 | transport, block);
                is_read_incrementally(&bytes, &without_addresses(endpoints));
            }
        }
    }

    #[test]
    fn a_health_check_speaks_for_itself_whatever_else_it_says() {
        for (family, block) in [(0, &b""[..]), (0x11, &ADDRESSES), (0xff, b"garbage")] {
            let bytes = header(LOCAL, family, block);
            is_read_incrementally(&bytes, &without_addresses(Endpoints::Own));
        }
    }

    #[test]
    fn an_unspecified_family_is_a_client_without_an_address() {
        for family in [0x00, 0x01, 0x10, 0x20] {
            let bytes = header(PROXY, family, &ADDRESSES);
            is_read_incrementally(&bytes, &without_addresses(Endpoints::Unknown));
        }
    }

    #[test]
    fn unknown_commands_and_families_are_refused_as_soon_as_they_are_seen() {
        for command in [0x00, 0x10, 0x22, 0x2f, 0x31] {
            let bytes = [SIGNATURE, &[command]].concat();
            assert_eq!(parse(&bytes), Err(Malformed::Command), "{command:#x}");
        }
        for family in [0x13, 0x41, 0xf1, 0x1f] {
            let bytes = header(PROXY, family, &[0; 216]);
            assert_eq!(parse(&bytes), Err(Malformed::Family), "{family:#x}");
        }
    }

    #[test]
    fn a_length_is_bounded_and_has_room_for_the_addresses() {
        let filling = |bytes: usize| {
            let length = u16::try_from(bytes - FIXED_BYTES - ADDRESSES.len() - 3).expect("short");
            let mut field = vec![0x04];
            field.extend_from_slice(&length.to_be_bytes());
            field.resize(3 + usize::from(length), 0);
            with_fields(&field)
        };
        let at_bound = filling(LONGEST_BYTES);
        let endpoints = ip("192.0.2.1:4711", "192.0.2.2:80");
        is_read_incrementally(&at_bound, &without_addresses(endpoints));
        // Refused by its length alone.
        let past_it = filling(LONGEST_BYTES + 1);
        assert_eq!(parse(&past_it[..FIXED_BYTES]), Err(Malformed::TooLong));
        for (family, length) in [(0x11, 11), (0x21, 35), (0x31, 215), (0x11, 0)] {
            let bytes = header(PROXY, family, &vec![0; length]);
            assert_eq!(parse(&bytes), Err(Malformed::Addresses), "{family:#x}");
        }
    }

    #[test]
    fn malformed_fields_are_refused() {
        let long_id = [&[UNIQUE_ID, 0, 129][..], &[1; 129]].concat();
        let cases: [&[u8]; 14] = [
            &[ALPN],
            &[ALPN, 0],
            &[ALPN, 0, 1],
            &[0xe0, 0, 2, 1],
            &[AUTHORITY, 0, 1, 0xff],
            &[CRC32C, 0, 3, 1, 2, 3],
            &[UNIQUE_ID, 0, 1, 1, UNIQUE_ID, 0, 1, 1],
            &[ALPN, 0, 1, b'a', ALPN, 0, 1, b'b'],
            &[SSL, 0, 4, 1, 0, 0, 0],
            &[SSL, 0, 7, 1, 0, 0, 0, 0, SSL_CN, 0],
            &[SSL, 0, 8, 1, 0, 0, 0, 0, SSL_CN, 0, 1],
            &[SSL, 0, 9, 1, 0, 0, 0, 0, SSL_CN, 0, 1, 0xff],
            &[SSL, 0, 5, 1, 0, 0, 0, 0, SSL, 0, 5, 1, 0, 0, 0, 0],
            &long_id,
        ];
        for fields in cases {
            let bytes = with_fields(fields);
            assert_eq!(parse(&bytes), Err(Malformed::Extra), "{fields:?}");
        }
    }

    #[test]
    fn fields_that_are_not_ours_are_passed_over() {
        let endpoints = ip("192.0.2.1:4711", "192.0.2.2:80");
        let fields = [
            0x04, 0, 0, 0x04, 0, 2, 9, 9, 0x30, 0, 1, b'n', 0xea, 0, 1, 1,
        ];
        is_read_incrementally(&with_fields(&fields), &without_addresses(endpoints));
    }

    #[test]
    fn a_wrong_checksum_is_refused_wherever_it_is_wrong() {
        let header = Header {
            endpoints: ip("192.0.2.1:4711", "192.0.2.2:80"),
            extras: Extras {
                unique_id: Some(b"id"),
                ..Extras::default()
            },
        };
        let good = written(&header, Checksum::Written);
        is_read_incrementally(&good, &header);
        for index in FIXED_BYTES..FIXED_BYTES + ADDRESSES.len() {
            let mut bad = good.clone();
            bad[index] ^= 1;
            assert_eq!(parse(&bad), Err(Malformed::Checksum), "byte {index}");
        }
    }

    #[test]
    fn the_checksum_is_the_one_of_the_specification() {
        // RFC 3720 Appendix B.4.
        assert_eq!(crc32c(&[&[0; 32]]), 0x8a91_36aa);
        assert_eq!(crc32c(&[b"12345", b"6789"]), 0xe306_9283);
    }

    #[test]
    fn a_header_is_written_as_the_specification_says() {
        let header = Header {
            endpoints: ip("192.0.2.1:4711", "192.0.2.2:80"),
            extras: Extras {
                alpn: Some(b"h2"),
                authority: Some("a.example"),
                unique_id: Some(b"id"),
                tls: Some(Tls {
                    client: ClientFlags::TLS.with(ClientFlags::CERTIFICATE_IN_SESSION),
                    verified: Verified::YES,
                    version: Some("TLSv1.3"),
                    common_name: Some("me"),
                    cipher: None,
                    signature: None,
                    key: None,
                }),
            },
        };
        let mut expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x39".to_vec();
        expected.extend_from_slice(&ADDRESSES);
        expected.extend_from_slice(b"\x01\x00\x02h2\x02\x00\x09a.example\x05\x00\x02id");
        expected.extend_from_slice(b"\x20\x00\x14\x05\0\0\0\0\x21\x00\x07TLSv1.3\x22\x00\x02me");
        assert_eq!(written(&header, Checksum::LeftOut), expected);
        is_read_incrementally(&expected, &header);
    }

    #[test]
    fn a_value_that_is_too_long_is_left_out() {
        let header = Header {
            endpoints: ip("192.0.2.1:4711", "192.0.2.2:80"),
            extras: Extras {
                authority: Some(&"a".repeat(LONGEST_WRITTEN_BYTES + 1)),
                unique_id: Some(&[1; LONGEST_UNIQUE_ID_BYTES + 1]),
                ..Extras::default()
            },
        };
        assert_eq!(written(&header, Checksum::LeftOut), with_fields(&[]));
    }
}
