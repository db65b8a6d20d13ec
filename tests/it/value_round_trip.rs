//! Every accepted value can be read again on every route, also values that the previous release has stored.

use crate::support::hub::{SESSIONS, answer, ask, at_agent, at_human, at_message, text};
use crate::support::shapes::{is_interaction, is_message, is_participant, is_whole_event};
use crate::support::sql::Database;
use crate::support::{Client, Events, on_both_engines};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// Reads everything that shows the messages of a session, as an agent and as a person; what each of them is called, and
/// the messages in it.
async fn read_everywhere(agent: &Client, human: &Client, session: &str) -> Vec<(String, Vec<Value>)> {
    let list = |page: &Value| page["data"].as_array().expect("a list").clone();
    let mut found = Vec::new();
    let listed = agent.get(&at_agent(session, "/messages?pageSize=100")).await.expect(200);
    found.push(("their list".to_owned(), list(&listed)));
    let listed = human.get(&at_human(session, "/messages?pageSize=100")).await.expect(200);
    found.push(("a person's list".to_owned(), list(&listed)));
    for message in list(&listed) {
        for rest in ["", "/await?timeout=0"] {
            found.push((rest.to_owned(), vec![agent.get(&at_message(session, &message, rest)).await.expect(200)]));
        }
    }
    let awaited = agent.get(&at_agent(session, "/await?after=0&timeout=0")).await.expect(200);
    found.push(("a wait".to_owned(), Some(awaited["message"].clone()).filter(Value::is_object).into_iter().collect()));
    let answers = agent.get("/v1/agent/answers?pageSize=100").await.expect(200);
    let of_session = list(&answers).into_iter().filter(|message| message["sessionId"] == session);
    found.push(("answers".to_owned(), of_session.collect()));
    let feed = human.get("/v1/human/feed?pageSize=100").await.expect(200);
    let entries = list(&feed).into_iter().filter(|entry| entry["session"]["id"] == session);
    found.push((
        "the feed".to_owned(),
        entries.map(|entry| entry["lastMessage"].clone()).filter(Value::is_object).collect(),
    ));
    agent.get(&at_agent(session, "")).await.expect(200);
    for path in [SESSIONS, "/v1/agent/interactions"] {
        agent.get(&format!("{path}?pageSize=100")).await.expect(200);
    }
    human.get("/v1/human/interactions?pageSize=100").await.expect(200);
    for path in ["/timeline?limit=1000", "/timeline?pageSize=100", "/participants?pageSize=100"] {
        agent.get(&at_agent(session, path)).await.expect(200);
        human.get(&at_human(session, path)).await.expect(200);
    }
    let interaction = agent.get(&format!("/v1/agent/interactions/{session}")).await;
    assert!([200, 404].contains(&interaction.status), "{}", interaction.body);
    found
}

/// Any JSON, with arbitrary strings.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// An envelope in each valid form, and in some invalid ones.
fn any_envelope() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec!["answerers", "outcome", "acknowledgedAt", "deadlineAt", "response", "x\u{0}"]);
    prop_oneof![
        4 => (any::<String>(), keys, any_json(), any_json()).prop_map(|(text, key, value, wrapping)| {
            let mut envelope = json!({ "ciphertext": text, "wrappings": [{ "w": wrapping }] });
            envelope[key] = value;
            envelope
        }),
        2 => any::<String>().prop_map(Value::from),
        1 => any::<String>().prop_map(|text| json!({ "ciphertext": text, "wrappings": [] }).to_string().into()),
        1 => any_json(),
    ]
}

fn any_deadline() -> impl Strategy<Value = Value> {
    let edges = [
        "9999-12-31T23:59:59.999Z",
        "9999-12-31T23:59:59.9999Z",
        "9999-12-31T23:59:60Z",
        "9999-12-31T23:59:59.999-00:01",
        "9999-12-31T23:59:59-23:59",
        "9999-12-31T23:59:60.999999999+00:00",
        "2100-06-30T23:59:60Z",
        "2100-01-01T10:00:60Z",
        "2100-01-01T00:00:00+23:59",
        "2262-04-11T23:47:17Z",
        "0000-01-01T00:00:00Z",
        "0000-01-01T00:00:00+00:01",
        "10000-01-01T00:00:00Z",
        "+10000-01-01T00:00:00Z",
        "-0001-01-01T00:00:00Z",
    ];
    let made = (1970_u32..10_050, 1_u32..14, 1_u32..33, 0_u32..25, 0_u32..61, 0_u32..62, -24_i32..25);
    prop_oneof![
        prop::sample::select(edges.to_vec()).prop_map(Value::from),
        made.prop_map(|(year, month, day, hour, minute, second, offset)| {
            let sign = if offset < 0 { '-' } else { '+' };
            let offset = offset.abs();
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.5{sign}{offset:02}:30").into()
        }),
        Just(Value::Null),
    ]
}

