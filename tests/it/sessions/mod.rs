//! Sessions over HTTP: operations of agents and people, and retries.

mod lifecycle;
mod messages;
mod participants;
mod reading;
mod retries;
mod streams;

use crate::support::hub::at_agent;
use crate::support::shapes::{column, is_event};
use crate::support::{Client, Hub, eventually};
use hiloop::domain::SessionId;
pub use retries::repeated;

pub async fn types(client: &Client, session: &str) -> Vec<String> {
    let events = client.get(&at_agent(session, "/timeline?limit=1000")).await.expect(200);
    events["data"].as_array().expect("a list").iter().for_each(is_event);
    column(&events, "type")
}

fn id_of(session: &str) -> SessionId {
    session.parse().expect("an id")
}

pub async fn watched(hub: &Hub, session: &str, wanted: bool) {
    let session = id_of(session);
    eventually("the session to be watched, or not", async || {
        (hub.context().hub.is_watched(session) == wanted).then_some(())
    })
    .await;
}
