//! Templates that have a name.

/// A template that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// HAProxy's `option httplog`.
    HaproxyHttp,
    /// HAProxy's `option tcplog`.
    HaproxyTcp,
    /// The Common Log Format of NCSA and Apache.
    Clf,
    /// The same with referer and user agent: Apache's `combined`.
    Combined,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::HaproxyHttp,
        Self::HaproxyTcp,
        Self::Clf,
        Self::Combined,
    ];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::HaproxyHttp => "haproxy-http",
            Self::HaproxyTcp => "haproxy-tcp",
            Self::Clf => "clf",
            Self::Combined => "combined",
        }
    }

    /// The template.
    pub fn template(self) -> &'static str {
        match self {
            // HAProxy's configuration manual, 8.2.3 and 8.2.2.
            Self::HaproxyHttp => {
                "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc \
                 %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r"
            }
            Self::HaproxyTcp => {
                "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq"
            }
            // Apache's `%h %l %u %t "%r" %>s %b`; names of users are not known.
            Self::Clf => "%ci - - [%trg] %{+Q}r %ST %B",
            Self::Combined => "%ci - - [%trg] %{+Q}r %ST %B %{+Q}referer %{+Q}agent",
        }
    }

    /// The meaning, for the reference.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::HaproxyHttp => "HAProxy's `option httplog`.",
            Self::HaproxyTcp => "HAProxy's `option tcplog`.",
            Self::Clf => "The Common Log Format (NCSA, Apache's `common`).",
            Self::Combined => "Apache's and nginx's `combined`: with referer and user agent.",
        }
    }
}
