//! Limits of open connections: per credential, and below the file descriptors of the process.

use crate::support::hub::{ask, at_agent, at_human, at_message, text};
use crate::support::process::{Process, hiloop};
use crate::support::socket::End;
use crate::support::{Client, Engine, Events, Hub, Socket, eventually};
use serde_json::json;
use tempfile::tempdir;
use tokio_tungstenite::tungstenite::Error;

async fn limited(limit: &str) -> Hub {
    Hub::start_with(Engine::Sqlite, &["--connection-limit", limit], |_| {}).await
}

/// The status with which a handshake is refused, with the hub's error and the fields that say when to come back.
async fn refused(client: &Client) -> (u16, String, Option<String>) {
    let Err(Error::Http(response)) = Socket::reach(client).await else { panic!("a refusal") };
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let policy = header("ratelimit-policy").filter(|_| header("retry-after").is_some());
    let body = String::from_utf8(response.body().clone().unwrap_or_default()).expect("text");
    (response.status().as_u16(), body, policy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_streams_and_long_polls_share_the_limit_of_their_credential() {
    let hub = limited("3").await;
    let (agent, other) = (hub.agent("space").await, hub.agent("space").await);
    let session = hub.session(&agent).await;
    let question = ask(&agent, &session).await;
    let socket = hub.socket(&agent).await;
    let stream = Events::open(&agent, &at_agent(&session, "/events")).await;
    let waiting = {
        let (agent, path) = (agent.clone(), at_message(&session, &question, "/await?timeout=55"));
        tokio::spawn(async move { agent.get(&path).await.expect(200) })
    };
    let metric = &hub.context().metrics.long_polls;
    eventually("it to wait", async || (metric.get() == 1).then_some(())).await;

    let (status, body, policy) = refused(&agent).await;
    assert_eq!((status, policy.as_deref()), (429, Some("\"connections\";q=3")));
    assert!(body.contains("\"RATE_LIMITED\""), "{body}");
    let reply = agent.get(&at_message(&session, &question, "/await?timeout=5")).await;
    assert_eq!(reply.header("retry-after"), Some("5"));
    assert_eq!(reply.header("ratelimit"), Some("\"connections\";r=0;t=5"));
    reply.expect_error(429, "RATE_LIMITED");
    agent.get(&at_agent(&session, "/events")).await.expect_error(429, "RATE_LIMITED");
    // Other credentials and other requests are not affected.
    drop(hub.socket(&other).await);
    agent.get(&at_agent(&session, "")).await.expect(200);

    // A closed connection of any kind makes room for another.
    drop(socket);
    eventually("room", async || Socket::open_if_up(&agent).await).await;
    drop(stream);
    eventually("room", async || Socket::open_if_up(&agent).await).await;
    other.post(&at_message(&session, &question, "/cancel"), json!({})).await.expect(200);
    waiting.await.expect("no panic");
    eventually("room", async || Socket::open_if_up(&agent).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_has_a_tenth_of_the_connection_limit() {
    let hub = limited("20").await;
    let agent = hub.agent("agent").await;
    let session = hub.session(&agent).await;
    let (guest, other) = (hub.guest(&agent, &session).await, hub.guest(&agent, &session).await);
    let _open = [hub.socket(&guest).await, hub.socket(&guest).await];
    assert_eq!(refused(&guest).await.0, 429);
    guest.get(&at_human(&session, "/events")).await.expect_error(429, "RATE_LIMITED");
    drop(hub.socket(&other).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unauthenticated_socket_counts_for_its_address() {
    let hub = limited("2").await;
    let (agent, other) = (hub.agent("agent").await, hub.agent("agent").await);
    let auth = |client: &Client| json!({ "type": "auth", "id": 1, "token": client.secret() });
    let open = async || Socket::try_open(&hub.anonymous()).await;
    let mut sockets = vec![open().await.expect("room"), open().await.expect("room")];
    assert_eq!(open().await.err(), Some(429));
    for socket in &mut sockets {
        socket.send(auth(&agent)).await;
        socket.expect("hello").await;
    }
    let mut third = open().await.expect("capacity: the other sockets have authenticated");
    third.send(auth(&agent)).await;
    let refusal = third.expect("error").await;
    assert_eq!((&refusal["id"], &refusal["error"]["code"]), (&json!(1), &json!("RATE_LIMITED")));
    assert_eq!(third.end().await, End::Code(4529));
    let mut fourth = open().await.expect("room");
    fourth.send(auth(&other)).await;
    fourth.expect("hello").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_at_its_descriptor_limit_still_serves_http() {
    let folder = tempdir().expect("a folder");
    let plain = hiloop(folder.path());
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "ulimit -n 150 && exec \"$0\" \"$@\""]).arg(plain.get_program()).args(plain.get_args());
    command.env_clear().current_dir(folder.path()).env("HILOOP_LISTEN", "127.0.0.1:0").env("HILOOP_LOG", "off");
    for (name, value) in plain.get_envs() {
        if let Some(value) = value.filter(|_| name != "HILOOP_LOG") {
            command.env(name, value);
        }
    }
    let hub = Process::spawn(&mut command);
    let owner = hub.owner();
    let mut open = Vec::new();
    let (status, body, _) = loop {
        assert!(open.len() < 150, "there can't be as many");
        match Socket::open_if_up(&owner).await {
            Some(socket) => open.push(socket),
            None => break refused(&owner).await,
        }
    };
    assert_eq!(status, 503);
    assert!(body.contains("\"UNAVAILABLE\""), "{body}");
    assert!(open.len() >= 20, "{} sockets", open.len());
    let session = owner.post("/v1/agent/sessions", json!({})).await.expect(201);
    let path = at_agent(text(&session["id"]), "");
    futures::future::join_all((0..20).map(async |_| drop(owner.get(&path).await.expect(200)))).await;
    open.truncate(10);
    eventually("room", async || Socket::open_if_up(&owner).await).await;
}