/// A message, a session or an interaction to post, as a body.
fn any_body() -> impl Strategy<Value = Value> {
    let priority = prop::sample::select(vec!["Low", "Medium", "High", "Urgent"]);
    let envelopes = (any_envelope(), prop::option::of(any_envelope()), prop::option::of(any_envelope()));
    let plain = (any::<String>(), any_json(), priority);
    (envelopes, plain, any_deadline(), any::<bool>()).prop_map(
        |((content, components, title), plain, deadline, asks)| {
            let (text, metadata, priority) = plain;
            json!({
                "encryptedContent": content, "encryptedComponents": components, "encryptedTitle": title,
                "title": text.chars().filter(|c| !c.is_control()).collect::<String>(),
                "metadata": if metadata.is_object() { metadata } else { json!({ "m": metadata }) },
                "priority": priority, "deadlineAt": deadline, "responseRequired": asks,
            })
        },
    )
}

/// Posts it, and checks that it is either refused with 400 or readable as replied.
async fn post(client: &Client, path: &str, body: &Value, at: &str) -> Option<Value> {
    let reply = client.post(path, body.clone()).await;
    if reply.status != 201 {
        assert_eq!(reply.status, 400, "{path} {body}: {}", reply.body);
        return None;
    }
    let id = text(&reply.body["id"]).to_owned();
    let read = client.get(&format!("{at}/{id}")).await;
    assert_eq!((read.status, &read.body), (200, &reply.body), "{path} {body}");
    Some(reply.body)
}

