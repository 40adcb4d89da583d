//! SHA-crypt: the hashes `$5$` and `$6$` of crypt(3).
//!
//! By "Unix crypt using SHA-256 and SHA-512" (Ulrich Drepper, version 0.6); the numbers in comments are its
//! steps.

use aws_lc_rs::digest::{Algorithm, Context, SHA256, SHA512};

/// The characters of crypt(3), for six bits each.
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The hash of `password`, without the parts before it.
pub(super) fn hash(is_512: bool, rounds: u32, salt: &[u8], password: &[u8]) -> String {
    let algorithm = if is_512 { &SHA512 } else { &SHA256 };
    let mut bytes = first(algorithm, salt, password);
    let password_bytes = repeated(algorithm, password, password.len(), password.len());
    // 17 to 20: as often as the first byte of the first hash says.
    let salt_bytes = repeated(algorithm, salt, 16 + usize::from(bytes[0]), salt.len());
    // 21
    for round in 0..rounds {
        let mut context = Context::new(algorithm);
        let is_odd = round % 2 == 1;
        context.update(if is_odd { &password_bytes } else { &bytes });
        if round % 3 != 0 {
            context.update(&salt_bytes);
        }
        if round % 7 != 0 {
            context.update(&password_bytes);
        }
        context.update(if is_odd { &bytes } else { &password_bytes });
        bytes = context.finish().as_ref().to_vec();
    }
    encoded(is_512, &bytes)
}

/// 1 to 12: the hash of password and salt that the rounds begin with.
fn first(algorithm: &'static Algorithm, salt: &[u8], password: &[u8]) -> Vec<u8> {
    let mut other = Context::new(algorithm);
    for part in [password, salt, password] {
        other.update(part);
    }
    let other = other.finish();
    let mut context = Context::new(algorithm);
    context.update(password);
    context.update(salt);
    context.update(&cycled(other.as_ref(), password.len()));
    // The bits of the length, the lowest first.
    let mut length = password.len();
    while length > 0 {
        let is_set = length % 2 == 1;
        context.update(if is_set { other.as_ref() } else { password });
        length /= 2;
    }
    context.finish().as_ref().to_vec()
}

/// 13 to 16: the hash of `text` so many times, cycled to `length` bytes.
fn repeated(algorithm: &'static Algorithm, text: &[u8], times: usize, length: usize) -> Vec<u8> {
    let mut context = Context::new(algorithm);
    for _ in 0..times {
        context.update(text);
    }
    cycled(context.finish().as_ref(), length)
}

fn cycled(bytes: &[u8], length: usize) -> Vec<u8> {
    bytes.iter().copied().cycle().take(length).collect()
}

/// 22: the bytes in the order of the format, three of them in four characters.
fn encoded(is_512: bool, bytes: &[u8]) -> String {
    let mut text = String::with_capacity(86);
    let mut write = |groups: [usize; 3], characters: usize| {
        let bits = groups.iter().fold(0_u32, |bits, index| {
            (bits << 8) | u32::from(bytes.get(*index).copied().unwrap_or_default())
        });
        for place in 0..characters {
            text.push(ALPHABET[(bits >> (6 * place)) as usize & 63].into());
        }
    };
    // In each group the three bytes are a third of the hash apart, and the groups rotate them.
    let third = if is_512 { 21 } else { 10 };
    let mut group = [0, third, 2 * third];
    for _ in 0..third {
        write(group, 4);
        let next = group.map(|index| index + 1);
        group = match is_512 {
            true => [next[1], next[2], next[0]],
            false => [next[2], next[0], next[1]],
        };
    }
    // No byte of the hash has this index: it counts as 0.
    let none = usize::MAX;
    match is_512 {
        true => write([none, none, 63], 2),
        false => write([none, 31, 30], 3),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By libxcrypt.
    #[test]
    fn hashes_are_those_of_crypt() {
        for (is_512, rounds, salt, password, expected) in [
            (
                false,
                5000,
                "saltstring",
                "Hello world!",
                "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
            ),
            (
                false,
                10000,
                "saltstringsaltst",
                "Hello world!",
                "3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA",
            ),
            (
                false,
                1400,
                "anotherlongsalts",
                "a very much longer text to encrypt.  This one even stretches over morethan one line.",
                "Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1",
            ),
            (
                true,
                5000,
                "saltstring",
                "Hello world!",
                "svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
            ),
            (
                true,
                1400,
                "anotherlongsalts",
                "a very much longer text to encrypt.  This one even stretches over morethan one line.",
                "POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1",
            ),
            (
                true,
                1000,
                "",
                "",
                "NPMepfN3/Cv.LPoa7suAzCVH3BhfhhB2wHuwY51WjZgqg.e601K6RWCJ7AHYXHZcp4ilHQ0xlpG1yRxSYX3TP/",
            ),
        ] {
            let hash = hash(is_512, rounds, salt.as_bytes(), password.as_bytes());
            assert_eq!(hash, expected, "{password}");
        }
    }
}
