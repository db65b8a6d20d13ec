//! Limits of long-lived connections (sockets, event streams, long-polls): for each credential, and by the file
//! descriptors of the process.

use crate::domain::{ClientNetwork, Principal, Refusal};
use dashmap::DashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use uuid::Uuid;

/// A guest has one part in this many of the limit, since a guest token is easily passed on.
const GUEST_SHARE: u32 = 10;
/// Descriptors that are reserved for HTTP requests, beside those that the process holds otherwise.
const RESERVED: usize = 64;

/// The account that a connection counts for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Holder {
    /// A key, a human or a guest. All tokens of a human count together, since they are short-lived.
    Credential(Uuid),
    /// The client address, until the client has authenticated.
    ClientNetwork(ClientNetwork),
}

impl Holder {
    fn of(principal: &Principal) -> Self {
        Self::Credential(match principal {
            Principal::Agent(agent) => agent.key.0,
            Principal::Human(human) => human.id.0,
            Principal::Guest(guest) => guest.id.0,
        })
    }
}

/// The long-lived connections of this node.
pub struct Connections {
    limit: Option<u32>,
    held: DashMap<Holder, u32>,
    /// Most TCP connections at a time; none if the process has no limit.
    most: Option<usize>,
    open: AtomicUsize,
}

/// One long-lived connection, which counts until this is dropped.
pub struct Permit(Option<(Arc<Connections>, Holder)>);

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some((connections, holder)) = &self.0 {
            connections.release(*holder);
        }
    }
}

/// One open TCP connection, which counts until this is dropped.
pub struct Descriptor(Arc<Connections>);

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connections {
    /// `limit` is that of each credential. `descriptors` is the limit of the process, of which `in_use` are taken by other
    /// things than client connections.
    pub fn new(limit: Option<u32>, descriptors: Option<usize>, in_use: usize) -> Arc<Self> {
        let most = descriptors.map(|most| most.saturating_sub(RESERVED + in_use));
        Arc::new(Self { limit, held: DashMap::new(), most, open: AtomicUsize::new(0) })
    }

    /// Counts a connection of this principal.
    pub fn hold(self: &Arc<Self>, principal: &Principal) -> Result<Permit, Refusal> {
        let guest = matches!(principal, Principal::Guest(_));
        let limit = self.limit.map(|limit| if guest { (limit / GUEST_SHARE).max(1) } else { limit });
        self.count(Holder::of(principal), limit)
    }

    /// Counts a connection for this principal instead; none if it already counts for its credential.
    pub fn hold_instead(self: &Arc<Self>, held: &Permit, principal: &Principal) -> Result<Option<Permit>, Refusal> {
        let is_same = held.0.as_ref().is_none_or(|(_, holder)| *holder == Holder::of(principal));
        if is_same { Ok(None) } else { self.hold(principal).map(Some) }
    }

    /// Counts a connection whose client has not authenticated yet.
    pub fn hold_unauthenticated(self: &Arc<Self>, origin: ClientNetwork) -> Result<Permit, Refusal> {
        self.count(Holder::ClientNetwork(origin), self.limit)
    }

    fn count(self: &Arc<Self>, holder: Holder, limit: Option<u32>) -> Result<Permit, Refusal> {
        let Some(limit) = limit else { return Ok(Permit(None)) };
        let mut held = self.held.entry(holder).or_insert(0);
        if *held >= limit {
            return Err(Refusal::TooManyConnections { limit });
        }
        *held += 1;
        Ok(Permit(Some((Arc::clone(self), holder))))
    }

    fn release(&self, holder: Holder) {
        if let Some(mut held) = self.held.get_mut(&holder) {
            *held = held.saturating_sub(1);
        }
        self.held.remove_if(&holder, |_, held| *held == 0);
    }

    /// Counts a TCP connection that was accepted.
    pub fn accepted(self: &Arc<Self>) -> Descriptor {
        self.open.fetch_add(1, Ordering::Relaxed);
        Descriptor(Arc::clone(self))
    }

    /// Counts the TCP connection of a WebSocket handshake; refused if the process has too few descriptors.
    pub fn upgraded(self: &Arc<Self>) -> Result<Descriptor, Refusal> {
        // The connection of the request counts as well until it has become the socket.
        if self.most.is_some_and(|most| self.open.load(Ordering::Relaxed) > most) {
            return Err(Refusal::NoRoom);
        }
        Ok(self.accepted())
    }
}

/// The limit of file descriptors of the process, and how many it has open.
pub fn descriptors() -> (Option<usize>, usize) {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let in_use = std::fs::read_dir("/proc/self/fd").map_or(32, Iterator::count);
    (most.and_then(|most| usize::try_from(most).ok()), in_use)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::principal::GuestPrincipal;
    use crate::domain::{GuestId, SessionId, SpaceId, Timestamp};

    fn guest() -> Principal {
        Principal::Guest(GuestPrincipal {
            id: GuestId::new(),
            space: SpaceId::new(),
            session: SessionId::new(),
            name: "Ann".to_owned(),
            expires_at: Timestamp(0),
        })
    }

    #[test]
    fn a_guest_has_a_tenth_and_dropped_connections_are_free_again() {
        let connections = Connections::new(Some(20), None, 0);
        let (ann, bob) = (guest(), guest());
        let held = [connections.hold(&ann), connections.hold(&ann)];
        assert!(held.iter().all(Result::is_ok));
        assert!(matches!(connections.hold(&ann), Err(Refusal::TooManyConnections { limit: 2 })));
        assert!(connections.hold(&bob).is_ok(), "each for itself");
        drop(held);
        assert!(connections.hold(&ann).is_ok());
        assert!(connections.held.is_empty(), "a credential without connections is removed");
    }

    #[test]
    fn descriptors_are_reserved_from_sockets_alone() {
        let connections = Connections::new(None, Some(RESERVED + 12), 10);
        let mut open: Vec<_> = (0..2).map(|_| connections.accepted()).collect();
        open.push(connections.upgraded().expect("room"));
        assert!(matches!(connections.upgraded(), Err(Refusal::NoRoom)));
        open.push(connections.accepted());
        open.clear();
        assert!(connections.upgraded().is_ok());
    }
}
