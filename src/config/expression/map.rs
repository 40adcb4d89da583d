//! Files of keys and values, for the converter `map`.
//!
//! The format is HAProxy's (configuration manual, `map`): a line is a key, spaces or tabs, and the
//! value up to the end of the line. Empty lines and lines that begin with `#` are comments.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use crate::base::quote::beginning;
use crate::plan::expr::{Argument, Map, MapKeys, MapValues, Pattern, map_range};

use super::list::network;
use super::{Files, Mistake, lines};

/// Reads the map in the file `written`.
pub(super) fn read(
    written: &str,
    part: &Range<usize>,
    (keys, values): (MapKeys, MapValues),
    files: &mut dyn Files,
) -> Result<Argument, Mistake> {
    let (path, text) = files.read(written).map_err(|why| {
        let help = "a relative path begins at the directory of the file that it is written in";
        Mistake::new(part.clone(), format!("cannot read the map: {why}"), help)
    })?;
    let mut entries = Vec::new();
    lines::each((&path, &text), part, |line| {
        let Some((key, value)) = line.split_once([' ', '\t']) else {
            return Err((
                "the line has a key and no value".to_owned(),
                "write the key, a space and its value on each line".to_owned(),
            ));
        };
        let value = value.trim_start();
        let mistake = key_mistake(key, keys).or_else(|| value_mistake(value, values));
        mistake.map_or(Ok(()), Err)?;
        entries.push((key.to_owned(), value.to_owned()));
        Ok(())
    })?;
    Ok(Argument::Map(Map {
        path,
        entries: Arc::new(entries),
    }))
}

/// What is wrong with a key, and what to write instead.
fn key_mistake(key: &str, keys: MapKeys) -> Option<(String, String)> {
    match keys {
        MapKeys::Patterns | MapKeys::PatternsWithGroups => {
            let why = Pattern::new(key).err()?;
            Some((why, "https://docs.rs/regex has the syntax".to_owned()))
        }
        MapKeys::Addresses => {
            let mistake = network(key, 0..0).err()?;
            Some((mistake.message, mistake.help))
        }
        MapKeys::Numbers => map_range(key).is_none().then(|| {
            let key = beginning(key);
            let message = format!("{key:?} is neither a number nor a range of numbers");
            (
                message,
                "write `80`, `8000:8010`, `:79` or `8000:`".to_owned(),
            )
        }),
        MapKeys::Whole
        | MapKeys::Beginnings
        | MapKeys::Ends
        | MapKeys::Parts
        | MapKeys::Directories
        | MapKeys::Domains => None,
    }
}

fn value_mistake(value: &str, values: MapValues) -> Option<(String, String)> {
    let (is_right, expected, help) = match values {
        MapValues::Texts => return None,
        MapValues::Numbers => (
            value.parse::<i64>().is_ok(),
            "a number",
            "write digits alone, or use the map without `_int`",
        ),
        MapValues::Addresses => (
            value.parse::<IpAddr>().is_ok(),
            "an address",
            "write one address, or use the map without `_ip`",
        ),
    };
    let message = || format!("the value {:?} is not {expected}", beginning(value));
    (!is_right).then(|| (message(), help.to_owned()))
}
