//! Tests of the limits of failed sign-ins.

use super::*;
use crate::clock::ShiftedClock;
use std::net::Ipv4Addr;

fn origin(last: u8) -> ClientNetwork {
    ClientNetwork::new(Ipv4Addr::new(203, 0, 113, last).into())
}

#[test]
fn failures_are_limited_to_a_burst_and_then_a_rate() {
    let clock = ShiftedClock::new();
    let attempts = Attempts::new(Some(SignInLimit { per_minute: 6, burst: 3 }), clock.clone());
    for _ in 0..3 {
        attempts.admit(origin(1), Try::Password).expect("one attempt is left");
        attempts.failed(origin(1), Try::Password);
    }
    let Err(Refusal::RateLimited(exhausted)) = attempts.admit(origin(1), Try::Password) else { panic!("used up") };
    assert_eq!(exhausted, Exhausted { per_minute: 6, retry_after: 10 });
    attempts.admit(origin(2), Try::Password).expect("another origin");
    // Concurrent failures beyond the limit do not extend the wait.
    attempts.failed(origin(1), Try::Password);
    clock.advance(10_000);
    attempts.admit(origin(1), Try::Password).expect("one attempt is refilled");
    attempts.failed(origin(1), Try::Password);
    assert!(attempts.admit(origin(1), Try::Password).is_err());
    clock.advance(30_000);
    for _ in 0..3 {
        attempts.admit(origin(1), Try::Password).expect("all attempts are refilled");
        attempts.failed(origin(1), Try::Password);
    }
    assert!(attempts.admit(origin(1), Try::Password).is_err());
}

#[test]
fn twenty_failed_tokens_count_as_one_failed_password() {
    let clock = ShiftedClock::new();
    let attempts = Attempts::new(Some(SignInLimit { per_minute: 1, burst: 2 }), clock.clone());
    attempts.failed(origin(1), Try::Password);
    for _ in 0..20 {
        attempts.admit(origin(1), Try::Token).expect("there is room");
        attempts.failed(origin(1), Try::Token);
    }
    let Err(Refusal::RateLimited(exhausted)) = attempts.admit(origin(1), Try::Token) else { panic!("used up") };
    assert_eq!(exhausted, Exhausted { per_minute: 1, retry_after: 3 });
    clock.advance(3_000);
    attempts.admit(origin(1), Try::Token).expect("room for a token");
    assert!(attempts.admit(origin(1), Try::Password).is_err(), "and none for a password");
    assert_eq!(Try::Token.cost(SignInLimit { per_minute: 10_000, burst: 1 }), Duration::from_millis(1));
}

fn network(site: u16, network: u16) -> ClientNetwork {
    ClientNetwork::new(std::net::Ipv6Addr::new(0x2001, 0xdb8, site, network, 0, 0, 0, 1).into())
}

#[test]
fn guesses_at_one_account_add_up_over_origins() {
    let clock = ShiftedClock::new();
    let attempts = Attempts::new(Some(SignInLimit { per_minute: 6, burst: 3 }), clock.clone());
    for guess in 0..12 {
        attempts.admit_to("ann@example.org").expect("one attempt is left");
        drop(attempts.guess_at("ann@example.org", origin(100 + guess)));
    }
    assert!(attempts.admit_to("ann@example.org").is_err());
    attempts.admit_to("bob@example.org").expect("another account");
    clock.advance(2_500);
    attempts.admit_to("ann@example.org").expect("one attempt is refilled");
}

#[test]
fn an_origin_is_familiar_for_one_human_only() {
    let attempts = Attempts::new(Some(SignInLimit { per_minute: 6, burst: 3 }), ShiftedClock::new());
    let (ann, namesake) = (HumanId::new(), HumanId::new());
    attempts.add_familiar(ann, origin(1));
    assert!(attempts.is_familiar(ann, origin(1)));
    assert!(!attempts.is_familiar(ann, origin(2)) && !attempts.is_familiar(namesake, origin(1)));
}

#[test]
fn the_networks_of_a_site_share_a_limit() {
    let attempts = Attempts::new(Some(SignInLimit { per_minute: 6, burst: 3 }), ShiftedClock::new());
    // Three times three, less the rounding.
    for number in 0..8 {
        attempts.admit(network(1, number), Try::Password).expect("one attempt is left");
        attempts.failed(network(1, number), Try::Password);
    }
    assert!(attempts.admit(network(1, 1000), Try::Password).is_err(), "another network of the site");
    attempts.admit(network(2, 1), Try::Password).expect("another site");
}

/// For any limit that can be configured, in a burst and over time.
#[test]
fn one_site_cannot_exhaust_the_limit_of_an_account() {
    for per_minute in 1..=10_000 {
        let clock = ShiftedClock::new();
        clock.stand_still();
        let limit = SignInLimit { per_minute, burst: per_minute };
        assert!(of_site(Try::Password.cost(limit)) > of_account(limit), "{per_minute}");
        if ![1, 2, 7, 60, 7_000, 10_000].contains(&per_minute) {
            continue;
        }
        let attempts = Attempts::new(Some(limit), clock.clone());
        for round in 0..10 {
            for number in 0..=u16::MAX {
                let from = network(1, number);
                if attempts.admit(from, Try::Password).is_err() {
                    break;
                }
                attempts.admit_to("ann@example.org").unwrap_or_else(|_| panic!("{per_minute} {round} {number}"));
                drop(attempts.guess_at("ann@example.org", from));
            }
            attempts.admit_to("ann@example.org").unwrap_or_else(|_| panic!("{per_minute} {round}"));
            clock.advance(7_919);
        }
    }
}

#[test]
fn memory_is_bounded() {
    let attempts = Attempts::new(Some(SignInLimit { per_minute: 6, burst: 3 }), ShiftedClock::new());
    for number in 0..200_000_u32 {
        attempts.failed(ClientNetwork::new(Ipv4Addr::from(number).into()), Try::Password);
    }
    let counted = attempts.counted.as_ref().expect("a limit");
    assert!(counted.origins.lock().len() <= MAX_ORIGINS);
}
