//! Decides when a relay switches from copying to splice(2).
//!
//! splice(2) saves two copies but costs more for each piece, so that it is slower for small pieces. A flow
//! counts as large when a few reads in a row have filled their buffer, and as small again after a few
//! small splices in a row.

/// From this many full reads in a row, a flow is large.
const LARGE_FROM: i8 = 2;

/// The highest count. Each small splice takes one off, so five of them in a row make the flow small again.
const LARGEST: i8 = 6;

/// A spliced piece below this size is small.
const SMALL_BYTES: usize = 16 << 10;

/// The count after no pipe was free: 64 full reads more are copied before it is at 0 again.
const REFUSED: i8 = -64;

/// The count of a flow that cannot be spliced; it does not change any more.
const NEVER: i8 = i8::MIN;

/// Counts full reads in a row; below 0 it waits after a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SpliceHeuristic(i8);

/// Whether a read filled its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Full,
    Partial,
}

impl SpliceHeuristic {
    pub(super) fn is_large(self) -> bool {
        self.0 >= LARGE_FROM
    }

    /// A piece was copied.
    pub(super) fn copied(&mut self, piece: Piece) {
        match (self.0, piece) {
            (NEVER, _) => {}
            (_, Piece::Full) => self.0 = LARGEST.min(self.0 + 1),
            (_, Piece::Partial) => self.0 = self.0.min(0),
        }
    }

    /// A piece of `bytes` was spliced.
    pub(super) fn spliced(&mut self, bytes: usize) {
        self.0 = match bytes {
            SMALL_BYTES.. => LARGEST,
            _ => self.0 - 1,
        };
    }

    /// No pipe was free.
    pub(super) fn refused(&mut self) {
        self.0 = REFUSED;
    }

    /// Its source cannot be spliced from.
    pub(super) fn never(&mut self) {
        self.0 = NEVER;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn large() -> SpliceHeuristic {
        let mut heuristic = SpliceHeuristic::default();
        for _ in 0..LARGE_FROM {
            assert!(!heuristic.is_large());
            heuristic.copied(Piece::Full);
        }
        assert!(heuristic.is_large());
        heuristic
    }

    #[test]
    fn only_full_pieces_in_a_row_are_large() {
        large();
        let mut heuristic = SpliceHeuristic::default();
        for _ in 0..10 {
            heuristic.copied(Piece::Full);
            heuristic.copied(Piece::Partial);
            assert!(!heuristic.is_large());
        }
    }

    #[test]
    fn a_flow_that_is_small_for_a_while_is_copied_again() {
        let mut heuristic = large();
        heuristic.spliced(SMALL_BYTES);
        for _ in LARGE_FROM..LARGEST {
            heuristic.spliced(SMALL_BYTES - 1);
            assert!(heuristic.is_large(), "a while is more than that");
        }
        heuristic.spliced(SMALL_BYTES - 1);
        assert!(!heuristic.is_large());
    }

    #[test]
    fn a_large_piece_restarts_the_period() {
        let mut heuristic = large();
        for _ in 0..10 {
            heuristic.spliced(SMALL_BYTES);
            heuristic.spliced(SMALL_BYTES - 1);
        }
        assert!(heuristic.is_large());
    }

    #[test]
    fn a_flow_that_got_no_pipe_does_not_request_one_for_each_piece() {
        let mut heuristic = large();
        heuristic.refused();
        let mut pieces = 0;
        while !heuristic.is_large() {
            heuristic.copied(Piece::Partial);
            heuristic.copied(Piece::Full);
            pieces += 1;
            if pieces >= 64 {
                heuristic.copied(Piece::Full);
            }
            assert!(pieces < 100, "it asks again");
        }
        assert!(pieces >= 64, "{pieces}");
    }

    #[test]
    fn a_flow_that_cannot_be_spliced_is_not_tried_again() {
        let mut heuristic = large();
        heuristic.never();
        for _ in 0..1000 {
            heuristic.copied(Piece::Full);
            assert!(!heuristic.is_large());
        }
    }
}