on_both_engines! {
    async fn every_accepted_value_is_readable_on_every_route(hub: Hub) {
        let (agent, human) = (hub.agent("agent").await, hub.human().await);
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let mut taken = 0;
        for _ in 0..30 {
            let mut bodies = any_body().new_tree(&mut runner).expect("a body");
            let opened = post(&agent, SESSIONS, &bodies.current(), SESSIONS).await;
            let asked = post(&agent, "/v1/agent/interactions", &bodies.current(), "/v1/agent/interactions").await;
            for session in opened.iter().chain(&asked) {
                let session = text(&session["id"]);
                for _ in 0..3 {
                    bodies = any_body().new_tree(&mut runner).expect("a body");
                    let at = at_agent(session, "/messages");
                    let Some(message) = post(&agent, &at, &bodies.current(), &at).await else { continue };
                    taken += 1;
                    let mut reply = bodies.current();
                    reply["inReplyTo"] = message["id"].clone();
                    let at = at_human(session, "/messages");
                    taken += usize::from(post(&human, &at, &reply, &at).await.is_some());
                }
                let found = read_everywhere(&agent, &human, session).await;
                let listed = found[0].1.clone();
                for (what, messages) in &found {
                    for message in messages {
                        is_message(message);
                        let same = listed.iter().find(|other| other["id"] == message["id"]).expect("listed");
                        assert_eq!(message, same, "{what}");
                    }
                }
            }
        }
        assert!(taken > 30, "only {taken} values were accepted");
    }

    async fn an_unrepresentable_deadline_is_refused(hub: Hub) {
        let agent = hub.agent("agent").await;
        let session = hub.session(&agent).await;
        let mut socket = hub.socket(&agent).await;
        for deadline in [
            "9999-12-31T23:59:60Z", "9999-12-31T23:59:59.999-00:01", "9999-12-31T23:59:59-23:59", "10000-01-01T00:00:00Z",
            "+10000-01-01T00:00:00Z",
        ] {
            let mut body = json!({ "encryptedContent": "?", "responseRequired": true, "deadlineAt": deadline });
            for path in [at_agent(&session, "/messages"), "/v1/agent/interactions".to_owned()] {
                let error = agent.post(&path, body.clone()).await.expect_error(400, "VALIDATION_ERROR");
                assert!(text(&error["message"]).contains("deadlineAt"), "{error}");
            }
            body["type"] = json!("send");
            body["sessionId"] = json!(session);
            let error = socket.ask(body).await["error"].clone();
            assert!(text(&error["message"]).contains("deadlineAt"), "{error}");
        }
        let last = json!({ "encryptedContent": "?", "responseRequired": true, "deadlineAt": "9999-12-31T23:59:59.999Z" });
        let asked = agent.post(&at_agent(&session, "/messages"), last).await.expect(201);
        assert_eq!(asked["deadlineAt"], "9999-12-31T23:59:59.999Z");
        assert_eq!(agent.get(&at_message(&session, &asked, "")).await.expect(200), asked);
    }

    async fn a_stored_unrepresentable_deadline_is_readable(hub: Hub) {
        let (agent, human) = (hub.agent("agent").await, hub.human().await);
        let database = Database::open(&hub.database_url).await;
        let last = json!({ "encryptedContent": "?", "responseRequired": true, "deadlineAt": "9999-12-31T23:59:59.999Z" });
        let interaction = agent.post("/v1/agent/interactions", last).await.expect(201);
        let session = text(&interaction["id"]);
        // As the previous release stored a leap second.
        let id = database.id(session);
        let later = "+10000-01-01T00:00:00.000Z";
        database.execute(&format!("UPDATE messages SET deadline_at = 253402300800000 WHERE session_id = {id}")).await;
        database.execute(&format!("UPDATE events SET body = REPLACE(body, '9999-12-31T23:59:59.999Z', '{later}') WHERE session_id = {id}")).await;
        let found = read_everywhere(&agent, &human, session).await;
        assert!(found.iter().flat_map(|(_, messages)| messages).count() >= 4);
        for (what, messages) in &found {
            for message in messages {
                assert_eq!(message["deadlineAt"], "9999-12-31T23:59:59.999Z", "{what}");
            }
        }
        let shown = agent.get(&format!("/v1/agent/interactions/{session}")).await.expect(200);
        assert_eq!(shown["deadlineAt"], "9999-12-31T23:59:59.999Z");
        let feed = human.get("/v1/human/feed").await.expect(200);
        assert_eq!(feed["data"][0]["nextDeadlineAt"], "9999-12-31T23:59:59.999Z");
        human.post(&format!("/v1/human/interactions/{session}/respond"), json!({ "encryptedContent": "!" })).await.expect(200);
        read_everywhere(&agent, &human, session).await;
    }

    async fn rows_of_the_previous_release_are_read_with_defaults(hub: Hub) {
        let (agent, human) = (hub.agent("agent").await, hub.human().await);
        let database = Database::open(&hub.database_url).await;
        let session = hub.interaction(&agent).await;
        let question = ask(&agent, &session).await;
        answer(&human, &session, &question).await;
        let guest = hub.guest(&agent, &session).await;
        let id = database.id(&session);
        for gone in [
            r#","answerers":null"#, r#","outcome":null"#, r#","acknowledgedAt":null"#, r#","outcome":"Answered""#, r#","invitedBy":null"#,
        ] {
            let of_session = format!("WHERE session_id = {id}");
            assert!(database.number(&format!("SELECT COUNT(*) FROM events {of_session} AND body LIKE '%{gone}%'")).await > 0, "{gone}");
            database.execute(&format!("UPDATE events SET body = REPLACE(body, '{gone}', '') {of_session}")).await;
        }
        database.execute(&format!("UPDATE messages SET outcome = NULL WHERE session_id = {id}")).await;
        database.execute(&format!("UPDATE participants SET invited_by = NULL WHERE session_id = {id}")).await;

        let found = read_everywhere(&agent, &human, &session).await;
        for (what, messages) in &found {
            for message in messages {
                is_message(message);
                let outcome = if message["id"] == question["id"] { json!("Answered") } else { Value::Null };
                assert_eq!((&message["outcome"], &message["answerers"]), (&outcome, &Value::Null), "{what}");
                assert_eq!(message["acknowledgedAt"], Value::Null, "{what}");
            }
        }
        let answered = agent.get(&at_message(&session, &question, "")).await.expect(200);
        assert_eq!(answered["response"]["outcome"], "Answered");
        let page = agent.get(&at_agent(&session, "/participants")).await.expect(200);
        page["data"].as_array().expect("a list").iter().for_each(|one| {
            is_participant(one);
            assert_eq!(one["invitedBy"], Value::Null);
        });
        // A guest of that release may answer every agent.
        let other = ask(&agent, &session).await;
        answer(&guest, &session, &other).await;
        // An acknowledgement by that release counts.
        let interaction = agent.get(&format!("/v1/agent/interactions/{session}")).await.expect(200);
        agent.post(&format!("/v1/agent/interactions/{session}/cancel"), json!({})).await.expect(200);
        let acknowledge = "UPDATE interactions SET acknowledged_seq = 99, acknowledged_at = 1774434600000";
        database.execute(&format!("{acknowledge} WHERE session_id = {id}")).await;
        let shown = agent.get(&format!("/v1/agent/interactions/{session}")).await.expect(200);
        is_interaction(&shown);
        assert_eq!(shown["acknowledgedAt"], "2026-03-25T10:30:00.000Z");
        let path = at_agent(&session, &format!("/messages/{}/acknowledge", text(&interaction["messageId"])));
        agent.post(&path, json!({ "exclusive": true })).await.expect_error(409, "ALREADY_ACKNOWLEDGED");
        assert!(!agent.get("/v1/agent/answers").await.expect(200).to_string().contains(text(&interaction["messageId"])));
    }
    async fn events_of_the_previous_release_are_completed_for_every_reader(hub: Hub) {
        let (agent, human) = (hub.agent("agent").await, hub.human().await);
        let database = Database::open(&hub.database_url).await;
        let session = hub.session(&agent).await;
        let question = ask(&agent, &session).await;
        answer(&human, &session, &question).await;
        let body = json!({ "type": "Agent", "name": hub.name("agent") });
        hub.owner.post("/v1/manage/agents", json!({ "name": body["name"] })).await.expect(201);
        let added = agent.post(&at_agent(&session, "/participants"), body).await.expect(201);
        agent.delete(&at_agent(&session, &format!("/participants/{}", text(&added["id"])))).await.expect(204);
        // As that release has written it.
        let inviter = format!(r#","invitedBy":{}"#, added["invitedBy"]);
        let of_session = format!("WHERE session_id = {}", database.id(&session));
        for (now, then) in [
            (r#","answerers":null"#, ""),
            (r#","outcome":null"#, ""),
            (r#","acknowledgedAt":null"#, ""),
            (r#","outcome":"Answered""#, ""),
            (r#","invitedBy":null"#, ""),
            (inviter.as_str(), ""),
            (r#","key":null"#, r#","publicKey":null,"keyId":null"#),
        ] {
            let count = format!("SELECT COUNT(*) FROM events {of_session} AND body LIKE '%{now}%'");
            assert!(database.number(&count).await > 0, "{now}");
            database.execute(&format!("UPDATE events SET body = REPLACE(body, '{now}', '{then}') {of_session}")).await;
        }

        let mut read = Vec::new();
        for (client, at) in [(&agent, at_agent(&session, "")), (&human, at_human(&session, ""))] {
            for path in ["/timeline?after=0", "/timeline?pageSize=100"] {
                let page = client.get(&format!("{at}{path}")).await.expect(200);
                read.push(page["data"].as_array().expect("a list").clone());
            }
            let count = read[0].len();
            let mut stream = Events::open(client, &format!("{at}/events?after=0")).await;
            let mut socket = hub.socket(client).await;
            socket.subscribe(&session, Some(0)).await;
            let (mut streamed, mut sent) = (Vec::new(), Vec::new());
            while sent.len() < count {
                streamed.push(stream.next().await.expect("an event"));
                sent.push(socket.event().await);
            }
            read.extend([streamed, sent]);
        }
        let kinds: Vec<_> = read[0].iter().map(|event| text(&event["type"])).collect();
        assert_eq!(kinds, [
            "session.created", "message.created", "message.created", "message.completed", "participant.added",
            "participant.removed",
        ]);
        for events in &read {
            events.iter().for_each(is_whole_event);
            assert_eq!(events, &read[0]);
        }
    }
}
