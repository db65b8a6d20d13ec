//! The close codes, in one table (contract section 8): after 4400–4499 a client must not reconnect, after 4500–4599 it may.

/// Why a socket is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CloseCode {
    pub code: u16,
    pub reason: &'static str,
}

impl CloseCode {
    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason }
    }

    /// Every code with which the hub closes a socket. The reply to a client's close frame has the client's code.
    pub const ALL: &[Self] = &[
        Self::GOING_AWAY,
        Self::PROTOCOL,
        Self::BAD_UTF8,
        Self::TOO_BIG,
        Self::BAD_FRAMES,
        Self::NOT_AUTHENTICATED,
        Self::REVOKED,
        Self::INTERNAL,
        Self::HEARTBEAT_MISSED,
        Self::TOKEN_EXPIRED,
        Self::AUTH_TIMEOUT,
        Self::TOO_MANY_FAILURES,
        Self::TOO_MANY_CONNECTIONS,
        Self::TOO_MANY_FRAMES,
    ];

    /// Whether a client may reconnect and subscribe again with `after`. Otherwise an unchanged retry fails in the same way.
    pub fn may_reconnect(self) -> bool {
        self.code == Self::GOING_AWAY.code || (4500..4600).contains(&self.code)
    }

    pub const GOING_AWAY: Self = Self::new(1001, "the node is draining");
    pub const PROTOCOL: Self = Self::new(1002, "protocol error");
    pub const BAD_UTF8: Self = Self::new(1007, "text is not UTF-8");
    pub const TOO_BIG: Self = Self::new(1009, "a frame may have 64 KiB");

    pub const BAD_FRAMES: Self = Self::new(4400, "too many bad frames");
    pub const NOT_AUTHENTICATED: Self = Self::new(4401, "not authenticated");
    pub const REVOKED: Self = Self::new(4403, "revoked");

    pub const INTERNAL: Self = Self::new(4500, "internal error");
    pub const HEARTBEAT_MISSED: Self = Self::new(4502, "heartbeat missed");
    pub const TOKEN_EXPIRED: Self = Self::new(4504, "token expired");
    pub const AUTH_TIMEOUT: Self = Self::new(4508, "no authentication in time");
    /// The same code as for too many frames: the client should retry later.
    pub const TOO_MANY_FAILURES: Self = Self::new(4529, "too many failed sign-ins");
    /// The limit of open connections of a credential is reached.
    pub const TOO_MANY_CONNECTIONS: Self = Self::new(4529, "too many connections");
    pub const TOO_MANY_FRAMES: Self = Self::new(4529, "too many frames");
}
