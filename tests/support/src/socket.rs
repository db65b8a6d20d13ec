//! A WebSocket client that speaks the contract's frames.

use super::client::Client;
use super::{PATIENCE, timeout};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

pub struct Socket {
    pub stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub hello: Value,
    ids: i64,
}

/// How a socket came to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Code(u16),
    /// The connection just broke.
    Broken,
}

impl Socket {
    /// Opens a socket with the client's headers; an error is the HTTP status with which it was refused.
    pub async fn try_open(client: &Client) -> Result<Self, u16> {
        match Self::reach(client).await {
            Ok(socket) => Ok(socket),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("the socket opens: {error}"),
        }
    }

    /// The same, of a hub that may not be there.
    pub async fn reach(client: &Client) -> Result<Self, Error> {
        let url = format!("{}/v1/ws", client.next_base().replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("a request");
        for (name, value) in &client.headers {
            request.headers_mut().append(*name, value.parse().expect("a header"));
        }
        let (stream, _) = timeout(PATIENCE, connect_async(request)).await.expect("an answer in time")?;
        Ok(Self::of(stream))
    }

    /// Opens a socket to a hub that may be gone, and takes its `hello`.
    pub async fn open_if_up(client: &Client) -> Option<Self> {
        let mut socket = Self::reach(client).await.ok()?;
        socket.hello = socket.next_or_end().await.ok()?;
        Some(socket)
    }

    /// A socket that is open already.
    pub fn of(stream: WebSocketStream<MaybeTlsStream<TcpStream>>) -> Self {
        Self { stream, hello: Value::Null, ids: 0 }
    }

    /// Opens a socket and takes its `hello`.
    pub async fn open(client: &Client) -> Self {
        let mut socket = Self::try_open(client).await.expect("the socket opens");
        socket.hello = socket.expect("hello").await;
        socket
    }

    pub async fn send(&mut self, frame: Value) {
        self.send_raw(Message::text(frame.to_string())).await;
    }

    /// Sends a frame over a socket that may be at its end; whether it took it.
    pub async fn offer(&mut self, frame: Value) -> bool {
        let sent = timeout(PATIENCE, self.stream.send(Message::text(frame.to_string()))).await;
        sent.expect("room in time").is_ok()
    }

    pub async fn send_raw(&mut self, message: Message) {
        timeout(PATIENCE, self.stream.send(message)).await.expect("room in time").expect("the socket takes it");
    }

    /// The next frame, or how the socket ended.
    pub async fn next_or_end(&mut self) -> Result<Value, End> {
        loop {
            match timeout(PATIENCE, self.stream.next()).await.expect("a frame in time") {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(Some(close)))) => return Err(End::Code(close.code.into())),
                Some(Ok(Message::Close(None))) => return Err(End::Code(1005)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(End::Broken),
            }
        }
    }

    pub async fn next(&mut self) -> Value {
        self.next_or_end().await.expect("a frame")
    }

    /// The next frame, which must be of this type.
    #[track_caller]
    pub fn expect<'a>(&'a mut self, kind: &'a str) -> impl Future<Output = Value> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let frame = self.next().await;
            assert_eq!(frame["type"], kind, "at {place}: {frame}");
            frame
        }
    }

    /// Reads while something else happens, and so answers the hub's pings; nothing must come but those.
    pub async fn idle_while<T>(&mut self, something: impl Future<Output = T>) -> T {
        let mut something = std::pin::pin!(something);
        loop {
            tokio::select! {
                done = &mut something => return done,
                message = self.stream.next() => {
                    let message = message.expect("it is open").expect("it holds");
                    assert!(matches!(message, Message::Ping(_)), "{message}");
                }
            }
        }
    }

    /// The next frame of this type, passing over others.
    pub async fn find(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// Sends a frame with an id and takes the frame that answers it, passing over what comes between.
    pub async fn ask(&mut self, mut frame: Value) -> Value {
        self.ids += 1;
        let id = self.ids;
        frame["id"] = json!(id);
        self.send(frame).await;
        loop {
            let reply = self.next().await;
            if reply["id"] == id {
                return reply;
            }
        }
    }

    /// Subscribes to a session's events after `after`, or to those to come.
    pub async fn subscribe(&mut self, session: &str, after: Option<i64>) -> Value {
        let mut frame = json!({ "type": "subscribe", "sessionId": session });
        if let Some(after) = after {
            frame["after"] = json!(after);
        }
        let reply = self.ask(frame).await;
        assert_eq!(reply["type"], "subscribed", "{reply}");
        reply
    }

    /// The next event.
    pub async fn event(&mut self) -> Value {
        self.find("event").await["event"].take()
    }

    /// Takes frames until the socket ends; how.
    pub async fn end(&mut self) -> End {
        loop {
            if let Err(end) = self.next_or_end().await {
                return end;
            }
        }
    }

    /// Makes sure that nothing of this type is under way: a ping's answer comes behind everything sent before it.
    pub async fn expect_none(&mut self, kind: &str) {
        self.ids += 1;
        let id = self.ids;
        self.send(json!({ "type": "ping", "id": id })).await;
        loop {
            let frame = self.next().await;
            assert_ne!(frame["type"], kind, "{frame}");
            if frame["type"] == "pong" && frame["id"] == id {
                return;
            }
        }
    }
}
