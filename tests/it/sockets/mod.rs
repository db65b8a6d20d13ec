//! Every frame and every close code of the socket.

mod connecting;
mod frames;
mod heartbeat;

use crate::support::Client;
use crate::support::hub::at_agent;
use serde_json::json;

async fn post(client: &Client, session: &str) -> serde_json::Value {
    client.post(&at_agent(session, "/messages"), json!({ "encryptedContent": "x" })).await.expect(201)
}
