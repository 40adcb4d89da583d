//! The parts of a request's target that rules write.

/// A part of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetPart {
    /// The path, without the query.
    Path,
    /// The path and the query.
    PathAndQuery,
    /// The query.
    Query,
    /// The path and the query, with the host if there is one.
    Uri,
}

/// A rewrite of the path or the query of a request: `normalize_uri`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalizer {
    /// Segments `.` are removed from the path.
    PathStripDot,
    /// Segments `..` are removed with the segment before them; at the beginning of the path they stay.
    PathStripDotdot,
    /// The same; at the beginning of the path they are removed, too.
    PathStripDotdotFull,
    /// Several slashes in the path become one.
    PathMergeSlashes,
    /// Escapes of unreserved characters are decoded.
    PercentDecodeUnreserved,
    /// The same; an invalid escape fails the request.
    PercentDecodeUnreservedStrict,
    /// Escapes get capital digits.
    PercentToUppercase,
    /// The same; an invalid escape fails the request.
    PercentToUppercaseStrict,
    /// The parameters of the query are sorted by their names.
    QuerySortByName,
}
