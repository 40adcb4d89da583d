//! Round robin: servers in turn, by weight, spread evenly.
//!
//! A whole period of turns is laid out once, when the set of servers or a weight changes. Choosing
//! is then one addition to a cursor that all workers share and one look into the period, which makes
//! it exact across workers: no worker has turns of its own, and none waits for another.
//!
//! A server of weight *w* has its *j*-th turn (from 0) at the time (2j + 1) / 2w of the period, so
//! that its turns lie 1 / w apart and the first is half of that from the start: weights 4, 2, 1
//! give `a b a c a b a`, not `a a a a b b c`. nginx's smooth weighted round robin and HAProxy's
//! `roundrobin` compute each step at run time, with a lock; here the steps are computed in advance.

/// One period of turns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// Indices of servers. Its length is the sum of the weights, divided by their greatest common divisor:
    /// with weights up to 256 at most 256 entries for each server, and one if all weights are equal.
    period: Box<[u32]>,
}

impl Turns {
    /// The turns of servers with these weights; weight 0 has none.
    ///
    /// Each server has weight / g turns in a period, where g is the greatest common divisor of all
    /// weights. Between two turns of a server of weight w (also across the end of a period) each
    /// other server of weight v has no fewer than v / w rounded down and no more than v / w rounded
    /// up. Turns that fall on the same time come in the order of the servers.
    pub fn new(weights: &[u16]) -> Self {
        let shared = weights.iter().copied().fold(0, greatest_common_divisor);
        let mut turns: Vec<Turn> = (0_u32..)
            .zip(weights)
            .filter(|&(_, &weight)| weight > 0)
            .flat_map(|(server, &weight)| Turn::all_of(server, weight / shared))
            .collect();
        // Stable: turns at the same time stay in the order of the servers.
        turns.sort_by(|one, other| one.compare_times(other));
        Self {
            period: turns.iter().map(|turn| turn.server).collect(),
        }
    }

    /// Turns in a period.
    pub fn len(&self) -> usize {
        self.period.len()
    }

    /// Whether no server has a turn: there is none, or all weights are 0.
    pub fn is_empty(&self) -> bool {
        self.period.is_empty()
    }

    /// The server whose turn is number `cursor`; `None` when no server has one.
    #[inline]
    pub fn at(&self, cursor: u64) -> Option<usize> {
        let turn = cursor.checked_rem(self.period.len() as u64)?;
        Some(self.period[turn as usize] as usize)
    }
}

/// One turn, before the turns are sorted.
struct Turn {
    server: u32,
    /// 2j + 1, where j is its number: its time is this over twice the weight.
    odd: u32,
    weight: u32,
}

impl Turn {
    fn all_of(server: u32, weight: u16) -> impl Iterator<Item = Self> {
        let weight = u32::from(weight);
        (0..weight).map(move |number| Self {
            server,
            odd: 2 * number + 1,
            weight,
        })
    }

    /// By cross multiplication: fractions as floats would break ties by their rounding.
    fn compare_times(&self, other: &Self) -> std::cmp::Ordering {
        let one = u64::from(self.odd) * u64::from(other.weight);
        let another = u64::from(other.odd) * u64::from(self.weight);
        one.cmp(&another)
    }
}

fn greatest_common_divisor(one: u16, other: u16) -> u16 {
    let (mut one, mut other) = (one, other);
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn period(weights: &[u16]) -> Vec<usize> {
        let turns = Turns::new(weights);
        (0..turns.len() as u64)
            .filter_map(|n| turns.at(n))
            .collect()
    }

    #[test]
    fn equal_weights_are_plain_turns() {
        assert_eq!(period(&[1, 1, 1]), [0, 1, 2]);
        assert_eq!(period(&[256, 256, 256]), [0, 1, 2]);
        assert_eq!(period(&[7]), [0]);
    }

    #[test]
    fn unequal_weights_interleave() {
        assert_eq!(period(&[4, 2, 1]), [0, 1, 0, 2, 0, 1, 0]);
        assert_eq!(period(&[40, 20, 10]), [0, 1, 0, 2, 0, 1, 0]);
        assert_eq!(period(&[3, 1]), [0, 0, 1, 0]);
        assert_eq!(period(&[1, 2]), [1, 0, 1]);
    }

    #[test]
    fn a_weight_of_zero_has_no_turn() {
        assert_eq!(period(&[0, 2, 0, 2]), [1, 3]);
        for weights in [&[][..], &[0], &[0, 0]] {
            let turns = Turns::new(weights);
            assert!(turns.is_empty());
            assert_eq!(turns.at(7), None);
        }
    }

    #[test]
    fn turns_continue_after_the_end_of_the_period() {
        let turns = Turns::new(&[1, 1, 1]);
        assert_eq!(turns.at(3), Some(0));
        assert_eq!(turns.at(u64::MAX), Some((u64::MAX % 3) as usize));
    }

    #[test]
    fn the_longest_period_is_256_turns_a_server() {
        let weights: Vec<u16> = (0..1_000).map(|n| 255 + n % 2).collect();
        assert_eq!(Turns::new(&weights).len(), 500 * 255 + 500 * 256);
    }

    fn weights() -> impl Strategy<Value = Vec<u16>> {
        let weight = prop_oneof![3 => 0..=8_u16, 1 => 0..=256_u16];
        prop::collection::vec(weight, 1..12)
    }

    proptest! {
        #[test]
        fn every_window_of_one_period_gives_each_server_its_share(
            weights in weights(),
            start in 0..100_000_u64,
        ) {
            let turns = Turns::new(&weights);
            let mut counts = vec![0_usize; weights.len()];
            for cursor in start..start + turns.len() as u64 {
                counts[turns.at(cursor).expect("there are turns")] += 1;
            }
            let shared = weights.iter().copied().fold(0, greatest_common_divisor).max(1);
            let shares: Vec<usize> = weights.iter().map(|w| usize::from(w / shared)).collect();
            prop_assert_eq!(counts, shares);
        }

        #[test]
        fn turns_are_as_even_as_their_bound(weights in weights()) {
            let row = period(&weights);
            let twice = row.repeat(2);
            for (start, &server) in row.iter().enumerate() {
                let own = usize::from(weights[server]);
                let others = twice[start + 1..].iter().take_while(|&&other| other != server);
                let mut counts = vec![0_usize; weights.len()];
                others.for_each(|&other| counts[other] += 1);
                for (other, &count) in counts.iter().enumerate().filter(|&(other, _)| other != server) {
                    let weight = usize::from(weights[other]);
                    prop_assert!(count >= weight / own, "{row:?}");
                    prop_assert!(count <= weight.div_ceil(own), "{row:?}");
                }
            }
        }
    }
}
