//! The budget of a request: `figures.toml`, one table for each cell.

use std::fmt;
use std::path::Path;
use std::{fs, io};

use crate::Counted;

/// The factor by which a cell may exceed its figure.
const ALLOWED: f64 = 1.02;

const HEAD: &str = "# Instructions and allocations of a request, as `cargo bench --bench budget -- --bless` counts them.\n\
    # A change that makes a cell more than 2 % more expensive fails in CI. It updates the figures here and gives the reason.\n";

/// The figures, by cell.
#[derive(Debug)]
pub(crate) struct Figures(toml::Table);

#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Within the budget.
    Within,
    /// This number exceeds the budget, by this factor.
    Above(&'static str, f64),
    /// There is no figure.
    Unknown,
}

impl Figures {
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        text.parse().map(Self).map_err(io::Error::other)
    }

    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = HEAD.to_owned();
        for (cell, figures) in &self.0 {
            text += &format!("\n[{cell}]\n");
            for (name, figure) in figures.as_table().into_iter().flatten() {
                let figure = figure.as_float().unwrap_or_default();
                text += &format!("{name} = {figure:?}\n");
            }
        }
        fs::write(path, text)
    }

    pub(crate) fn set(&mut self, counted: &Counted) {
        let mut figures = toml::Table::new();
        figures.insert(
            "instructions".to_owned(),
            counted.instructions.round().into(),
        );
        let allocations = (counted.allocations * 100.0).round() / 100.0;
        figures.insert("allocations".to_owned(), allocations.into());
        self.0
            .insert(counted.cell.name().to_owned(), figures.into());
    }

    pub(crate) fn judge(&self, counted: &Counted) -> Outcome {
        let figures = self.0.get(counted.cell.name());
        let parts = [
            ("instructions", counted.instructions),
            ("allocations", counted.allocations),
        ];
        for (name, counted) in parts {
            let figure = figures.and_then(|figures| figures.get(name));
            let Some(figure) = figure.and_then(toml::Value::as_float) else {
                return Outcome::Unknown;
            };
            if counted > figure * ALLOWED {
                return Outcome::Above(name, counted / figure);
            }
        }
        Outcome::Within
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Within => write!(f, "within the budget"),
            Self::Above(what, times) => write!(f, "{what}: {times:.3} times the budget"),
            Self::Unknown => write!(f, "benches/budget/figures.toml has no figure for it"),
        }
    }
}
