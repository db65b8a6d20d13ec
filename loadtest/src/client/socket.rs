//! One WebSocket: authenticated on the upgrade, then subscribed.

use std::{io, time::Duration};

use anyhow::{Context as _, Result, bail};
use futures::{SinkExt as _, StreamExt as _};
use hyper::header::HeaderValue;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, Utf8Bytes, client::IntoClientRequest as _, protocol::WebSocketConfig},
};
use tokio_util::either::Either;

use super::{credential::Credential, ended::Closed, frame::Frame, target::Target, tls::Stream};

/// Frames that may come before the reply to a subscription.
const UNASKED_FRAMES: usize = 1000;

/// How sockets are opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SocketOptions {
    pub(crate) read_buffer: usize,
    /// Receive buffer in the kernel; sized by the kernel unless given.
    pub(crate) receive_buffer: Option<u32>,
}

/// An open socket, after its `hello`.
pub(crate) struct Socket {
    stream: WebSocketStream<Stream>,
}

impl Socket {
    /// Connects and waits for `hello`.
    pub(crate) async fn open(target: &Target, credential: &Credential, options: SocketOptions) -> Result<Self> {
        within(target.timeout(), "hello", Self::open_now(target, credential, options)).await
    }

    /// Subscribes to the events after `after`, or from now on; returns the session's last `seq` before the live events.
    pub(crate) async fn subscribe(&mut self, target: &Target, session: &str, after: Option<u64>) -> Result<u64> {
        within(target.timeout(), "subscribed", self.subscribe_now(session, after)).await
    }

    async fn open_now(target: &Target, credential: &Credential, options: SocketOptions) -> Result<Self> {
        // Whether with TLS or without, the request is the same.
        let url = format!("ws://{}{}", target.authority(), target.path("/v1/ws"));
        let mut request = url.into_client_request().context("building the upgrade request")?;
        let (name, value) = credential.header();
        request.headers_mut().insert(name, value);
        request.headers_mut().insert("user-agent", HeaderValue::from_static("loadtest"));
        let config = WebSocketConfig::default().read_buffer_size(options.read_buffer);
        let stream = target.connect_with(options.receive_buffer).await?;
        let (stream, _) = client_async_with_config(request, stream, Some(config)).await.context("upgrading")?;
        let mut socket = Self { stream };
        let text = socket.next_text().await?;
        match Frame::parse(&text) {
            Ok(Frame::Hello) => Ok(socket),
            _ => bail!("the first frame is no hello: {}", shorten(&text)),
        }
    }

    async fn subscribe_now(&mut self, session: &str, after: Option<u64>) -> Result<u64> {
        let mut subscribe = serde_json::json!({"type": "subscribe", "id": 1, "sessionId": session});
        if let Some(after) = after {
            subscribe["after"] = after.into();
        }
        self.send(subscribe.to_string()).await?;
        for _ in 0..UNASKED_FRAMES {
            let text = self.next_text().await?;
            match Frame::parse(&text) {
                Ok(Frame::Subscribed { reset: true, .. }) => bail!("the hub has an earlier state than before: {text}"),
                Ok(Frame::Subscribed { seq, .. }) => return Ok(seq),
                Ok(Frame::Other) => {}
                _ => bail!("no reply to a subscription: {}", shorten(&text)),
            }
        }
        bail!("no reply to a subscription within {UNASKED_FRAMES} frames")
    }

    /// Requests a pong, which arrives after all earlier frames of the hub.
    pub(crate) async fn ping(&mut self) -> Result<()> {
        self.send(r#"{"type":"ping","id":2}"#.to_owned()).await
    }

    pub(crate) async fn send(&mut self, text: String) -> Result<()> {
        self.stream.send(Message::text(text)).await.context("writing a frame")
    }

    /// The next text frame; answers pings. Cancel safe.
    pub(crate) async fn next_text(&mut self) -> Result<Utf8Bytes> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.as_ref().map(|frame| u16::from(frame.code));
                    let reason = frame.map(|frame| frame.reason.to_string()).unwrap_or_default();
                    return Err(Closed { code, reason }.into());
                }
                Some(Ok(Message::Binary(_))) => bail!("a binary frame"),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Err(error).context("reading a frame"),
                None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)).context("the connection ended"),
            }
        }
    }

    /// Ends the TCP connection by a reset, without a close frame; what has not been read is discarded.
    pub(crate) fn reset(self) {
        let tcp = match self.stream.get_ref() {
            Either::Left(plain) => plain,
            Either::Right(secured) => secured.get_ref().0,
        };
        // One that is no longer connected cannot be reset.
        let _ = tcp.set_zero_linger();
    }

    /// Closes the connection; errors are ignored.
    pub(crate) async fn close(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(2), self.stream.close(None)).await;
    }
}

/// The size of an unfragmented frame of this payload from a server, header included.
pub(crate) fn wire_size(payload: usize) -> usize {
    payload
        + match payload {
            0..=125 => 2,
            126..=65_535 => 4,
            _ => 10,
        }
}

async fn within<T>(limit: Duration, what: &str, future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(limit, future).await.with_context(|| format!("no {what} in time"))?
}

fn shorten(text: &str) -> String {
    text.chars().take(200).collect()
}
