//! Why a message of HTTP/1.1 is refused, as a value and in words.

use std::fmt;

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The first bytes are not `HTTP/1.`.
    NotHttp,
    /// The head has more bytes than are allowed.
    HeadTooLarge,
    /// The head has more fields than are allowed.
    TooManyFields,
    /// The request line is malformed: without method, target and version, or with a character that
    /// none of them may contain (RFC 9112 §3).
    RequestLine,
    /// The version is neither HTTP/1.0 nor HTTP/1.1 (RFC 9112 §2.3).
    Version,
    /// The target has none of the valid forms (RFC 9112 §3.2).
    Target,
    /// The target is too long to be kept.
    TargetTooLong,
    /// The status line is malformed (RFC 9112 §4).
    StatusLine,
    /// A field line is malformed: no name, space before the colon, a continued line (obs-fold), a control
    /// character in the value (RFC 9112 §5).
    Field,
    /// `Content-Length` is not a number, or has several numbers that differ (RFC 9112 §6.3).
    Length,
    /// `Content-Length` beside `Transfer-Encoding`: two ends of one body (RFC 9112 §6.3).
    LengthBesideCoding,
    /// A transfer coding other than `chunked` alone: it would have to be decoded here.
    Coding,
    /// A transfer coding in HTTP/1.0, which has none (RFC 9112 §6.1).
    CodingInHttp10,
    /// An interim response (1xx) has a transfer coding, and cannot have a body (RFC 9112 §6.1).
    InterimBody,
    /// The size of a chunk is not a hexadecimal number, or does not fit into 64 bits.
    ChunkSize,
    /// A chunk, its size or its extension does not end with CR LF.
    ChunkEnd,
    /// The extensions of all chunks together are over their bound.
    ChunkExtensions,
    /// The trailers are malformed, or over their bounds.
    Trailers,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHttp => "it does not begin with \"HTTP/1.\"",
            Self::HeadTooLarge => "the head has more bytes than `limits.head` allows",
            Self::TooManyFields => "the head has more fields than `limits.fields` allows",
            Self::RequestLine => "the request line is malformed",
            Self::Version => "a version other than HTTP/1.0 and HTTP/1.1",
            Self::Target => "the target is malformed",
            Self::TargetTooLong => "the target is too long",
            Self::StatusLine => "the status line is malformed",
            Self::Field => "a field line is malformed",
            Self::Length => "Content-Length is not one decimal number",
            Self::LengthBesideCoding => "Content-Length beside Transfer-Encoding",
            Self::Coding => "a transfer coding other than chunked",
            Self::CodingInHttp10 => "a transfer coding in HTTP/1.0",
            Self::InterimBody => "Transfer-Encoding in an interim response (1xx)",
            Self::ChunkSize => "the size of a chunk is malformed",
            Self::ChunkEnd => "a chunk does not end where its size says",
            Self::ChunkExtensions => "chunk extensions without end",
            Self::Trailers => "the trailers are malformed or too many",
        })
    }
}

impl std::error::Error for Refusal {}
