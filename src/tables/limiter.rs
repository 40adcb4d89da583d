//! One rate limit, shared by all workers: for each key, when it has used up its requests.
//!
//! The generic cell rate algorithm (GCRA): a key has one number, the time until which its requests
//! so far would take at the limit's rate. A request is over the limit if that time is further ahead
//! than the burst allows. No window with an edge, and nothing to reset.
//!
//! Memory is bounded: when the limit has as many keys as it may have, the one whose last request is
//! the oldest makes room. A key over its limit that goes on is not the oldest, however many new keys
//! come.
//!
//! Prior art: ITU-T I.371; nginx `limit_req`, with which `delay` agrees.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::base::CachePadded;
use crate::base::clock::{Duration, Instant};
use crate::expr::{Scratch, Value};
use crate::plan::expr::Type;
use crate::plan::{OnExceed, RateLimit};

use super::layout::Layout;
use super::shard::{Shard, Terms};
use super::table::{LARGE, PARTS, locked};

/// The bytes of a key: two hashes, so that keys of any length take the same memory and two of them
/// are never the same in practice.
const KEY_BYTES: usize = 16;

/// One rate limit, and the counts of what it did.
#[derive(Debug)]
pub struct Limiter {
    shards: Box<[CachePadded<Mutex<Shard>>]>,
    /// Keyed at random: a client cannot choose keys that share a part or a place.
    hashers: [RandomState; 2],
    began: Instant,
    /// The keys. Written under the lock of a part when one is added or removed; `Relaxed`: it
    /// orders nothing.
    used: AtomicUsize,
    /// Keys that made room for others, since the start. The same.
    evicted: AtomicU64,
    /// Requests over the limit, by [`Verdict`]. The same.
    over: [AtomicU64; 3],
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Passes,
    /// It passes after this time.
    Waits(Duration),
    /// It is refused; after this time it would pass.
    Refused(Duration),
    /// It would be refused, and passes because the limit is tried out (`dry_run`).
    WouldBeRefused,
}

/// What became of a request, and how its key stands after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of the request.
    pub verdict: Verdict,
    /// The standing of its key; `None`: the request has no key.
    pub standing: Option<Standing>,
}

/// How much of its limit a key has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// So many requests pass at once.
    pub remaining: u64,
    /// After this time without a request, all of the burst is there again.
    pub reset: Duration,
}

/// The rate of a limit, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// From one request to the next.
    interval: u64,
    /// How far ahead the time of a key may be.
    burst: u64,
    /// How much further, if requests wait.
    wait: u64,
}

impl Rate {
    pub(super) fn of(plan: &RateLimit) -> Self {
        let period = u64::try_from(plan.rate.period.as_nanos()).unwrap_or(u64::MAX);
        let interval = (period / u64::from(plan.rate.requests.max(1))).max(1);
        Self {
            interval,
            burst: interval.saturating_mul(plan.burst.max(1).into()),
            wait: match plan.on_exceed {
                OnExceed::Delay => period,
                OnExceed::Deny | OnExceed::DryRun => 0,
            },
        }
    }

    /// Decides on a request of a key whose requests so far take until `until`, and moves that on if
    /// the request passes. `Ok`: it passes after this time. `Err`: it would after this time.
    pub(super) fn decide(self, until: &mut u64, now: u64) -> Result<u64, u64> {
        // A reload may have loosened the rate: a key is never further ahead than this rate alone would
        // have brought it.
        *until = (*until).min(now.saturating_add(self.longest()));
        let next = (*until).max(now).saturating_add(self.interval);
        let over = (next - now).saturating_sub(self.burst);
        if over > self.wait {
            return Err(over);
        }
        *until = next;
        Ok(over)
    }

    /// The standing of a key whose requests take until `until`.
    fn standing(self, until: u64, now: u64) -> Standing {
        let ahead = until.saturating_sub(now);
        Standing {
            remaining: self.burst.saturating_sub(ahead) / self.interval,
            reset: Duration::from_nanos(ahead),
        }
    }

    /// How far ahead the time of a key is at most.
    fn longest(self) -> u64 {
        self.burst.saturating_add(self.wait)
    }

    /// After this time in milliseconds without a request, a key is as a new one.
    fn forgets_after(self) -> u64 {
        (self.longest() / 1_000_000).saturating_add(1)
    }
}

impl Limiter {
    /// A limit without keys.
    pub fn new(plan: &RateLimit, now: Instant) -> Self {
        let parts = if plan.size < LARGE { 1 } else { PARTS };
        let shard = || CachePadded::from(Mutex::new(Shard::new(KEY_BYTES, Layout::number())));
        Self {
            shards: (0..parts).map(|_| shard()).collect(),
            hashers: [RandomState::new(), RandomState::new()],
            began: now,
            used: AtomicUsize::new(0),
            evicted: AtomicU64::new(0),
            over: Default::default(),
        }
    }

