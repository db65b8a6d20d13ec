//! A reader of Server-Sent Events.

use super::client::Client;
use super::shapes::is_event;
use super::{PATIENCE, timeout};
use serde_json::Value;

/// A session's events as they come over Server-Sent Events.
pub struct Events {
    response: reqwest::Response,
    received: Vec<u8>,
}

impl Events {
    /// Opens a stream to a hub that may be away; an error is the HTTP status with which it was refused, if there was
    /// an answer.
    #[allow(dead_code)] // used where the hub may be away
    pub async fn try_open(client: &Client, path: &str) -> Result<Self, Option<u16>> {
        let response = client.try_stream(path).await.map_err(|_| None)?;
        if response.status() != 200 {
            return Err(Some(response.status().as_u16()));
        }
        Ok(Self { response, received: Vec::new() })
    }

    pub async fn open(client: &Client, path: &str) -> Self {
        let response = client.stream(path).await;
        assert_eq!(response.status(), 200);
        let kind = response.headers()["content-type"].to_str().expect("text").to_owned();
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        Self { response, received: Vec::new() }
    }

    /// The next event, or `None` if the stream ended. What was received is kept if this is cancelled.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.received.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.received.drain(..end + 2).collect();
                let block = std::str::from_utf8(&block).expect("text");
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(name));
                    line.map(|value| value.trim_start_matches(' ').to_owned())
                };
                let (id, kind, data) = (field("id:"), field("event:"), field("data:"));
                let Some(data) = data else { continue };
                let event: Value = serde_json::from_str(&data).expect("JSON");
                is_event(&event);
                assert_eq!(id.as_deref(), Some(event["seq"].to_string().as_str()));
                assert_eq!(kind.as_deref(), event["type"].as_str());
                return Some(event);
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.expect("something in time").ok()??;
            self.received.extend_from_slice(&chunk);
        }
    }

    pub async fn seqs(&mut self, count: usize) -> Vec<i64> {
        let mut seqs = Vec::new();
        while seqs.len() < count {
            seqs.push(self.next().await.expect("an event")["seq"].as_i64().expect("a seq"));
        }
        seqs
    }
}
