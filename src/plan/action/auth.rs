//! `auth`: users and their passwords.

use std::fmt;
use std::sync::Arc;

use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine as _};
use base64::{alphabet, engine::general_purpose::STANDARD_NO_PAD};

use crate::base::Position;

/// `auth = { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Auth {
    /// What the browser shows when it asks for the password.
    pub realm: String,
    /// Whether a request without a right password is answered 401; else it passes, without a user.
    pub required: bool,
    /// By name.
    pub users: Vec<Arc<User>>,
    /// The file with more users, as it is written.
    pub file: Option<String>,
    /// Where it is written.
    pub at: Position,
}

/// A user who may send requests.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// Without a colon (RFC 7617 §2).
    pub name: String,
    /// As it is stored.
    pub password: Password,
    /// The groups that the user is in, by name.
    pub groups: Vec<String>,
    /// Whether it is in `file`.
    pub is_of_file: bool,
}

/// A stored password.
#[derive(Clone, PartialEq)]
pub struct Password {
    /// As it is written.
    pub text: String,
    /// Whether it is from a secret file, and is not shown.
    pub is_secret: bool,
    /// How a given password is compared with it.
    pub scheme: Scheme,
}

/// How a password is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `{PLAIN}secret`: as it is.
    Plain,
    /// `$5$` and `$6$` of crypt(3).
    ShaCrypt {
        /// Whether it is SHA-512, and not SHA-256.
        is_512: bool,
        /// How often the hash is repeated.
        rounds: u32,
        /// At most 16 bytes.
        salt: String,
        /// In the alphabet of crypt(3).
        hash: String,
    },
    /// `$2a$`, `$2b$` and `$2y$`.
    Bcrypt {
        /// The binary logarithm of the rounds.
        cost: u32,
        /// The salt.
        salt: [u8; 16],
        /// The hash.
        hash: [u8; 23],
    },
    /// `$argon2id$` and its kin (RFC 9106).
    Argon2 {
        /// Which of the three.
        variant: Argon2,
        /// The version: 16 or 19.
        version: u32,
        /// In KiB.
        memory: u32,
        /// Passes over the memory.
        passes: u32,
        /// Parallel lanes.
        lanes: u32,
        /// The salt.
        salt: Vec<u8>,
        /// The hash.
        hash: Vec<u8>,
    },
}

/// The variants of Argon2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argon2 {
    /// `argon2d`
    D,
    /// `argon2i`
    I,
    /// `argon2id`
    Id,
}

/// Why a text is no stored password, and what to write instead.
pub type NotAPassword = (&'static str, &'static str);

/// The longest password of a request; longer ones are wrong. The cost of a hash grows with it.
pub const MOST_PASSWORD_BYTES: usize = 1024;

/// The most rounds of SHA-crypt, some seconds: each is computed for every new password of a client.
const MOST_ROUNDS: u32 = 5_000_000;
/// What the format has where it names none.
const USUAL_ROUNDS: u32 = 5000;
const LEAST_ROUNDS: u32 = 1000;
/// The highest cost of bcrypt, some seconds.
const MOST_COST: u32 = 16;
const LEAST_COST: u32 = 4;
/// The most memory of Argon2, 1 GiB: a verification has it while it runs.
const MOST_MEMORY: u32 = 1 << 20;
/// The most passes of Argon2.
const MOST_PASSES: u32 = 64;
/// The most lanes of Argon2.
const MOST_LANES: u32 = 64;

const TOO_COSTLY: NotAPassword = (
    "is a hash that takes too long to verify",
    "bounds are 5000000 rounds of SHA-crypt, cost 16 of bcrypt, 1 GiB and 64 passes of Argon2",
);
const MALFORMED: NotAPassword = (
    "is not a complete hash",
    "copy the whole output of `openssl passwd -6`, `htpasswd -nB USER` or `argon2`",
);

impl Password {
    /// The stored password that is written as `text`.
    ///
    /// # Errors
    ///
    /// It is none, or one that cannot be verified.
    pub fn parse(text: &str) -> Result<Self, NotAPassword> {
        let scheme = match text.strip_prefix('$') {
            Some(rest) => hash(rest)?,
            None => match text.strip_prefix("{PLAIN}") {
                Some(password) if password.len() <= MOST_PASSWORD_BYTES => Scheme::Plain,
                Some(_) => return Err(("is a password of more than 1024 bytes", "shorten it")),
                None if text.starts_with('{') => {
                    return Err((
                        "is in a format that is not supported",
                        "write `{PLAIN}password`, or a hash of `openssl passwd -6` or `htpasswd -nB USER`",
                    ));
                }
                None => {
                    return Err((
                        "is no hash of a password",
                        "write the output of `openssl passwd -6` or `htpasswd -nB USER`; for a password as it is: \"{PLAIN}password\"",
                    ));
                }
            },
        };
        Ok(Self {
            text: text.to_owned(),
            is_secret: false,
            scheme,
        })
    }

