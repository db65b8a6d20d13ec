//! The wire contract, row by row, on every kind of deployment.
//!
//! Each row has a test that is named after it and asserts its exact shapes: keys, statuses, headers, codes. Longer
//! stories of the same rows stand in the files beside this folder. [`rows`] lists the rows and fails when one has no
//! test. Nothing here looks into the hub; a test may choose its settings and speak HTTP and WebSocket.

mod agent_directory;
mod agent_messages;
mod agent_sessions;
mod client_frames;
mod close_codes;
mod command_line;
mod conventions;
mod envelopes;
mod errors;
mod event_types;
mod hub_frames;
mod human_endpoints;
mod interactions;
mod long_poll;
mod manage_endpoints;
mod objects;
mod operations;
mod principals;
mod rows;
mod settings;
mod settings_of_issuers;
mod settings_of_limits;
mod socket;

use crate::support::{Client, Socket, timeout};
use serde_json::{Value, json};
use std::time::Duration;

/// How soon the explicit end of typing must arrive: well before typing would lapse, from either node.
const SOON: Duration = Duration::from_secs(2);

/// Repeats an action until a watcher receives a frame of this kind. The watcher's node may not have subscribed yet, and
/// ephemeral frames may be lost.
async fn until_frame(watcher: &mut Socket, kind: &str, mut act: impl AsyncFnMut()) -> Value {
    for _ in 0..10 {
        act().await;
        if let Ok(frame) = timeout(SOON, watcher.find(kind)).await {
            return frame;
        }
    }
    panic!("no {kind} frame arrived");
}

/// Starts and stops typing by requests that may go to different nodes, and checks the frames of a watcher.
async fn typing_begins_and_ends(typist: &Client, path: &str, watcher: &mut Socket) {
    for _ in 0..2 {
        let begun = until_frame(watcher, "typing", async || {
            assert_eq!(typist.post(path, json!({})).await.expect(204), Value::Null);
        });
        let begun = begun.await;
        assert_eq!(begun["typing"], true, "{begun}");
        typist.post(path, json!({ "typing": false })).await.expect(204);
        let end = async { while watcher.find("typing").await["typing"] == true {} };
        timeout(SOON, end).await.expect("the end, at once");
        // The end is announced once. This is the third request, so that the next round begins with the other node.
        typist.post(path, json!({ "typing": false })).await.expect(204);
        watcher.expect_none("typing").await;
    }
}

fn list(page: &Value) -> &[Value] {
    page["data"].as_array().expect("a list")
}

/// Checks that a delete replies with 204 once, and with 404 afterwards.
async fn goes_once(client: &Client, path: &str) {
    client.delete(path).await.expect(204);
    client.delete(path).await.expect_error(404, "NOT_FOUND");
}
