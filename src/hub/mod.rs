//! The live side of one node: who listens to what, and how committed events reach them.
//!
//! Everything in here is a hint. A reader that was not told, or could not take it, reads the store.

mod crowds;
mod feed;
pub mod frame;
mod lane;
mod presence;
mod reconcile;
mod revocations;
pub mod subscriber;
mod topic;
mod typing;

use crate::auth::RecentlyRevoked;
use crate::broker::{Broker, Ephemeral, Signal};
use crate::clock::Clock;
use crate::connections::{Connections, Permit};
use crate::domain::{
    Actor, CommittedEvent, ConnectionId, MessageId, ParticipantId, Principal, PrincipalId, Refusal, Scope, SessionId,
    shard,
};
use crate::metrics::{Held, Metrics};
use crate::protocol::frame::hub::{PresenceChange, crowd_frame};
use crate::store::{Head, Store, StoreResult};
use crate::supervisor::Supervisor;
use crowds::Crowds;
use dashmap::DashMap;
use feed::Feeds;
use lane::{Lane, LaneMessage};
use parking_lot::Mutex;
use presence::Presence;
use revocations::Revocations;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use subscriber::{EndReason, Endpoint, Subscriber, is_revoked_by};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
pub use topic::Woken;
use topic::{Accepted, Topic};
use typing::Typing;
use uuid::Uuid;

/// Sessions that wait to be read from the store because an event was missing, or to be compared with it.
const MAX_REPAIRS: usize = 1024;

/// How long after a transaction of unknown outcome the store is compared: it may become visible late.
const DOUBT_FOR: Duration = Duration::from_secs(60);

/// How long ago the credential of a request that begins to wait may have been looked up.
const LOOKED_UP_WITHIN: Duration = Duration::from_secs(2);

pub struct Hub {
    broker: Arc<dyn Broker>,
    topics: DashMap<SessionId, Arc<Topic>>,
    lanes: Vec<Lane>,
    endpoints: DashMap<ConnectionId, Arc<dyn Endpoint>>,
    feeds: Arc<Feeds>,
    presence: Presence,
    crowds: Arc<Crowds>,
    revocations: Revocations,
    /// What was revoked, here or elsewhere.
    revoked: Arc<RecentlyRevoked>,
    typing: Typing,
    repairs: mpsc::Sender<SessionId>,
    metrics: Arc<Metrics>,
    connections: Arc<Connections>,
    looks: mpsc::Sender<SessionId>,
    /// When something may have been committed last that nobody will announce.
    doubted: Mutex<Option<Instant>>,
    draining: AtomicBool,
}

impl Hub {
    /// Starts the live side of this node. It notes in `revoked` what it hears of.
    pub fn start(
        store: &Arc<dyn Store>,
        broker: Arc<dyn Broker>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        connections: Arc<Connections>,
        revoked: Arc<RecentlyRevoked>,
        supervisor: &Supervisor,
    ) -> Arc<Self> {
        let lanes = std::thread::available_parallelism().map_or(1, usize::from).min(64);
        let (repairs, to_repair) = mpsc::channel(MAX_REPAIRS);
        let (looks, to_look_at) = mpsc::channel(MAX_REPAIRS);
        let for_revocations = Arc::clone(&clock);
        let hub = Arc::new_cyclic(|weak: &std::sync::Weak<Self>| {
            let announcer = weak.clone();
            let announce: typing::Announce = Box::new(move |session, actor, typing, to| {
                if let Some(hub) = announcer.upgrade() {
                    let ephemeral = Ephemeral::Typing { session, actor, typing };
                    match to {
                        typing::To::Readers => hub.show_here(&ephemeral),
                        typing::To::Nodes => hub.broker.publish(Signal::Ephemeral(ephemeral)),
                    }
                }
            });
            Self {
                feeds: Feeds::start(Arc::clone(store), Arc::clone(&broker), clock, Arc::clone(&metrics), supervisor),
                broker,
                topics: DashMap::new(),
                lanes: (0..lanes).map(|_| Lane::start(supervisor, Arc::clone(&metrics))).collect(),
                endpoints: DashMap::new(),
                presence: Presence::default(),
                crowds: Arc::default(),
                revocations: Revocations::default(),
                revoked,
                typing: Typing::start(announce, supervisor),
                repairs,
                metrics,
                connections,
                looks,
                doubted: Mutex::default(),
                draining: AtomicBool::new(false),
            }
        });
        crowds::start(&hub, supervisor);
        revocations::start(&hub, Arc::clone(store), for_revocations, supervisor);
        reconcile::start(&hub, store, supervisor, to_repair, to_look_at);
        let ear = Arc::downgrade(&hub);
        hub.broker.listen(Arc::new(move |signal| {
            if let Some(hub) = ear.upgrade() {
                hub.accept(signal);
            }
        }));
        hub
    }

