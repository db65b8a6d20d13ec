//! A way to a server on loopback that a test may cut, for one client alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
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
