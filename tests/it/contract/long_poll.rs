//! Section 7: a request that waits until a message has settled.

use crate::support::hub::{answer, ask, at_agent, at_message, say, text};
use crate::support::{Deployment, Stopwatch, on_every_deployment};
use serde_json::json;
use std::time::{Duration, Instant};

/// A wait of one second, on a machine that is busy.
const ONE_SECOND: std::ops::Range<Duration> = Duration::from_millis(900)..Duration::from_secs(10);
/// Less than a timeout of 30 or 55 seconds, also on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(20);

on_every_deployment! {
    async fn timeout_of_0_to_55_seconds(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let waits = async |query: &str| {
            let started = Instant::now();
            assert_eq!(agent.get(&at_message(&session, &asked, &format!("/await{query}"))).await.expect(200), asked);
            started.elapsed()
        };
        let waited = waits("?timeout=1").await;
        assert!(ONE_SECOND.contains(&waited), "{waited:?}");
        // On a busy machine, at least one of a few is immediate.
        let none = [waits("?timeout=0").await, waits("?timeout=0").await, waits("?timeout=0").await];
        assert!(none.iter().any(|waited| *waited < ONE_SECOND.start), "{none:?}");
        for bad in ["-1", "56", "x", "", "1.5"] {
            let reply = agent.get(&at_message(&session, &asked, &format!("/await?timeout={bad}"))).await;
            let error = reply.expect_error(400, "VALIDATION_ERROR");
            assert!(text(&error["message"]).contains("'timeout'"), "{error}");
        }
    }

    async fn prefer_wait(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let started = Instant::now();
        let reply = agent.with("prefer", "wait=1").get(&at_message(&session, &asked, "/await")).await;
        assert_eq!(reply.expect(200), asked);
        assert!(ONE_SECOND.contains(&started.elapsed()), "{:?}", started.elapsed());
    }

    async fn a_settled_message_is_returned_immediately(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        answer(&human, &session, &asked).await;
        let settled = agent.get(&at_message(&session, &asked, "")).await.expect(200);
        let plain = say(&agent, &session, "settled from the start").await;
        // Every later await too.
        for _ in 0..3 {
            let started = Stopwatch::start();
            assert_eq!(agent.get(&at_message(&session, &asked, "/await?timeout=55")).await.expect(200), settled);
            assert_eq!(agent.get(&at_message(&session, &plain, "/await")).await.expect(200), plain);
            assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
        }
    }

    async fn a_settlement_ends_the_wait(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        for end in ["answer", "cancel", "close"] {
            let session = hub.session(&agent).await;
            let asked = ask(&agent, &session).await;
            let path = at_message(&session, &asked, "/await?timeout=55");
            let ends = async {
                // Whether the wait has begun is not visible from outside; it must end in either case.
                agent.get(&at_message(&session, &asked, "/await?timeout=1")).await.expect(200);
                match end {
                    "answer" => drop(answer(&human, &session, &asked).await),
                    "cancel" => drop(agent.post(&at_message(&session, &asked, "/cancel"), json!({})).await.expect(200)),
                    _ => drop(agent.post(&at_agent(&session, "/close"), json!({})).await.expect(200)),
                }
                Stopwatch::start()
            };
            // Two waits, so that there is one on each of two nodes.
            let (first, second, since) = tokio::join!(agent.get(&path), agent.get(&path), ends);
            assert!(since.elapsed() < AT_ONCE, "{end}: {:?}", since.elapsed());
            for reply in [first, second] {
                let message = reply.expect(200);
                assert_eq!(message["status"], if end == "answer" { "Completed" } else { "Cancelled" });
                assert_eq!(message, agent.get(&at_message(&session, &asked, "")).await.expect(200));
            }
        }
    }

    async fn a_timeout_does_not_change_the_message(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let waited = agent.get(&at_message(&session, &asked, "/await?timeout=1")).await.expect(200);
        assert_eq!(waited["status"], "Pending");
        answer(&human, &session, &asked).await;
        let later = agent.get(&at_message(&session, &asked, "/await?timeout=1")).await.expect(200);
        assert_eq!(later["status"], "Completed");
    }

    async fn a_disconnected_client_frees_its_long_poll(hub: Deployment) {
        let agent = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&agent).await;
        let asked = ask(&agent, &session).await;
        let path = at_message(&session, &asked, "/await?timeout=55");
        for _ in 0..20 {
            let gone = tokio::time::timeout(Duration::from_millis(20), agent.get(&path)).await;
            assert!(gone.is_err(), "{gone:?}");
        }
        // The next one is served, and what is pending can still be answered.
        let (message, _) = tokio::join!(agent.get(&path), answer(&human, &session, &asked));
        assert_eq!(message.expect(200)["status"], "Completed");
    }
}
