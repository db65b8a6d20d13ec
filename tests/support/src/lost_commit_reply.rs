//! A relay to PostgreSQL that drops the reply to one commit: the server has committed, the client sees only that the
//! connection broke.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// Forwards bytes in both directions until it is armed and a commit is sent.
pub struct LostCommitReply {
    /// The URL of the database through this relay.
    pub url: String,
    is_armed: Arc<AtomicBool>,
}

impl LostCommitReply {
    /// A relay to the database at `url`, which names the Unix socket of its server.
    pub async fn to(url: &str) -> Self {
        let (address, folder) = url.split_once("?host=").expect("a Unix socket");
        let socket = Path::new(folder).join(".s.PGSQL.5432");
        let database = address.rsplit('/').next().expect("a name");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let is_armed = Arc::new(AtomicBool::new(false));
        let relay =
            Self { url: format!("postgres://hub@127.0.0.1:{port}/{database}"), is_armed: Arc::clone(&is_armed) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = UnixStream::connect(&socket).await else { continue };
                tokio::spawn(pass_on(client, server, Arc::clone(&is_armed)));
            }
        });
        relay
    }

    /// Drops the reply to the next commit, and its connection.
    pub fn arm(&self) {
        self.is_armed.store(true, Ordering::SeqCst);
    }

    pub fn has_dropped(&self) -> bool {
        !self.is_armed.load(Ordering::SeqCst)
    }
}

async fn pass_on(mut client: TcpStream, mut server: UnixStream, is_armed: Arc<AtomicBool>) {
    let (mut request, mut reply) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let Ok(length @ 1..) = read else { return };
                let is_commit = request[..length].windows(6).any(|word| word == b"COMMIT");
                let is_dropped = is_commit && is_armed.load(Ordering::SeqCst);
                if server.write_all(&request[..length]).await.is_err() {
                    return;
                }
                if is_dropped {
                    // The server replies once the transaction is committed.
                    let _ = server.read(&mut reply).await;
                    is_armed.store(false, Ordering::SeqCst);
                    return;
                }
            }
            read = server.read(&mut reply) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&reply[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
