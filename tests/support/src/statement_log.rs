//! A relay to PostgreSQL that records each statement of the client.

use super::relay::relay_to;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// The code of the SSLRequest message, with which a client asks for TLS.
const SSL_REQUEST: u32 = 80_877_103;

/// Forwards bytes in both directions and keeps the text of each statement.
pub struct StatementLog {
    /// The URL of the database through this relay.
    pub url: String,
    statements: Arc<Mutex<Vec<String>>>,
    _folder: TempDir,
}

impl StatementLog {
    /// A relay to the database at `url`, which names the Unix socket of its server.
    pub fn to(url: &str) -> Self {
        let statements: Arc<Mutex<Vec<String>>> = Arc::default();
        let recorded = Arc::clone(&statements);
        let (url, folder) = relay_to(url, move |client, server| {
            let ((from_client, mut to_client), (mut from_server, to_server)) =
                (client.into_split(), server.into_split());
            tokio::spawn(record(from_client, to_server, Arc::clone(&recorded)));
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        });
        Self { url, statements, _folder: folder }
    }

    /// What was asked for since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.statements.lock())
    }
}

/// Forwards the client's messages one by one and records each statement when it is bound for execution.
async fn record(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, statements: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut prepared: HashMap<String, String> = HashMap::new();
    // The messages before the start-up message, and that message itself, have no type byte.
    let (mut kind, mut has_begun) = (None, false);
    loop {
        let length = from.read_u32().await.ok()?;
        let mut rest = vec![0; usize::try_from(length).ok()?.checked_sub(4)?];
        from.read_exact(&mut rest).await.ok()?;
        let mut texts = rest.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
        match kind {
            Some(b'P') => {
                let (name, text) = (texts.next()?, texts.next()?);
                prepared.insert(name, text);
            }
            Some(b'B') => statements.lock().extend(texts.nth(1).and_then(|name| prepared.get(&name).cloned())),
            None => has_begun = rest != SSL_REQUEST.to_be_bytes(),
            _ => {}
        }
        let head = kind.into_iter().chain(length.to_be_bytes());
        to.write_all(&head.chain(rest).collect::<Vec<u8>>()).await.ok()?;
        if has_begun {
            kind = Some(from.read_u8().await.ok()?);
        }
    }
}
