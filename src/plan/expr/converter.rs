//! The converters: functions on values.
//!
//! One row for each converter; `crate::expr::convert` has its evaluation: one constructor, chosen by
//! the row's id. A value of another type than a converter takes is cast as HAProxy does; see
//! [`Type`].

use crate::plan::{Data, Reading};

use super::parameter::{Parameter, parameters};
use super::{MapKeys, MapValues, Type};

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

/// Hashes of `digest` and `hmac`.
const DIGESTS: &[&str] = &["sha1", "sha224", "sha256", "sha384", "sha512"];

/// How `json` decodes its input.
const JSON_INPUTS: &[&str] = &["ascii", "utf8", "utf8s", "utf8p", "utf8ps"];

/// The lengths of `sha2`.
const SHA2_BITS: &[&str] = &["224", "256", "384", "512"];

converters! {
    /// The same with the letters A to Z in lower case.
    Lower = "lower", (), Text -> Text;
    /// The same with the letters a to z in upper case.
    Upper = "upper", (), Text -> Text;
    /// The number of bytes.
    Length = "length" | "len", (), Text -> Int;
    /// The part with this index between delimiters, each of which separates two parts, that may be empty. 1 is the first, -1 the last. `count` parts (0: all) from there on, towards the beginning for a negative index. Absent when there is no such part.
    Field = "field", (! "index" Index, ! "delimiters" Characters, ? "count" Int), Text -> Text;
    /// As `field`, but delimiters that follow each other, begin or end the text, separate nothing: no part is empty.
    Word = "word", (! "index" Index, ! "delimiters" Characters, ? "count" Int), Text -> Text;
    /// The text with the first match of a regular expression replaced, with the flag `g` each match. `\0` to `\9` in the replacement are the match and its groups. With the flag `i` case does not count. Absent when more than 4,096 matches would be replaced, or when the text would be longer than 4 MiB.
    Regsub = "regsub", (! "regex" Pattern, ! "replacement" Text, ? "flags" SubstitutionFlags), Text -> Text;
    /// The value that a file has for this key: on each line a key, spaces and its value. Without `default` it is absent for a key that the file does not have. All `map_…` are the same for other keys, and with `_int` or `_ip` for values that are numbers or addresses.
    Map = "map" | "map_str", (! "file" Map(MapKeys::Whole, MapValues::Texts), ? "default" Text), Text -> Text;
    /// A number for this key.
    MapStrInt = "map_str_int", (! "file" Map(MapKeys::Whole, MapValues::Numbers), ? "default" Int), Text -> Int;
    /// An address for this key.
    MapStrIp = "map_str_ip", (! "file" Map(MapKeys::Whole, MapValues::Addresses), ? "default" Ip), Text -> Ip;
    /// The key is a beginning of the text; of several the longest counts.
    MapBeg = "map_beg", (! "file" Map(MapKeys::Beginnings, MapValues::Texts), ? "default" Text), Text -> Text;
    /// A number for such a key.
    MapBegInt = "map_beg_int", (! "file" Map(MapKeys::Beginnings, MapValues::Numbers), ? "default" Int), Text -> Int;
    /// An address for such a key.
    MapBegIp = "map_beg_ip", (! "file" Map(MapKeys::Beginnings, MapValues::Addresses), ? "default" Ip), Text -> Ip;
    /// The key is an end of the text; of several the first in the file counts, here and for the others.
    MapEnd = "map_end", (! "file" Map(MapKeys::Ends, MapValues::Texts), ? "default" Text), Text -> Text;
    /// A number for such a key.
    MapEndInt = "map_end_int", (! "file" Map(MapKeys::Ends, MapValues::Numbers), ? "default" Int), Text -> Int;
    /// An address for such a key.
    MapEndIp = "map_end_ip", (! "file" Map(MapKeys::Ends, MapValues::Addresses), ? "default" Ip), Text -> Ip;
    /// The key is a part of the text.
    MapSub = "map_sub", (! "file" Map(MapKeys::Parts, MapValues::Texts), ? "default" Text), Text -> Text;
    /// A number for such a key.
    MapSubInt = "map_sub_int", (! "file" Map(MapKeys::Parts, MapValues::Numbers), ? "default" Int), Text -> Int;
    /// An address for such a key.
    MapSubIp = "map_sub_ip", (! "file" Map(MapKeys::Parts, MapValues::Addresses), ? "default" Ip), Text -> Ip;
    /// The key is a part of the text between `/` and `?`, or its ends: `a/b` in `/x/a/b/y`.
    MapDir = "map_dir", (! "file" Map(MapKeys::Directories, MapValues::Texts), ? "default" Text), Text -> Text;
    /// A number for such a key.
    MapDirInt = "map_dir_int", (! "file" Map(MapKeys::Directories, MapValues::Numbers), ? "default" Int), Text -> Int;
    /// An address for such a key.
    MapDirIp = "map_dir_ip", (! "file" Map(MapKeys::Directories, MapValues::Addresses), ? "default" Ip), Text -> Ip;
    /// The key is a part of the text between `.`, `:`, `/` and `?`, or its ends: `example.com` in `www.example.com`.
    MapDom = "map_dom", (! "file" Map(MapKeys::Domains, MapValues::Texts), ? "default" Text), Text -> Text;
    /// A number for such a key.
    MapDomInt = "map_dom_int", (! "file" Map(MapKeys::Domains, MapValues::Numbers), ? "default" Int), Text -> Int;
    /// An address for such a key.
    MapDomIp = "map_dom_ip", (! "file" Map(MapKeys::Domains, MapValues::Addresses), ? "default" Ip), Text -> Ip;
    /// The key is a regular expression that matches somewhere in the text.
    MapReg = "map_reg", (! "file" Map(MapKeys::Patterns, MapValues::Texts), ? "default" Text), Text -> Text;
    /// A number for such a key.
    MapRegInt = "map_reg_int", (! "file" Map(MapKeys::Patterns, MapValues::Numbers), ? "default" Int), Text -> Int;
    /// An address for such a key.
    MapRegIp = "map_reg_ip", (! "file" Map(MapKeys::Patterns, MapValues::Addresses), ? "default" Ip), Text -> Ip;
    /// The same; `\1` in the value is a group of the regular expression.
    MapRegm = "map_regm", (! "file" Map(MapKeys::PatternsWithGroups, MapValues::Texts), ? "default" Text), Text -> Text;
    /// The key is an address, or a network that has the address; of several the smallest network counts.
    MapIp = "map_ip", (! "file" Map(MapKeys::Addresses, MapValues::Texts), ? "default" Text), Ip -> Text;
    /// A number for such a key.
    MapIpInt = "map_ip_int", (! "file" Map(MapKeys::Addresses, MapValues::Numbers), ? "default" Int), Ip -> Int;
    /// An address for such a key.
    MapIpIp = "map_ip_ip", (! "file" Map(MapKeys::Addresses, MapValues::Addresses), ? "default" Ip), Ip -> Ip;
    /// The key is a number, or a range (`10:19`, `:19`, `10:`) that has the number.
    MapInt = "map_int", (! "file" Map(MapKeys::Numbers, MapValues::Texts), ? "default" Text), Int -> Text;
    /// A number for such a key.
    MapIntInt = "map_int_int", (! "file" Map(MapKeys::Numbers, MapValues::Numbers), ? "default" Int), Int -> Int;
    /// An address for such a key.
    MapIntIp = "map_int_ip", (! "file" Map(MapKeys::Numbers, MapValues::Addresses), ? "default" Ip), Int -> Ip;
    /// The bytes from `offset` on, at most `length` of them. Empty if there are none.
    Bytes = "bytes", (! "offset" NumberFrom(0), ? "length" NumberFrom(1)), Bytes -> Bytes;
    /// The text without the characters `characters` at its beginning.
    Ltrim = "ltrim", (! "characters" Text), Text -> Text;
    /// The text without the characters `characters` at its end.
    Rtrim = "rtrim", (! "characters" Text), Text -> Text;
    /// The value of the first parameter `name` of a query. Parameters are between `delimiter`s, `&` unless it is written; one without `=` is empty. Absent without the parameter.
    Param = "param", (! "name" Text, ? "delimiter" Text), Text -> Text;
    /// The bytes from the last to the first.
    Reverse = "reverse", (), Bytes -> Bytes;
    /// The labels of a domain name from the last to the first: `www.example.com` is `com.example.www`.
    ReverseDom = "reverse_dom", (), Text -> Text;
    /// The text up to the first line end (CR or LF).
    CutCrlf = "cut_crlf", (), Text -> Text;
    /// The text, then `start`, the value of `variable` if it is set, and `end`.
    Concat = "concat", (? "start" Text, ? "variable" Variable, ? "end" Text), Text -> Text;
    /// The text with an item appended: the value of `variable`, then `suffix`. The delimiter separates it from a text that is not empty; without an item nothing is appended.
    AddItem = "add_item", (! "delimiter" Text, ? "variable" Variable, ? "suffix" Text), Text -> Text;
    /// Compares the text with that of a variable byte by byte: 0 if they are equal, a negative number if the text sorts first, else a positive one. Absent without the variable.
    Strcmp = "strcmp", (! "variable" Variable), Text -> Int;
    /// Whether the bytes are those of a variable, in a time that does not depend on where they differ: for secrets. Absent without the variable.
    SecureMemcmp = "secure_memcmp", (! "variable" Variable), Bytes -> Bool;
    /// `true` or `false`: the one text or the other.
    Iif = "iif", (! "true" Text, ! "false" Text), Bool -> Text;
    /// The host of a `Host` field's value, without its port; an IPv6 address keeps its brackets.
    HostOnly = "host_only", (), Text -> Text;
    /// The port of a `Host` field's value; 0 if it has none.
    PortOnly = "port_only", (), Text -> Int;
    /// The sum. What is larger than 64 bits becomes the largest number, here and for the others.
    Add = "add", (! "number" Number), Int -> Int;
    /// The difference.
    Sub = "sub", (! "number" Number), Int -> Int;
    /// The product.
    Mul = "mul", (! "number" Number), Int -> Int;
    /// The quotient, rounded towards 0. Divided by 0: the largest number.
    Div = "div", (! "number" Number), Int -> Int;
    /// The remainder, with the sign of the value. Divided by 0: 0.
    Mod = "mod", (! "number" Number), Int -> Int;
    /// The number with the opposite sign.
    Neg = "neg", (), Int -> Int;
    /// The number with each bit inverted.
    Cpl = "cpl", (), Int -> Int;
    /// The bits that both have.
    And = "and", (! "number" Number), Int -> Int;
    /// The bits that one of them has.
    Or = "or", (! "number" Number), Int -> Int;
    /// The bits that exactly one of them has.
    Xor = "xor", (! "number" Number), Int -> Int;
    /// Whether the number is not 0.
    Bool = "bool", (), Int -> Bool;
    /// Whether the number is 0.
    Not = "not", (), Int -> Bool;
    /// Whether the number is even.
    Even = "even", (), Int -> Bool;
    /// Whether the number is odd.
    Odd = "odd", (), Int -> Bool;
    /// The bytes in base64, padded (RFC 4648 §4).
    Base64 = "base64", (), Bytes -> Text;
    /// The bytes that a text in base64 stands for. Absent if it is none.
    B64dec = "b64dec", (), Text -> Bytes;
    /// The bytes in base64 for URLs, without padding (RFC 4648 §5).
    Ub64enc = "ub64enc", (), Bytes -> Text;
    /// The bytes that a text in base64 for URLs stands for, padded or not. Absent if it is none.
    Ub64dec = "ub64dec", (), Text -> Bytes;
    /// The bytes in hexadecimal digits, upper case.
    Hex = "hex", (), Bytes -> Text;
    /// The number that hexadecimal digits stand for. Absent for other characters; of more than 16 digits the last 16 count.
    Hex2i = "hex2i", (), Text -> Int;
    /// The last 32 bits of the number as four bytes, the highest first.
    Htonl = "htonl", (), Int -> Bytes;
    /// The bytes in chunks of `size` (1 to 8) as decimal numbers with `separator` between them. With `truncate` 1, a shorter chunk at the end is left out.
    Be2dec = "be2dec", (! "separator" Text, ! "size" IntIn(1, 8), ? "truncate" IntIn(0, 1)), Bytes -> Text;
    /// The same with the lowest byte of each chunk first.
    Le2dec = "le2dec", (! "separator" Text, ! "size" IntIn(1, 8), ? "truncate" IntIn(0, 1)), Bytes -> Text;
    /// As `be2dec` with hexadecimal digits, and chunks of any size; without arguments, one chunk has all bytes.
    Be2hex = "be2hex", (? "separator" Text, ? "size" IntIn(0, i64::MAX), ? "truncate" IntIn(0, 1)), Bytes -> Text;
    /// The text without percent-encoding. `+` is a space after a `?`, with `in_form` 1 everywhere. Absent if a `%` has no two hexadecimal digits after it.
    UrlDec = "url_dec", (? "in_form" Int), Text -> Text;
    /// The text with everything but letters, digits and `-._~` percent-encoded.
    UrlEnc = "url_enc", (? "kind" OneOf(&["query"])), Text -> Text;
    /// The text escaped for a string in JSON, as ASCII. `input` is its encoding: `ascii` (each byte is a character), `utf8` (absent if it is not valid), with `p`: characters in too many bytes are accepted, with `s`: mistakes are left out.
    Json = "json", (? "input" OneOf(JSON_INPUTS)), Text -> Text;
    /// A value of a JSON text: `json_query($.a.b[0])`. A text is unescaped, `true` and `false` are booleans, a number is a text and with `int` a number, a list is its JSON. Absent for `null`, for an object, and if the text is no JSON.
    JsonQuery = "json_query", (! "path" JsonPath, ? "type" OneOf(&["int"])), Text -> Any;
    /// A value of the header of a JSON Web Token, which is not verified; see `json_query`. Without a path the whole header.
    JwtHeaderQuery = "jwt_header_query", (? "path" JsonPath, ? "type" OneOf(&["int"])), Bytes -> Any;
    /// A value of the payload of a JSON Web Token, which is not verified; see `json_query`. Without a path the whole payload.
    JwtPayloadQuery = "jwt_payload_query", (? "path" JsonPath, ? "type" OneOf(&["int"])), Bytes -> Any;
    /// Whether a JSON Web Token is signed by a key: 1, or 0 if it is not, -1 if the algorithm in a variable is not known, -3 if the text is no token. The key of `HS256`, `HS384` and `HS512` is a secret, that of other algorithms a file of public keys, and with a variable it is always a file: a client that chooses the algorithm cannot have a public key taken for a secret. Nothing else of the token is looked at; the rule `jwt` does all of it.
    JwtVerify = "jwt_verify", (! "algorithm" Algorithm, ! "key" SignatureKeys), Bytes -> Int;
    /// Of the languages between semicolons the one that an `Accept-Language` prefers, else `default`: `req.fhdr(accept-language),language(en;fr,en)`. A variant (`fr-CA`) counts as its language unless it is in the list before it. Case counts.
    Language = "language", (! "languages" Text, ? "default" Text), Text -> Text;
    /// A time in seconds since 1970 as a date for a field, with `offset` added: `Sun, 09 Sep 2001 01:46:40 GMT`. In another unit (`ms`, `us`) both are in that unit, and the seconds have a fraction. Absent before 1970 and after the year 9999.
    HttpDate = "http_date", (? "offset" Int, ? "unit" OneOf(&["s", "ms", "us"])), Int -> Text;
    /// A time in seconds since 1970 in UTC, with `offset` added, in a format of `strftime` in the locale C: `date,utime(%Y-%m-%d)`. Absent before 1970 and after the year 9999.
    Utime = "utime", (! "format" Text, ? "offset" Int), Int -> Text;
    /// The same of a time in milliseconds, with an offset in milliseconds. `%3N` are the milliseconds after the second; `%N` has nine digits.
    MsUtime = "ms_utime", (! "format" Text, ? "offset" Int), Int -> Text;
    /// The same of a time in microseconds, with an offset in microseconds. `%6N` are the microseconds after the second.
    UsUtime = "us_utime", (! "format" Text, ? "offset" Int), Int -> Text;
    /// As `utime`, in the time zone of this machine: that in the environment variable `TZ`, else in `/etc/localtime`, else UTC.
    Ltime = "ltime", (! "format" Text, ? "offset" Int), Int -> Text;
    /// As `ms_utime`, in that time zone.
    MsLtime = "ms_ltime", (! "format" Text, ? "offset" Int), Int -> Text;
    /// As `us_utime`, in that time zone.
    UsLtime = "us_ltime", (! "format" Text, ? "offset" Int), Int -> Text;
    /// Whether the text is a valid value of `Forwarded` (RFC 7239): `req.fhdr(forwarded),rfc7239_is_valid`.
    Rfc7239IsValid = "rfc7239_is_valid", (), Text -> Bool;
    /// A parameter of an element of `Forwarded`, without quotes: `req.hdr(forwarded,-1),rfc7239_field(for)`. Absent if it has none, or is not valid.
    Rfc7239Field = "rfc7239_field", (! "field" OneOf(&["proto", "host", "for", "by"])), Text -> Text;
    /// The name of a node, which `for` and `by` have: an address, `unknown`, or a text that begins with `_`.
    Rfc7239N2nn = "rfc7239_n2nn", (), Text -> Any;
    /// The port of a node: a number, or a text that begins with `_`. Absent without one.
    Rfc7239N2np = "rfc7239_n2np", (), Text -> Any;
    /// The SHA-1 of the bytes, as bytes: write `,hex` after it.
    Sha1 = "sha1", (), Bytes -> Bytes;
    /// The SHA-2 of the bytes with 224, 256 (without an argument), 384 or 512 bits, as bytes.
    Sha2 = "sha2", (? "bits" OneOf(SHA2_BITS)), Bytes -> Bytes;
    /// The digest of the bytes, as bytes: `sha1`, `sha224`, `sha256`, `sha384` or `sha512`.
    Digest = "digest", (! "algorithm" OneOf(DIGESTS)), Bytes -> Bytes;
    /// The message authentication code of the bytes, as bytes; the key is base64, in the argument or in a variable. Absent if the variable has none.
    Hmac = "hmac", (! "algorithm" OneOf(DIGESTS), ! "key" Key), Bytes -> Bytes;
    /// The CRC-32 of the bytes, as in Ethernet and gzip. With `avalanche` 1 its bits are mixed again, here and for the others.
    Crc32 = "crc32", (? "avalanche" Int), Bytes -> Int;
    /// The CRC-32C of the bytes, as in iSCSI.
    Crc32c = "crc32c", (? "avalanche" Int), Bytes -> Int;
    /// The hash DJB2 of the bytes, 32 bits.
    Djb2 = "djb2", (? "avalanche" Int), Bytes -> Int;
    /// The hash SDBM of the bytes, 32 bits.
    Sdbm = "sdbm", (? "avalanche" Int), Bytes -> Int;
    /// HAProxy's hash WT6 of the bytes, 32 bits.
    Wt6 = "wt6", (? "avalanche" Int), Bytes -> Int;
    /// The XXH32 of the bytes.
    Xxh32 = "xxh32", (? "seed" Int), Bytes -> Int;
    /// The XXH64 of the bytes, as a signed number.
    Xxh64 = "xxh64", (? "seed" Int), Bytes -> Int;
    /// The XXH3 of the bytes with 64 bits, as a signed number.
    Xxh3 = "xxh3", (? "seed" Int), Bytes -> Int;
    /// The address with only the bits of the mask. An IPv6 address without `mask6` is absent.
    Ipmask = "ipmask", (! "mask4" Mask4, ? "mask6" Mask6), Ip -> Ip;
    /// Whether a table has an entry with this key.
    InTable = "in_table", (! "table" Table), Any -> Bool;
    /// How many exchanges were tracked in the entry with this key; 0 without one.
    TableConnCnt = "table_conn_cnt", (! "table" Table), Any -> Int;
    /// How many exchanges are tracked now in the entry with this key; 0 without one.
    TableConnCur = "table_conn_cur", (! "table" Table), Any -> Int;
    /// How many exchanges were tracked in the period in the entry with this key; 0 without one.
    TableConnRate = "table_conn_rate", (! "table" Table), Any -> Int;
    /// The requests in the entry with this key; 0 without one.
    TableHttpReqCnt = "table_http_req_cnt", (! "table" Table), Any -> Int;
    /// The requests in the period in the entry with this key; 0 without one.
    TableHttpReqRate = "table_http_req_rate", (! "table" Table), Any -> Int;
    /// The errors of the client in the entry with this key; 0 without one.
    TableHttpErrCnt = "table_http_err_cnt", (! "table" Table), Any -> Int;
    /// The errors of the client in the period in the entry with this key; 0 without one.
    TableHttpErrRate = "table_http_err_rate", (! "table" Table), Any -> Int;
    /// The failures of servers in the entry with this key; 0 without one.
    TableHttpFailCnt = "table_http_fail_cnt", (! "table" Table), Any -> Int;
    /// The failures of servers in the period in the entry with this key; 0 without one.
    TableHttpFailRate = "table_http_fail_rate", (! "table" Table), Any -> Int;
    /// The bytes from the client, in units of 1,024, in the entry with this key; 0 without one.
    TableKbytesIn = "table_kbytes_in", (! "table" Table), Any -> Int;
    /// The bytes from the client in the period in the entry with this key; 0 without one.
    TableBytesInRate = "table_bytes_in_rate", (! "table" Table), Any -> Int;
    /// The bytes to the client, in units of 1,024, in the entry with this key; 0 without one.
    TableKbytesOut = "table_kbytes_out", (! "table" Table), Any -> Int;
    /// The bytes to the client in the period in the entry with this key; 0 without one.
    TableBytesOutRate = "table_bytes_out_rate", (! "table" Table), Any -> Int;
    /// The counter `index` of `gpc` in the entry with this key; 0 without one.
    TableGpc = "table_gpc", (! "index" Int, ! "table" Table), Any -> Int;
    /// The increments of the counter `index` in the period in the entry with this key; 0 without one.
    TableGpcRate = "table_gpc_rate", (! "index" Int, ! "table" Table), Any -> Int;
    /// The first counter in the entry with this key; 0 without one.
    TableGpc0 = "table_gpc0", (! "table" Table), Any -> Int;
    /// The increments of the first counter in the period in the entry with this key; 0 without one.
    TableGpc0Rate = "table_gpc0_rate", (! "table" Table), Any -> Int;
    /// The second counter in the entry with this key; 0 without one.
    TableGpc1 = "table_gpc1", (! "table" Table), Any -> Int;
    /// The increments of the second counter in the period in the entry with this key; 0 without one.
    TableGpc1Rate = "table_gpc1_rate", (! "table" Table), Any -> Int;
    /// The tag `index` of `gpt` in the entry with this key; 0 without one.
    TableGpt = "table_gpt", (! "index" Int, ! "table" Table), Any -> Int;
    /// The first tag in the entry with this key; 0 without one.
    TableGpt0 = "table_gpt0", (! "table" Table), Any -> Int;
    /// How many exchanges track the entry with this key; 0 without one.
    TableTrackers = "table_trackers", (! "table" Table), Any -> Int;
}

