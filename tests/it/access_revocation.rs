//! Every open stream ends with its credential, in every way in which a credential or an access right ends, and nothing
//! is sent to a client without access.

use crate::support::hub::{answer, ask, at_agent, at_human, at_message, text};
use crate::support::socket::End;
use crate::support::{Client, Hub, Socket, eventually, on_both_engines, timeout};
use futures::StreamExt as _;
use futures::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Time within which live connections must end (contract section 2: within 2 s, and at `expiresAt`), with a margin.
const SOON: Duration = Duration::from_secs(6);
/// The same for a credential that expires, from the opening of its streams.
const AFTER_ITS_LIFE: Duration = Duration::from_secs(14);
/// Remaining lifetime of an expiring credential when its streams are opened.
const LIFE_SECONDS: i64 = 8;

/// How a credential, or access, ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Expires,
    Revoked,
    /// Its agent or human is deactivated.
    Deactivated,
    /// The participant is removed from the session; the credential stays valid.
    Removed,
}

/// The open connections, which wait for their end.
enum Open {
    Socket(&'static str, Box<Socket>),
    Stream(JoinHandle<()>),
    Poll(&'static str, JoinHandle<u16>),
}

/// A participant of a session, with a credential that will end.
struct Guarded {
    client: Client,
    /// The path that the manager deletes to end the credential.
    credential: String,
    is_person: bool,
}

fn at(person: bool, session: &str, rest: &str) -> String {
    if person { at_human(session, rest) } else { at_agent(session, rest) }
}

/// Opens a connection of each kind that this principal may have.
async fn open_all(hub: &Hub, who: &Guarded, session: &str, question: &Value) -> Vec<Open> {
    let mut open = Vec::new();
    let mut socket = hub.socket(&who.client).await;
    socket.subscribe(session, None).await;
    open.push(Open::Socket("a subscription", Box::new(socket)));
    let mut socket = hub.socket(&who.client).await;
    socket.ask(json!({ "type": "subscribe", "feed": true })).await;
    open.push(Open::Socket("a feed", Box::new(socket)));
    let response = who.client.stream(&at(who.is_person, session, "/events")).await;
    assert_eq!(response.status(), 200);
    open.push(Open::Stream(tokio::spawn(async move {
        let mut bytes = response.bytes_stream();
        while let Some(Ok(_)) = bytes.next().await {}
    })));
    if !who.is_person {
        let interaction = hub.interaction(&who.client).await;
        for (what, path) in [
            ("a message", at_message(session, question, "/await?timeout=50")),
            ("an interaction", format!("/v1/agent/interactions/{interaction}/await?timeout=50")),
            ("a session", at_agent(session, "/await?after=1000&timeout=50")),
        ] {
            let client = who.client.clone();
            open.push(Open::Poll(what, tokio::spawn(async move { client.get(&path).await.status })));
        }
        // The long-polls are registered.
        let waiters = &hub.context().metrics.long_polls;
        eventually("the long-polls to wait", async || (waiters.get() >= 3).then_some(())).await;
    }
    open
}

async fn check_ended(who: &str, way: Way, open: Vec<Open>) {
    let soon = if way == Way::Expires { AFTER_ITS_LIFE } else { SOON };
    join_all(open.into_iter().map(async |open| {
        let what = format!("{who}, {way:?}");
        match open {
            Open::Socket(kind, mut socket) if way == Way::Removed => {
                if kind == "a subscription" {
                    timeout(soon, socket.find("unsubscribed")).await.unwrap_or_else(|_| panic!("{what}: {kind}"));
                }
            }
            Open::Socket(kind, mut socket) => {
                let end = timeout(soon, socket.end()).await.unwrap_or_else(|_| panic!("{what}: {kind} did not end"));
                assert_eq!(end, End::Code(if way == Way::Expires { 4504 } else { 4403 }), "{what}: {kind}");
            }
            Open::Stream(ended) => {
                timeout(soon, ended)
                    .await
                    .unwrap_or_else(|_| panic!("{what}: the event stream did not end"))
                    .expect("no panic");
            }
            Open::Poll(kind, status) => {
                // A long-poll on an interaction is in another session, which the removal does not affect.
                if way == Way::Removed && kind == "an interaction" {
                    return status.abort();
                }
                let status = timeout(soon, status)
                    .await
                    .unwrap_or_else(|_| panic!("{what}: the long-poll on {kind} did not end"));
                let wanted = if way == Way::Removed { 404 } else { 401 };
                assert_eq!(status.expect("no panic"), wanted, "{what}: the long-poll on {kind}");
            }
        }
    }))
    .await;
}

/// An agent, a human and a guest of the session, whose credentials are still valid for a moment.
async fn guarded(hub: &Hub, host: &Client, session: &str, way: Way) -> Vec<(&'static str, Guarded)> {
    let admit = async |kind: &str, id: &Value| {
        let body = json!({ "type": kind, format!("{}Id", kind.to_lowercase()): id });
        let participant = host.post(&at_agent(session, "/participants"), body).await;
        assert!(participant.status < 300, "{}", participant.body);
        text(&participant.body["id"]).to_owned()
    };
    let expires = way == Way::Expires;
    let guest = json!({ "expiresInSeconds": if expires { 60 } else { 3600 } });
    let guest = host.post(&at_agent(session, "/guest-tokens"), guest).await.expect(201);
    let guest_client = hub.anonymous().with("authorization", &format!("Bearer {}", text(&guest["token"])));
    if expires {
        hub.clock.advance((60 - LIFE_SECONDS) * 1000);
    }
    let seconds = if expires { json!(LIFE_SECONDS) } else { Value::Null };
    let body = json!({ "permission": "agent", "agent": hub.name("ends"), "expiresInSeconds": seconds });
    let key = hub.owner.post("/v1/manage/keys", body).await.expect(201);
    let name = hub.name("ends");
    let human = json!({ "email": format!("{name}@example.org"), "name": name });
    let human = hub.owner.post("/v1/manage/humans", human).await.expect(201);
    let token = hub.token(&human, if expires { LIFE_SECONDS } else { 3600 }).await;
    let participants = [admit("Agent", &key["agentId"]).await, admit("Human", &human["id"]).await];
    let removal = |id: &str| at_agent(session, &format!("/participants/{id}"));
    let ways = |key: String, principal: String, participant: String| match way {
        Way::Removed => participant,
        Way::Deactivated => principal,
        Way::Revoked | Way::Expires => key,
    };
    let agent = Guarded {
        client: hub.anonymous().with("x-api-key", text(&key["apiKey"])),
        credential: ways(
            format!("/v1/manage/keys/{}", text(&key["id"])),
            format!("/v1/manage/agents/{}", text(&key["agentId"])),
            removal(&participants[0]),
        ),
        is_person: false,
    };
    let at_human = format!("/v1/manage/humans/{}", text(&human["id"]));
    let human = Guarded {
        client: hub.anonymous().with("authorization", &format!("Bearer {token}")),
        credential: ways(at_human.clone(), at_human, removal(&participants[1])),
        is_person: true,
    };
    let token_path = at_agent(session, &format!("/guest-tokens/{}", text(&guest["id"])));
    let guest = Guarded { client: guest_client, credential: token_path, is_person: true };
    let mut all = vec![("an agent", agent), ("a human", human)];
    // A guest is removed with the token, and can't be deactivated otherwise.
    if matches!(way, Way::Expires | Way::Revoked) {
        all.push(("a guest", guest));
    }
    all
}

/// Opens all connections of all principals, ends their access, and checks that the connections end.
async fn play_out(hub: &Hub, way: Way) {
    let host = hub.agent("space").await;
    let answerer = hub.human().await;
    let session = hub.session(&host).await;
    let question = ask(&host, &session).await;
    let guarded = guarded(hub, &host, &session, way).await;
    let open = join_all(guarded.iter().map(|(_, one)| open_all(hub, one, &session, &question))).await;
    for (_, one) in guarded.iter().filter(|_| way != Way::Expires) {
        let ender = if one.credential.starts_with("/v1/manage") { &hub.owner } else { &host };
        ender.delete(&one.credential).await.expect(204);
    }
    join_all(guarded.iter().zip(open).map(|((who, _), open)| check_ended(who, way, open))).await;
    // The answer is given when none of them has access any more.
    answer(&answerer, &session, &question).await;
}

on_both_engines! {
    async fn streams_end_when_their_credential_expires(hub: Hub) {
        play_out(&hub, Way::Expires).await;
    }

    async fn streams_end_when_their_credential_is_revoked(hub: Hub) {
        play_out(&hub, Way::Revoked).await;
    }

    async fn streams_end_when_their_agent_or_human_is_deactivated(hub: Hub) {
        play_out(&hub, Way::Deactivated).await;
    }

    async fn streams_of_a_session_end_for_a_removed_participant(hub: Hub) {
        play_out(&hub, Way::Removed).await;
    }

    async fn a_long_poll_of_an_expired_key_is_refused(hub: Hub) {
        let host = hub.agent("agent").await;
        let human = hub.human().await;
        let session = hub.session(&host).await;
        let question = ask(&host, &session).await;
        let me = host.get("/v1/agent/me").await.expect(200);
        let body = json!({ "permission": "agent", "agent": me["name"], "expiresInSeconds": 4 });
        let short = hub.owner.post("/v1/manage/keys", body).await.expect(201);
        let short = hub.anonymous().with("x-api-key", text(&short["apiKey"]));
        let path = at_message(&session, &question, "/await?timeout=30");
        let waiting = short.get(&path);
        timeout(AFTER_ITS_LIFE, waiting).await.expect("it ends with the key").expect_error(401, "UNAUTHORIZED");
        answer(&human, &session, &question).await;
        short.get(&path).await.expect_error(401, "UNAUTHORIZED");
        assert_eq!(host.get(&path).await.expect(200)["status"], "Completed");
    }
}

/// The credential is verified again when the body has arrived.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_revoked_while_its_body_arrives_is_refused() {
    let hub = Hub::start(crate::support::Engine::Sqlite).await;
    let key = hub.owner.post("/v1/manage/keys", json!({ "permission": "manage" })).await.expect(201);
    let body = json!({ "email": "late@example.org", "name": "Late", "role": "Admin" }).to_string();
    let (first, rest) = body.split_at(body.len() / 2);
    let head = format!(
        "POST /v1/manage/humans HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{first}",
        text(&key["apiKey"]),
        body.len()
    );
    let mut stream = TcpStream::connect(hub.base.trim_start_matches("http://")).await.expect("it connects");
    stream.write_all(head.as_bytes()).await.expect("it is taken");
    // The rest is sent after the revocation must have taken effect, within 2 s.
    let later = tokio::time::Instant::now() + Duration::from_secs(2);
    hub.owner.delete(&format!("/v1/manage/keys/{}", text(&key["id"]))).await.expect(204);
    tokio::time::sleep_until(later).await;
    stream.write_all(rest.as_bytes()).await.expect("it is taken");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.expect("a reply");
    assert!(reply.starts_with("HTTP/1.1 401 "), "{reply}");
    assert!(!hub.owner.get("/v1/manage/humans").await.expect(200).to_string().contains("late@example.org"));
}
