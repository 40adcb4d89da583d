//! Passwords and tokens: whether one is that of a user, and whether the other is signed by a known key.
//!
//! A hash is made to be slow, so none is computed on a worker: [`Verifier::verify`] computes it on other
//! threads, a few at a time, and a bounded number waits. A good answer is remembered, so that only the first
//! request of a client waits. `proxy::rules` asks; `control` makes the [`Verifier`], one for all
//! configurations. No I/O.

pub mod basic;
mod bcrypt;
mod good;
pub mod jwt;
mod sha_crypt;
#[cfg(test)]
mod tests_of_jwt;

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use tokio::sync::Semaphore;

use crate::base::tasks::spawn_blocking;
use crate::plan::{Argon2, MOST_PASSWORD_BYTES, Password, Scheme, User};

use good::Good;

/// How many verifications may run or wait. With hashes of 100 ms and one thread, the last one waits six
/// seconds; a client waits no longer before it gives up.
const MOST_AT_ONCE: usize = 64;

/// Verifies passwords for all workers.
#[derive(Debug)]
pub struct Verifier {
    good: Good,
    /// The threads that may compute: half of the cores, since the workers need theirs.
    threads: Arc<Semaphore>,
    /// How many verifications run or wait. Written by their [`Place`]s; `Relaxed`: it orders nothing.
    at_once: Arc<AtomicUsize>,
}

/// A verification that may run or wait; the place is free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    at_once: Arc<AtomicUsize>,
    threads: Arc<Semaphore>,
}

impl Default for Verifier {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            good: Good::default(),
            threads: Arc::new(Semaphore::new((cores / 2).max(1))),
            at_once: Arc::default(),
        }
    }
}

impl Verifier {
    /// Whether `given` is `password`, if that is known without computing a hash.
    pub fn knows(&self, password: &Password, given: &[u8]) -> Option<bool> {
        if given.len() > MOST_PASSWORD_BYTES {
            return Some(false);
        }
        match password.plain() {
            Some(plain) => Some(is_same(plain.as_bytes(), given)),
            None => self.good.has(&parts_of(password, given)).then_some(true),
        }
    }

    /// A place for one verification; `None`: as many as may run or wait already do.
    pub fn place(&self) -> Option<Place> {
        let taken = self
            .at_once
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count < MOST_AT_ONCE).then_some(count + 1)
            });
        taken.ok()?;
        Some(Place {
            at_once: Arc::clone(&self.at_once),
            threads: Arc::clone(&self.threads),
        })
    }

    /// Whether `given` is the password of `user`. A good answer is remembered.
    ///
    /// # Cancel safety
    ///
    /// When it is dropped, a hash that is being computed is finished, and its thread is in use until then.
    pub async fn verify(&self, place: Place, user: Arc<User>, given: Vec<u8>) -> bool {
        let Ok(thread) = Arc::clone(&place.threads).acquire_owned().await else {
            // The semaphore is never closed.
            return false;
        };
        let work = spawn_blocking(move || {
            let is_right = is_password(&user.password.scheme, &given);
            drop((thread, place));
            (is_right, user, given)
        });
        match work.await {
            Ok((true, user, given)) => {
                self.good.add(&parts_of(&user.password, &given));
                true
            }
            // Also if it panicked.
            _ => false,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.at_once.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What says that `given` is `password`.
fn parts_of<'p>(password: &'p Password, given: &'p [u8]) -> [&'p [u8]; 3] {
    [b"password", password.text.as_bytes(), given]
}

/// Whether two passwords are equal, in a time that depends on neither of them.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let (one, other) = (digest(&SHA256, one), digest(&SHA256, other));
    verify_slices_are_equal(one.as_ref(), other.as_ref()).is_ok()
}

/// Whether the hash of `given` is that of `scheme`.
fn is_password(scheme: &Scheme, given: &[u8]) -> bool {
    match scheme {
        // `Verifier::knows` has decided.
        Scheme::Plain => false,
        Scheme::ShaCrypt {
            is_512,
            rounds,
            salt,
            hash,
        } => {
            let found = sha_crypt::hash(*is_512, *rounds, salt.as_bytes(), given);
            verify_slices_are_equal(found.as_bytes(), hash.as_bytes()).is_ok()
        }
        Scheme::Bcrypt { cost, salt, hash } => {
            verify_slices_are_equal(&bcrypt::hash(*cost, salt, given), hash).is_ok()
        }
        Scheme::Argon2 {
            variant,
            version,
            memory,
            passes,
            lanes,
            salt,
            hash,
        } => {
            let variant = match variant {
                Argon2::D => argon2::Algorithm::Argon2d,
                Argon2::I => argon2::Algorithm::Argon2i,
                Argon2::Id => argon2::Algorithm::Argon2id,
            };
            let version = argon2::Version::try_from(*version);
            let parameters = argon2::Params::new(*memory, *passes, *lanes, Some(hash.len()));
            let (Ok(version), Ok(parameters)) = (version, parameters) else {
                return false;
            };
            let mut found = vec![0; hash.len()];
            let computed = argon2::Argon2::new(variant, version, parameters)
                .hash_password_into(given, salt, &mut found);
            computed.is_ok() && verify_slices_are_equal(&found, hash).is_ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_verified(stored: &str, given: &str) -> bool {
        let password = Password::parse(stored).expect(stored);
        is_password(&password.scheme, given.as_bytes())
    }

    /// By libxcrypt and by the reference program of Argon2.
    #[test]
    fn hashes_of_other_programs_are_verified() {
        for stored in [
            "$5$rounds=1000$salt$CCvcOM6b7TEJDPb37Aec/9UpOg4QhPNAxPpL9ZzjTB7",
            "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
            "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
        ] {
            assert!(is_verified(stored, "secret"), "{stored}");
            assert!(!is_verified(stored, "Secret"), "{stored}");
            assert!(!is_verified(stored, ""), "{stored}");
        }
        let stored =
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        assert!(is_verified(stored, "password"));
        assert!(!is_verified(stored, "Password"));
    }

    #[test]
    fn so_many_verifications_wait_and_no_more() {
        let verifier = Verifier::default();
        let places: Vec<_> = (0..MOST_AT_ONCE).map_while(|_| verifier.place()).collect();
        assert_eq!(places.len(), MOST_AT_ONCE);
        assert!(verifier.place().is_none());
        drop(places);
        assert!(verifier.place().is_some());
    }

    #[tokio::test]
    async fn a_good_answer_is_remembered_and_a_bad_one_is_not() {
        let verifier = Verifier::default();
        let stored = "$5$rounds=1000$salt$CCvcOM6b7TEJDPb37Aec/9UpOg4QhPNAxPpL9ZzjTB7";
        let user = Arc::new(User {
            name: "joe".to_owned(),
            password: Password::parse(stored).expect("a password"),
            groups: Vec::new(),
            is_of_file: false,
        });
        for (given, expected) in [("secret", true), ("wrong", false)] {
            let bytes = given.as_bytes().to_vec();
            assert_eq!(verifier.knows(&user.password, &bytes), None);
            let place = verifier.place().expect("a place");
            let verified = verifier.verify(place, Arc::clone(&user), bytes);
            assert_eq!(verified.await, expected);
            let known = verifier.knows(&user.password, given.as_bytes());
            assert_eq!(known, expected.then_some(true));
        }
        // The same password of another user has another hash.
        let other = "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";
        let other = Password::parse(other).expect("a password");
        assert_eq!(verifier.knows(&other, b"secret"), None);
    }
}
