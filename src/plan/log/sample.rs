//! Which of the lines are written.

use std::fmt::{self, Display, Formatter};

/// `sample`: of so many lines in a row, some are written. HAProxy's notation: `1:100` writes the first
/// of each 100, `1,3-5:10` the first, third, fourth and fifth of each ten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// From, to, both included, from 1 to `of`; in order.
    pub ranges: Vec<(u32, u32)>,
    /// How many lines are in a row.
    pub of: u32,
}

/// More lines in a row would mean none.
const MOST: u32 = 1_000_000;

/// The most ranges.
const MOST_RANGES: usize = 100;

impl Sample {
    /// `text` as a sample; `None`: it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (ranges, of) = text.split_once(':')?;
        let number = |text: &str| -> Option<u32> {
            let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_digits.then(|| text.parse().ok()).flatten()
        };
        let of = number(of).filter(|of| (1..=MOST).contains(of))?;
        let ranges = ranges.split(',').map(|range| {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            Some((number(from)?, number(to)?))
        });
        let ranges: Vec<(u32, u32)> = ranges.collect::<Option<_>>()?;
        let is_right = |(from, to): &(u32, u32)| 1 <= *from && from <= to && *to <= of;
        let is_in_order = ranges.windows(2).all(|pair| pair[0].1 < pair[1].0);
        (ranges.len() <= MOST_RANGES && ranges.iter().all(is_right) && is_in_order)
            .then_some(Self { ranges, of })
    }

    /// Whether the line at `index` of a row, from 0, is written.
    pub fn has(&self, index: u32) -> bool {
        let number = index + 1;
        let mut ranges = self.ranges.iter();
        ranges.any(|(from, to)| (*from..=*to).contains(&number))
    }
}

impl Display for Sample {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, (from, to)) in self.ranges.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match from == to {
                true => write!(f, "{from}")?,
                false => write!(f, "{from}-{to}")?,
            }
        }
        write!(f, ":{}", self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_the_lines_that_haproxy_writes() {
        let has = |text: &str| -> Vec<u32> {
            let sample = Sample::parse(text).expect(text);
            assert_eq!(sample.to_string(), text);
            (0..sample.of).filter(|index| sample.has(*index)).collect()
        };
        assert_eq!(has("1:3"), [0]);
        assert_eq!(has("2-3:4"), [1, 2]);
        assert_eq!(has("1,3-5:10"), [0, 2, 3, 4]);
        for wrong in [
            "",
            "1",
            ":",
            "1:",
            "0:3",
            "4:3",
            "2-1:3",
            "1:0",
            "1,1:3",
            "+1:3",
            "1:1000001",
            "a:b",
        ] {
            assert_eq!(Sample::parse(wrong), None, "{wrong}");
        }
    }
}
