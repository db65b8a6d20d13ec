//! A rolling upgrade: nodes of the previous and of this release over one store, in either order.

use crate::support::hub::{answer, ask, at_agent, at_human, at_message, say, text};
use crate::support::previous::previous;
use crate::support::process::{Process, hiloop};
use crate::support::shapes::is_whole_event;
use crate::support::sql::Database;
use crate::support::{Client, Redis, Socket, eventually, postgres};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use tempfile::tempdir;

const PASSWORD: &str = "correct horse battery staple";

/// A node of this release over the store at `url`.
fn current(folder: &Path, url: &str) -> Command {
    let mut command = hiloop(folder);
    command.env("DATABASE_URL", url).env("HILOOP_LISTEN", "127.0.0.1:0");
    command
}

/// The same credential at another node.
fn at(node: &Process, client: &Client) -> Client {
    Client { base: node.base.clone(), ..client.clone() }
}

/// The data that a node of the previous release has stored.
struct World {
    /// An owner key of the space `default`, and a `manage` key of the space `beta`.
    alpha: Client,
    beta: Client,
    /// A human who was a member of both spaces, signed in.
    ann: Client,
    ann_id: String,
    refresh_token: String,
    /// A session of each space.
    in_alpha: String,
    in_beta: String,
    /// A pending question in alpha's session, and an interaction that Ann has answered.
    question: Value,
    interaction: String,
    guest: Client,
}

impl World {
    async fn begin(node: &Process) -> Self {
        let alpha = node.owner();
        let anonymous = Client::anonymous(&node.base);
        let space = alpha.post("/v1/manage/spaces", json!({ "name": "beta" })).await.expect(201);
        let beta = anonymous.with("x-api-key", text(&space["apiKey"]));
        let body = json!({ "email": "ann@example.org", "name": "Ann", "password": PASSWORD });
        let ann_id = text(&alpha.post("/v1/manage/humans", body).await.expect(201)["id"]).to_owned();
        let same = json!({ "email": "ann@example.org", "name": "Ann" });
        beta.post("/v1/manage/humans", same).await.expect(201);
        let signed_in = sign_in(&anonymous, "ann@example.org").await;
        let ann = anonymous.with("authorization", &format!("Bearer {}", text(&signed_in["accessToken"])));
        let in_alpha = text(&alpha.post("/v1/agent/sessions", json!({})).await.expect(201)["id"]).to_owned();
        let in_beta = text(&beta.post("/v1/agent/sessions", json!({})).await.expect(201)["id"]).to_owned();
        say(&alpha, &in_alpha, "before the upgrade").await;
        say(&beta, &in_beta, "before the upgrade").await;
        let question = ask(&alpha, &in_alpha).await;
        let asked = alpha.post("/v1/agent/interactions", json!({ "encryptedContent": "?" })).await.expect(201);
        let interaction = text(&asked["id"]).to_owned();
        let respond = format!("/v1/human/interactions/{interaction}/respond");
        ann.post(&respond, json!({ "encryptedContent": "!" })).await.expect(200);
        let tokens = at_agent(&in_alpha, "/guest-tokens");
        let token = alpha.post(&tokens, json!({ "name": "Gus" })).await.expect(201);
        let guest = anonymous.with("authorization", &format!("Bearer {}", text(&token["token"])));
        let refresh_token = text(&signed_in["refreshToken"]).to_owned();
        Self { alpha, beta, ann, ann_id, refresh_token, in_alpha, in_beta, question, interaction, guest }
    }

    /// Checks that a node of either release serves this data.
    async fn check(&self, node: &Process) {
        let (alpha, beta) = (at(node, &self.alpha), at(node, &self.beta));
        let seen: Vec<_> = timeline(&alpha, &self.in_alpha).await;
        assert_eq!(seen[0]["type"], "session.created");
        assert!(seen.iter().enumerate().all(|(i, event)| event["seq"] == i + 1), "no hole");
        let said = alpha.get(&at_agent(&self.in_alpha, "/messages")).await.expect(200);
        assert_eq!(said["data"][0]["encryptedContent"]["ciphertext"], "before the upgrade");
        beta.get(&at_agent(&self.in_beta, "")).await.expect(200);
        beta.get(&at_agent(&self.in_alpha, "")).await.expect_error(404, "NOT_FOUND");
        let ann = sign_in(&Client::anonymous(&node.base), "ann@example.org").await;
        let ann = Client::anonymous(&node.base).with("authorization", &format!("Bearer {}", text(&ann["accessToken"])));
        let me = ann.get("/v1/human/me").await.expect(200);
        assert_eq!(me.get("human").unwrap_or(&me)["id"], self.ann_id.as_str());
        ann.get(&at_human(&self.in_alpha, "/timeline")).await.expect(200);
        at(node, &self.guest).get(&at_human(&self.in_alpha, "/timeline")).await.expect(200);
        let interaction = alpha.get(&format!("/v1/agent/interactions/{}", self.interaction)).await.expect(200);
        assert_eq!((&interaction["status"], interaction["response"].is_object()), (&json!("Completed"), true));
    }
}

