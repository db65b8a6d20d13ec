//! Interactions: the older names for one question and its answer, on the same timeline as everything else.

mod asking;
mod reading;
mod retries;
mod settling;

use crate::sessions::types;
use crate::support::Client;
use crate::support::shapes::is_interaction;
use serde_json::{Value, json};

const INTERACTIONS: &str = "/v1/agent/interactions";
const THEIRS: &str = "/v1/human/interactions";

fn sealed(ciphertext: &str) -> Value {
    json!({ "ciphertext": ciphertext, "wrappings": [] })
}

/// The path of something under an interaction, as its agent calls it.
fn at(id: &str, rest: &str) -> String {
    format!("{INTERACTIONS}/{id}{rest}")
}

fn respond_to(id: &str) -> String {
    format!("{THEIRS}/{id}/respond")
}

async fn shown(client: &Client, id: &str) -> Value {
    let interaction = client.get(&at(id, "")).await.expect(200);
    is_interaction(&interaction);
    interaction
}

/// The types of the events after `after`.
async fn types_after(client: &Client, id: &str, after: usize) -> Vec<String> {
    types(client, id).await.split_off(after)
}