    /// Takes events that this node has committed: to its own readers, and to the other nodes.
    pub fn publish(&self, events: &[CommittedEvent]) {
        self.accept_events(events);
        self.broker.publish(Signal::Events(events.to_vec()));
    }

    /// Something may have been committed that nobody announces: the store is asked for a while, as it is where hints
    /// get lost between nodes.
    pub fn doubt(&self) {
        *self.doubted.lock() = Some(Instant::now());
    }

    /// Whether something may be in the store that this node was not told of.
    fn must_compare(&self) -> bool {
        !self.broker.is_lossless() || self.doubted.lock().is_some_and(|at| at.elapsed() < DOUBT_FOR)
    }

    /// Takes what another node says.
    pub fn accept(&self, signal: Signal) {
        match signal {
            Signal::Events(events) => self.accept_events(&events),
            Signal::Ephemeral(Ephemeral::Typing { session, actor, typing }) => match actor.id {
                Some(who) => self.typing.note(session, PrincipalId(who), actor, typing, typing::Origin::Elsewhere),
                None => self.show_here(&Ephemeral::Typing { session, actor, typing }),
            },
            // Someone who is here too has neither come nor gone.
            Signal::Ephemeral(Ephemeral::Presence { session, principal, .. })
                if self.presence.is_online(session, principal) => {}
            Signal::Ephemeral(ephemeral) => self.show_here(&ephemeral),
            Signal::Revoked(ids) => {
                let ids: HashSet<Uuid> = ids.into_iter().collect();
                self.revocations.heard(&ids);
                self.revoke_here(&ids);
            }
            Signal::Hints(hints) => hints.into_iter().for_each(|hint| self.feeds.tell(hint)),
            Signal::SessionEvents(events) => self.accept_runs(&events),
            Signal::Reach { space, session, seq } => {
                let topic = self.topics.get(&session).map(|topic| Arc::clone(&topic));
                if let Some(topic) = topic {
                    self.attend_to(session, &topic.hear(space, seq));
                }
            }
            Signal::Listening(sessions) => sessions.into_iter().for_each(|session| self.look_later(session)),
            Signal::Resync => {
                self.topics.iter().for_each(|topic| self.look_later(topic.session));
                self.feeds.resync();
            }
        }
    }

    fn accept_events(&self, events: &[CommittedEvent]) {
        events.iter().for_each(|event| self.feeds.tell(event.into()));
        self.accept_runs(events);
    }

    fn accept_runs(&self, events: &[CommittedEvent]) {
        let mut rest = events;
        while let Some(first) = rest.first() {
            // A batch may go back and forth between sessions; what stands together goes out together.
            let same = rest.iter().take_while(|event| event.session == first.session).count();
            let (run, others) = rest.split_at(same);
            rest = others;
            let topic = self.topics.get(&first.session).map(|topic| Arc::clone(&topic));
            if let Some(topic) = topic {
                self.attend_to(topic.session, &topic.accept(run, &self.lanes, &self.metrics));
            }
        }
    }

    fn repair_later(&self, session: SessionId) {
        // With a full queue the reconcile tick comes back to it.
        let _ = self.repairs.try_send(session);
    }

    fn attend_to(&self, session: SessionId, accepted: &Accepted) {
        match accepted {
            Accepted::InOrder => {}
            Accepted::Gap => self.repair_later(session),
            Accepted::Suspect => self.look_later(session),
        }
    }

    /// Has a session compared with the store soon: something about it suggests that the store went back.
    pub fn look_later(&self, session: SessionId) {
        // As above.
        let _ = self.looks.try_send(session);
    }

    /// Runs `f` on the session's topic, making it if there is none; it can't go away meanwhile.
    fn with_topic<T>(&self, session: SessionId, f: impl FnOnce(&Topic) -> T) -> T {
        // The broker hears of a topic's coming and going while the topic can't change, so that the two agree.
        let topic = self.topics.entry(session).or_insert_with(|| {
            self.broker.set_interest(session, true);
            Arc::new(Topic::new(session, self.lanes.len()))
        });
        f(&topic)
    }

