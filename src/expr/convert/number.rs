//! Arithmetic as HAProxy does it: what does not fit into 64 bits becomes the nearest number.

pub(super) fn div(left: i64, right: i64) -> i64 {
    left.checked_div(right).unwrap_or(i64::MAX)
}

/// Divided by 0, or the smallest number divided by -1, whose quotient does not fit: 0.
pub(super) fn rem(left: i64, right: i64) -> i64 {
    left.checked_rem(right).unwrap_or(0)
}

pub(super) fn neg(number: i64) -> i64 {
    number.checked_neg().unwrap_or(i64::MAX)
}
