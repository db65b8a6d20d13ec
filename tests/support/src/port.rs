//! A port that stays reserved for one test while no server listens on it, for servers that are killed and start again
//! at the same address.

use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;

/// A port that is bound and never listens. The system does not assign it to other listeners or connections; a server that
/// binds it by its number succeeds, because it sets `SO_REUSEADDR`.
pub struct Port {
    pub number: u16,
    _held: Socket,
}

impl Port {
    pub fn reserve() -> Self {
        let ports = std::iter::repeat_with(|| Self::bind(0));
        ports.take(100).find_map(Result::ok).expect("a free port")
    }

    /// One with a second port so far above it, which stays the test's own too.
    pub fn reserve_pair(distance: u16) -> (Self, Self) {
        let pair = || {
            let first = Self::reserve();
            let second = Self::bind(first.number.checked_add(distance)?).ok()?;
            Some((first, second))
        };
        std::iter::repeat_with(pair).take(1000).flatten().next().expect("two free ports")
    }

    fn bind(number: u16) -> std::io::Result<Self> {
        let held = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        held.bind(&SocketAddr::from(([127, 0, 0, 1], number)).into())?;
        // Set after the bind: before, the bind could succeed on a port that is reserved by another test.
        held.set_reuse_address(true)?;
        let address = held.local_addr()?.as_socket().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { number: address.port(), _held: held })
    }

    /// Where a server is to listen.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }
}
