//! Where in an entry which data is.

use std::ops::Range;

use crate::base::clock::Duration;
use crate::plan::{Data, Stored};

use super::rate;

/// Where in an entry which data is.
#[derive(Debug, Default)]
pub(super) struct Layout {
    columns: Vec<Column>,
    /// The words of an entry.
    words: usize,
    /// Whether `conn_cur` is kept. It has no words: it is the number of those that track the entry, and
    /// right also when a reload adds it while exchanges are open.
    has_conn_cur: bool,
}

/// The elements of one kind of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Column {
    data: Data,
    /// The first word.
    start: usize,
    count: usize,
    /// The period of a rate in milliseconds; 0 for a number.
    period: u64,
}

/// One element of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The first word.
    start: usize,
    /// The period of a rate in milliseconds; 0 for a number.
    pub(super) period: u64,
}

impl Place {
    /// Its words in an entry.
    pub(super) fn words(self) -> Range<usize> {
        self.start..self.start + words_of(self.period)
    }
}

impl Layout {
    /// The layout for `store`.
    pub(super) fn of(store: &[Stored]) -> Self {
        let mut layout = Self::default();
        for stored in store {
            if stored.data == Data::ConnCur {
                layout.has_conn_cur = true;
                continue;
            }
            let period = match stored.data.kind().is_rate() {
                true => milliseconds(stored.period).max(1),
                false => 0,
            };
            let count = usize::from(stored.count);
            layout.columns.push(Column {
                data: stored.data,
                start: layout.words,
                count,
                period,
            });
            layout.words += count * words_of(period);
        }
        layout
    }

    /// The layout of one number.
    pub(super) fn number() -> Self {
        Self {
            words: 1,
            ..Self::default()
        }
    }

    /// The words of an entry.
    pub(super) fn words(&self) -> usize {
        self.words
    }

    /// Whether `data` is kept.
    pub(super) fn has(&self, data: Data) -> bool {
        match data {
            Data::ConnCur => self.has_conn_cur,
            _ => self.place(data, 0).is_some(),
        }
    }

    /// Where the element `index` of `data` is; `None`: it is not kept, or has no words.
    pub(super) fn place(&self, data: Data, index: usize) -> Option<Place> {
        let own = self.own_place(data, index);
        own.or_else(|| {
            let (array, element) = data.element()?;
            self.own_place(array, element)
        })
    }

    fn own_place(&self, data: Data, index: usize) -> Option<Place> {
        // At most as many as there are kinds of data; nearly always one to four.
        let column = self.columns.iter().find(|column| column.data == data)?;
        (index < column.count).then(|| column.place(index))
    }

    /// For each element that `self` and `after` have: its words in an entry of each of them.
    pub(super) fn shared_with<'l>(
        &'l self,
        after: &'l Self,
    ) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + 'l {
        self.columns.iter().flat_map(move |before| {
            let same = |after: &&Column| after.data == before.data && after.period == before.period;
            let after = after.columns.iter().find(same);
            let count = after.map_or(0, |after| after.count.min(before.count));
            (0..count).filter_map(move |index| {
                Some((before.place(index).words(), after?.place(index).words()))
            })
        })
    }

    /// Whether an entry of `self` is one of `other`.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.columns == other.columns && self.has_conn_cur == other.has_conn_cur
    }
}

impl Column {
    fn place(&self, index: usize) -> Place {
        Place {
            start: self.start + index * words_of(self.period),
            period: self.period,
        }
    }
}

fn words_of(period: u64) -> usize {
    match period {
        0 => 1,
        _ => rate::WORDS,
    }
}

/// `duration` in milliseconds, bounded to about a hundred years.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    const MOST: u128 = 1 << 42;
    duration.as_millis().min(MOST) as u64
}
