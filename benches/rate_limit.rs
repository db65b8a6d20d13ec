//! Rate limits: `domain::rate` compared with the `governor` crate, one request of one of many callers, as in `http::rate_limit`.
//!
//! `make bench-crates`

use dashmap::DashMap;
use divan::Bencher;
use governor::middleware::StateInformationMiddleware;
use governor::{Quota, RateLimiter};
use hiloop::testing::{Bucket, Rate};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const CALLERS: u64 = 10_000;
const PER_SECOND: NonZeroU32 = NonZeroU32::new(100).unwrap();
const BURST: NonZeroU32 = NonZeroU32::new(200).unwrap();

fn main() {
    divan::main();
}

/// The callers in turn.
fn callers() -> impl Fn() -> u64 + Sync {
    let next = AtomicU64::new(0);
    move || next.fetch_add(1, Ordering::Relaxed) % CALLERS
}

#[divan::bench(threads = [1, 2])]
fn hub(bencher: Bencher<'_, '_>) {
    let rate = Rate::new(Duration::from_secs(1) / PER_SECOND.get(), BURST.get());
    let buckets: DashMap<u64, Bucket<Instant>> = DashMap::new();
    bencher.with_inputs(callers()).bench_values(|caller| {
        let now = Instant::now();
        buckets.entry(caller).or_insert_with(|| Bucket::full(now)).take(rate, now)
    });
}

/// With the middleware that returns how many are left, which the header `RateLimit` needs.
#[divan::bench(threads = [1, 2])]
fn governor(bencher: Bencher<'_, '_>) {
    let quota = Quota::per_second(PER_SECOND).allow_burst(BURST);
    let limiter = RateLimiter::dashmap(quota).with_middleware::<StateInformationMiddleware>();
    bencher
        .with_inputs(callers())
        .bench_values(|caller: u64| limiter.check_key(&caller).map(|state| state.remaining_burst_capacity()).ok());
}
