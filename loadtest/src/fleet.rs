//! Many sockets at once: opened, read, and audited at the end.

use std::{
    fmt::Display,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use futures::StreamExt as _;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

use crate::{
    client::{Frame, Session, Socket, SocketOptions, Target, wire_size},
    latency::{Latencies, Summary},
    ledger::{Arrival, SessionLedger, SocketLedger},
    live::Live,
    problems::{Kind, Problems},
    progress::Phase,
    schedule::Schedule,
    stop::Stop,
};

/// Timeout of the final pong of a socket.
const FENCE: Duration = Duration::from_secs(10);

/// The sockets to open.
pub(crate) struct FleetPlan {
    pub(crate) target: Arc<Target>,
    pub(crate) sessions: Arc<[Session]>,
    pub(crate) sockets: usize,
    pub(crate) subscribe: bool,
    pub(crate) connecting: usize,
    pub(crate) socket: SocketOptions,
    pub(crate) live: Arc<Live>,
}

/// Open sockets, each with a task that reads it.
pub(crate) struct Fleet {
    members: Vec<JoinHandle<Outcome>>,
    shared: Arc<Shared>,
    opening: Latencies,
}

/// The shared counters of the reading tasks.
struct Shared {
    sessions: Arc<[Session]>,
    problems: Arc<Problems>,
    live: Arc<Live>,
    schedule: OnceLock<Schedule>,
    latency: Latencies,
    delivered: AtomicU64,
    bytes: AtomicU64,
    awaited: AtomicU64,
    reached: Notify,
    finish: watch::Sender<bool>,
}

/// One socket and its expected events.
struct Member {
    socket: Socket,
    number: usize,
    session: usize,
    ledger: SocketLedger,
}

/// The events that one socket has received.
struct Outcome {
    number: usize,
    session: usize,
    ledger: SocketLedger,
}

impl Fleet {
    /// Opens every socket, socket `i` on session `i` modulo their number. Failures are recorded;
    /// it fails only if no socket can be opened.
    pub(crate) async fn open(plan: FleetPlan, problems: &Arc<Problems>, phase: &Phase) -> Result<Self, Stop> {
        let shared = Arc::new(Shared {
            sessions: Arc::clone(&plan.sessions),
            problems: Arc::clone(problems),
            live: Arc::clone(&plan.live),
            schedule: OnceLock::new(),
            latency: Latencies::new(),
            delivered: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            awaited: AtomicU64::new(u64::MAX),
            reached: Notify::new(),
            finish: watch::Sender::new(false),
        });
        let mut members = Vec::with_capacity(plan.sockets);
        let opening = Latencies::new();
        plan.live.watch("delivery", &shared.latency);
        plan.live.watch("open", &opening);
        let mut failed = 0;
        let mut opened = futures::stream::iter(0..plan.sockets)
            .map(|number| open_one(&plan, &opening, number))
            .buffer_unordered(plan.connecting);
        while let Some(result) = opened.next().await {
            phase.advance(1);
            match result {
                Ok(member) => members.push(tokio::spawn(listen(member, Arc::clone(&shared)))),
                Err(error) => {
                    failed += 1;
                    problems.add(Kind::ConnectFailed, 1, || format!("{error:#}"));
                    if members.is_empty() && failed >= plan.connecting.min(plan.sockets) {
                        return Err(Stop::Hub(error.context("no socket could be opened")));
                    }
                }
            }
        }
        drop(opened);
        Ok(Self { members, shared, opening })
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// How long connect, upgrade, `hello` and `subscribed` took.
    pub(crate) fn opening(&self) -> Summary {
        self.opening.summary()
    }

    /// From now on, latency is measured against this schedule.
    pub(crate) fn follow(&self, schedule: Schedule) -> Result<()> {
        let set = self.shared.schedule.set(schedule);
        set.map_err(|_| anyhow!("a fleet follows one schedule"))
    }

    pub(crate) fn latency(&self) -> Summary {
        self.shared.latency.summary()
    }

    /// Messages that have reached a socket, without duplicates.
    pub(crate) fn delivered(&self) -> u64 {
        self.shared.delivered.load(Ordering::SeqCst)
    }

    /// A view of [`Self::delivered`] for a progress bar.
    pub(crate) fn counter(&self) -> impl Fn() -> u64 + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move || shared.delivered.load(Ordering::Relaxed)
    }

    /// Bytes of the frames of these messages, headers included.
    pub(crate) fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// Waits until this number has been delivered, or the time is up.
    pub(crate) async fn wait_for(&self, deliveries: u64, limit: Duration) {
        self.shared.awaited.store(deliveries, Ordering::SeqCst);
        let reached = async {
            while self.delivered() < deliveries {
                self.shared.reached.notified().await;
            }
        };
        // The audit finds missing deliveries.
        let _ = tokio::time::timeout(limit, reached).await;
    }

    /// Closes every socket and compares its events with the acknowledged ones. Each first
    /// pings, so that frames in flight are counted.
    pub(crate) async fn finish(self, ledgers: &mut [SessionLedger]) -> Result<()> {
        self.shared.finish.send_replace(true);
        let problems = &self.shared.problems;
        for member in self.members {
            let outcome = member.await.map_err(|error| anyhow!("a reading task failed: {error}"))?;
            outcome.audit(&self.shared.sessions, ledgers, problems);
        }
        for (session, ledger) in self.shared.sessions.iter().zip(ledgers) {
            let repeated = ledger.repeated();
            problems.add(Kind::SeqConflict, repeated.count, || {
                format!("session {}: seq {} in two replies", session.id, repeated.first)
            });
        }
        Ok(())
    }
}

impl Outcome {
    fn audit(&self, sessions: &[Session], ledgers: &[SessionLedger], problems: &Problems) {
        let (Some(session), Some(ledger)) = (sessions.get(self.session), ledgers.get(self.session)) else {
            return;
        };
        let audit = self.ledger.audit(ledger);
        let place = || format!("socket {}, session {}", self.number, session.id);
        for (kind, tally) in
            [(Kind::Lost, audit.lost), (Kind::Doubled, audit.doubled), (Kind::Misordered, audit.misordered)]
        {
            problems.add(kind, tally.count, || format!("{}: {} from seq {}", place(), tally.count, tally.first));
        }
        problems.add(Kind::Mismatched, u64::from(audit.mismatched), place);
    }
}

async fn open_one(plan: &FleetPlan, opening: &Latencies, number: usize) -> Result<Member> {
    let start = Instant::now();
    let session = number % plan.sessions.len().max(1);
    let mut socket = Socket::open(&plan.target, plan.socket).await?;
    let head = match plan.sessions.get(session) {
        Some(session) if plan.subscribe => socket.subscribe(&plan.target, &session.id).await?,
        _ => 0,
    };
    opening.record(start.elapsed());
    Ok(Member { socket, number, session, ledger: SocketLedger::new(head) })
}

async fn listen(mut member: Member, shared: Arc<Shared>) -> Outcome {
    let _open = shared.live.opened();
    let mut finish = shared.finish.subscribe();
    let finished = async move { finish.wait_for(|finish| *finish).await.is_ok() };
    tokio::pin!(finished);
    let ended = loop {
        tokio::select! {
            biased;
            text = member.socket.next_text() => match text {
                Ok(text) => { member.take(&text, &shared); }
                Err(error) => break Err(error),
            },
            _ = &mut finished => break Ok(()),
        }
    };
    let ended = match ended {
        Ok(()) => tokio::time::timeout(FENCE, member.drain(&shared))
            .await
            .unwrap_or_else(|_| Err(anyhow!("no pong within {} s", FENCE.as_secs()))),
        Err(error) => Err(error),
    };
    let Member { socket, number, session, ledger } = member;
    match ended {
        Ok(()) => socket.close().await,
        Err(error) => {
            shared.problems.add(Kind::ClosedEarly, 1, || format!("socket {number}: {error:#}"));
        }
    }
    Outcome { number, session, ledger }
}

impl Member {
    async fn drain(&mut self, shared: &Shared) -> Result<()> {
        self.socket.ping().await?;
        loop {
            let text = self.socket.next_text().await?;
            if self.take(&text, shared) {
                return Ok(());
            }
        }
    }

    /// Counts a frame; true where it is the pong.
    fn take(&mut self, text: &str, shared: &Shared) -> bool {
        let arrived = Instant::now();
        match Frame::parse(text) {
            Ok(Frame::Event { session, seq, message }) => {
                let own = shared.sessions.get(self.session);
                if own.is_none_or(|own| own.id != *session) {
                    shared
                        .problems
                        .add(Kind::Foreign, 1, || format!("socket {}: session {session}, seq {seq}", self.number));
                    return false;
                }
                let index = message.map(|message| message.index.unwrap_or(u64::MAX));
                let arrival = self.ledger.observe(seq, index);
                if let (Some(index), Arrival::Fresh | Arrival::Late) = (index, arrival) {
                    shared.count(index, arrived, text.len());
                }
            }
            Ok(Frame::Pong) => return true,
            Ok(Frame::Error(error)) => self.bad_frame(shared, &error),
            Ok(_) => {}
            Err(error) => self.bad_frame(shared, &error),
        }
        false
    }

    fn bad_frame(&self, shared: &Shared, error: &dyn Display) {
        shared.problems.add(Kind::BadFrame, 1, || format!("socket {}: {error}", self.number));
    }
}

impl Shared {
    fn count(&self, index: u64, arrived: Instant, payload: usize) {
        if let Some(schedule) = self.schedule.get().filter(|all| index < all.count()) {
            self.latency.record(arrived.saturating_duration_since(schedule.at(index)));
        }
        self.live.delivered();
        self.bytes.fetch_add(wire_size(payload) as u64, Ordering::Relaxed);
        let delivered = self.delivered.fetch_add(1, Ordering::SeqCst) + 1;
        if delivered >= self.awaited.load(Ordering::SeqCst) {
            self.reached.notify_one();
        }
    }
}
