//! How the body of a request is framed.

/// The length of the body of a request (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// This many bytes; 0: there is no body.
    Length(u64),
    /// In chunks.
    Chunked,
}
