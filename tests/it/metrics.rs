//! The metrics: their values after known actions, and their text format.

use crate::support::hub::{at_agent, at_human, text};
use crate::support::{Client, Hub, Socket, eventually, on_both_engines};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};

/// One scrape, checked against the rules of the text format.
struct Scrape {
    /// By name and labels, in the text format.
    samples: BTreeMap<String, f64>,
}

impl Scrape {
    async fn of(client: &Client) -> Self {
        let reply = client.get("/metrics").await;
        assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let body = reply.expect(200);
        Self::parse(text(&body))
    }

    fn parse(text: &str) -> Self {
        let mut kinds = BTreeMap::new();
        let mut helped = HashSet::new();
        let mut samples = BTreeMap::new();
        assert!(text.ends_with('\n'), "the last line ends");
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a name and a help text");
                assert!(!help.is_empty() && helped.insert(name.to_owned()), "{line}");
                continue;
            }
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a name and a type");
                assert!(helped.contains(name) && ["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                continue;
            }
            let (series, value) = line.rsplit_once(' ').expect("a series and a value");
            let name = series.split('{').next().expect("a name");
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let family = family.filter(|family| kinds.get(*family).is_some_and(|kind| kind == "histogram"));
            assert!(kinds.contains_key(family.unwrap_or(name)), "a sample without a type: {line}");
            let value = value.parse().unwrap_or_else(|_| panic!("a number in {line}"));
            assert!(samples.insert(series.to_owned(), value).is_none(), "twice: {line}");
        }
        Self { samples }
    }

    #[track_caller]
    fn get(&self, series: &str) -> f64 {
        *self.samples.get(series).unwrap_or_else(|| panic!("{series} in {:#?}", self.samples))
    }

    /// The number of requests of a route with a status.
    fn requests(&self, method: &str, route: &str, status: u16) -> f64 {
        let labels = format!(r#"{{method="{method}",route="{route}",status="{status}"}}"#);
        self.samples.get(&format!("hiloop_http_request_duration_seconds_count{labels}")).copied().unwrap_or(0.0)
    }
}

/// Scrapes until a metric has the expected value.
async fn reaches(client: &Client, series: &str, value: f64) -> Scrape {
    all_reach(client, &[(series, value)]).await
}

/// Scrapes until metrics that move apart from each other are all what they should be: a scrape is no snapshot, it asks
/// the store first and reads the counters then.
async fn all_reach(client: &Client, metrics: &[(&str, f64)]) -> Scrape {
    eventually(&format!("{metrics:?}"), async || {
        let scrape = Scrape::of(client).await;
        metrics.iter().all(|(series, value)| scrape.get(series) == *value).then_some(scrape)
    })
    .await
}

async fn ask(agent: &Client, session: &str, more: &[(&str, &str)]) -> String {
    let mut body = json!({ "encryptedContent": "?", "responseRequired": true });
    for (field, value) in more {
        body[*field] = json!(value);
    }
    let asked = agent.post(&at_agent(session, "/messages"), body).await.expect(201);
    text(&asked["id"]).to_owned()
}

