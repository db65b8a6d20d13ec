//! The limits of a socket that clients can rely on (contract section 8).

/// Largest message from a client, in bytes of payload.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// Most frames, and most bytes of frames, queued for a slow client. Further events are read from the store later.
pub const MAX_QUEUED_FRAMES: usize = 1024;
pub const MAX_QUEUED_BYTES: usize = 1024 * 1024;
/// Most sessions that a socket may be subscribed to.
pub const MAX_SUBSCRIPTIONS: usize = 4096;
/// A socket is closed at this number of unreadable frames in a row.
pub const MAX_UNREADABLE: u32 = 10;
/// Idle time after which the hub sends a ping, time to answer it, and time to authenticate, in seconds.
pub const HEARTBEAT_SECONDS: u64 = 25;
pub const PONG_SECONDS: u64 = 10;
pub const AUTH_SECONDS: u64 = 10;
/// How long `typing:true` is valid unless it is repeated.
pub const TYPING_LAPSE_MILLIS: u64 = 6000;
