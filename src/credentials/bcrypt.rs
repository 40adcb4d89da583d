//! bcrypt: the hashes `$2a$`, `$2b$` and `$2y$`.
//!
//! "A Future-Adaptable Password Scheme" (Provos and Mazières, 1999), on the cipher of the `blowfish` crate.

use blowfish::Blowfish;

/// Bytes of a password after these do not count.
const MOST_BYTES: usize = 72;

/// The hash of `password`.
pub(super) fn hash(cost: u32, salt: &[u8; 16], password: &[u8]) -> [u8; 23] {
    // With the zero byte at its end.
    let mut key = password.to_vec();
    key.push(0);
    key.truncate(MOST_BYTES);
    let mut cipher: Blowfish = Blowfish::bc_init_state();
    cipher.salted_expand_key(salt, &key);
    for _ in 0..1_u32 << cost {
        cipher.bc_expand_key(&key);
        cipher.bc_expand_key(salt);
    }
    let mut bytes = [0; 24];
    for (pair, out) in b"OrpheanBeholderScryDoubt"
        .chunks_exact(8)
        .zip(bytes.chunks_exact_mut(8))
    {
        let word = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |word, byte| (word << 8) | u32::from(*byte))
        };
        let mut words = [word(&pair[..4]), word(&pair[4..])];
        for _ in 0..64 {
            words = cipher.bc_encrypt(words);
        }
        out[..4].copy_from_slice(&words[0].to_be_bytes());
        out[4..].copy_from_slice(&words[1].to_be_bytes());
    }
    // The last byte is left out of the format.
    std::array::from_fn(|index| bytes[index])
}
