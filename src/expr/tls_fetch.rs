//! Fetches of the client's TLS connection.

use crate::base::TlsVersion;
use crate::exchange::ClientTls;

pub(super) fn protocol(tls: &ClientTls) -> &'static str {
    match tls.version {
        TlsVersion::V1_2 => "TLSv1.2",
        TlsVersion::V1_3 => "TLSv1.3",
    }
}

/// The bits of the key of the cipher: by its name.
pub(super) fn key_bits(tls: &ClientTls) -> i64 {
    match tls.cipher.contains("AES_128") {
        true => 128,
        false => 256,
    }
}

/// OpenSSL's names of the suites of TLS 1.2, which HAProxy shows; those of TLS 1.3 are the same for
/// both.
pub(super) fn cipher(tls: &ClientTls) -> &'static str {
    match tls.cipher {
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" => "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" => "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" => "ECDHE-ECDSA-CHACHA20-POLY1305",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" => "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" => "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" => "ECDHE-RSA-CHACHA20-POLY1305",
        other => other,
    }
}
