//! The converters: functions on values.
//!
//! One row for each converter; `crate::expr::convert` has its evaluation. A value of another type
//! than a converter takes is cast as HAProxy does: addresses, numbers and booleans (`1` and `0`)
//! become text; a text becomes the number at its beginning.

use super::Type;
use super::parameter::{Parameter, parameters};

/// The description of a converter.
#[derive(Debug)]
pub struct Row {
    /// As it is written and shown.
    pub name: &'static str,
    /// Other ways to write it.
    pub aliases: &'static [&'static str],
    /// Its arguments, in order.
    pub parameters: &'static [Parameter],
    /// The type to which the value is cast.
    pub takes: Type,
    /// The type of the result.
    pub yields: Type,
    /// The description for the reference.
    pub meaning: &'static str,
}

macro_rules! converters {
    ($($(#[doc = $doc:literal])+
        $id:ident = $name:literal $(| $alias:literal)*,
        ($($parameter:tt)*), $takes:ident -> $yields:ident;)+) => {
        /// A function on a value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Converter {
            $($(#[doc = $doc])+ $id,)+
        }

        impl Converter {
            /// All of them, in the order of the reference.
            pub const ALL: &'static [Self] = &[$(Self::$id),+];

            const ROWS: &'static [Row] = &[$(Row {
                name: $name,
                aliases: &[$($alias),*],
                parameters: parameters!($($parameter)*),
                takes: Type::$takes,
                yields: Type::$yields,
                meaning: concat!($($doc),+),
            }),+];
        }
    };
}

converters! {
    /// The same with the letters A to Z in lower case.
    Lower = "lower", (), Text -> Text;
    /// The same with the letters a to z in upper case.
    Upper = "upper", (), Text -> Text;
    /// The number of bytes.
    Length = "length" | "len", (), Text -> Int;
    /// The part with this index between delimiters, each of which separates two parts, that may be empty. 1 is the first, -1 the last. `count` parts (0: all) from there on, towards the beginning for a negative index. Absent when there is no such part.
    Field = "field", (! "index" Int, ! "delimiters" Text, ? "count" Int), Text -> Text;
    /// As `field`, but delimiters that follow each other, begin or end the text, separate nothing: no part is empty.
    Word = "word", (! "index" Int, ! "delimiters" Text, ? "count" Int), Text -> Text;
    /// The text with the first match of a regular expression replaced, with the flag `g` each match. `\0` to `\9` in the replacement are the match and its groups. With the flag `i` case does not count. Absent when more than 4,096 matches would be replaced, or when the text would be longer than 4 MiB.
    Regsub = "regsub", (! "regex" Pattern, ! "replacement" Text, ? "flags" SubstitutionFlags), Text -> Text;
    /// The value that a file has for this key: on each line a key, spaces and its value. Without `default` it is absent for a key that the file does not have.
    Map = "map" | "map_str", (! "file" Map, ? "default" Text), Text -> Text;
    /// The address with only the bits of the mask. An IPv6 address without `mask6` is absent.
    Ipmask = "ipmask", (! "mask4" Mask4, ? "mask6" Mask6), Ip -> Ip;
}

impl Converter {
    /// Its row.
    pub fn row(self) -> &'static Row {
        &Self::ROWS[self as usize]
    }

    /// The converter with this name or alias.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|converter| {
            let row = converter.row();
            row.name == name || row.aliases.contains(&name)
        })
    }
}
