//! The ports of the hub.

use super::StartError;
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket};

/// Length of the queue of connections that are not accepted yet.
const BACKLOG: u32 = 1024;

/// A port that is bound and not listening. It is bound before anything else happens, so that a port in use is noticed
/// first; it listens only once the hub can answer, so that a proxy uses other nodes until then.
pub(super) struct Port {
    socket: TcpSocket,
    wanted: SocketAddr,
    pub(super) address: SocketAddr,
    failed: fn(SocketAddr, io::Error) -> StartError,
}

impl Port {
    pub(super) fn bind(
        wanted: SocketAddr,
        failed: fn(SocketAddr, io::Error) -> StartError,
    ) -> Result<Self, StartError> {
        let bind = || {
            let socket = if wanted.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            socket.set_reuseaddr(true)?;
            socket.bind(wanted)?;
            let address = socket.local_addr()?;
            Ok((socket, address))
        };
        let (socket, address) = bind().map_err(|error| failed(wanted, error))?;
        Ok(Self { socket, wanted, address, failed })
    }

    pub(super) fn listen(self) -> Result<TcpListener, StartError> {
        self.socket.listen(BACKLOG).map_err(|error| (self.failed)(self.wanted, error))
    }
}