async fn sign_in(anonymous: &Client, email: &str) -> Value {
    anonymous.post("/v1/auth/login", json!({ "email": email, "password": PASSWORD })).await.expect(200)
}

async fn timeline(client: &Client, session: &str) -> Vec<Value> {
    let page = client.get(&at_agent(session, "/timeline?after=0&limit=1000")).await.expect(200);
    page["data"].as_array().expect("events").clone()
}

/// The newer release completes the events that the older one has stored.
async fn check_events_are_whole(world: &World, new: &Process) {
    let alpha = at(new, &world.alpha);
    for session in [&world.in_alpha, &world.interaction] {
        timeline(&alpha, session).await.iter().for_each(is_whole_event);
    }
}

/// The keys of an event that both releases have.
fn in_common(events: &[Value]) -> Vec<Value> {
    let same = |event: &Value| {
        let message = &event["data"]["message"];
        json!([event["seq"], event["type"], event["at"], event["actor"], message["id"], message["encryptedContent"]])
    };
    events.iter().map(same).collect()
}

/// The active humans of a space with this address.
async fn humans(manager: &Client, email: &str) -> Vec<Value> {
    let page = manager.get("/v1/manage/humans?pageSize=100").await.expect(200);
    let all = page["data"].as_array().expect("humans");
    all.iter().filter(|human| human["email"] == email).cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_releases_serve_one_postgresql_and_the_older_one_can_restart() {
    let folder = tempdir().expect("a folder");
    let url = postgres::new_database();
    let redis = Redis::start().await;
    let start = |mut node: Command| Process::spawn(node.env("REDIS_URL", redis.url()));
    let mut old = start(previous(folder.path(), &url));
    let world = World::begin(&old).await;
    world.check(&old).await;

    // The newer one migrates while the older one is running.
    let new = start(current(folder.path(), &url));
    world.check(&new).await;
    world.check(&old).await;
    a_human_of_two_spaces_was_split_per_space(&world, &new).await;
    both_releases_see_each_others_writes(&world, &old, &new).await;

    // Humans who are created at either node exist at the other one.
    let (old_alpha, new_alpha) = (at(&old, &world.alpha), at(&new, &world.alpha));
    for (maker, other, email) in [(&old_alpha, &new, "carl@example.org"), (&new_alpha, &old, "dora@example.org")] {
        let body = json!({ "email": email, "name": "Somebody", "password": PASSWORD });
        let made = maker.post("/v1/manage/humans", body).await.expect(201);
        let elsewhere = Client::anonymous(&other.base);
        sign_in(&elsewhere, email).await;
        maker.delete(&format!("/v1/manage/humans/{}", text(&made["id"]))).await.expect(204);
        let body = json!({ "email": email, "password": PASSWORD });
        elsewhere.post("/v1/auth/login", body).await.expect_error(401, "UNAUTHORIZED");
        assert!(humans(&at(other, maker), email).await.is_empty());
    }

    old.kill();
    let old = start(previous(folder.path(), &url));
    world.check(&old).await;
    both_releases_see_each_others_writes(&world, &old, &new).await;
    lists_include_writes_of_the_older_release(&world, &url, &old, &new).await;
    let (at_old, at_new) = (at(&old, &world.alpha), at(&new, &world.alpha));
    let [by_old, by_new] = [timeline(&at_old, &world.in_alpha).await, timeline(&at_new, &world.in_alpha).await];
    assert_eq!(in_common(&by_old), in_common(&by_new));
    check_events_are_whole(&world, &new).await;
}

/// The space has so many sessions that the newer node lists them by entries, which the older one does not have
/// of: what that one writes is in its place all the same.
async fn lists_include_writes_of_the_older_release(world: &World, database_url: &str, old: &Process, new: &Process) {
    let (at_old, at_new) = (at(old, &world.alpha), at(new, &world.alpha));
    let mut sessions = Vec::new();
    for _ in 0..300 {
        sessions.push(text(&at_old.post("/v1/agent/sessions", json!({})).await.expect(201)["id"]).to_owned());
    }
    let database = Database::open(database_url).await;
    let listed = "SELECT COUNT(*) FROM sessions WHERE listed_seq = last_seq";
    eventually("sessions to be listed", async || (database.number(listed).await >= 64).then_some(())).await;
    let page = async |query: &str| at_new.get(&format!("/v1/agent/sessions?pageSize=1{query}")).await.expect(200);
    let before = page("").await;
    say(&at_old, &sessions[0], "in the one that was quiet for longest").await;
    let after = page("").await;
    assert_eq!((&after["data"][0]["id"], &after["total"]), (&json!(sessions[0]), &before["total"]));
    at_old.post(&at_agent(&sessions[1], "/close"), json!({})).await.expect(200);
    let closed = page("&status=Closed").await;
    assert_eq!((&closed["data"][0]["id"], &closed["total"]), (&json!(sessions[1]), &json!(1)));
    at_old.post(&at_agent(&sessions[2], "/archive"), json!({})).await.expect(200);
    assert_eq!(page("").await["total"].as_i64(), before["total"].as_i64().map(|total| total - 1));
}

/// Ann was one human in two spaces. She keeps her account where she was first; in the other space she becomes another human,
/// who takes part in what she took part in there and gets in by a setup link.
async fn a_human_of_two_spaces_was_split_per_space(world: &World, new: &Process) {
    let (alpha, beta, ann) = (at(new, &world.alpha), at(new, &world.beta), at(new, &world.ann));
    let [in_alpha] = humans(&alpha, "ann@example.org").await.try_into().expect("one");
    let [in_beta] = humans(&beta, "ann@example.org").await.try_into().expect("one");
    assert_eq!(in_alpha["id"], world.ann_id.as_str());
    assert_ne!(in_beta["id"], in_alpha["id"]);
    ann.get(&at_human(&world.in_beta, "")).await.expect_error(404, "NOT_FOUND");
    let refresh = json!({ "refreshToken": world.refresh_token });
    Client::anonymous(&new.base).post("/v1/auth/refresh", refresh).await.expect(200);

    let link = format!("/v1/manage/humans/{}/setup-link", text(&in_beta["id"]));
    let link = beta.post(&link, json!({})).await.expect(201);
    let token = text(&link["setupUrl"]).split_once("#setup=").expect("a token").1;
    let body = json!({ "token": token, "password": "another one altogether" });
    let signed_in = Client::anonymous(&new.base).post("/v1/auth/setup", body).await.expect(200);
    let bearer = format!("Bearer {}", text(&signed_in["accessToken"]));
    let other_ann = Client::anonymous(&new.base).with("authorization", &bearer);
    let page = other_ann.get(&at_human(&world.in_beta, "/messages")).await.expect(200);
    assert_eq!(page["data"][0]["encryptedContent"]["ciphertext"], "before the upgrade");
    other_ann.get(&at_human(&world.in_alpha, "")).await.expect_error(404, "NOT_FOUND");
    let question = ask(&beta, &world.in_beta).await;
    answer(&other_ann, &world.in_beta, &question).await;
}

/// Messages, long-polls and sockets work across the two nodes.
async fn both_releases_see_each_others_writes(world: &World, old: &Process, new: &Process) {
    for (writer, reader) in [(old, new), (new, old)] {
        let (writes, reads) = (at(writer, &world.alpha), at(reader, &world.alpha));
        let mut socket = Socket::open(&reads).await;
        socket.send(json!({ "type": "subscribe", "id": 1, "sessionId": world.in_alpha })).await;
        socket.expect("subscribed").await;
        let said = say(&writes, &world.in_alpha, "from one release to the other").await;
        let event = eventually("the event", async || {
            let frame = socket.next().await;
            (frame["event"]["data"]["message"]["id"] == said["id"]).then_some(frame)
        })
        .await;
        assert_eq!(event["event"]["data"]["message"]["encryptedContent"], said["encryptedContent"]);
        if std::ptr::eq(reader, new) {
            is_whole_event(&event["event"]);
        }

        let question = ask(&writes, &world.in_alpha).await;
        let path = at_message(&world.in_alpha, &question, "/await?timeout=30");
        let waiting = tokio::spawn({
            let writes = writes.clone();
            async move { writes.get(&path).await.expect(200) }
        });
        answer(&at(reader, &world.guest), &world.in_alpha, &question).await;
        let settled = waiting.await.expect("no panic");
        assert_eq!((&settled["status"], settled["response"].is_object()), (&json!("Completed"), true));
    }
    let pending = at_message(&world.in_alpha, &world.question, "");
    assert_eq!(at(new, &world.alpha).get(&pending).await.expect(200)["status"], "Pending");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_older_release_restarts_on_a_migrated_sqlite_store() {
    let folder = tempdir().expect("a folder");
    let url = format!("sqlite://{}/hub.db", folder.path().display());
    let mut old = Process::spawn(&mut previous(folder.path(), &url));
    let world = World::begin(&old).await;
    old.terminate();

    let mut new = Process::spawn(&mut current(folder.path(), &url));
    world.check(&new).await;
    check_events_are_whole(&world, &new).await;
    a_human_of_two_spaces_was_split_per_space(&world, &new).await;
    let said = say(&at(&new, &world.alpha), &world.in_alpha, "by the newer one").await;
    new.terminate();

    let mut old = Process::spawn(&mut previous(folder.path(), &url));
    world.check(&old).await;
    let message = at(&old, &world.alpha).get(&at_message(&world.in_alpha, &said, "")).await.expect(200);
    assert_eq!(message["encryptedContent"]["ciphertext"], "by the newer one");
    say(&at(&old, &world.alpha), &world.in_alpha, "by the older one").await;
    old.terminate();

    let new = Process::spawn(&mut current(folder.path(), &url));
    world.check(&new).await;
    assert_eq!(timeline(&at(&new, &world.alpha), &world.in_alpha).await.len(), 6);
}
