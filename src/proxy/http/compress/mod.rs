//! The compression of a server's answer: whether it is done, and what changes in the head.
//!
//! `outbound` asks for the [`Offer`] of a request when it makes the request for the server, after
//! the rules. `handle` compresses the answer after all rules for it have run, so that they decide
//! about types and about `no-transform`. The rest is HAProxy's: only statuses 200 to 203, never
//! `multipart`, nothing with several ETags or an invalid one.

mod body;
mod encoder;

use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};

use crate::plan::{Coding, Compression};
use crate::wire::accept_encoding;

pub(super) use body::CompressedBody;
pub(super) use encoder::Encoder;

/// What a client may get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Offer {
    /// Nothing is compressed for anyone.
    #[default]
    Off,
    /// This client gets the answer as it is; another one might not.
    Identity,
    /// This coding.
    Coded(Coding),
}

/// What is done with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nothing: it is not compressed for any client.
    Leave,
    /// It is not compressed for this client.
    Vary,
    /// It is compressed.
    Compress(Coding),
}

/// Digests of what the client does not get.
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

impl Offer {
    /// The offer to a client that sent `headers` by `version`.
    ///
    /// The coding that the client weighs most, and of several with one weight the first of ours. A
    /// client of HTTP/1.0 could not tell the end of a compressed body from a broken one.
    pub(super) fn of(compression: &Compression, version: Version, headers: &HeaderMap) -> Self {
        if compression.algorithms.is_empty() {
            return Self::Off;
        }
        if version < Version::HTTP_11 || is_no_transform(headers) {
            return Self::Identity;
        }
        const ALL: [Coding; 3] = [Coding::Gzip, Coding::Br, Coding::Zstd];
        let values = headers.get_all(ACCEPT_ENCODING).iter();
        let (weights, identity) = accept_encoding::weights(values, ALL.map(Coding::name));
        let weight_of = |coding: Coding| weights[coding as usize];
        let mut best: Option<Coding> = None;
        for &coding in &compression.algorithms {
            if weight_of(coding) > best.map_or(0, weight_of) {
                best = Some(coding);
            }
        }
        match best {
            Some(coding) if weight_of(coding) >= identity.unwrap_or(0) => Self::Coded(coding),
            _ => Self::Identity,
        }
    }

    /// What is done with the answer `status` and `headers`; `length`: of its body, if it is known.
    pub(super) fn decide(
        self,
        compression: &Compression,
        status: StatusCode,
        headers: &HeaderMap,
        length: Option<u64>,
    ) -> Decision {
        let is_compressible = self != Self::Off
            && (200..=203).contains(&status.as_u16())
            && length.is_none_or(|length| length >= compression.min_size.0.max(1))
            && !headers.contains_key(CONTENT_ENCODING)
            && !headers.contains_key(CONTENT_RANGE)
            && has_type(compression, headers)
            && !is_no_transform(headers)
            && has_no_or_one_etag(headers);
        match self {
            _ if !is_compressible => Decision::Leave,
            Self::Off | Self::Identity => Decision::Vary,
            Self::Coded(coding) => Decision::Compress(coding),
        }
    }
}

