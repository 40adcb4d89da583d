//! The text of one metric: `HELP`, `TYPE`, and a line for each sample.

use std::fmt::{self, Write as _};

use crate::exchange::{BOUNDS_US, HistogramSum};
use crate::observe::metrics::names::Metric;

pub(super) fn single(text: &mut String, metric: &'static Metric, value: Option<impl fmt::Display>) {
    if let Some(value) = value {
        Family::new(text, metric).sample(value);
    }
}

/// The labels that distinguish the series of a row from those of other rows.
pub(super) trait Row {
    /// The values of the first one or two labels of all its metrics.
    fn values(&self) -> (&str, Option<&str>);
}

/// Calls `write` to write the samples of each row.
pub(super) fn family<R: Row>(
    text: &mut String,
    metric: &'static Metric,
    rows: &[R],
    write: impl Fn(&mut Family<'_>, &R),
) {
    let mut family = Family::new(text, metric);
    for row in rows {
        family.begin_row(row.values());
        write(&mut family, row);
    }
}

/// Writes the samples of one metric; its `HELP` and `TYPE` come with the first.
pub(super) struct Family<'a> {
    text: &'a mut String,
    metric: &'static Metric,
    is_begun: bool,
    /// The labels of all samples of a row: `name="value",name="value"`.
    row: String,
}

impl<'a> Family<'a> {
    pub(super) fn new(text: &'a mut String, metric: &'static Metric) -> Self {
        Self {
            text,
            metric,
            is_begun: false,
            row: String::new(),
        }
    }

    fn begin_row(&mut self, (first, second): (&str, Option<&str>)) {
        self.row.clear();
        let values = [Some(first), second].into_iter().flatten();
        for (name, value) in self.metric.labels.iter().zip(values) {
            if !self.row.is_empty() {
                self.row.push(',');
            }
            self.row.push_str(name);
            self.row.push_str("=\"");
            escape(value, &mut self.row);
            self.row.push('"');
        }
    }

    pub(super) fn sample(&mut self, value: impl fmt::Display) {
        self.line("", None, value);
    }

    /// A sample of which `last` is the value of the metric's last label.
    pub(super) fn sample_with(&mut self, last: &dyn fmt::Display, value: impl fmt::Display) {
        let name = self.metric.labels.last().copied().unwrap_or_default();
        self.line("", Some((name, last)), value);
    }

    /// A sample with the values of the metric's last two labels.
    pub(super) fn sample_with_two(
        &mut self,
        first: &dyn fmt::Display,
        last: &dyn fmt::Display,
        value: impl fmt::Display,
    ) {
        let labels = self.metric.labels;
        let [.., before_last, _] = labels else {
            return;
        };
        let row = self.row.clone();
        write!(self.row, ",{before_last}=\"{first}\"")
            .expect("a String takes what is written to it");
        self.sample_with(last, value);
        self.row = row;
    }

    /// The same, left out while it is zero.
    pub(super) fn unless_zero(&mut self, last: &str, count: u64) {
        if count > 0 {
            self.sample_with(&last, count);
        }
    }

    pub(super) fn histogram(&mut self, sum: &HistogramSum) {
        let count = sum.count();
        if count == 0 {
            return;
        }
        let mut so_far = 0;
        for (bound_us, in_bucket) in BOUNDS_US.iter().zip(sum.buckets) {
            so_far += in_bucket;
            let bound = Seconds(bound_us * 1_000);
            self.line("_bucket", Some(("le", &bound)), so_far);
        }
        self.line("_bucket", Some(("le", &"+Inf")), count);
        self.line("_sum", None, Seconds(sum.sum_ns));
        self.line("_count", None, count);
    }

    fn line(
        &mut self,
        suffix: &str,
        last: Option<(&str, &dyn fmt::Display)>,
        value: impl fmt::Display,
    ) {
        self.begin();
        let Self { row, metric, .. } = self;
        let name = metric.name;
        let written = match last {
            None if row.is_empty() => writeln!(self.text, "{name}{suffix} {value}"),
            None => writeln!(self.text, "{name}{suffix}{{{row}}} {value}"),
            Some((label, of)) if row.is_empty() => {
                writeln!(self.text, "{name}{suffix}{{{label}=\"{of}\"}} {value}")
            }
            Some((label, of)) => {
                writeln!(
                    self.text,
                    "{name}{suffix}{{{row},{label}=\"{of}\"}} {value}"
                )
            }
        };
        written.expect("a String takes what is written to it");
    }

    fn begin(&mut self) {
        if self.is_begun {
            return;
        }
        self.is_begun = true;
        let Metric {
            name, help, kind, ..
        } = self.metric;
        let kind = kind.as_str();
        write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n")
            .expect("a String takes what is written to it");
    }
}

impl<R: Row> Row for &R {
    fn values(&self) -> (&str, Option<&str>) {
        (**self).values()
    }
}

/// Nanoseconds, written as seconds without trailing zeros: exact, as a division by 1e9 is not.
pub(super) struct Seconds(pub(super) u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, nanos) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        if nanos == 0 {
            return write!(f, "{whole}");
        }
        let fraction = format!("{nanos:09}");
        write!(f, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

/// Appends `value`, with escapes for the characters that have a meaning in the format.
fn escape(value: &str, out: &mut String) {
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            plain => out.push(plain),
        }
    }
}
