//! The good answers: which passwords and signatures were found to be right.
//!
//! An answer is kept as a MAC of what was verified, a password and its hash or a token and its key, under a
//! key that is made at the start and is nowhere else: memory that leaks shows no password, and no guess can
//! be tried on it elsewhere. That a password has a hash stays true, so an answer never expires; one whose hash
//! is in no configuration any more is never asked for.
//!
//! Bounded: the answers are in two halves. When the younger one is full it becomes the older one, whose
//! answers are forgotten unless they were asked for meanwhile.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key};
use aws_lc_rs::rand::SystemRandom;

use crate::base::CachePadded;

/// So many parts with a lock each: workers seldom meet in one.
const PARTS: usize = 16;

/// Answers in one half of a part: 16,000 in all, of 32 bytes and a little.
const MOST_OF_HALF: usize = 500;

/// A MAC of what was verified.
type Answer = [u8; 32];

#[derive(Debug)]
pub(super) struct Good {
    /// `None`: the system had no random bytes, and nothing is kept.
    key: Option<Key>,
    parts: [CachePadded<Mutex<Halves>>; PARTS],
}

#[derive(Debug, Default)]
struct Halves {
    younger: HashSet<Answer>,
    older: HashSet<Answer>,
}

impl Default for Good {
    fn default() -> Self {
        Self {
            key: Key::generate(HMAC_SHA256, &SystemRandom::new()).ok(),
            parts: std::array::from_fn(|_| CachePadded::from(Mutex::default())),
        }
    }
}

impl Good {
    /// `parts` say what was verified.
    pub(super) fn has(&self, parts: &[&[u8]]) -> bool {
        self.answer(parts).is_some_and(|answer| {
            self.with_part(&answer, |halves| {
                if halves.younger.contains(&answer) {
                    return true;
                }
                let is_there = halves.older.contains(&answer);
                if is_there {
                    halves.add(answer);
                }
                is_there
            })
        })
    }

    pub(super) fn add(&self, parts: &[&[u8]]) {
        if let Some(answer) = self.answer(parts) {
            self.with_part(&answer, |halves| halves.add(answer));
        }
    }

    fn answer(&self, parts: &[&[u8]]) -> Option<Answer> {
        let mut context = Context::with_key(self.key.as_ref()?);
        for part in parts {
            // The length separates them.
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        context.sign().as_ref().try_into().ok()
    }

    fn with_part<T>(&self, answer: &Answer, work: impl FnOnce(&mut Halves) -> T) -> T {
        let part = &self.parts[usize::from(answer[0]) % PARTS];
        // No half is in a wrong state after a panic.
        work(&mut part.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Halves {
    fn add(&mut self, answer: Answer) {
        if self.younger.len() >= MOST_OF_HALF {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_bounded_and_those_in_use_stay() {
        let good = Good::default();
        good.add(&[b"in use"]);
        for index in 0..4 * PARTS * MOST_OF_HALF {
            good.add(&[index.to_string().as_bytes()]);
            assert!(good.has(&[b"in use"]), "{index}");
        }
        for part in &good.parts {
            let halves = part.lock().expect("no panic");
            assert!(halves.younger.len() <= MOST_OF_HALF && halves.older.len() <= MOST_OF_HALF);
        }
    }
}