    fn drop_if_unread(&self, session: SessionId) {
        self.topics.remove_if(&session, |_, topic| {
            let unread = !topic.has_readers();
            if unread {
                self.broker.set_interest(session, false);
            }
            unread
        });
    }

    fn lane_of(&self, connection: ConnectionId) -> usize {
        shard(connection.0, self.lanes.len())
    }

    /// Makes a subscriber a reader of a session. Whatever is released after this returns reaches it.
    pub async fn join(&self, session: SessionId, subscriber: Arc<dyn Subscriber>) {
        let lane = self.lane_of(subscriber.id());
        self.with_topic(session, |topic| topic.add_member(lane));
        let (done, joined) = oneshot::channel();
        self.lanes[lane].send(LaneMessage::Join { session, subscriber, done }).await;
        let _ = joined.await;
    }

    /// Ends what `join` began.
    pub async fn leave(&self, session: SessionId, connection: ConnectionId) {
        let lane = self.lane_of(connection);
        self.lanes[lane].send(LaneMessage::Leave { session, connection }).await;
        if let Some(topic) = self.topics.get(&session) {
            topic.remove_member(lane);
        }
        self.drop_if_unread(session);
    }

    /// Notes where the store says that a session's timeline stands.
    pub fn observe(&self, session: SessionId, head: &Head) {
        let topic = self.topics.get(&session).map(|topic| Arc::clone(&topic));
        if let Some(topic) = topic {
            self.attend_to(session, &topic.observe(head, &self.lanes, &self.metrics));
        }
    }

    /// Waits for a message to settle. Register first, then look at the store, then wait.
    pub fn waiter(self: &Arc<Self>, session: SessionId, message: MessageId) -> Waiter {
        let settled = self.with_topic(session, |topic| topic.add_waiter(message));
        Waiter { hub: Arc::clone(self), session, message, settled: Some(settled) }
    }

    /// Follows how far a session's timeline reaches.
    pub fn stream(self: &Arc<Self>, session: SessionId) -> Stream {
        let reach = self.with_topic(session, Topic::add_stream);
        let held = Held::new(&self.metrics.event_streams);
        Stream { hub: Arc::clone(self), session, reach, _held: held }
    }

    /// As `stream`, for a request that waits until people say something.
    pub fn words(self: &Arc<Self>, session: SessionId) -> Stream {
        let reach = self.with_topic(session, Topic::add_stream);
        let held = Held::new(&self.metrics.waiters);
        Stream { hub: Arc::clone(self), session, reach, _held: held }
    }

    /// Whether anybody on this node reads a session's timeline or waits for one of its messages.
    pub fn is_watched(&self, session: SessionId) -> bool {
        self.topics.contains_key(&session)
    }

    /// How many sessions are read on this node.
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// Makes a subscriber a follower of every session within a scope, those yet to come included.
    pub async fn subscribe_feed(&self, scope: Scope, subscriber: Arc<dyn Subscriber>) -> StoreResult<()> {
        self.feeds.subscribe(scope, subscriber).await
    }

    /// Ends what `subscribe_feed` began.
    pub fn unsubscribe_feed(&self, scope: Scope, connection: ConnectionId) {
        self.feeds.unsubscribe(scope, connection);
    }

    /// Adds somebody to those that can be revoked and drained.
    pub fn register(&self, endpoint: Arc<dyn Endpoint>) {
        self.endpoints.insert(endpoint.id(), endpoint);
    }

    pub fn unregister(&self, connection: ConnectionId) {
        self.endpoints.remove(&connection);
    }

    /// Makes a request that waits (a long-poll, an event stream) end when its credential is revoked or the node
    /// drains. Refused if its credential has too many connections already.
    pub fn attend(self: &Arc<Self>, principal: Arc<Principal>) -> Result<Attendance, Refusal> {
        let permit = self.connections.hold(&principal)?;
        let visitor = Arc::new(Visitor {
            id: ConnectionId::new(),
            principal,
            ended: CancellationToken::new(),
            is_revoked: AtomicBool::new(false),
        });
        self.register(visitor.clone());
        // Registered first, so that a drain that begins meanwhile finds it in one way or the other.
        if self.draining.load(Ordering::SeqCst) {
            visitor.go_away();
        }
        // Its credential was looked up a moment ago.
        if self.is_revoked_since(&visitor.principal, Instant::now() - LOOKED_UP_WITHIN) {
            visitor.revoke();
        }
        Ok(Attendance { hub: Arc::clone(self), visitor, _permit: permit })
    }

