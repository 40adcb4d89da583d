//! The converters: functions on values. The table is [`crate::plan::expr::Converter`].
//!
//! A new converter is one row there, one line in [`compiled`], and one function or one type that
//! implements [`Convert`].

mod arguments;
mod encode;
mod functions;
pub(super) mod hash;
mod json;
mod json_query;
mod jwt_verify;
mod language;
mod map;
mod number;
mod part;
mod rfc7239;
mod strftime;
mod substitution;
mod table;
mod text;
mod time;

use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::base::Zone;
use crate::plan::expr::{self, Argument, Converter, Type};

use super::case::Case;
use super::facts::Facts;
use super::scratch::{Scratch, Value};
use arguments::Arguments;
use functions::{Arithmetic, Cut, Format, IsInt, Measure, OfInt, Rewrite};
use hash::Hash;
use json_query::{JsonQuery, JwtQuery};
use part::{Part, PartKind};
use substitution::Substitution;
use text::{AddItem, Compare, Concat, Iif};

pub(super) use text::lower;

/// One converter with its arguments, ready to run.
#[derive(Debug)]
pub(super) struct Conversion {
    /// The types from and to which the value is cast first; `None`: it has the type already.
    cast: Option<(Type, Type)>,
    converter: Box<dyn Convert>,
}

/// The work of a converter.
trait Convert: Debug + Send + Sync {
    /// `value` is not absent, and has the type that the converter takes.
    fn apply<'a>(&'a self, value: Value<'a>, facts: &Facts<'a>, scratch: &mut Scratch)
    -> Value<'a>;
}

impl Conversion {
    /// `from` is the type of the value.
    pub(super) fn compile(conversion: &expr::Conversion, from: Type, case: Case) -> Self {
        let takes = conversion.converter.row().takes;
        Self {
            cast: (takes != from).then_some((from, takes)),
            converter: compiled(conversion.converter, Arguments(&conversion.arguments), case),
        }
    }

    pub(super) fn apply<'a>(
        &'a self,
        value: Value<'a>,
        facts: &Facts<'a>,
        scratch: &mut Scratch,
    ) -> Value<'a> {
        let value = match self.cast {
            Some((from, to)) => scratch.cast(value, from, to),
            None => value,
        };
        match value {
            Value::Absent => Value::Absent,
            value => self.converter.apply(value, facts, scratch),
        }
    }
}

