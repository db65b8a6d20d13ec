//! A TCP connection that sends bytes as they are.

use crate::support::{Client, Hub, PATIENCE, timeout};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A raw connection.
pub(super) struct Raw {
    pub(super) stream: TcpStream,
    pub(super) received: Vec<u8>,
}

impl Raw {
    pub(super) async fn connect(hub: &Hub) -> Self {
        let address = hub.base.trim_start_matches("http://");
        Self { stream: TcpStream::connect(address).await.expect("a connection"), received: Vec::new() }
    }

    /// A socket of this client, past its handshake.
    pub(super) async fn socket(hub: &Hub, client: &Client) -> Self {
        let mut raw = Self::connect(hub).await;
        let request = format!(
            "GET /v1/ws HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-API-Key: {}\r\n\r\n",
            client.secret()
        );
        raw.send(request.as_bytes()).await;
        let end = loop {
            if let Some(at) = raw.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(raw.more().await, "the handshake is answered");
        };
        assert!(raw.received.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&raw.received));
        raw.received.drain(..end);
        assert_eq!(raw.text().await["type"], "hello");
        raw
    }

    /// The other side may have closed already; only its reply matters.
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        let _ = timeout(PATIENCE, self.stream.write_all(bytes)).await.expect("room in time");
    }

    pub(super) async fn more(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.received)).await.expect("bytes in time");
        read.is_ok_and(|count| count > 0)
    }

    /// The next frame: its first byte and its payload.
    pub(super) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let [first, second, rest @ ..] = self.received.as_slice() {
                let (start, length) = match (*second, rest) {
                    (126, [high, low, ..]) => (4, usize::from(u16::from_be_bytes([*high, *low]))),
                    (short @ 0..126, _) => (2, usize::from(short)),
                    _ => (2, usize::MAX / 2),
                };
                if self.received.len() >= start + length {
                    let first = *first;
                    let payload = self.received[start..start + length].to_vec();
                    self.received.drain(..start + length);
                    return Some((first, payload));
                }
            }
            if !self.more().await {
                return None;
            }
        }
    }

    pub(super) async fn text(&mut self) -> Value {
        let (first, payload) = self.frame().await.expect("a frame");
        assert_eq!(first, 0x81, "a whole text frame");
        serde_json::from_slice(&payload).expect("JSON")
    }

    /// The code with which the hub closes.
    pub(super) async fn close_code(&mut self) -> Option<u16> {
        while let Some((first, payload)) = self.frame().await {
            if first == 0x88 {
                return payload.first_chunk::<2>().map(|code| u16::from_be_bytes(*code));
            }
        }
        None
    }
}

/// A masked frame with these first byte and payload.
pub(super) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [7, 0, 255, 42];
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | u8::try_from(short).expect("short")),
        long => match u16::try_from(long) {
            Ok(long) => {
                frame.push(0x80 | 126);
                frame.extend(long.to_be_bytes());
            }
            Err(_) => {
                frame.push(0x80 | 127);
                frame.extend((long as u64).to_be_bytes());
            }
        },
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}
