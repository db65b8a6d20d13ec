//! Relays between one client and a server, which a test can cut or silence.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A TCP relay that can be cut.
pub struct Relay {
    pub port: u16,
    is_cut: Arc<AtomicBool>,
    /// Closes the open connections; replaced when the relay is mended.
    cut: Arc<parking_lot::Mutex<CancellationToken>>,
}

impl Relay {
    /// Forwards everything to this port.
    pub async fn to(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let relay = Self { port, is_cut: Arc::default(), cut: Arc::default() };
        let (is_cut, cut) = (Arc::clone(&relay.is_cut), Arc::clone(&relay.cut));
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let cut = cut.lock().clone();
                if is_cut.load(Ordering::SeqCst) || cut.is_cancelled() {
                    continue;
                }
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(("127.0.0.1", target)).await else { return };
                    tokio::select! {
                        () = cut.cancelled() => {}
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                    }
                });
            }
        });
        relay
    }

    /// Closes every connection and refuses new ones.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        self.cut.lock().cancel();
    }

    pub fn mend(&self) {
        *self.cut.lock() = CancellationToken::new();
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

/// A relay to PostgreSQL that can go silent: it forwards nothing and closes no connection.
pub struct SilentRelay {
    /// The URL of the database through this relay.
    pub url: String,
    is_silent: watch::Sender<bool>,
    lost_requests: Arc<AtomicUsize>,
    _folder: TempDir,
}

impl SilentRelay {
    /// To the database with this URL, whose server listens on a Unix socket.
    pub fn to(url: &str) -> Self {
        let (is_silent, watch) = watch::channel(false);
        let lost_requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&lost_requests);
        let (url, folder) = relay_to(url, move |client, server| {
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            tokio::spawn(pass(from_client, to_server, watch.clone(), Some(Arc::clone(&count))));
            tokio::spawn(pass(from_server, to_client, watch.clone(), None));
        });
        Self { url, is_silent, lost_requests, _folder: folder }
    }

    pub fn set_silent(&self, is_silent: bool) {
        self.is_silent.send_replace(is_silent);
    }

    /// How many requests were sent on connections that no longer lead anywhere.
    pub fn lost_requests(&self) -> usize {
        self.lost_requests.load(Ordering::Relaxed)
    }
}

/// Listens in front of the database at this URL, whose server listens on a Unix socket, and calls `join` with both ends
/// of each connection. The returned URL is valid as long as the folder exists.
pub fn relay_to(url: &str, join: impl Fn(UnixStream, UnixStream) + Send + 'static) -> (String, TempDir) {
    let (base, server) = url.split_once("?host=").expect("a URL of a test's database");
    let folder = tempfile::tempdir().expect("a folder");
    let name = ".s.PGSQL.5432";
    let listener = UnixListener::bind(folder.path().join(name)).expect("a socket");
    let server = std::path::Path::new(server).join(name);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = UnixStream::connect(&server).await else { continue };
            join(client, server);
        }
    });
    (format!("{base}?host={}", folder.path().display()), folder)
}

/// What a client of PostgreSQL sends before it closes a connection.
const TERMINATE: [u8; 5] = *b"X\0\0\0\x04";

/// Forwards bytes. From the first bytes that arrive during a silence on, the connection forwards nothing any more.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    silence: watch::Receiver<bool>,
    lost_requests: Option<Arc<AtomicUsize>>,
) {
    let mut buffer = vec![0; 16 * 1024];
    let mut is_lost = false;
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        is_lost |= *silence.borrow();
        if let Some(lost_requests) = lost_requests.as_ref().filter(|_| is_lost && buffer[..read] != TERMINATE) {
            lost_requests.fetch_add(1, Ordering::Relaxed);
        }
        if !is_lost && to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    if is_lost {
        // The other side does not see the close either.
        std::future::pending::<()>().await;
    }
}