on_both_engines! {
    async fn metrics_count_requests_events_and_connections(hub: Hub) {
        let (agent, human) = (hub.agent("agent").await, hub.human().await);
        let before = Scrape::of(&hub.owner).await;
        assert_eq!(before.get("hiloop_pending_responses"), 0.0);
        assert_eq!(before.get("hiloop_sockets"), 0.0);

        // Sockets, live deliveries, replays.
        let session = hub.session(&agent).await;
        let mut readers: Vec<Socket> = Vec::new();
        for client in [&agent, &human, &human] {
            let mut socket = hub.socket(client).await;
            socket.subscribe(&session, None).await;
            readers.push(socket);
        }
        for number in 0..5 {
            let body = json!({ "encryptedContent": format!("{number}") });
            agent.post(&at_agent(&session, "/messages"), body).await.expect(201);
        }
        for reader in &mut readers {
            for _ in 0..5 {
                reader.event().await;
            }
        }
        let mut late = hub.socket(&human).await;
        assert_eq!(late.subscribe(&session, Some(0)).await["replay"], 6);
        for _ in 0..6 {
            late.event().await;
        }
        let deliveries = [
            (r#"hiloop_deliveries_total{path="replay"}"#, 6.0),
            (r#"hiloop_deliveries_total{path="live"}"#, 15.0),
        ];
        let scrape = all_reach(&hub.owner, &deliveries).await;
        assert_eq!(scrape.get("hiloop_sockets"), 4.0);
        assert_eq!(scrape.get("hiloop_live_sessions"), 1.0);
        assert_eq!(scrape.get("hiloop_replay_events_count"), 1.0);
        assert_eq!(scrape.get("hiloop_replay_events_sum"), 6.0);
        assert_eq!(scrape.get(r#"hiloop_replay_events_bucket{le="10"}"#), 1.0);
        assert_eq!(scrape.get(r#"hiloop_outbox_drops_total{kind="event"}"#), 0.0);
        assert_eq!(scrape.get(r#"hiloop_events_total{type="message.created"}"#), 5.0);
        assert_eq!(scrape.get(r#"hiloop_events_total{type="session.created"}"#), 1.0);
        assert_eq!(scrape.get("hiloop_commit_batch_size_sum"), 6.0, "one command each, one after the other");
        assert_eq!(scrape.get("hiloop_commit_duration_seconds_count"), 6.0);
        assert_eq!(scrape.requests("POST", "/v1/agent/sessions/{id}/messages", 201), 5.0);
        assert_eq!(scrape.requests("GET", "/v1/ws", 101), 4.0);

        // Three pending questions: one is answered, one expires, one stays pending.
        let ahead = hub.context().clock.now().plus_millis(60_000).to_string();
        let (first, _, last) = (
            ask(&agent, &session, &[]).await,
            ask(&agent, &session, &[("deadlineAt", &ahead)]).await,
            ask(&agent, &session, &[]).await,
        );
        reaches(&hub.owner, "hiloop_pending_responses", 3.0).await;
        let path = at_agent(&session, &format!("/messages/{first}/await?timeout=55"));
        let waiting = { let agent = agent.clone(); tokio::spawn(async move { agent.get(&path).await }) };
        let gone = { let (agent, path) = (agent.clone(), at_agent(&session, &format!("/messages/{last}/await")));
            tokio::spawn(async move { agent.get(&path).await }) };
        reaches(&hub.owner, "hiloop_waiters", 2.0).await;
        let answer = json!({ "encryptedContent": "!", "inReplyTo": first });
        human.post(&at_human(&session, "/messages"), answer).await.expect(201);
        assert_eq!(waiting.await.expect("no panic").expect(200)["status"], "Completed");
        gone.abort();
        hub.clock.advance(60_000);
        let scrape =
            all_reach(&hub.owner, &[("hiloop_expired_total", 1.0), ("hiloop_pending_responses", 1.0)]).await;
        assert_eq!(scrape.get(r#"hiloop_events_total{type="message.completed"}"#), 1.0);
        assert_eq!(scrape.get(r#"hiloop_events_total{type="message.expired"}"#), 1.0);
        reaches(&hub.owner, "hiloop_waiters", 0.0).await;

        // An event stream, and then all connections close.
        let stream = agent.stream(&at_agent(&session, "/events?after=0")).await;
        reaches(&hub.owner, "hiloop_event_streams", 1.0).await;
        drop((stream, readers, late));
        reaches(&hub.owner, "hiloop_sockets", 0.0).await;
        reaches(&hub.owner, "hiloop_event_streams", 0.0).await;
        let scrape = reaches(&hub.owner, "hiloop_live_sessions", 0.0).await;
        assert!(scrape.get("process_resident_memory_bytes") > 1e6);
        assert!(scrape.get("process_cpu_seconds_total") >= 0.0);
    }

    async fn metrics_require_a_key_with_manage(hub: Hub) {
        for permission in ["agent", "space"] {
            hub.agent(permission).await.get("/metrics").await.expect_error(403, "FORBIDDEN");
        }
        for permission in ["manage", "owner"] {
            hub.agent(permission).await.get("/metrics").await.expect(200);
        }
        hub.anonymous().get("/metrics").await.expect_error(401, "UNAUTHORIZED");
        hub.human().await.get("/metrics").await.expect_error(403, "FORBIDDEN");
    }

    async fn unknown_paths_and_methods_create_no_series(hub: Hub) {
        let stranger = hub.anonymous();
        let ids = (0..20).map(|number| format!("0198b7a4-0000-7000-8000-{number:012}"));
        for id in ids {
            stranger.get(&format!("/v1/agent/sessions/{id}")).await.expect(401);
            stranger.get(&format!("/no/such/{id}")).await.expect(404);
            stranger.raw(&format!("M{}", &id[30..]), "/livez", None, Vec::new()).await.expect(405);
        }
        let scrape = Scrape::of(&hub.owner).await;
        assert_eq!(scrape.requests("GET", "/v1/agent/sessions/{id}", 401), 20.0);
        assert_eq!(scrape.requests("GET", "none", 404), 20.0);
        assert_eq!(scrape.requests("other", "/livez", 405), 20.0);
    }
}

#[tokio::test]
async fn every_metric_is_documented() {
    let hub = Hub::start(crate::support::Engine::Sqlite).await;
    let body = hub.owner.get("/metrics").await.expect(200);
    let names: HashSet<&str> = text(&body)
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .filter(|name| !name.starts_with("process_"))
        .collect();
    let manual = include_str!("../../docs/operations.md");
    let rows = manual.lines().filter_map(|line| line.strip_prefix("| `hiloop_")?.split(['`', '{']).next());
    let rows: HashSet<String> = rows.map(|rest| format!("hiloop_{rest}")).collect();
    // The only series of requests is that of the scrape itself.
    let mut shown: HashSet<String> = names.into_iter().map(str::to_owned).collect();
    shown.insert("hiloop_http_request_duration_seconds".to_owned());
    assert_eq!(rows, shown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metrics_port_requires_no_credential() {
    use crate::support::process::{Process, hiloop};
    let folder = tempfile::tempdir().expect("a folder");
    let hub = Process::spawn(
        hiloop(folder.path()).env("HILOOP_LISTEN", "127.0.0.1:0").env("HILOOP_METRICS_LISTEN", "127.0.0.1:0"),
    );
    assert_ne!(hub.metrics(), hub.base);
    let operator = Client::anonymous(hub.metrics());
    hub.owner().get("/v1/agent/me").await.expect(200);
    let scrape = Scrape::of(&operator).await;
    assert_eq!(scrape.requests("GET", "/v1/agent/me", 200), 1.0);
    operator.get("/readyz").await.expect(200);
    operator.get("/livez").await.expect(200);
    // The port has no other routes.
    operator.get("/v1/agent/me").await.expect_error(404, "NOT_FOUND");
    operator.get("/").await.expect_error(404, "NOT_FOUND");
    operator.post("/metrics", json!({})).await.expect_error(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_events_of_a_slow_reader_are_counted_and_replayed() {
    let hub = Hub::start(crate::support::Engine::Sqlite).await;
    let agent = hub.agent("space").await;
    let session = hub.session(&agent).await;
    let mut sleeper = hub.socket(&agent).await;
    sleeper.subscribe(&session, None).await;
    // More than the outbox and the kernel's buffers take together.
    let body = json!({ "encryptedContent": "x".repeat(60_000) });
    let mut sent = 0.0;
    let dropped = r#"hiloop_outbox_drops_total{kind="event"}"#;
    while Scrape::of(&hub.owner).await.get(dropped) == 0.0 {
        for _ in 0..20 {
            agent.post(&at_agent(&session, "/messages"), body.clone()).await.expect(201);
            sent += 1.0;
        }
        assert!(sent < 2000.0, "the outbox has an end");
    }
    for _ in 0..sent as usize {
        sleeper.event().await;
    }
    // The counters are updated shortly after the delivery.
    eventually("every event to be counted as dropped and as replayed", async || {
        let scrape = Scrape::of(&hub.owner).await;
        let [live, replayed] =
            ["live", "replay"].map(|path| scrape.get(&format!(r#"hiloop_deliveries_total{{path="{path}"}}"#)));
        (live + replayed == sent && replayed == scrape.get(dropped)).then_some(())
    })
    .await;
}
