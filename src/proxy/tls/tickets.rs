//! Tickets: sessions that clients keep for us, encrypted with keys that change.
//!
//! An attacker who gets a key can read the sessions that were begun with it, of TLS 1.2 with all
//! their data. So a key encrypts for [`KEY_LIFE`], decrypts for as long again, and is dropped at
//! the first handshake after that.
//!
//! That bounds the life of a ticket, not that of a session: a client that returns in time gets a
//! ticket with a newer key, for the same session. With TLS 1.3 its connections have keys of their
//! own all the same; with TLS 1.2 they share one secret, which is then in tickets of several keys.
//! A client's certificate ends the session: `client_cert_sessions`.
//!
//! `resumption` has one for each policy about client certificates. The construction is rustls'
//! `Ticketer`; the change of keys is ours, because rustls uses the wall clock for it: setting the
//! clock back would keep a key, and no test could wait for it.
//!
//! Prior art: rustls `TicketRotator`, RFC 5077 §4 and §5.5.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;

use crate::base::clock::{self, Duration, Instant};

/// How long a key makes tickets, and how long it is then still accepted.
///
/// Not longer: rustls changes the key of a `Ticketer` after the same time, and would drop a key
/// that is still valid here.
const KEY_LIFE: Duration = Duration::from_secs(6 * 60 * 60);

/// The longest life of a ticket.
pub(super) const TICKET_LIFE: Duration = Duration::from_secs(2 * KEY_LIFE.as_secs());

/// Makes tickets and accepts those that are not too old.
pub(super) struct Tickets {
    /// Replaced by the handshake that makes or reads the first ticket after a key's time.
    keys: ArcSwap<Keys>,
}

/// The keys from `since` on, for [`KEY_LIFE`].
struct Keys {
    since: Instant,
    current: Key,
    /// Accepted, but makes no tickets.
    previous: Option<Key>,
}

type Key = Arc<dyn ProducesTickets>;

impl Tickets {
    /// With a key of its own.
    ///
    /// # Errors
    ///
    /// The system gives no randomness.
    pub(super) fn new() -> Result<Self, rustls::Error> {
        let keys = Keys {
            since: clock::now(),
            current: Ticketer::new()?,
            previous: None,
        };
        Ok(Self {
            keys: ArcSwap::from_pointee(keys),
        })
    }

    /// The keys that are valid `now`. `None`: the system gives no randomness for a new one, so
    /// there are no tickets; clients do full handshakes.
    fn keys_at(&self, now: Instant) -> Option<Arc<Keys>> {
        let keys = self.keys.load_full();
        if keys.are_good_at(now) {
            return Some(keys);
        }
        let new = Ticketer::new().ok()?;
        // Another thread may have been faster: then its key is used, and ours never was.
        self.keys.rcu(|keys| match keys.are_good_at(now) {
            true => Arc::clone(keys),
            false => Arc::new(keys.succeeded_by(Arc::clone(&new), now)),
        });
        Some(self.keys.load_full())
    }
}

impl Keys {
    fn are_good_at(&self, now: Instant) -> bool {
        now < self.since + KEY_LIFE
    }

    /// The next keys after these, whose time is over.
    ///
    /// The time of the next key began when theirs ended, however long no ticket was needed: a key
    /// that was due to be dropped at night is not used again by the first client of the morning.
    fn succeeded_by(&self, new: Key, now: Instant) -> Self {
        let mut since = self.since + KEY_LIFE;
        let mut previous = Some(Arc::clone(&self.current));
        if now >= since + KEY_LIFE {
            (since, previous) = (now, None);
        }
        Self {
            since,
            current: new,
            previous,
        }
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    /// In seconds, for clients.
    fn lifetime(&self) -> u32 {
        TICKET_LIFE.as_secs() as u32
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.keys_at(clock::now())?.current.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let keys = self.keys_at(clock::now())?;
        let by_current = keys.current.decrypt(cipher);
        by_current.or_else(|| keys.previous.as_ref()?.decrypt(cipher))
    }
}

impl fmt::Debug for Tickets {
    /// It contains keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::tasks::spawn_thread;

    const MOMENT: Duration = Duration::from_millis(1);

    fn tickets() -> Tickets {
        Tickets::new().expect("randomness")
    }

    fn made_by(tickets: &Tickets) -> Vec<u8> {
        tickets.encrypt(b"a session").expect("randomness")
    }

    fn takes(tickets: &Tickets, ticket: &[u8]) -> bool {
        let plain = tickets.decrypt(ticket);
        assert!(plain.as_ref().is_none_or(|plain| plain == b"a session"));
        plain.is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn a_ticket_is_good_for_one_change_of_keys_and_no_longer() {
        let tickets = tickets();
        let first = made_by(&tickets);
        clock::sleep(KEY_LIFE - MOMENT).await;
        let last_of_the_key = made_by(&tickets);
        clock::sleep(MOMENT).await;
        assert!(takes(&tickets, &first), "one change later");
        assert!(takes(&tickets, &last_of_the_key));
        let second = made_by(&tickets);
        clock::sleep(KEY_LIFE - MOMENT).await;
        assert!(takes(&tickets, &first), "to the end");
        clock::sleep(MOMENT).await;
        assert!(!takes(&tickets, &first), "two changes later");
        assert!(!takes(&tickets, &last_of_the_key));
        assert!(takes(&tickets, &second), "made by the key in between");
    }

    #[tokio::test(start_paused = true)]
    async fn new_tickets_are_of_the_new_key() {
        let tickets = tickets();
        let key_of_now = || Arc::clone(&tickets.keys_at(clock::now()).expect("randomness").current);
        let old = key_of_now();
        clock::sleep(KEY_LIFE).await;
        let new = key_of_now();
        let ticket = made_by(&tickets);
        assert_eq!(old.decrypt(&ticket), None);
        assert!(new.decrypt(&ticket).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_expire_in_an_idle_time_are_dropped() {
        let tickets = tickets();
        let ticket = made_by(&tickets);
        clock::sleep(2 * KEY_LIFE).await;
        assert!(!takes(&tickets, &ticket));
        let another = made_by(&tickets);
        // And no ticket was needed at the moment of the change.
        clock::sleep(KEY_LIFE + KEY_LIFE / 2).await;
        assert!(takes(&tickets, &another));
        clock::sleep(KEY_LIFE / 2).await;
        assert!(!takes(&tickets, &another));
    }

    #[test]
    fn threads_agree_on_the_new_key() {
        let tickets = Arc::new(tickets());
        let later = clock::now() + KEY_LIFE;
        let all: Vec<_> = (0..8)
            .map(|number| {
                let tickets = Arc::clone(&tickets);
                let look = move || tickets.keys_at(later).expect("randomness");
                spawn_thread(&format!("looks-{number}"), look).expect("a thread")
            })
            .collect();
        let all = all.into_iter();
        let found: Vec<Arc<Keys>> = all.map(|one| one.join().expect("no panic")).collect();
        assert!(found.iter().all(|one| Arc::ptr_eq(one, &found[0])));
    }
}
