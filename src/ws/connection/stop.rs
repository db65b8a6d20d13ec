//! Why the task of a connection stops.

/// Why the task stops.
pub(super) enum Stop {
    /// The client has closed; the reply has its code.
    Closed(Option<u16>),
    /// The connection was lost.
    Lost,
}