    /// Decides on a request with the key `value` under the terms of `plan`, and counts it.
    pub fn decide(
        &self,
        plan: &RateLimit,
        value: Value<'_>,
        scratch: &mut Scratch,
        now: Instant,
    ) -> Decision {
        let Some(key) = self.key_of(value, plan.ipv6_mask, scratch) else {
            return Decision {
                verdict: Verdict::Passes,
                standing: None,
            };
        };
        let (decided, standing) = self.ask(Rate::of(plan), plan.size, key, now);
        let verdict = match (decided, plan.on_exceed) {
            (Ok(0), _) => Verdict::Passes,
            (Ok(nanos), _) => Verdict::Waits(Duration::from_nanos(nanos)),
            (Err(_), OnExceed::DryRun) => Verdict::WouldBeRefused,
            (Err(nanos), _) => Verdict::Refused(Duration::from_nanos(nanos)),
        };
        if let Some(index) = verdict.index() {
            self.over[index].fetch_add(1, Ordering::Relaxed);
        }
        Decision {
            verdict,
            standing: Some(standing),
        }
    }

    /// How many requests were over the limit, with their labels in metrics.
    pub fn over(&self) -> [(&'static str, u64); 3] {
        let count = |index: usize| self.over[index].load(Ordering::Relaxed);
        [
            ("delayed", count(0)),
            ("denied", count(1)),
            ("dry_run", count(2)),
        ]
    }

    /// How many keys it has.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// How many keys have made room for others.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    pub(super) fn ask(
        &self,
        rate: Rate,
        size: usize,
        key: [u64; 2],
        now: Instant,
    ) -> (Result<u64, u64>, Standing) {
        let since = now.saturating_duration_since(self.began);
        let terms = Terms {
            now: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            expire: rate.forgets_after(),
        };
        let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        let [hash, other] = key;
        let mut bytes = [0; KEY_BYTES];
        bytes[..8].copy_from_slice(&hash.to_ne_bytes());
        bytes[8..].copy_from_slice(&other.to_ne_bytes());
        let mut shard = locked(&self.shards[(hash >> 32) as usize % self.shards.len()]);
        let index = match shard.find(&bytes, hash, terms) {
            Some(index) => index,
            None => self.insert(&mut shard, &bytes, hash, terms, size),
        };
        let decided = match shard.data_mut(index) {
            [until] => {
                let decided = rate.decide(until, nanos);
                (decided, rate.standing(*until, nanos))
            }
            _ => (Ok(0), rate.standing(0, nanos)),
        };
        // A refused request counts as well: its key is in use.
        shard.touch(index, terms);
        decided
    }

    fn insert(&self, shard: &mut Shard, key: &[u8], hash: u64, terms: Terms, size: usize) -> u32 {
        let over = shard.remove_over(key, hash, hash_of);
        let used = self.used.fetch_sub(over, Ordering::Relaxed) - over;
        let removed = shard.make_room(terms, |gone| used.saturating_sub(gone) >= size, hash_of);
        self.evicted
            .fetch_add(removed.evicted as u64, Ordering::Relaxed);
        let fewer = removed.expired + removed.evicted;
        self.used.fetch_sub(fewer, Ordering::Relaxed);
        self.used.fetch_add(1, Ordering::Relaxed);
        // A part that had nothing to remove grows, by a few keys: a request is never refused for
        // want of room.
        shard.insert(key, hash, terms, hash_of)
    }

    fn key_of(&self, value: Value<'_>, mask: u8, scratch: &mut Scratch) -> Option<[u64; 2]> {
        if let Value::Ip(addr) = value {
            let addr = masked(addr, mask);
            return Some(self.hashers.each_ref().map(|hasher| hasher.hash_one(addr)));
        }
        let value = scratch.cast(value, Type::Any, Type::Text);
        let text = scratch.text(value)?;
        Some(self.hashers.each_ref().map(|hasher| hasher.hash_one(text)))
    }
}

/// The first of a key's two hashes, which are the key.
fn hash_of(key: &[u8]) -> u64 {
    let first = key.first_chunk().copied().unwrap_or_default();
    u64::from_ne_bytes(first)
}

/// A client of IPv6 has a whole network of addresses: only the first `bits` of them count.
fn masked(addr: IpAddr, bits: u8) -> IpAddr {
    match addr {
        IpAddr::V4(_) => addr,
        IpAddr::V6(addr) => {
            let mask = u128::MAX
                .checked_shl(128 - u32::from(bits.min(128)))
                .unwrap_or(0);
            Ipv6Addr::from(u128::from(addr) & mask).into()
        }
    }
}

