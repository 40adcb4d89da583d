//! The beginning of an expression: a fetch, or a short form of HAProxy for a fetch with an argument or a
//! converter.
//!
//! `sc0_http_req_rate` is `sc_http_req_rate(0)`, and `src_http_req_rate(clients)` is
//! `src,table_http_req_rate(clients)`.

use crate::base::Position;
use crate::plan::expr::{Argument, Conversion, Converter, Expr, Fetch, Parameter};

pub(super) enum Head {
    Fetch(Fetch),
    /// A fetch whose argument `counter` is in its name.
    OfCounter(Fetch, i64),
    /// A converter of the client's address.
    OfSource(Converter),
}

impl Head {
    /// What `name` is; `None`: it is nothing.
    pub(super) fn named(name: &str) -> Option<Self> {
        if let Some(fetch) = Fetch::named(name) {
            return Some(Self::Fetch(fetch));
        }
        if let Some(data) = name.strip_prefix("src_") {
            // `src_get_gpc0` is `table_gpc0`.
            let data = data.strip_prefix("get_").unwrap_or(data);
            let converter = Converter::named(&format!("table_{data}"))?;
            return converter.reading().map(|_| Self::OfSource(converter));
        }
        let (counter, data) = name.strip_prefix("sc")?.split_once('_')?;
        let counter = match counter.as_bytes() {
            [digit @ b'0'..=b'2'] => i64::from(digit - b'0'),
            _ => return None,
        };
        let fetch = Fetch::named(&format!("sc_{data}"))?;
        let has_form = fetch.reading().is_some() && !fetch.has_element();
        has_form.then_some(Self::OfCounter(fetch, counter))
    }

    /// The fetch that it begins with.
    pub(super) fn fetch(&self) -> Fetch {
        match self {
            Self::Fetch(fetch) | Self::OfCounter(fetch, _) => *fetch,
            Self::OfSource(_) => Fetch::Src,
        }
    }

    /// What may be written in parentheses after it.
    pub(super) fn parameters(&self) -> &'static [Parameter] {
        match self {
            Self::Fetch(fetch) => fetch.row().parameters,
            Self::OfSource(converter) => converter.row().parameters,
            // The first one is the counter.
            Self::OfCounter(fetch, _) => fetch.row().parameters.get(1..).unwrap_or_default(),
        }
    }

    /// The expression with these arguments.
    pub(super) fn expr(&self, mut arguments: Vec<Argument>, at: Position) -> Expr {
        let mut converters = Vec::new();
        match self {
            Self::Fetch(_) => {}
            Self::OfCounter(_, counter) => arguments.insert(0, Argument::Int(*counter)),
            Self::OfSource(converter) => converters.push(Conversion {
                converter: *converter,
                arguments: std::mem::take(&mut arguments),
            }),
        }
        Expr {
            fetch: self.fetch(),
            arguments,
            converters,
            at,
        }
    }
}
