//! The variables of a line's template: HAProxy's (its configuration manual, 8.2.6), and a few more.
//!
//! One row for each; `observe` writes their values.

/// The kind of a value, which says which flags change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text, which `+Q` and `+E` change.
    Text,
    /// A number.
    Number,
    /// An address or a port, which `+X` changes, and `+Q`.
    Address,
    /// A point in time.
    Date,
}

macro_rules! variables {
    ($($(#[doc = $doc:literal])+ $id:ident = $name:literal, $kind:ident;)+) => {
        /// A fact of an exchange, or of the process.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Variable {
            $($(#[doc = $doc])+ $id,)+
        }

        impl Variable {
            /// All of them, in the order of the reference.
            pub const ALL: &'static [Self] = &[$(Self::$id),+];

            const ROWS: &'static [(&'static str, Kind, &'static str)] =
                &[$(($name, Kind::$kind, concat!($($doc),+))),+];
        }
    };
}

variables! {
    /// The client's address; `unix` for a client without one.
    ClientIp = "ci", Address;
    /// The client's port.
    ClientPort = "cp", Address;
    /// The address that the client connected to.
    FrontendIp = "fi", Address;
    /// The port that the client connected to.
    FrontendPort = "fp", Address;
    /// The name of the frontend.
    Frontend = "f", Text;
    /// The name of the frontend, with `~` behind it if the client speaks TLS.
    FrontendTransport = "ft", Text;
    /// The name of the backend; that of the frontend if none was chosen.
    Backend = "b", Text;
    /// The name of the server; `<NOSRV>` if none was tried.
    Server = "s", Text;
    /// The method.
    Method = "HM", Text;
    /// The path of the target.
    Path = "HP", Text;
    /// The same as `%HP`: targets are logged without scheme and host.
    PathOnly = "HPO", Text;
    /// The query, with its `?`; empty without one.
    Query = "HQ", Text;
    /// The target: path and query.
    Target = "HU", Text;
    /// The version: `HTTP/1.1`, `HTTP/2.0`.
    Version = "HV", Text;
    /// The request line: `GET /a HTTP/1.1`; `<BADREQ>` if it could not be read.
    Request = "r", Text;
    /// The host that the client asked for. (Not HAProxy's.)
    Host = "host", Text;
    /// `User-Agent`. (Not HAProxy's.)
    UserAgent = "agent", Text;
    /// `Referer`. (Not HAProxy's.)
    Referer = "referer", Text;
    /// The id of the exchange.
    Id = "ID", Text;
    /// The status; -1 without one.
    Status = "ST", Number;
    /// Bytes of the response's body, or to the client in TCP mode. (HAProxy also counts the head.)
    BytesOut = "B", Number;
    /// Bytes of the request's body, or from the client in TCP mode. (HAProxy also counts the head.)
    BytesIn = "U", Number;
    /// Captured cookies: always `-`, Evenkeel captures none.
    RequestCookie = "CC", Text;
    /// The same, of the response.
    ResponseCookie = "CS", Text;
    /// How the exchange ended, in two letters: see [termination](#termination).
    Termination = "ts", Text;
    /// The same, and two letters about the cookie of persistence, always `--`.
    TerminationCookie = "tsc", Text;
    /// Why the exchange ended so: the code of Evenkeel's [reason](reasons.md). (Not HAProxy's.)
    Reason = "reason", Text;
    /// From the first byte of the request's head to its last, in milliseconds; -1 if it was not complete.
    TimeRequest = "TR", Number;
    /// The same as `%TR`.
    TimeToRequest = "Tq", Number;
    /// In the queue; -1 if none was reached.
    TimeWait = "Tw", Number;
    /// Connecting to the server; 0 if a connection was open; -1 if none was established.
    TimeConnect = "Tc", Number;
    /// From the connection to the head of the response; -1 if none came.
    TimeResponse = "Tr", Number;
    /// The transfer of the response: `%Tt` without `%Tq`, `%Tw`, `%Tc` and `%Tr`; -1 if there was no response.
    TimeData = "Td", Number;
    /// The whole exchange.
    TimeActive = "Ta", Number;
    /// The same as `%Ta`. In TCP mode: the whole connection.
    TimeTotal = "Tt", Number;
    /// The same as `%Ta`.
    TimeUser = "Tu", Number;
    /// How often the request was tried again, with `+` before it if another server was tried.
    Retries = "rc", Number;
    /// What rules have captured of the request (`capture`): `{a|b}`; nothing if none has run.
    RequestCaptures = "hr", Text;
    /// The same, of the response.
    ResponseCaptures = "hs", Text;
    /// Open client connections of the process, with this one.
    ProcessConnections = "ac", Number;
    /// Open client connections of the frontend, with this one.
    FrontendConnections = "fc", Number;
    /// Other exchanges at servers of the backend when this one got its server.
    BackendExchanges = "bc", Number;
    /// Other exchanges at the server when this one got it.
    ServerExchanges = "sc", Number;
    /// Exchanges that waited for this one server (`use_server`) before this one.
    ServerQueue = "sq", Number;
    /// Exchanges that waited for any server of the backend before this one.
    BackendQueue = "bq", Number;
    /// When the request began: `06/Feb/2009:12:14:14.655`. UTC, as all dates.
    Date = "tr", Date;
    /// `06/Feb/2009:12:14:14 +0000`
    DateGmt = "trg", Date;
    /// The same as `%trg`.
    DateLocal = "trl", Date;
    /// The same as `%tr`: Evenkeel does not keep when a connection was accepted, except in TCP mode.
    AcceptDate = "t", Date;
    /// The same as `%trg`.
    AcceptDateGmt = "T", Date;
    /// The same as `%trg`.
    AcceptDateLocal = "Tl", Date;
    /// `%t` in seconds since 1970.
    Timestamp = "Ts", Address;
    /// The milliseconds of `%t`, three digits.
    Milliseconds = "ms", Date;
    /// `%tr` as RFC 3339 has it: `2009-02-06T12:14:14.655Z`. (Not HAProxy's.)
    Rfc3339 = "time", Date;
    /// The cipher suite by its IANA name.
    TlsCipher = "sslc", Text;
    /// The version of TLS: `TLSv1.3`.
    TlsVersion = "sslv", Text;
    /// The name of this host.
    Hostname = "H", Text;
    /// The number of this process.
    Process = "pid", Address;
}

/// HAProxy's variables that are not here, each with the reason.
pub const NOT_HERE: &[(&str, &str)] = &[
    (
        "si",
        "the address of a server is not kept; `%s` is its name",
    ),
    ("sp", "the port of a server is not kept; `%s` is its name"),
    ("hrl", "write `%hr`"),
    ("hsl", "write `%hs`"),
    (
        "bi",
        "the address from which a server was reached is not kept",
    ),
    ("bp", "the port from which a server was reached is not kept"),
    (
        "Th",
        "handshakes are not a part of an exchange; their number is in the metrics",
    ),
    ("Ti", "the time between two requests is not kept"),
    ("rt", "requests are not numbered; `%ID` is unique"),
    ("lc", "lines are not numbered; `%ID` is unique"),
];

impl Variable {
    /// As it is written after the `%`.
    pub fn name(self) -> &'static str {
        Self::ROWS[self as usize].0
    }

    /// The kind of its value.
    pub fn kind(self) -> Kind {
        Self::ROWS[self as usize].1
    }

    /// The description for the reference.
    pub fn meaning(self) -> &'static str {
        Self::ROWS[self as usize].2
    }

    /// Whether its value is a whole number.
    pub fn is_number(self) -> bool {
        let is_other = matches!(
            self,
            Self::ClientPort
                | Self::FrontendPort
                | Self::Process
                | Self::Timestamp
                | Self::Milliseconds
        );
        is_other || self.kind() == Kind::Number
    }

    /// Whether it says how busy the process, a frontend, a backend or a server is.
    pub fn is_load(self) -> bool {
        matches!(
            self,
            Self::ProcessConnections | Self::FrontendConnections | Self::BackendExchanges
        )
    }

    /// The variable with this name.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|variable| variable.name() == name)
    }
}
