//! Ways to a server that a test may cut or make silent, for one client alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub struct Relay {
    pub port: u16,
    is_cut: Arc<AtomicBool>,
    /// Ends the connections of now; a new one for those to come.
    cut: Arc<parking_lot::Mutex<CancellationToken>>,
}

impl Relay {
    /// Passes everything on to this port.
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

    /// Ends every connection and lets none be made.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        self.cut.lock().cancel();
    }

    pub fn mend(&self) {
        *self.cut.lock() = CancellationToken::new();
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

/// A way to a PostgreSQL that can go silent: nothing comes through, and no connection ends.
pub struct Hush {
    /// The database's URL by this way.
    pub url: String,
    is_silent: watch::Sender<bool>,
    unheard: Arc<AtomicUsize>,
    _folder: TempDir,
}

impl Hush {
    /// To the database with this URL, whose server listens on a Unix socket.
    pub fn to(url: &str) -> Self {
        let (is_silent, watch) = watch::channel(false);
        let unheard = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&unheard);
        let (url, folder) = way_to(url, move |client, server| {
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            tokio::spawn(pass(from_client, to_server, watch.clone(), Some(Arc::clone(&count))));
            tokio::spawn(pass(from_server, to_client, watch.clone(), None));
        });
        Self { url, is_silent, unheard, _folder: folder }
    }

    pub fn hush(&self, is_silent: bool) {
        self.is_silent.send_replace(is_silent);
    }

    /// How many requests were sent on connections that lead nowhere any more.
    pub fn unheard(&self) -> usize {
        self.unheard.load(Ordering::Relaxed)
    }
}

/// Another way to the database with this URL, whose server listens on a Unix socket: `join` is given both ends of each
/// connection. The way is there as long as the folder is.
pub fn way_to(url: &str, join: impl Fn(UnixStream, UnixStream) + Send + 'static) -> (String, TempDir) {
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

/// Passes on what comes; what comes during a silence is never heard, nor is anything after it.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    silence: watch::Receiver<bool>,
    unheard: Option<Arc<AtomicUsize>>,
) {
    let mut buffer = vec![0; 16 * 1024];
    let mut is_lost = false;
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        is_lost |= *silence.borrow();
        if let Some(unheard) = unheard.as_ref().filter(|_| is_lost && buffer[..read] != TERMINATE) {
            unheard.fetch_add(1, Ordering::Relaxed);
        }
        if !is_lost && to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    if is_lost {
        // The other side hears nothing of the end either.
        std::future::pending::<()>().await;
    }
}
