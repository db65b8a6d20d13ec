//! The permitted answerers of a question, the unencrypted outcome, and single acknowledgement.

mod acknowledging;
mod answering;

use crate::support::Client;
use crate::support::hub::at_agent;
use serde_json::{Value, json};

async fn id_of(client: &Client, path: &str) -> Value {
    client.get(path).await.expect(200)["id"].clone()
}

/// Adds an agent to a session.
async fn admit(host: &Client, session: &str, agent: &Client) {
    let body = json!({ "type": "Agent", "agentId": id_of(agent, "/v1/agent/me").await });
    host.post(&at_agent(session, "/participants"), body).await.expect(201);
}