    /// The password, if it is stored as it is.
    pub fn plain(&self) -> Option<&str> {
        match self.scheme {
            Scheme::Plain => self.text.strip_prefix("{PLAIN}"),
            _ => None,
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// The hash after the first `$`.
fn hash(rest: &str) -> Result<Scheme, NotAPassword> {
    let (id, rest) = rest.split_once('$').ok_or(MALFORMED)?;
    match id {
        "5" => sha_crypt(false, rest),
        "6" => sha_crypt(true, rest),
        "2a" | "2b" | "2y" => bcrypt(rest),
        "argon2id" => argon2(Argon2::Id, rest),
        "argon2i" => argon2(Argon2::I, rest),
        "argon2d" => argon2(Argon2::D, rest),
        "1" | "apr1" => Err((
            "is a hash by MD5, which is not supported: such passwords are found in seconds",
            "make a new one: `htpasswd -nB USER` (bcrypt), `openssl passwd -6` (SHA-512)",
        )),
        "y" | "gy" | "7" => Err((
            "is a hash by yescrypt or scrypt, which is not supported",
            "make a new one: `htpasswd -nB USER` (bcrypt), `openssl passwd -6` (SHA-512)",
        )),
        _ => Err((
            "is a hash that is not known",
            "known are `$5$` and `$6$` (SHA-crypt), `$2b$` (bcrypt), and `$argon2id$`",
        )),
    }
}

fn sha_crypt(is_512: bool, rest: &str) -> Result<Scheme, NotAPassword> {
    let (rounds, rest) = match rest.strip_prefix("rounds=") {
        Some(rest) => {
            let (rounds, rest) = rest.split_once('$').ok_or(MALFORMED)?;
            let rounds: u32 = rounds.parse().map_err(|_| MALFORMED)?;
            // The format itself raises fewer rounds to this.
            (rounds.max(LEAST_ROUNDS), rest)
        }
        None => (USUAL_ROUNDS, rest),
    };
    if rounds > MOST_ROUNDS {
        return Err(TOO_COSTLY);
    }
    let (salt, hash) = rest.split_once('$').ok_or(MALFORMED)?;
    let length = if is_512 { 86 } else { 43 };
    let is_of_crypt = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'/';
    if hash.len() != length || !hash.bytes().all(is_of_crypt) || !salt.is_ascii() {
        return Err(MALFORMED);
    }
    Ok(Scheme::ShaCrypt {
        is_512,
        rounds,
        // What follows does not count.
        salt: salt[..salt.len().min(16)].to_owned(),
        hash: hash.to_owned(),
    })
}

fn bcrypt(rest: &str) -> Result<Scheme, NotAPassword> {
    /// The last character of each part has bits that mean nothing.
    const OF_BCRYPT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::BCRYPT,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::RequireNone),
    );
    let (cost, rest) = rest.split_once('$').ok_or(MALFORMED)?;
    let cost: u32 = cost.parse().map_err(|_| MALFORMED)?;
    if rest.len() != 53 || !rest.is_ascii() || cost < LEAST_COST {
        return Err(MALFORMED);
    }
    if cost > MOST_COST {
        return Err(TOO_COSTLY);
    }
    let (salt, hash) = rest.split_at(22);
    let decoded = |text| OF_BCRYPT.decode(text).map_err(|_| MALFORMED);
    Ok(Scheme::Bcrypt {
        cost,
        salt: decoded(salt)?.try_into().map_err(|_| MALFORMED)?,
        hash: decoded(hash)?.try_into().map_err(|_| MALFORMED)?,
    })
}

fn argon2(variant: Argon2, rest: &str) -> Result<Scheme, NotAPassword> {
    let mut parts: Vec<&str> = rest.split('$').collect();
    let version = match parts[0].strip_prefix("v=") {
        Some(version) => {
            parts.remove(0);
            version.parse().map_err(|_| MALFORMED)?
        }
        // The format had no version at first.
        None => 16,
    };
    let [parameters, salt, hash] = parts[..] else {
        return Err(MALFORMED);
    };
    let parameter = |name: &str| {
        let mut pairs = parameters.split(',').filter_map(|one| one.split_once('='));
        let (_, value) = pairs.find(|(key, _)| *key == name).ok_or(MALFORMED)?;
        value.parse::<u32>().map_err(|_| MALFORMED)
    };
    let (memory, passes, lanes) = (parameter("m")?, parameter("t")?, parameter("p")?);
    if memory > MOST_MEMORY || passes > MOST_PASSES || lanes > MOST_LANES {
        return Err(TOO_COSTLY);
    }
    let decoded = |text| STANDARD_NO_PAD.decode(text).map_err(|_| MALFORMED);
    let (salt, hash) = (decoded(salt)?, decoded(hash)?);
    // RFC 9106 §3.1.
    let is_right = matches!(version, 16 | 19)
        && lanes >= 1
        && passes >= 1
        && memory >= 8 * lanes
        && (8..=64).contains(&salt.len())
        && (16..=128).contains(&hash.len());
    if !is_right {
        return Err(MALFORMED);
    }
    Ok(Scheme::Argon2 {
        variant,
        version,
        memory,
        passes,
        lanes,
        salt,
        hash,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_cannot_be_verified_is_refused_with_the_reason() {
        for (text, reason) in [
            ("secret", "no hash"),
            ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "not supported"),
            ("$apr1$zLAy9dZy$w4Xyh6vmV1tqcQFcI1b4i.", "MD5"),
            ("$y$j9T$abc$def", "yescrypt"),
            ("$9$abc", "not known"),
            ("$6$salt", "complete"),
            ("$6$salt$tooshort", "complete"),
            ("$2b$10$short", "complete"),
            (
                "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
                "too long",
            ),
            (
                "$argon2id$v=19$m=1048577,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
                "too long",
            ),
            (
                "$argon2id$v=19$m=7,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
                "complete",
            ),
        ] {
            let refused = Password::parse(text).expect_err(text);
            assert!(refused.0.contains(reason), "{text}: {}", refused.0);
        }
    }

    #[test]
    fn a_password_is_not_written_where_a_plan_is_shown_for_debugging() {
        let password = Password::parse("{PLAIN}secret").expect("a password");
        assert!(!format!("{password:?}").contains("secret"));
    }
}
