//! The head of syslog messages.

/// `syslog` of an access log: what comes before a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syslog {
    /// The form of the head.
    pub format: SyslogFormat,
    /// The facility of all messages; their severity is that of the exchange.
    pub facility: Facility,
    /// The name of the program.
    pub tag: String,
}

impl Default for Syslog {
    fn default() -> Self {
        Self {
            format: SyslogFormat::default(),
            // As most configurations of HAProxy have it.
            facility: Facility::Local0,
            tag: "evenkeel".to_owned(),
        }
    }
}

/// The form of the head of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyslogFormat {
    /// `<134>Mar  1 12:34:56 host tag[pid]: `; to a Unix socket without the host.
    #[default]
    Rfc3164,
    /// `<134>1 2026-03-01T12:34:56.789Z host tag pid - - `
    Rfc5424,
}

macro_rules! facilities {
    ($($id:ident = $name:literal,)+) => {
        /// The facility of syslog messages (RFC 5424 §6.2.1), in the order of their numbers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Facility {
            $(#[doc = $name] $id,)+
        }

        impl Facility {
            /// All of them, each with its word.
            pub const WORDS: &'static [(&'static str, Self)] = &[$(($name, Self::$id),)+];
        }
    };
}

facilities! {
    Kern = "kern",
    User = "user",
    Mail = "mail",
    Daemon = "daemon",
    Auth = "auth",
    Syslog = "syslog",
    Lpr = "lpr",
    News = "news",
    Uucp = "uucp",
    Cron = "cron",
    Authpriv = "authpriv",
    Ftp = "ftp",
    Ntp = "ntp",
    Audit = "audit",
    Alert = "alert",
    Cron2 = "cron2",
    Local0 = "local0",
    Local1 = "local1",
    Local2 = "local2",
    Local3 = "local3",
    Local4 = "local4",
    Local5 = "local5",
    Local6 = "local6",
    Local7 = "local7",
}

impl Facility {
    /// The number in a message.
    pub fn number(self) -> u8 {
        self as u8
    }
}
