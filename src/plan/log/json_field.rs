//! The fields of a JSON line, to choose from.

macro_rules! json_fields {
    ($($id:ident = $name:literal,)+) => {
        /// A field of a JSON line; `conf/reference/access-log.md` describes each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum JsonField {
            $(#[doc = $name] $id,)+
        }

        impl JsonField {
            /// All of them, in the order of a line.
            pub const ALL: &'static [Self] = &[$(Self::$id),+];

            /// As it is written.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$id => $name,)+
                }
            }
        }
    };
}

json_fields! {
    Time = "time",
    Frontend = "frontend",
    Route = "route",
    Backend = "backend",
    Server = "server",
    Client = "client",
    Method = "method",
    Host = "host",
    Target = "target",
    Version = "version",
    UserAgent = "user_agent",
    Referer = "referer",
    TlsVersion = "tls_version",
    TlsCipher = "tls_cipher",
    Sni = "sni",
    Status = "status",
    Reason = "reason",
    RequestId = "request_id",
    Generation = "generation",
    Attempts = "attempts",
    Failed = "failed",
    BytesIn = "bytes_in",
    BytesOut = "bytes_out",
    TimesMs = "times_ms",
}

impl JsonField {
    /// The field with this name.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|field| field.name() == name)
    }
}