impl Converter {
    /// Its row.
    pub fn row(self) -> &'static Row {
        &Self::ROWS[self as usize]
    }

    /// What it reads of the entry of a table; `None`: it is not such a converter.
    pub fn reading(self) -> Option<Reading> {
        Some(match self {
            Self::InTable => Reading::Exists,
            Self::TableConnCnt => Reading::Data(Data::ConnCnt),
            Self::TableConnCur => Reading::Data(Data::ConnCur),
            Self::TableConnRate => Reading::Data(Data::ConnRate),
            Self::TableHttpReqCnt => Reading::Data(Data::HttpReqCnt),
            Self::TableHttpReqRate => Reading::Data(Data::HttpReqRate),
            Self::TableHttpErrCnt => Reading::Data(Data::HttpErrCnt),
            Self::TableHttpErrRate => Reading::Data(Data::HttpErrRate),
            Self::TableHttpFailCnt => Reading::Data(Data::HttpFailCnt),
            Self::TableHttpFailRate => Reading::Data(Data::HttpFailRate),
            Self::TableKbytesIn => Reading::Kilobytes(Data::BytesInCnt),
            Self::TableBytesInRate => Reading::Data(Data::BytesInRate),
            Self::TableKbytesOut => Reading::Kilobytes(Data::BytesOutCnt),
            Self::TableBytesOutRate => Reading::Data(Data::BytesOutRate),
            Self::TableGpc => Reading::Data(Data::Gpc),
            Self::TableGpcRate => Reading::Data(Data::GpcRate),
            Self::TableGpc0 => Reading::Data(Data::Gpc0),
            Self::TableGpc0Rate => Reading::Data(Data::Gpc0Rate),
            Self::TableGpc1 => Reading::Data(Data::Gpc1),
            Self::TableGpc1Rate => Reading::Data(Data::Gpc1Rate),
            Self::TableGpt => Reading::Data(Data::Gpt),
            Self::TableGpt0 => Reading::Data(Data::Gpt0),
            Self::TableTrackers => Reading::Trackers,
            _ => return None,
        })
    }

    /// Whether its first argument is an element of an array of a table's data.
    pub fn has_element(self) -> bool {
        matches!(self, Self::TableGpc | Self::TableGpcRate | Self::TableGpt)
    }

    /// The converter with this name or alias.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|converter| {
            let row = converter.row();
            row.name == name || row.aliases.contains(&name)
        })
    }
}