/// Notes in the head that another client might get other bytes (RFC 9110 §12.5.5).
pub(super) fn add_vary(headers: &mut HeaderMap) {
    let names = headers.get_all(VARY).iter().flat_map(items);
    let is_there = |name: &[u8]| name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding");
    if !{ names }.any(is_there) {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// Makes the head that of the answer in `coding`.
pub(super) fn rewrite(coding: Coding, headers: &mut HeaderMap) {
    add_vary(headers);
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    headers.remove(CONTENT_LENGTH);
    // A part of the server's answer is not a part of this one.
    headers.remove(ACCEPT_RANGES);
    remove_digests(headers);
    if let Some(etag) = headers.get_mut(ETAG)
        && etag.as_bytes().starts_with(b"\"")
    {
        // The same content in other bytes (RFC 9110 §8.8.1).
        let weak = HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat());
        *etag = weak.unwrap_or_else(|_| etag.clone());
    }
}

/// Removes digests of the bytes before the compression, in a head or in trailers (RFC 9530).
fn remove_digests(fields: &mut HeaderMap) {
    for name in DIGESTS {
        fields.remove(name);
    }
}

fn has_type(compression: &Compression, headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let content_type = value.as_bytes();
    let end = content_type.iter().position(|&byte| byte == b';');
    let content_type = content_type[..end.unwrap_or(content_type.len())].trim_ascii();
    let begins = |with: &[u8]| {
        let start = content_type.get(..with.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    // gRPC compresses its messages itself, and its clients know no content codings.
    let is_excluded = begins(b"multipart/") || begins(b"application/grpc");
    let mut types = compression.types.iter();
    !is_excluded && types.any(|pattern| pattern.matches(content_type))
}

fn is_no_transform(headers: &HeaderMap) -> bool {
    let mut directives = headers.get_all(CACHE_CONTROL).iter().flat_map(items);
    directives.any(|directive| directive.eq_ignore_ascii_case(b"no-transform"))
}

/// Several, or an invalid one, could not be made weak.
fn has_no_or_one_etag(headers: &HeaderMap) -> bool {
    let mut etags = headers.get_all(ETAG).iter();
    match (etags.next(), etags.next()) {
        (None, _) => true,
        (Some(etag), None) => {
            let etag = etag.as_bytes();
            let quoted = etag.strip_prefix(b"W/").unwrap_or(etag);
            quoted.len() >= 2 && quoted.starts_with(b"\"") && quoted.ends_with(b"\"")
        }
        _ => false,
    }
}

fn items(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let items = value.as_bytes().split(|&byte| byte == b',');
    items.map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use crate::plan::TypePattern;

    use super::*;

    fn compression() -> Compression {
        Compression {
            algorithms: vec![Coding::Zstd, Coding::Br, Coding::Gzip],
            ..Compression::default()
        }
    }

    fn head(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields.iter().map(|&(name, value)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        });
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn a_client_gets_the_coding_that_it_wants_most_then_the_one_that_we_prefer() {
        use Coding::{Br, Gzip, Zstd};
        use Offer::{Coded, Identity};
        let cases = [
            ("gzip, deflate, br, zstd", Coded(Zstd)),
            ("gzip, br", Coded(Br)),
            ("gzip;q=0.9, br;q=0.8, zstd;q=0.1", Coded(Gzip)),
            ("*", Coded(Zstd)),
            ("zstd;q=0, *", Coded(Br)),
            ("gzip, identity;q=0.5", Coded(Gzip)),
            ("gzip;q=0.5, identity", Identity),
            ("gzip;q=0", Identity),
            ("identity", Identity),
            ("deflate", Identity),
            ("", Identity),
        ];
        for (accepted, expected) in cases {
            let headers = head(&[("accept-encoding", accepted)]);
            let of = |version| Offer::of(&compression(), version, &headers);
            assert_eq!(of(Version::HTTP_11), expected, "{accepted}");
            assert_eq!(of(Version::HTTP_2), expected, "{accepted}");
            assert_eq!(of(Version::HTTP_10), Identity, "{accepted}");
            let off = Offer::of(&Compression::default(), Version::HTTP_11, &headers);
            assert_eq!(off, Offer::Off);
        }
        let headers = head(&[
            ("accept-encoding", "gzip"),
            ("cache-control", "no-transform"),
        ]);
        let offer = Offer::of(&compression(), Version::HTTP_11, &headers);
        assert_eq!(offer, Identity);
    }

    #[test]
    fn an_answer_is_compressed_unless_something_speaks_against_it() {
        let plain: &[_] = &[("content-type", "text/html; charset=utf-8")];
        let with = |name, value| [plain, &[(name, value)]].concat();
        let cases = [
            (plain.to_vec(), true),
            (vec![("content-type", "Application/JSON")], true),
            (vec![("content-type", "text/event-stream")], true),
            (vec![("content-type", "image/png")], false),
            (vec![("content-type", "application/grpc+proto")], false),
            (vec![("content-type", "multipart/byteranges")], false),
            (vec![], false),
            (with("content-type", "text/css"), false),
            (with("content-encoding", "br"), false),
            (with("content-range", "bytes 0-1/2"), false),
            (with("cache-control", "max-age=1, No-Transform"), false),
            (with("cache-control", "max-age=1"), true),
            (with("etag", "\"a\""), true),
            (with("etag", "W/\"a\""), true),
            (with("etag", "a"), false),
            (with("etag", "\""), false),
        ];
        let decide = |offer: Offer, status, headers: &HeaderMap, length| {
            let status = StatusCode::from_u16(status).expect("a status");
            offer.decide(&compression(), status, headers, length)
        };
        let coded = Offer::Coded(Coding::Br);
        for (fields, is_compressed) in cases {
            let headers = head(&fields);
            let (yes, vary) = match is_compressed {
                true => (Decision::Compress(Coding::Br), Decision::Vary),
                false => (Decision::Leave, Decision::Leave),
            };
            assert_eq!(decide(coded, 200, &headers, None), yes, "{fields:?}");
            let other = decide(Offer::Identity, 200, &headers, None);
            assert_eq!(other, vary, "{fields:?}");
            assert_eq!(decide(Offer::Off, 200, &headers, None), Decision::Leave);
        }
        let headers = head(plain);
        let yes = Decision::Compress(Coding::Br);
        for (status, expected) in [
            (201, yes),
            (203, yes),
            (204, Decision::Leave),
            (206, Decision::Leave),
            (304, Decision::Leave),
            (404, Decision::Leave),
        ] {
            assert_eq!(decide(coded, status, &headers, None), expected, "{status}");
        }
        assert_eq!(decide(coded, 200, &headers, Some(1023)), Decision::Leave);
        assert_eq!(decide(coded, 200, &headers, Some(1024)), yes);
        // With `*/*`, what never is compressed still is not.
        let all = Compression {
            types: TypePattern::new("*/*").into_iter().collect(),
            ..compression()
        };
        let grpc = head(&[("content-type", "application/grpc")]);
        let decision = coded.decide(&all, StatusCode::OK, &grpc, None);
        assert_eq!(decision, Decision::Leave);
    }

    #[test]
    fn the_head_says_what_the_body_is() {
        let mut headers = head(&[
            ("content-length", "5"),
            ("etag", "\"a\""),
            ("vary", "cookie"),
            ("accept-ranges", "bytes"),
            ("content-md5", "x"),
            ("repr-digest", "x"),
        ]);
        rewrite(Coding::Gzip, &mut headers);
        let expected = head(&[
            ("etag", "W/\"a\""),
            ("vary", "cookie"),
            ("vary", "Accept-Encoding"),
            ("content-encoding", "gzip"),
        ]);
        assert_eq!(headers, expected);
        for there in ["*", "cookie, Accept-Encoding"] {
            let mut headers = head(&[("vary", there)]);
            add_vary(&mut headers);
            assert_eq!(headers, head(&[("vary", there)]));
        }
    }
}