impl Verdict {
    fn index(self) -> Option<usize> {
        match self {
            Self::Passes => None,
            Self::Waits(_) => Some(0),
            Self::Refused(_) => Some(1),
            Self::WouldBeRefused => Some(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::{Name, Position, clock};
    use crate::config::written;
    use crate::plan::Frequency;

    fn limit(requests: u32, burst: u32, on_exceed: OnExceed) -> RateLimit {
        RateLimit {
            name: Name::new("l").expect("a name"),
            key: written::expression("src"),
            rate: Frequency {
                requests,
                period: Duration::from_secs(10),
            },
            burst,
            on_exceed,
            status: http::StatusCode::TOO_MANY_REQUESTS,
            retry_after: true,
            headers: false,
            size: 4,
            ipv6_mask: 64,
            at: Position::built_in(),
        }
    }

    fn decide(limiter: &Limiter, plan: &RateLimit, key: &str, now: Instant) -> Decision {
        let key = Value::Text(key.as_bytes());
        limiter.decide(plan, key, &mut Scratch::default(), now)
    }

    fn ask(limiter: &Limiter, plan: &RateLimit, key: &str, now: Instant) -> Verdict {
        decide(limiter, plan, key, now).verdict
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn as_many_as_the_burst_pass_at_once_and_then_one_for_each_interval() {
        let plan = limit(10, 3, OnExceed::Deny);
        let mut now = clock::now();
        let limiter = Limiter::new(&plan, now);
        for _ in 0..3 {
            assert_eq!(ask(&limiter, &plan, "a", now), Verdict::Passes);
        }
        // A refused request is not counted: the time to wait does not grow.
        for _ in 0..2 {
            assert_eq!(ask(&limiter, &plan, "a", now), Verdict::Refused(ms(1000)));
        }
        assert_eq!(ask(&limiter, &plan, "b", now), Verdict::Passes);
        now += ms(999);
        assert_eq!(ask(&limiter, &plan, "a", now), Verdict::Refused(ms(1)));
        now += ms(1);
        assert_eq!(ask(&limiter, &plan, "a", now), Verdict::Passes);
        assert_eq!(ask(&limiter, &plan, "a", now), Verdict::Refused(ms(1000)));
        // After a while the whole burst is there again, and no more.
        now += ms(100_000);
        for _ in 0..3 {
            assert_eq!(ask(&limiter, &plan, "a", now), Verdict::Passes);
        }
        assert_eq!(ask(&limiter, &plan, "a", now), Verdict::Refused(ms(1000)));
        let counts = [("delayed", 0), ("denied", 5), ("dry_run", 0)];
        assert_eq!(limiter.over(), counts);
    }

    #[test]
    fn a_key_knows_what_it_has_left() {
        let plan = limit(10, 3, OnExceed::Deny);
        let mut now = clock::now();
        let limiter = Limiter::new(&plan, now);
        for (remaining, reset) in [(2, 1000), (1, 2000), (0, 3000), (0, 3000)] {
            let standing = decide(&limiter, &plan, "a", now).standing;
            let expected = Standing {
                remaining,
                reset: ms(reset),
            };
            assert_eq!(standing, Some(expected));
        }
        now += ms(1500);
        let standing = decide(&limiter, &plan, "a", now).standing;
        let expected = Standing {
            remaining: 0,
            reset: ms(2500),
        };
        assert_eq!(standing, Some(expected));
        let absent = limiter.decide(&plan, Value::Absent, &mut Scratch::default(), now);
        assert_eq!((absent.verdict, absent.standing), (Verdict::Passes, None));
    }

    #[test]
    fn requests_over_the_burst_wait_for_at_most_one_period() {
        let plan = limit(10, 1, OnExceed::Delay);
        let now = clock::now();
        let limiter = Limiter::new(&plan, now);
        assert_eq!(ask(&limiter, &plan, "a", now), Verdict::Passes);
        for second in 1..=10 {
            let verdict = ask(&limiter, &plan, "a", now);
            assert_eq!(verdict, Verdict::Waits(ms(second * 1000)));
        }
        assert_eq!(ask(&limiter, &plan, "a", now), Verdict::Refused(ms(11_000)));
    }

    #[test]
    fn a_dry_run_refuses_nothing_and_counts_the_same() {
        let (dry, wet) = (limit(10, 2, OnExceed::DryRun), limit(10, 2, OnExceed::Deny));
        let mut now = clock::now();
        let (tried, real) = (Limiter::new(&dry, now), Limiter::new(&wet, now));
        for step in 0..50 {
            let refused = matches!(ask(&real, &wet, "a", now), Verdict::Refused(_));
            let would_be = ask(&tried, &dry, "a", now) == Verdict::WouldBeRefused;
            assert_eq!(would_be, refused, "{step}");
            now += ms(step * 7 % 400);
        }
        assert!(tried.over()[2].1 > 0);
        assert_eq!(tried.over()[2].1, real.over()[1].1);
    }

    #[test]
    fn addresses_of_one_network_are_one_client_unless_it_is_said_otherwise() {
        let mut plan = limit(10, 1, OnExceed::Deny);
        let now = clock::now();
        let ask = |plan: &RateLimit, limiter: &Limiter, addr: &str| {
            let addr = Value::Ip(addr.parse().expect("an address"));
            {
                let decision = limiter.decide(plan, addr, &mut Scratch::default(), now);
                decision.verdict == Verdict::Passes
            }
        };
        let limiter = Limiter::new(&plan, now);
        assert!(ask(&plan, &limiter, "2001:db8::1"));
        assert!(!ask(&plan, &limiter, "2001:db8::ffff:1"));
        assert!(ask(&plan, &limiter, "2001:db8:0:1::1"));
        assert!(ask(&plan, &limiter, "192.0.2.1"));
        assert!(ask(&plan, &limiter, "192.0.2.2"));
        plan.ipv6_mask = 128;
        let limiter = Limiter::new(&plan, now);
        assert!(ask(&plan, &limiter, "2001:db8::1"));
        assert!(ask(&plan, &limiter, "2001:db8::ffff:1"));
    }

    #[test]
    fn a_busy_key_is_not_refused_by_the_rate_of_before_a_reload() {
        let now = clock::now();
        let strict = limit(1, 5, OnExceed::Deny);
        let limiter = Limiter::new(&strict, now);
        for _ in 0..5 {
            assert_eq!(ask(&limiter, &strict, "a", now), Verdict::Passes);
        }
        assert_eq!(
            ask(&limiter, &strict, "a", now),
            Verdict::Refused(ms(10_000))
        );
        // Ten times the rate, and the key has no more to wait for than one of its requests.
        let loose = limit(100, 5, OnExceed::Deny);
        assert_eq!(ask(&limiter, &loose, "a", now), Verdict::Refused(ms(100)));
        assert_eq!(ask(&limiter, &loose, "a", now + ms(100)), Verdict::Passes);
        // The same where requests no longer wait.
        let delayed = limit(10, 1, OnExceed::Delay);
        let limiter = Limiter::new(&delayed, now);
        for _ in 0..11 {
            ask(&limiter, &delayed, "a", now);
        }
        let denied = limit(10, 1, OnExceed::Deny);
        assert_eq!(ask(&limiter, &denied, "a", now), Verdict::Refused(ms(1000)));
    }

    #[test]
    fn new_keys_do_not_push_out_one_that_goes_on() {
        let plan = limit(1, 1, OnExceed::Deny);
        let mut now = clock::now();
        let limiter = Limiter::new(&plan, now);
        assert_eq!(ask(&limiter, &plan, "a", now), Verdict::Passes);
        for number in 0..100 {
            now += ms(1);
            ask(&limiter, &plan, &number.to_string(), now);
            let verdict = ask(&limiter, &plan, "a", now);
            assert!(
                matches!(verdict, Verdict::Refused(_)),
                "{number}: {verdict:?}"
            );
            assert!(limiter.used() <= plan.size);
        }
        assert!(limiter.evicted() > 90);
        // Keys that have all their requests again make room by themselves.
        let evicted = limiter.evicted();
        now += ms(20_000);
        ask(&limiter, &plan, "new", now);
        assert_eq!(limiter.evicted(), evicted);
    }

    proptest! {
        #[test]
        fn no_more_pass_than_the_burst_and_the_rate_allow(
            requests in 1..20_u32,
            burst in 1..20_u32,
            gaps in prop::collection::vec(0..3_000_u64, 1..100),
        ) {
            let plan = limit(requests, burst, OnExceed::Deny);
            let began = clock::now();
            let limiter = Limiter::new(&plan, began);
            let interval = 10_000 / u64::from(requests);
            let mut now = began;
            let (mut passed, mut level) = (0_u64, 0_f64);
            let mut last = began;
            for gap in gaps {
                now += ms(gap);
                let verdict = ask(&limiter, &plan, "a", now);
                // A leaking bucket, the other description of the same.
                let leaked = (now - last).as_secs_f64() * f64::from(requests) / 10.0;
                level = (level - leaked).max(0.0);
                last = now;
                if verdict == Verdict::Passes {
                    passed += 1;
                    level += 1.0;
                    prop_assert!(level <= f64::from(burst) + 1e-3, "{level}");
                } else {
                    prop_assert!(level + 1.0 > f64::from(burst) - 1e-3, "{level}");
                }
            }
            let elapsed = u64::try_from((now - began).as_millis()).expect("short");
            prop_assert!(passed <= u64::from(burst) + elapsed / interval.max(1) + 1);
        }
    }
}