    /// How many sockets, streams and long-polls there are.
    pub fn endpoint_count(&self) -> usize {
        self.endpoints.len()
    }

    /// Ends every socket, on every node, whose principal rests on one of `ids`.
    pub fn revoke(&self, ids: &HashSet<Uuid>) {
        if ids.is_empty() {
            return;
        }
        self.revocations.heard(ids);
        self.revoke_here(ids);
        self.broker.publish(Signal::Revoked(ids.iter().copied().collect()));
    }

    /// However many they are, everything that is open is looked at once.
    fn revoke_here(&self, ids: &HashSet<Uuid>) {
        // First noted, then looked for: who registers meanwhile is found in one way or the other.
        self.revoked.note(ids);
        for endpoint in &self.endpoints {
            if endpoint.principal().is_some_and(|principal| is_revoked_by(&principal, ids)) {
                endpoint.revoke();
            }
        }
        // A space that was shut: whoever lives in another one too keeps the socket and loses these sessions.
        for topic in self.topics.iter().filter(|topic| topic.space().is_some_and(|space| ids.contains(&space.0))) {
            topic.evict(EndReason::Removed, &self.lanes);
        }
    }

    /// A session is no more: whoever reads it here is let go.
    pub fn retire(&self, session: SessionId) {
        let topic = self.topics.get(&session).map(|topic| Arc::clone(&topic));
        if let Some(topic) = topic {
            topic.retire(&self.lanes);
        }
    }

    /// Whether a principal whose credential was looked up at `since` or later has lost it meanwhile. To be asked
    /// after it is registered.
    pub fn is_revoked_since(&self, principal: &Principal, since: Instant) -> bool {
        self.revoked.ends(principal.revocable().into_iter().flatten(), since)
    }

    /// Tells everyone to go elsewhere.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.endpoints.iter().for_each(|endpoint| endpoint.go_away());
    }

    /// Notes that somebody types in a session, or has stopped.
    pub fn note_typing(&self, session: SessionId, who: PrincipalId, actor: Actor, typing: bool) {
        self.typing.note(session, who, actor, typing, typing::Origin::Here);
    }

    /// Shows how far a participant has read.
    pub fn show_receipt(&self, session: SessionId, participant: ParticipantId, seq: i64) {
        self.show_everywhere(Ephemeral::Receipt { session, participant, seq });
    }

    /// Counts a socket of a participant as present in a session.
    pub fn enter(&self, session: SessionId, principal: PrincipalId, participant: ParticipantId) {
        if self.presence.enter(session, principal, participant) {
            self.turn(session, principal, participant, true);
        }
    }

    /// Notes whether a session has so many people that their presence is told in batches.
    pub fn note_crowd(&self, session: SessionId, is_crowd: bool) {
        if let Some(topic) = self.topics.get(&session) {
            topic.note_crowd(is_crowd);
        }
    }

    /// Ends what `enter` began.
    pub fn exit(&self, session: SessionId, principal: PrincipalId) {
        if let Some(participant) = self.presence.leave(session, principal) {
            self.turn(session, principal, participant, false);
        }
    }

    /// Tells of somebody's first or last socket on this node. The readers here are told only if there is none on
    /// another node.
    fn turn(&self, session: SessionId, principal: PrincipalId, participant: ParticipantId, online: bool) {
        let presence = Ephemeral::Presence { session, participant, principal, online };
        // Asked after this node's own count has changed: whoever goes here and there at once is told of by one of them.
        if !self.broker.is_present_elsewhere(session, principal) {
            self.show_here(&presence);
        }
        self.broker.publish(Signal::Ephemeral(presence));
    }

    /// Who has a subscribed socket for a session, on any node. While the other nodes are out of reach these are the
    /// ones on this node and those on others that it last heard of.
    pub async fn online(&self, session: SessionId) -> HashSet<PrincipalId> {
        let elsewhere = self.broker.present_elsewhere(session).await;
        let mut online = self.presence.of(session);
        online.extend(elsewhere.unwrap_or_default());
        online
    }

    fn show_everywhere(&self, ephemeral: Ephemeral) {
        self.show_here(&ephemeral);
        self.broker.publish(Signal::Ephemeral(ephemeral));
    }

    /// Shows who has come and gone in a session of many people, to all of them alike.
    fn show_crowd(&self, session: SessionId, changes: &[PresenceChange]) {
        let Some(topic) = self.topics.get(&session).map(|topic| Arc::clone(&topic)) else { return };
        let frame = crowd_frame(session, changes);
        topic.each_lane(&self.lanes, || LaneMessage::Show { session, frame: frame.clone(), except: None });
    }

    fn show_here(&self, ephemeral: &Ephemeral) {
        let session = ephemeral.session();
        let Some(topic) = self.topics.get(&session).map(|topic| Arc::clone(&topic)) else { return };
        if let Ephemeral::Presence { participant, online, .. } = ephemeral
            && topic.is_crowd()
        {
            let change = PresenceChange { participant_id: *participant, online: *online };
            if let Some(first) = self.crowds.take(session, change, Instant::now()) {
                self.show_crowd(session, &[first]);
            }
            return;
        }
        let except = match ephemeral {
            Ephemeral::Typing { actor, .. } => actor.id.map(PrincipalId),
            Ephemeral::Presence { principal, .. } => Some(*principal),
            Ephemeral::Receipt { .. } => None,
        };
        let frame = frame::ephemeral_frame(ephemeral);
        topic.each_lane(&self.lanes, || LaneMessage::Show { session, frame: frame.clone(), except });
    }
}

