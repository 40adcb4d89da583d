//! `[table.NAME]`: a stick table, which counts what happens to a key.

use std::time::Duration;

use crate::base::{Name, Position};
use crate::plan::expr::Type;

/// `[table.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its name.
    pub name: Name,
    /// The type of its keys.
    pub key: KeyType,
    /// The most entries.
    pub size: usize,
    /// How long an entry is kept after its last change; `None`: until its place is needed.
    pub expire: Option<Duration>,
    /// What happens to a new key when the table is full.
    pub when_full: WhenFull,
    /// What is kept with each key, in the order of [`Data::ALL`], each of them once.
    pub store: Vec<Stored>,
    /// Where it is written.
    pub at: Position,
}

/// The type of the keys of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// IPv4 and IPv6 addresses.
    Ip,
    /// IPv4 addresses alone.
    Ipv4,
    /// Numbers of 32 bits.
    Integer,
    /// Texts, of which so many bytes count.
    String(u16),
    /// Bytes, so many, filled up with zeros.
    Binary(u16),
}

/// What happens to a new key when the table is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The entry that was not changed for the longest time makes room.
    #[default]
    Purge,
    /// The key is not taken in: `nopurge = true`.
    Refuse,
}

/// One kind of data of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What it is.
    pub data: Data,
    /// How many of them; 1 except for the arrays.
    pub count: u8,
    /// The period of a rate; zero for anything else.
    pub period: Duration,
}

/// The most elements of `gpc`, `gpc_rate` and `gpt`, as in HAProxy.
pub const MOST_ELEMENTS: u8 = 100;

/// How a kind of data is written in `store`, and what it is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// A number.
    Number,
    /// Events in a sliding period: `http_req_rate(10s)`.
    Rate,
    /// Several numbers: `gpc(3)`.
    Numbers,
    /// Several rates: `gpc_rate(3,10s)`.
    Rates,
}

macro_rules! data {
    ($($(#[doc = $doc:literal])+ $id:ident = $name:literal, $kind:ident;)+) => {
        /// What a table can keep with each key: HAProxy's names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Data {
            $($(#[doc = $doc])+ $id,)+
        }

        impl Data {
            /// All of them, in the order of the reference.
            pub const ALL: &'static [Self] = &[$(Self::$id),+];

            const ROWS: &'static [(&'static str, DataKind, &'static str)] =
                &[$(($name, DataKind::$kind, concat!($($doc),+)),)+];
        }
    };
}

data! {
    /// Exchanges that were tracked.
    ConnCnt = "conn_cnt", Number;
    /// Exchanges that are tracked and not over.
    ConnCur = "conn_cur", Number;
    /// Exchanges that were tracked in the period.
    ConnRate = "conn_rate", Rate;
    /// Requests.
    HttpReqCnt = "http_req_cnt", Number;
    /// Requests in the period.
    HttpReqRate = "http_req_rate", Rate;
    /// Errors of the client: denied requests, malformed or incomplete requests, and servers' answers with a status from 400 to 499.
    HttpErrCnt = "http_err_cnt", Number;
    /// Errors of the client in the period.
    HttpErrRate = "http_err_rate", Rate;
    /// Failures of the server: answers with a status from 500 to 599 except 501 and 505, and exchanges in which a server gave no valid answer.
    HttpFailCnt = "http_fail_cnt", Number;
    /// Failures of the server in the period.
    HttpFailRate = "http_fail_rate", Rate;
    /// Bytes of request bodies and tunnels from the client, counted when the exchange is over.
    BytesInCnt = "bytes_in_cnt", Number;
    /// Such bytes in the period.
    BytesInRate = "bytes_in_rate", Rate;
    /// Bytes of response bodies and tunnels to the client, counted when the exchange is over.
    BytesOutCnt = "bytes_out_cnt", Number;
    /// Such bytes in the period.
    BytesOutRate = "bytes_out_rate", Rate;
    /// Counters that rules increment.
    Gpc = "gpc", Numbers;
    /// The increments of these counters in the period.
    GpcRate = "gpc_rate", Rates;
    /// The first counter, where there is no `gpc`.
    Gpc0 = "gpc0", Number;
    /// The increments of the first counter in the period, where there is no `gpc_rate`.
    Gpc0Rate = "gpc0_rate", Rate;
    /// The second counter, where there is no `gpc`.
    Gpc1 = "gpc1", Number;
    /// The increments of the second counter in the period, where there is no `gpc_rate`.
    Gpc1Rate = "gpc1_rate", Rate;
    /// Tags that rules set.
    Gpt = "gpt", Numbers;
    /// The first tag, where there is no `gpt`.
    Gpt0 = "gpt0", Number;
}

impl Data {
    /// As it is written.
    pub fn name(self) -> &'static str {
        Self::ROWS[self as usize].0
    }

    /// What it is made of.
    pub fn kind(self) -> DataKind {
        Self::ROWS[self as usize].1
    }

    /// The description for the reference.
    pub fn meaning(self) -> &'static str {
        Self::ROWS[self as usize].2
    }

    /// The data with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|data| data.name() == name)
    }

    /// The array whose element `index` has the same meaning: `gpc0` is the first of `gpc`.
    pub fn element(self) -> Option<(Self, usize)> {
        Some(match self {
            Self::Gpc0 => (Self::Gpc, 0),
            Self::Gpc1 => (Self::Gpc, 1),
            Self::Gpc0Rate => (Self::GpcRate, 0),
            Self::Gpc1Rate => (Self::GpcRate, 1),
            Self::Gpt0 => (Self::Gpt, 0),
            _ => return None,
        })
    }
}

