//! A session's timeline as Server-Sent Events.

use std::io;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, StatusCode, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{
    credential::Credential,
    ended::{BadStatus, retry_after},
    target::Target,
};

/// An open stream.
pub(crate) struct EventStream {
    body: Incoming,
    lines: Lines,
    /// Dropping it closes the connection.
    _connection: Abort,
}

impl EventStream {
    /// Opens the stream of a session after `after`, or from now on. `side` is `agent` or `human`.
    pub(crate) async fn open(
        target: &Target,
        credential: &Credential,
        side: &str,
        session: &str,
        after: Option<u64>,
    ) -> Result<Self> {
        let opening = Self::open_now(target, credential, side, session, after);
        tokio::time::timeout(target.timeout(), opening).await.context("no event stream in time")?
    }

    async fn open_now(
        target: &Target,
        credential: &Credential,
        side: &str,
        session: &str,
        after: Option<u64>,
    ) -> Result<Self> {
        let after = after.map(|after| format!("?after={after}")).unwrap_or_default();
        let path = target.path(&format!("/v1/{side}/sessions/{session}/events{after}"));
        let (name, value) = credential.header();
        let request = Request::get(&path)
            .header(header::HOST, target.authority())
            .header(header::ACCEPT, "text/event-stream")
            .header(name, value)
            .body(Empty::<Bytes>::new())
            .context("building the request")?;
        let stream = target.connect().await?;
        let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await.context("starting HTTP")?;
        // Its errors reach the reader of the body.
        let connection = Abort(tokio::spawn(async move {
            let _ = driver.await;
        }));
        let response = sender.send_request(request).await.context("sending the request")?;
        let status = response.status();
        if status != StatusCode::OK {
            let wait = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
            let retry_after = wait.and_then(retry_after);
            let body = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let text = String::from_utf8_lossy(&body).chars().take(300).collect();
            return Err(BadStatus { path, status: status.as_u16(), expected: 200, text, retry_after }.into());
        }
        Ok(Self { body: response.into_body(), lines: Lines::default(), _connection: connection })
    }

    /// The data of the next event. Cancel safe.
    pub(crate) async fn next_data(&mut self) -> Result<Utf8Bytes> {
        loop {
            if let Some(data) = self.lines.next()? {
                return Ok(data.into());
            }
            match self.body.frame().await {
                Some(frame) => {
                    if let Ok(data) = frame.context("reading the stream")?.into_data() {
                        self.lines.pending.extend_from_slice(&data);
                    }
                }
                None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)).context("the stream ended"),
            }
        }
    }
}

/// Ends a task when dropped.
struct Abort(JoinHandle<()>);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Splits a stream into the data of its events.
#[derive(Default)]
struct Lines {
    pending: Vec<u8>,
    /// Where to look on for a line feed.
    searched: usize,
    data: Option<String>,
}

impl Lines {
    /// The data of the next complete event.
    fn next(&mut self) -> Result<Option<String>> {
        while let Some(end) = self.pending[self.searched..].iter().position(|byte| *byte == b'\n') {
            let end = self.searched + end;
            self.searched = 0;
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            let line = std::str::from_utf8(&line).context("the stream is not UTF-8")?.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                if let Some(data) = self.data.take() {
                    return Ok(Some(data));
                }
            } else if let Some(data) = line.strip_prefix("data:") {
                let data = data.strip_prefix(' ').unwrap_or(data);
                match &mut self.data {
                    Some(before) => {
                        before.push('\n');
                        before.push_str(data);
                    }
                    None => self.data = Some(data.to_owned()),
                }
            }
        }
        self.searched = self.pending.len();
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_read_whatever_the_pieces_it_comes_in() {
        let text =
            ": comment\n\nid: 2\nevent: message.created\ndata: {\"a\":\ndata: \"é\"}\n\r\ndata:x\n\nid: 3\ndata: half";
        for size in [1, 2, 7, 1000] {
            let mut lines = Lines::default();
            let mut found = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                lines.pending.extend_from_slice(piece);
                found.extend(std::iter::from_fn(|| lines.next().expect("UTF-8")));
            }
            assert_eq!(found, ["{\"a\":\n\"é\"}", "x"], "{size}");
        }
    }
}