/// A request that waits.
struct Visitor {
    id: ConnectionId,
    principal: Arc<Principal>,
    ended: CancellationToken,
    is_revoked: AtomicBool,
}

impl Endpoint for Visitor {
    fn id(&self) -> ConnectionId {
        self.id
    }

    fn principal(&self) -> Option<Arc<Principal>> {
        Some(Arc::clone(&self.principal))
    }

    fn revoke(&self) {
        self.is_revoked.store(true, Ordering::SeqCst);
        self.ended.cancel();
    }

    fn go_away(&self) {
        self.ended.cancel();
    }
}

/// The registration of a request that waits; dropping it takes it out.
pub struct Attendance {
    hub: Arc<Hub>,
    visitor: Arc<Visitor>,
    _permit: Permit,
}

impl Attendance {
    /// Returns when the request must not wait any longer.
    pub async fn ended(&self) {
        self.visitor.ended.cancelled().await;
    }

    /// Whether that is because its credential was revoked.
    pub fn is_revoked(&self) -> bool {
        self.visitor.is_revoked.load(Ordering::SeqCst)
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.hub.unregister(self.visitor.id);
    }
}

/// Somebody who waits for a message to settle; dropping it frees its place.
pub struct Waiter {
    hub: Arc<Hub>,
    session: SessionId,
    message: MessageId,
    settled: Option<oneshot::Receiver<Woken>>,
}

impl Waiter {
    /// Returns when the message has settled, as far as this node knows, or when the store has to be looked at again.
    /// Only now does it count as one that waits: what it had to ask of the store is behind it.
    pub async fn woken(&mut self) -> Woken {
        let _held = Held::new(&self.hub.metrics.waiters);
        match &mut self.settled {
            // An error means that the topic is gone, which it can't be while this waiter stands.
            Some(settled) => settled.await.unwrap_or(Woken::LookAgain),
            None => Woken::LookAgain,
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.settled = None;
        if let Some(topic) = self.hub.topics.get(&self.session) {
            topic.remove_waiter(self.message);
        }
        self.hub.drop_if_unread(self.session);
    }
}

/// A reader of a session's timeline that is told only how far it reaches.
pub struct Stream {
    hub: Arc<Hub>,
    session: SessionId,
    reach: watch::Receiver<i64>,
    _held: Held,
}

impl Stream {
    /// Waits until the timeline reaches beyond `seq`; `false` if the store went back behind what was released: a reader
    /// has to begin anew.
    pub async fn beyond(&mut self, seq: i64) -> bool {
        // The sender lives in the topic, which stands as long as this stream, until it begins anew.
        self.reach.wait_for(|reach| *reach > seq).await.is_ok()
    }

    /// How far the timeline is known to reach.
    pub fn reach(&self) -> i64 {
        *self.reach.borrow()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(topic) = self.hub.topics.get(&self.session) {
            topic.remove_stream();
        }
        self.hub.drop_if_unread(self.session);
    }
}
