//! The words of TLS that configuration, handshakes and logs share.

use std::fmt::{self, Write as _};

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

/// A version of TLS. Older ones do not exist here (RFC 8996).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

impl TlsVersion {
    /// As the configuration, logs and metrics write it.
    pub fn code(self) -> &'static str {
        match self {
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        }
    }
}

/// Where the keys of a connection come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsKeys {
    /// From a full handshake.
    Fresh,
    /// From an earlier session.
    Resumed,
}

/// The SHA-256 of a certificate, which identifies it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; SHA256_OUTPUT_LEN]);

/// The text is not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedFingerprint;

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub fn of(der: &[u8]) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest(&SHA256, der).as_ref());
        Self(bytes)
    }

    /// Reads `sha256:` and 64 hexadecimal digits, with or without colons between the bytes, as
    /// `openssl x509 -fingerprint -sha256` prints them.
    ///
    /// # Errors
    ///
    /// [`MalformedFingerprint`].
    pub fn parse(text: &str) -> Result<Self, MalformedFingerprint> {
        let digits = text.strip_prefix("sha256:").ok_or(MalformedFingerprint)?;
        let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b':').collect();
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        if digits.len() != 2 * bytes.len() || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(MalformedFingerprint);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let pair = str::from_utf8(pair).map_err(|_| MalformedFingerprint)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| MalformedFingerprint)?;
        }
        Ok(Self(bytes))
    }

    /// Its hexadecimal digits, in lower case.
    pub fn digits(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes all that is written");
            text
        })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.digits())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_openssl_prints_it() {
        let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let of = Fingerprint::of(b"abc");
        assert_eq!(of.to_string(), format!("sha256:{of_abc}"));
        let pairs: Vec<_> = of_abc
            .as_bytes()
            .chunks(2)
            .map(|pair| str::from_utf8(pair).expect("ASCII"))
            .collect();
        let colons = pairs.join(":").to_uppercase();
        for text in [of_abc.to_owned(), colons] {
            assert_eq!(Fingerprint::parse(&format!("sha256:{text}")), Ok(of));
        }
        for bad in [
            "",
            "sha256:",
            &of_abc[1..],
            of_abc,
            "sha1:aa",
            &format!("sha256:{of_abc}0"),
        ] {
            assert_eq!(Fingerprint::parse(bad), Err(MalformedFingerprint), "{bad}");
        }
        let not_ascii = format!("sha256:{}ü", &of_abc[2..]);
        assert_eq!(Fingerprint::parse(&not_ascii), Err(MalformedFingerprint));
    }
}
