//! The present figures as HAProxy shows them: a page, CSV, JSON, typed lines or metrics.
//!
//! The figures are read elsewhere ([`Figures`](crate::expr::Figures)); here they become [`Row`]s with HAProxy's columns,
//! and text.

mod csv;
mod json;
mod page;
mod prometheus;
mod rows;
mod typed;

pub(crate) use csv::write as write_csv;
pub(crate) use json::{tags_of, write as write_json};
pub(crate) use page::write as write_page;
pub(crate) use prometheus::write as write_prometheus;
pub(crate) use rows::{Kind, Row, rows};
pub(crate) use typed::write as write_typed;