impl KeyType {
    /// The type to which a value is cast to be a key.
    pub fn takes(self) -> Type {
        match self {
            Self::Ip | Self::Ipv4 => Type::Ip,
            Self::Integer => Type::Int,
            Self::String(_) => Type::Text,
            Self::Binary(_) => Type::Bytes,
        }
    }
}

/// What an expression reads of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A number, or the events of a rate.
    Data(Data),
    /// A number of bytes, in units of 1,024.
    Kilobytes(Data),
    /// How many exchanges track the entry.
    Trackers,
    /// Whether there is an entry.
    Exists,
}

impl Reading {
    /// What it needs of `store`.
    pub fn data(self) -> Option<Data> {
        match self {
            Self::Data(data) | Self::Kilobytes(data) => Some(data),
            Self::Trackers | Self::Exists => None,
        }
    }
}

impl DataKind {
    /// Whether it has a period.
    pub fn is_rate(self) -> bool {
        matches!(self, Self::Rate | Self::Rates)
    }

    /// Whether it has several elements.
    pub fn is_array(self) -> bool {
        matches!(self, Self::Numbers | Self::Rates)
    }
}

impl Table {
    /// The length of a text or of bytes where none is written, as in HAProxy.
    pub const USUAL_LENGTH: u16 = 32;

    /// A table without data, with every default filled in.
    pub fn new(name: Name, at: Position) -> Self {
        Self {
            name,
            key: KeyType::Ip,
            size: 0,
            expire: None,
            when_full: WhenFull::Purge,
            store: Vec::new(),
            at,
        }
    }

    /// Whether it keeps `data`, or the array that stands for it.
    pub fn has(&self, data: Data) -> bool {
        self.has_element(data, 0)
    }

    /// Whether it keeps the element `index` of `data`.
    pub fn has_element(&self, data: Data, index: usize) -> bool {
        let has = |data: Data, index: usize| {
            let mut store = self.store.iter();
            store.any(|stored| stored.data == data && index < usize::from(stored.count))
        };
        has(data, index) || data.element().is_some_and(|(data, index)| has(data, index))
    }
}
