//! Fetches of the process: its environment, the time, and chance.

use std::time::UNIX_EPOCH;

use crate::base::clock;
use crate::plan::expr::{Argument, Fetch};

use super::scratch::{Scratch, Value};

/// The value of a fetch that is known when its expression is compiled.
pub(super) fn known(fetch: Fetch, arguments: &[Argument]) -> Option<Box<[u8]>> {
    match (fetch, arguments.first()) {
        (Fetch::Env, Some(Argument::Text(name))) => {
            let value = std::env::var_os(name)?;
            Some(value.as_encoded_bytes().into())
        }
        (Fetch::Hostname, _) => {
            let system = rustix::system::uname();
            Some(system.nodename().to_bytes().into())
        }
        _ => None,
    }
}

pub(super) fn date<'a>(arguments: &[Argument]) -> Value<'a> {
    let Ok(now) = clock::wall().duration_since(UNIX_EPOCH) else {
        return Value::Absent;
    };
    let now = match arguments.get(1) {
        Some(Argument::Text(unit)) if unit == "ms" => now.as_millis() as i64,
        Some(Argument::Text(unit)) if unit == "us" => now.as_micros() as i64,
        _ => now.as_secs() as i64,
    };
    let offset = match arguments.first() {
        Some(Argument::Int(offset)) => *offset,
        _ => 0,
    };
    Value::Int(now.saturating_add(offset))
}

pub(super) fn date_us<'a>() -> Value<'a> {
    match clock::wall().duration_since(UNIX_EPOCH) {
        Ok(now) => Value::Int(now.subsec_micros().into()),
        Err(_) => Value::Absent,
    }
}

pub(super) fn rand<'a>(arguments: &[Argument], scratch: &Scratch) -> Value<'a> {
    let range = match arguments.first() {
        Some(Argument::Int(range)) => u64::try_from(*range).unwrap_or_default(),
        _ => 1 << 32,
    };
    // A range is at most the largest number.
    Value::Int(scratch.rng().below(range) as i64)
}

/// RFC 9562 §5.4.
pub(super) fn uuid<'a>(scratch: &mut Scratch) -> Value<'a> {
    let (high, low) = (scratch.rng().next_u64(), scratch.rng().next_u64());
    let high = high & !0xf000 | 0x4000;
    let low = low & !(0b11 << 62) | 0b10 << 62;
    let text = format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    );
    scratch.write(|bytes| bytes.extend_from_slice(text.as_bytes()))
}
