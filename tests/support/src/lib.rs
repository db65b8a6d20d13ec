//! Support of the tests: hubs, clients, and temporary databases.
#![allow(clippy::disallowed_methods)] // tests start tasks that end with them
#![allow(clippy::unwrap_used)]

pub mod broker;
pub mod client;
pub mod database;
pub mod deployment;
pub mod events;
pub mod hub;
pub mod keys;
pub mod lost_commit_reply;
pub mod nodes;
pub mod pace;
pub mod pgbouncer;
pub mod port;
pub mod postgres;
pub mod previous;
pub mod process;
pub mod redis;
pub mod relay;
pub mod shapes;
pub mod socket;
pub mod sql;
pub mod statement_log;

pub use broker::SilentBroker;
pub use client::Client;
pub use deployment::{Deployment, Kind};
pub use events::Events;
pub use hub::{Engine, Hub};
pub use nodes::Nodes;
pub use pace::{Stopwatch, timeout};
pub use port::Port;
pub use postgres::Postgres;
pub use redis::Redis;
pub use socket::Socket;

use hiloop::testing::Metrics;
use hiloop::testing::Supervisor;
use std::sync::Arc;
use std::time::Duration;

/// How long anything may take before a test fails, by a [`Stopwatch`]; generous, since tests share two cores.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Writes one test for each engine out of `async fn name(hub: Hub)`, or out of `async fn name(engine: Engine)`, which
/// starts its own hub.
#[macro_export]
macro_rules! on_both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($hub:ident: $given:ident) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn story($hub: $crate::$given) $body

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                story($crate::$given::given($crate::Engine::Sqlite).await).await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                story($crate::$given::given($crate::Engine::Postgres).await).await;
            }
        }
    )+};
}

/// Writes one test for each deployment of the hub out of `async fn name(hub: Deployment)`, in which the deployment is
/// shared with other tests and the space is not; or out of `async fn name(kind: Kind)`, which starts its own.
#[macro_export]
macro_rules! on_every_deployment {
    ($($(#[$meta:meta])* async fn $name:ident($hub:ident: $given:ident) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn story($hub: $given) $body

            $(#[$meta])*
            #[test]
            fn sqlite() {
                $crate::deployment::run(async {
                    story($given::given($crate::Kind::Sqlite).await).await;
                });
            }

            $(#[$meta])*
            #[test]
            fn postgres() {
                $crate::deployment::run(async {
                    story($given::given($crate::Kind::Postgres).await).await;
                });
            }

            $(#[$meta])*
            #[test]
            fn two_nodes() {
                $crate::deployment::run(async {
                    story($given::given($crate::Kind::TwoNodes).await).await;
                });
            }
        }
    )+};
}

/// The seed of a test with chance in it: printed, and taken from `HILOOP_TEST_SEED` to run the same again.
#[allow(clippy::disallowed_methods)] // the one variable that tests read
pub fn seed() -> u64 {
    let given = std::env::var("HILOOP_TEST_SEED").ok();
    let given = given.map(|seed| seed.parse().expect("HILOOP_TEST_SEED is a number"));
    let seed = given.unwrap_or_else(rand::random);
    println!("HILOOP_TEST_SEED={seed}");
    seed
}

/// Waits until `check` gives a value.
pub async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = Stopwatch::start();
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(!waiting.is_past(PATIENCE), "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What starts the tasks of a part of the hub that stands by itself.
pub fn supervisor() -> Supervisor {
    Supervisor::new(Arc::new(Metrics::new().expect("valid metric names")))
}
