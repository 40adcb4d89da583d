//! What an access log must not contain.

/// `mask`: values that are written as `***`, or shortened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// Parameters of the query, in targets and in `Referer`, by name.
    pub query: MaskedQuery,
    /// Other facts.
    pub facts: Vec<MaskedFact>,
}

/// Parameters of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MaskedQuery {
    /// Those with these names; case does not count.
    Named(Vec<String>),
    /// All.
    All,
}

impl Default for MaskedQuery {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

/// A fact of an exchange that can be masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskedFact {
    /// The client's address, shortened to its network (/24, /48), without the port.
    Client,
    /// `User-Agent`.
    UserAgent,
    /// `Referer`.
    Referer,
    /// The host.
    Host,
    /// The name that a TLS client asked for.
    Sni,
}

impl MaskedFact {
    /// All of them, each with its word.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("client", Self::Client),
        ("user_agent", Self::UserAgent),
        ("referer", Self::Referer),
        ("host", Self::Host),
        ("sni", Self::Sni),
    ];

    /// As it is written.
    pub fn word(self) -> &'static str {
        let mut words = Self::WORDS.iter().filter(|(_, fact)| *fact == self);
        words.next().map_or("", |(word, _)| word)
    }
}

impl Mask {
    /// Whether it masks nothing.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.query == MaskedQuery::default()
    }
}
