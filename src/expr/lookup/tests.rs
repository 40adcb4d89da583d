//! Every search finds what looking at each key one after the other finds.

use proptest::prelude::*;

use super::*;

/// The index of the key that HAProxy would find.
fn naive(keys: MapKeys, texts: &[String], text: &str) -> Option<u32> {
    let mut matching = (0..).zip(texts).filter(|(_, key)| matches(keys, key, text));
    match keys {
        MapKeys::Beginnings => {
            let longest = matching.clone().map(|(_, key)| key.len()).max()?;
            matching.find(|(_, key)| key.len() == longest)
        }
        _ => matching.next(),
    }
    .map(|(index, _)| index)
}

fn matches(keys: MapKeys, key: &str, text: &str) -> bool {
    match keys {
        MapKeys::Whole => text == key,
        MapKeys::Beginnings => text.starts_with(key),
        MapKeys::Ends => text.ends_with(key),
        MapKeys::Parts => text.contains(key),
        MapKeys::Directories => has_word(key, text, "/?"),
        MapKeys::Domains => has_word(key, text, "/?.:"),
        _ => unreachable!("tested below"),
    }
}

fn has_word(key: &str, text: &str, delimiters: &str) -> bool {
    let is_delimiter = |c: char| delimiters.contains(c);
    let key = key.trim_matches(is_delimiter);
    !key.is_empty()
        && text.match_indices_overlapping(key).any(|start| {
            let before = text[..start].chars().next_back().is_none_or(is_delimiter);
            let after = text[start + key.len()..].chars().next();
            before && after.is_none_or(is_delimiter)
        })
}

trait Overlapping {
    /// Where `part` begins in it, also within other places.
    fn match_indices_overlapping(&self, part: &str) -> impl Iterator<Item = usize>;
}

impl Overlapping for str {
    fn match_indices_overlapping(&self, part: &str) -> impl Iterator<Item = usize> {
        (0..self.len()).filter(move |start| self[*start..].starts_with(part))
    }
}

fn find(keys: MapKeys, texts: &[String], text: &str) -> Option<u32> {
    let lookup = Lookup::of(keys, texts.iter().map(String::as_str));
    lookup.find(Value::Text(text.as_bytes()), &Scratch::default())
}

proptest! {
    #[test]
    fn texts_are_found_as_by_looking_at_each_key(
        texts in prop::collection::vec("[ab./]{0,5}", 0..8),
        text in "[ab./?:]{0,10}",
        keys in prop::sample::select(vec![
            MapKeys::Whole,
            MapKeys::Beginnings,
            MapKeys::Ends,
            MapKeys::Parts,
            MapKeys::Directories,
            MapKeys::Domains,
        ]),
    ) {
        prop_assert_eq!(find(keys, &texts, &text), naive(keys, &texts, &text));
    }

    #[test]
    fn the_first_pattern_that_matches_is_found(
        texts in prop::collection::vec("[ab]{1,2}|[ab][+]|\\^[ab]|[ab]\\$", 0..6),
        text in "[abc]{0,6}",
    ) {
        let each = texts.iter().position(|key| regex::Regex::new(key).expect("a pattern").is_match(&text));
        prop_assert_eq!(find(MapKeys::Patterns, &texts, &text), each.map(|index| index as u32));
    }

    #[test]
    fn the_smallest_network_is_found(
        networks in prop::collection::vec((0u32..64, 26u8..=32), 0..8),
        host in 0u32..64,
    ) {
        let networks: Vec<ipnet::Ipv4Net> = networks.into_iter().map(|(bits, length)| {
            ipnet::Ipv4Net::new(std::net::Ipv4Addr::from(0x0a00_0000 | bits), length).expect("a network").trunc()
        }).collect();
        let addr = std::net::Ipv4Addr::from(0x0a00_0000 | host);
        let smallest = (0u32..).zip(&networks).filter(|(_, network)| network.contains(&addr))
            .min_by_key(|(index, network)| (32 - network.prefix_len(), *index));
        let texts: Vec<String> = networks.iter().map(ToString::to_string).collect();
        let lookup = Lookup::of(MapKeys::Addresses, texts.iter().map(String::as_str));
        let found = lookup.find(Value::Ip(addr.into()), &Scratch::default());
        prop_assert_eq!(found, smallest.map(|(index, _)| index));
    }

    #[test]
    fn the_first_range_is_found(
        ranges in prop::collection::vec((-9i64..9, 0i64..9), 0..8),
        number in -12i64..20,
    ) {
        let texts: Vec<String> = ranges.iter().map(|(first, more)| format!("{first}:{}", first + more)).collect();
        let first = ranges.iter().position(|(first, more)| (*first..=first + more).contains(&number));
        let lookup = Lookup::of(MapKeys::Numbers, texts.iter().map(String::as_str));
        let found = lookup.find(Value::Int(number), &Scratch::default());
        prop_assert_eq!(found, first.map(|index| index as u32));
    }
}

#[test]
fn ranges_may_be_open() {
    let lookup = Lookup::of(MapKeys::Numbers, ["5", ":4", "9:"].into_iter());
    let find = |number| lookup.find(Value::Int(number), &Scratch::default());
    assert_eq!(find(5), Some(0));
    assert_eq!((find(4), find(i64::MIN)), (Some(1), Some(1)));
    assert_eq!((find(9), find(i64::MAX)), (Some(2), Some(2)));
    assert_eq!(find(7), None);
}

#[test]
fn a_suffix_longer_than_the_stack_is_found() {
    let long = "x".repeat(1_000);
    assert_eq!(
        find(
            MapKeys::Ends,
            std::slice::from_ref(&long),
            &format!("a{long}")
        ),
        Some(0)
    );
    assert_eq!(find(MapKeys::Ends, &[long], &"x".repeat(999)), None);
}
