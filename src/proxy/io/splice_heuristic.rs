//! Decides when a relay switches from copying to splice(2).
//!
//! splice(2) spares two copies and costs more for each piece, so small pieces are dearer by it. A flow
//! counts as large when it has filled the room of a copy a few times in a row, and no longer
//! when it was small some times in a row. Nothing is allocated for it.

/// So many pieces in a row have filled the room that they were read into.
const LARGE_FROM: i8 = 2;

/// As large as it gets: it takes the difference to [`LARGE_FROM`] in small pieces to be small again.
const LARGEST: i8 = 6;

/// A piece below that is small.
const SMALL_BYTES: usize = 16 << 10;

/// After no pipe was to be had: that many pieces more are copied before the next is asked for.
const REFUSED: i8 = -64;

const NEVER: i8 = i8::MIN;

/// How much a flow carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SpliceHeuristic(i8);

/// Whether a piece filled the room that it was read into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Full,
    Less,
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
            (_, Piece::Less) => self.0 = self.0.min(0),
        }
    }

    /// A piece of `bytes` was spliced.
    pub(super) fn spliced(&mut self, bytes: usize) {
        self.0 = match bytes {
            SMALL_BYTES.. => LARGEST,
            _ => self.0 - 1,
        };
    }

    /// No pipe was to be had.
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
            heuristic.copied(Piece::Less);
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
    fn a_large_piece_starts_the_while_anew() {
        let mut heuristic = large();
        for _ in 0..10 {
            heuristic.spliced(SMALL_BYTES);
            heuristic.spliced(SMALL_BYTES - 1);
        }
        assert!(heuristic.is_large());
    }

    #[test]
    fn a_flow_that_got_no_pipe_does_not_ask_at_each_piece() {
        let mut heuristic = large();
        heuristic.refused();
        let mut pieces = 0;
        while !heuristic.is_large() {
            heuristic.copied(Piece::Less);
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
    fn what_cannot_be_spliced_is_not_tried_again() {
        let mut heuristic = large();
        heuristic.never();
        for _ in 0..1000 {
            heuristic.copied(Piece::Full);
            assert!(!heuristic.is_large());
        }
    }
}
