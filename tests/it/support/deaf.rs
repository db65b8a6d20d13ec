//! A way to PostgreSQL by which the answer to a commit gets lost: the server has carried it out, its client hears only
//! that the connection broke.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

pub struct Deaf {
    /// The same database by this way.
    pub url: String,
    is_armed: Arc<AtomicBool>,
}

impl Deaf {
    /// A way to the database that `url` names by its server's Unix socket.
    pub async fn to(url: &str) -> Self {
        let (address, folder) = url.split_once("?host=").expect("a Unix socket");
        let socket = Path::new(folder).join(".s.PGSQL.5432");
        let database = address.rsplit('/').next().expect("a name");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let is_armed = Arc::new(AtomicBool::new(false));
        let deaf = Self { url: format!("postgres://hub@127.0.0.1:{port}/{database}"), is_armed: Arc::clone(&is_armed) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = UnixStream::connect(&socket).await else { continue };
                tokio::spawn(pass_on(client, server, Arc::clone(&is_armed)));
            }
        });
        deaf
    }

    /// Loses the answer to the next commit.
    pub fn arm(&self) {
        self.is_armed.store(true, Ordering::SeqCst);
    }

    pub fn has_lost_one(&self) -> bool {
        !self.is_armed.load(Ordering::SeqCst)
    }
}

async fn pass_on(mut client: TcpStream, mut server: UnixStream, is_armed: Arc<AtomicBool>) {
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let loses = asked[..length].windows(6).any(|word| word == b"COMMIT") && is_armed.load(Ordering::SeqCst);
                if server.write_all(&asked[..length]).await.is_err() {
                    return;
                }
                if loses {
                    // It answers once the commit is done.
                    let _ = server.read(&mut answered).await;
                    is_armed.store(false, Ordering::SeqCst);
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
