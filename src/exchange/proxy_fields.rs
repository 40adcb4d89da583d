//! The fields of the PROXY header of a client's connection, beside its addresses.

/// Types and values, in the order of the header. Its length bounds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyFields(Box<[(u8, Box<[u8]>)]>);

impl ProxyFields {
    /// A host name (`PP2_TYPE_AUTHORITY`).
    pub const AUTHORITY: u8 = 0x02;
    /// An identifier (`PP2_TYPE_UNIQUE_ID`).
    pub const UNIQUE_ID: u8 = 0x05;

    /// These fields; `None`: there are none.
    pub fn of<'f>(fields: impl Iterator<Item = (u8, &'f [u8])>) -> Option<Self> {
        let fields: Box<[_]> = fields.map(|(kind, value)| (kind, value.into())).collect();
        (!fields.is_empty()).then_some(Self(fields))
    }

    /// The value of the first field of the type `kind`.
    pub fn get(&self, kind: u8) -> Option<&[u8]> {
        let found = self.0.iter().find(|(known, _)| *known == kind);
        found.map(|(_, value)| &**value)
    }
}