fn compiled(converter: Converter, arguments: Arguments<'_>, case: Case) -> Box<dyn Convert> {
    let arithmetic = |of| Box::new(Arithmetic(arguments.number(0), of));
    let hash = |of| {
        let avalanche = arguments.is_set(0);
        Box::new(Measure(Hash { of, avalanche }, Hash::value))
    };
    let calendar = |zone, units| {
        let calendar = time::Calendar::of(zone, units, arguments);
        Box::new(Format(calendar, time::Calendar::write))
    };
    let seed = arguments.int(0).unwrap_or_default();
    match converter {
        Converter::Lower => Box::new(text::Lower),
        Converter::Upper => Box::new(text::Upper),
        Converter::Length => Box::new(Measure((), |(), text| Some(text.len() as i64))),
        Converter::Field => Box::new(Cut(Part::of(arguments, PartKind::Field), Part::find)),
        Converter::Word => Box::new(Cut(Part::of(arguments, PartKind::Word), Part::find)),
        Converter::Regsub => Box::new(Substitution::of(arguments, case)),
        Converter::Map
        | Converter::MapStrInt
        | Converter::MapStrIp
        | Converter::MapBeg
        | Converter::MapBegInt
        | Converter::MapBegIp
        | Converter::MapEnd
        | Converter::MapEndInt
        | Converter::MapEndIp
        | Converter::MapSub
        | Converter::MapSubInt
        | Converter::MapSubIp
        | Converter::MapDir
        | Converter::MapDirInt
        | Converter::MapDirIp
        | Converter::MapDom
        | Converter::MapDomInt
        | Converter::MapDomIp
        | Converter::MapReg
        | Converter::MapRegInt
        | Converter::MapRegIp
        | Converter::MapRegm
        | Converter::MapIp
        | Converter::MapIpInt
        | Converter::MapIpIp
        | Converter::MapInt
        | Converter::MapIntInt
        | Converter::MapIntIp => Box::new(map::Map::of(arguments, converter)),
        Converter::Bytes => Box::new(text::Bytes::of(arguments)),
        Converter::Ltrim => Box::new(Cut(arguments.bytes(0), text::ltrim)),
        Converter::Rtrim => Box::new(Cut(arguments.bytes(0), text::rtrim)),
        Converter::Param => Box::new(Cut(text::Param::of(arguments), text::param)),
        Converter::Reverse => Box::new(Rewrite((), text::reverse)),
        Converter::ReverseDom => Box::new(Rewrite((), text::reverse_dom)),
        Converter::CutCrlf => Box::new(Cut((), text::cut_crlf)),
        Converter::Concat => Box::new(Concat::of(arguments)),
        Converter::AddItem => Box::new(AddItem::of(arguments)),
        Converter::Strcmp => Box::new(Compare {
            variable: arguments.variable(0),
            result: text::ordering,
        }),
        Converter::SecureMemcmp => Box::new(Compare {
            variable: arguments.variable(0),
            result: text::equal_in_constant_time,
        }),
        Converter::Iif => Box::new(Iif {
            yes: arguments.owned(0),
            no: arguments.owned(1),
        }),
        Converter::HostOnly => Box::new(Rewrite((), text::host_only)),
        Converter::PortOnly => Box::new(Measure((), text::port_only)),
        Converter::Add => arithmetic(i64::saturating_add),
        Converter::Sub => arithmetic(i64::saturating_sub),
        Converter::Mul => arithmetic(i64::saturating_mul),
        Converter::Div => arithmetic(number::div),
        Converter::Mod => arithmetic(number::rem),
        Converter::And => arithmetic(|left, right| left & right),
        Converter::Or => arithmetic(|left, right| left | right),
        Converter::Xor => arithmetic(|left, right| left ^ right),
        Converter::Neg => Box::new(OfInt(number::neg)),
        Converter::Cpl => Box::new(OfInt(|number| !number)),
        Converter::Bool => Box::new(IsInt(|number| number != 0)),
        Converter::Not => Box::new(IsInt(|number| number == 0)),
        Converter::Even => Box::new(IsInt(|number| number % 2 == 0)),
        Converter::Odd => Box::new(IsInt(|number| number % 2 != 0)),
        Converter::Base64 => Box::new(Rewrite((), encode::base64)),
        Converter::B64dec => Box::new(Rewrite((), encode::from_base64)),
        Converter::Ub64enc => Box::new(Rewrite((), encode::base64_for_urls)),
        Converter::Ub64dec => Box::new(Rewrite((), encode::from_base64_for_urls)),
        Converter::Hex => Box::new(Rewrite((), encode::hex)),
        Converter::Hex2i => Box::new(Measure((), encode::from_hex)),
        Converter::Htonl => Box::new(Format((), encode::htonl)),
        Converter::Be2dec => Box::new(Rewrite(
            encode::Chunks::of(arguments),
            encode::Chunks::decimal,
        )),
        Converter::Le2dec => Box::new(Rewrite(
            encode::Chunks::of(arguments),
            encode::Chunks::decimal_from_the_lowest,
        )),
        Converter::Be2hex => Box::new(Rewrite(
            encode::Chunks::of(arguments),
            encode::Chunks::hexadecimal,
        )),
        Converter::UrlDec => Box::new(Rewrite(arguments.is_set(0), encode::url_dec)),
        Converter::UrlEnc => Box::new(Rewrite((), encode::url_enc)),
        Converter::Json => Box::new(Rewrite(json::Input::named(arguments.text(0)), json::escape)),
        Converter::JsonQuery => Box::new(JsonQuery::of(arguments)),
        Converter::JwtHeaderQuery => Box::new(JwtQuery::of(0, arguments)),
        Converter::JwtPayloadQuery => Box::new(JwtQuery::of(1, arguments)),
        Converter::JwtVerify => Box::new(jwt_verify::JwtVerify::of(arguments)),
        Converter::Language => Box::new(language::Language::of(arguments)),
        Converter::HttpDate => {
            Box::new(Format(time::HttpDate::of(arguments), time::HttpDate::write))
        }
        Converter::Utime => calendar(None, 1),
        Converter::MsUtime => calendar(None, 1_000),
        Converter::UsUtime => calendar(None, 1_000_000),
        Converter::Ltime => calendar(Some(Zone::of_machine()), 1),
        Converter::MsLtime => calendar(Some(Zone::of_machine()), 1_000),
        Converter::UsLtime => calendar(Some(Zone::of_machine()), 1_000_000),
        Converter::Rfc7239IsValid => Box::new(rfc7239::IsValid),
        Converter::Rfc7239Field => {
            let parameter = rfc7239::Parameter(arguments.text(0).into());
            Box::new(Rewrite(parameter, rfc7239::Parameter::write))
        }
        Converter::Rfc7239N2nn => Box::new(rfc7239::NodePart::Name),
        Converter::Rfc7239N2np => Box::new(rfc7239::NodePart::Port),
        Converter::Sha1 => Box::new(Rewrite(hash::algorithm("sha1"), hash::digest)),
        Converter::Sha2 | Converter::Digest => {
            Box::new(Rewrite(hash::algorithm(arguments.text(0)), hash::digest))
        }
        Converter::Hmac => Box::new(hash::Hmac::of(arguments)),
        Converter::Crc32 => hash(hash::crc32),
        Converter::Crc32c => hash(hash::crc32c),
        Converter::Djb2 => hash(hash::djb2),
        Converter::Sdbm => hash(hash::sdbm),
        Converter::Wt6 => hash(hash::wt6),
        Converter::Xxh32 => Box::new(Measure(seed as u32, hash::xxh32)),
        Converter::Xxh64 => Box::new(Measure(seed as u64, hash::xxh64)),
        Converter::Xxh3 => Box::new(Measure(seed as u64, hash::xxh3)),
        Converter::InTable
        | Converter::TableConnCnt
        | Converter::TableConnCur
        | Converter::TableConnRate
        | Converter::TableHttpReqCnt
        | Converter::TableHttpReqRate
        | Converter::TableHttpErrCnt
        | Converter::TableHttpErrRate
        | Converter::TableHttpFailCnt
        | Converter::TableHttpFailRate
        | Converter::TableKbytesIn
        | Converter::TableBytesInRate
        | Converter::TableKbytesOut
        | Converter::TableBytesOutRate
        | Converter::TableGpc
        | Converter::TableGpcRate
        | Converter::TableGpc0
        | Converter::TableGpc0Rate
        | Converter::TableGpc1
        | Converter::TableGpc1Rate
        | Converter::TableGpt
        | Converter::TableGpt0
        | Converter::TableTrackers => Box::new(table::LookUp::of(converter, arguments)),
        Converter::Ipmask => Box::new(Ipmask::of(arguments)),
    }
}

impl Convert for Substitution {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
        // A text without a match is not copied.
        match scratch.text(value).is_some_and(|text| self.matches(text)) {
            true => scratch.rewrite(value, |text, into| self.write(text, into)),
            false => value,
        }
    }
}

/// An address without the bits after those of the masks.
#[derive(Debug)]
struct Ipmask(Ipv4Addr, Option<Ipv6Addr>);

impl Ipmask {
    fn of(arguments: Arguments<'_>) -> Self {
        let mask4 = match arguments.get(0) {
            Some(Argument::Mask4(mask)) => *mask,
            _ => Ipv4Addr::BROADCAST,
        };
        let mask6 = match arguments.get(1) {
            Some(Argument::Mask6(mask)) => Some(*mask),
            _ => None,
        };
        Self(mask4, mask6)
    }
}

impl Convert for Ipmask {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, _: &mut Scratch) -> Value<'a> {
        match (value, self.1) {
            (Value::Ip(IpAddr::V4(addr)), _) => Value::Ip((addr & self.0).into()),
            (Value::Ip(IpAddr::V6(addr)), Some(mask)) => Value::Ip((addr & mask).into()),
            _ => Value::Absent,
        }
    }
}
