//! What is refused of a message, and how it is told.

use std::fmt;

/// Why a message is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It does not begin as HTTP/1 does.
    NotHttp,
    /// The head has more bytes than are allowed.
    HeadTooLarge,
    /// The head has more fields than are allowed.
    TooManyFields,
    /// The status line is not one (RFC 9112 §4).
    StatusLine,
    /// A field line is not one: no name, space before the colon, a line that is continued (obs-fold), a
    /// control character in a value (RFC 9112 §5).
    Field,
    /// `Content-Length` is no number, or several that differ (RFC 9112 §6.3).
    Length,
    /// `Content-Length` beside `Transfer-Encoding`: two ends of one body (RFC 9112 §6.3).
    LengthBesideCoding,
    /// A transfer coding that is not `chunked` alone: it would have to be taken off here, and is not known.
    Coding,
    /// A transfer coding in HTTP/1.0, which has none (RFC 9112 §6.1).
    CodingInHttp10,
    /// A chunk's size is no hexadecimal number, or one that does not fit into 64 bits.
    ChunkSize,
    /// A chunk, its size or its extension is not ended by CR LF.
    ChunkEnd,
    /// More bytes of chunk extensions than any sender has a use for.
    ChunkExtensions,
    /// The trailers are no fields, or too many.
    Trailers,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHttp => "it does not begin with \"HTTP/1.\"",
            Self::HeadTooLarge => "the head has more bytes than `limits.head` allows",
            Self::TooManyFields => "the head has more fields than `limits.fields` allows",
            Self::StatusLine => "the status line is malformed",
            Self::Field => "a field line is malformed",
            Self::Length => "Content-Length is not one decimal number",
            Self::LengthBesideCoding => "Content-Length beside Transfer-Encoding",
            Self::Coding => "a transfer coding other than chunked",
            Self::CodingInHttp10 => "a transfer coding in HTTP/1.0",
            Self::ChunkSize => "the size of a chunk is malformed",
            Self::ChunkEnd => "a chunk does not end where its size says",
            Self::ChunkExtensions => "chunk extensions without end",
            Self::Trailers => "the trailers are malformed or too many",
        })
    }
}

impl std::error::Error for Refusal {}
