//! A way to PostgreSQL on which every statement is noted as it is asked for.

use super::relay::way_to;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// All that a client says that would rather have TLS.
const ASKS_FOR_TLS: u32 = 80_877_103;

pub struct Scribe {
    /// The same database by this way.
    pub url: String,
    noted: Arc<Mutex<Vec<String>>>,
    _folder: TempDir,
}

impl Scribe {
    /// A way to the database that `url` names by its server's Unix socket.
    pub fn to(url: &str) -> Self {
        let noted: Arc<Mutex<Vec<String>>> = Arc::default();
        let notes = Arc::clone(&noted);
        let (url, folder) = way_to(url, move |client, server| {
            let ((from_client, mut to_client), (mut from_server, to_server)) =
                (client.into_split(), server.into_split());
            tokio::spawn(note(from_client, to_server, Arc::clone(&notes)));
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        });
        Self { url, noted, _folder: folder }
    }

    /// What was asked for since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.noted.lock())
    }
}

/// Passes on what the client says, message by message, and notes each statement that it has carried out.
async fn note(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, noted: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut prepared: HashMap<String, String> = HashMap::new();
    // What comes before the session has begun has no kind.
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
            Some(b'B') => noted.lock().extend(texts.nth(1).and_then(|name| prepared.get(&name).cloned())),
            None => has_begun = rest != ASKS_FOR_TLS.to_be_bytes(),
            _ => {}
        }
        let head = kind.into_iter().chain(length.to_be_bytes());
        to.write_all(&head.chain(rest).collect::<Vec<u8>>()).await.ok()?;
        if has_begun {
            kind = Some(from.read_u8().await.ok()?);
        }
    }
}
