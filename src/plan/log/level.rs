//! How an exchange is logged.

/// What rules have said about the lines of an exchange (`set_log_level`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogAs {
    /// Nothing: a syslog gets the severity of the outcome.
    #[default]
    Outcome,
    /// A syslog gets this severity.
    Severity(Severity),
    /// It has no lines.
    Silent,
}

/// The severity of a message (RFC 5424 §6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Severity {
    /// 0
    Emergency,
    /// 1
    Alert,
    /// 2
    Critical,
    /// 3
    Error,
    /// 4
    Warning,
    /// 5
    Notice,
    /// 6
    Info,
    /// 7
    Debug,
}
