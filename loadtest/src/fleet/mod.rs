//! Many sockets at once: opened, read, and audited at the end.

mod acting;
mod crew;
mod habits;
mod link;
mod member;
mod orders;
mod seat;
mod shared;
mod wire;
mod worker;

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use futures::StreamExt as _;
use tokio::{sync::Mutex, task::JoinHandle};

use self::{
    crew::Crew,
    member::{Member, Outcome},
    orders::Resumed,
    shared::{Followed, Shared},
    wire::{Command, Reply},
};
pub(crate) use self::{
    habits::{Habits, random},
    link::LinkKind,
    orders::Storm,
    seat::{Division, FleetPlan, Group, Seat},
    worker::run as run_worker,
};
use crate::{
    client::{Causes, Session},
    latency::{Latencies, Summary},
    ledger::SessionLedger,
    live::Live,
    problems::{Kind, Problems},
    progress::Phase,
    schedule::Schedule,
    stop::Stop,
};

/// Time in which the tasks notice that they have waited long enough.
const AFTER_PATIENCE: Duration = Duration::from_secs(2);

/// Open sockets, each with a task that reads it.
pub(crate) struct Fleet {
    members: Vec<JoinHandle<Outcome>>,
    /// The members of each group.
    groups: [u64; 2],
    /// The members of each session.
    readers: Vec<u64>,
    shared: Arc<Shared>,
    opening: Latencies,
    crew: Option<Mutex<Crew>>,
    /// Sockets of other processes.
    elsewhere: u64,
}

impl Fleet {
    /// Opens every socket. Failures are recorded; it fails only if no socket can be opened.
    pub(crate) async fn open(plan: FleetPlan, problems: &Arc<Problems>, phase: &Phase) -> Result<Self, Stop> {
        let FleetPlan { sessions, seats, subscribe, connecting, live, division } = plan;
        let line: Vec<Session> = sessions.to_vec();
        let mut fleet = Self {
            members: Vec::with_capacity(seats.len()),
            groups: [0; 2],
            readers: vec![0; sessions.len()],
            shared: Arc::new(Shared::new(sessions, Arc::clone(problems), Arc::clone(&live), subscribe)),
            opening: Latencies::new(),
            crew: None,
            elsewhere: 0,
        };
        live.watch("delivery", &fleet.shared.latency[Group::Steady as usize]);
        live.watch("open", &fleet.opening);
        if let Some(Division { processes, groups }) = division {
            let mut crew = Crew::start(processes, &fleet.shared)?;
            crew.send(&Command::Open { sessions: line, groups, subscribe }).await?;
            fleet.crew = Some(Mutex::new(crew));
        }
        fleet.open_here(seats, connecting, phase).await?;
        fleet.await_opened(&live, phase).await?;
        Ok(fleet)
    }

    /// Waits for the sockets of the workers.
    async fn await_opened(&mut self, live: &Live, phase: &Phase) -> Result<(), Stop> {
        let Some(crew) = &mut self.crew else { return Ok(()) };
        for reply in crew.get_mut().replies().await? {
            let Reply::Opened { readers, sockets, opening } = reply else { return Err(unexpected(&reply)) };
            self.readers.iter_mut().zip(readers).for_each(|(all, readers)| *all += readers);
            self.opening.add_counts(&opening);
            self.elsewhere += sockets;
            live.opened_elsewhere(sockets);
            phase.advance(sockets);
        }
        Ok(())
    }

    async fn open_here(&mut self, seats: Vec<Seat>, connecting: usize, phase: &Phase) -> Result<(), Stop> {
        let patience = connecting.min(seats.len());
        let mut failed = 0;
        let shared = Arc::clone(&self.shared);
        let opening = |seat: Seat| {
            let shared = &shared;
            async move {
                let start = Instant::now();
                let (group, session) = (seat.group, seat.session);
                Ok((Member::open(seat, shared).await?, group, session, start.elapsed()))
            }
        };
        let mut opened = futures::stream::iter(seats).map(opening).buffer_unordered(connecting);
        while let Some(result) = opened.next().await {
            phase.advance(1);
            match result {
                Ok((member, group, session, took)) => {
                    self.opening.record(took);
                    self.add(member, group, session);
                }
                Err(error) => {
                    let error: anyhow::Error = error;
                    failed += 1;
                    self.shared.problems.add(Kind::ConnectFailed, 1, || format!("{error:#}"));
                    if self.members.is_empty() && failed >= patience {
                        return Err(Stop::Hub(error.context("no socket could be opened")));
                    }
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, member: Member, group: Group, session: usize) {
        let shared = Arc::clone(&self.shared);
        self.members.push(tokio::spawn(async move { member.run(&shared).await }));
        self.groups[group as usize] += 1;
        if let Some(readers) = self.readers.get_mut(session) {
            *readers += 1;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len() + usize::try_from(self.elsewhere).unwrap_or_default()
    }

    /// How long connect, upgrade, `hello` and `subscribed` took.
    pub(crate) fn opening(&self) -> Summary {
        self.opening.summary()
    }

    /// From now on, latency is measured against this schedule. Returns when all workers know it: a message that arrives
    /// before has no latency.
    pub(crate) async fn follow(&self, schedule: Schedule) -> Result<(), Stop> {
        self.follow_here(vec![schedule]);
        if let Some(crew) = &self.crew {
            crew.lock().await.send(&Command::Follow(schedule.into())).await?;
        }
        // Workers obey in order.
        self.collect().await
    }

    /// Gets what the workers have counted, of which everything below is the sum.
    pub(crate) async fn collect(&self) -> Result<(), Stop> {
        let Some(crew) = &self.crew else { return Ok(()) };
        let mut crew = crew.lock().await;
        crew.send(&Command::Collect).await?;
        crew.replies().await?;
        Ok(())
    }

    /// The same with several whose indexes differ, in this process alone.
    pub(crate) fn follow_here(&self, schedules: Vec<Schedule>) {
        let followed = schedules.into_iter().map(|schedule| Followed { schedule, apart: None });
        self.shared.follow(followed.collect());
    }

    /// The same, with the latencies of [`Group::Steady`] for each of them apart.
    pub(crate) fn follow_apart(&self, schedules: &[Schedule]) -> Vec<Latencies> {
        let apart: Vec<Latencies> = schedules.iter().map(|_| Latencies::new()).collect();
        let followed = schedules.iter().zip(&apart);
        let followed = followed.map(|(schedule, apart)| Followed { schedule: *schedule, apart: Some(apart.clone()) });
        self.shared.follow(followed.collect());
        apart
    }

    /// Lets members rest from their habits; those that are away return.
    pub(crate) fn quiet(&self) {
        self.shared.quiet.store(true, Ordering::Relaxed);
    }

    /// From the due time of a typing frame until it was read.
    pub(crate) fn typing(&self) -> Summary {
        self.shared.marks.typing.summary()
    }

    /// From the due time of a read mark until its receipt was read.
    pub(crate) fn receipts(&self) -> Summary {
        self.shared.marks.receipts.summary()
    }

    /// From the end of an absence until everything missed was read.
    pub(crate) fn back(&self) -> Summary {
        self.shared.back.summary()
    }

    /// From the due time of a message until it was read, without those that were sent again after a return.
    pub(crate) fn latency(&self, group: Group) -> Summary {
        self.shared.latency[group as usize].summary()
    }

    /// The same, which then begins anew.
    pub(crate) fn take_latency(&self, group: Group) -> Summary {
        self.shared.latency[group as usize].take()
    }

    pub(crate) fn put_latency(&self, group: Group, latency: &Summary) {
        self.shared.latency[group as usize].add(latency);
    }

    /// Messages that have reached a socket, without duplicates.
    pub(crate) fn delivered(&self) -> u64 {
        self.shared.delivered.load(Ordering::SeqCst)
    }

    /// Those of them that were missed, and sent after a return.
    pub(crate) fn replayed(&self) -> u64 {
        self.shared.replayed.load(Ordering::SeqCst)
    }

    /// What ended connections while their sockets were returning, and what refused new ones.
    pub(crate) fn causes(&self) -> Causes {
        self.shared.causes.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

    /// The deliveries that so many messages of each session make.
    pub(crate) fn expected(&self, messages: &[u64]) -> u64 {
        self.readers.iter().zip(messages).map(|(readers, messages)| readers * messages).sum()
    }

    /// Waits until this number has been delivered, or the time is up.
    pub(crate) async fn wait_for(&self, deliveries: u64, limit: Duration) {
        self.shared.awaited.store(deliveries, Ordering::SeqCst);
        // The audit finds missing deliveries.
        self.shared.reached(&self.shared.delivered, deliveries, limit).await;
    }

    /// Disconnects every socket of [`Group::Disturbed`]; returns how long they took to return once all have returned or
    /// failed.
    pub(crate) async fn storm(&self, storm: Storm) -> Result<Summary, Stop> {
        let Some(crew) = &self.crew else { return Ok(self.storm_here(storm).await) };
        let mut crew = crew.lock().await;
        crew.send(&Command::Storm(storm.into())).await?;
        let all = Latencies::new();
        all.add(&self.storm_here(storm).await);
        for reply in crew.replies().await? {
            let Reply::Returned(back) = reply else { return Err(unexpected(&reply)) };
            all.add_counts(&back);
        }
        Ok(all.summary())
    }

    async fn storm_here(&self, storm: Storm) -> Summary {
        let waiting = self.begin_return(Group::Disturbed);
        self.shared.orders.send_modify(|orders| orders.storm = Some(storm));
        self.returned(waiting, storm.spread + storm.patience).await
    }

    /// Lets the sockets of [`Group::Disturbed`] stop reading.
    pub(crate) fn stall(&self) {
        self.shared.orders.send_modify(|orders| orders.stalled = true);
    }

    /// Lets them read again; returns how long they took to have the last acknowledged `seq` of each session.
    pub(crate) async fn resume(&self, heads: Arc<[u64]>, patience: Duration) -> Summary {
        let waiting = self.begin_return(Group::Disturbed);
        let resumed = Resumed { at: Instant::now(), heads, patience };
        self.shared.orders.send_modify(|orders| {
            orders.stalled = false;
            orders.resumed = Some(resumed);
        });
        self.returned(waiting, patience).await
    }

    /// The number of sockets that are to return.
    fn begin_return(&self, group: Group) -> u64 {
        self.shared.back.take();
        self.shared.settled.store(0, Ordering::SeqCst);
        self.groups[group as usize].saturating_sub(self.shared.gone[group as usize].load(Ordering::SeqCst))
    }

    async fn returned(&self, waiting: u64, patience: Duration) -> Summary {
        // A socket that gives up is a problem, which it reports.
        self.shared.reached(&self.shared.settled, waiting, patience + AFTER_PATIENCE).await;
        self.shared.back.summary()
    }

    /// Closes every socket and compares its events with the acknowledged ones. Each first
    /// pings, so that frames in flight are counted.
    pub(crate) async fn finish(mut self, ledgers: &mut [SessionLedger]) -> Result<(), Stop> {
        let crew = self.crew.take().map(Mutex::into_inner);
        let problems = Arc::clone(&self.shared.problems);
        let Some(mut crew) = crew else { return self.finish_here(ledgers).await.map_err(Stop::Tool) };
        crew.send(&Command::Finish(ledgers.to_vec())).await?;
        self.finish_here(ledgers).await.map_err(Stop::Tool)?;
        for reply in crew.replies().await? {
            let Reply::Finished { problems: found, .. } = reply else { return Err(unexpected(&reply)) };
            problems.merge(found);
        }
        crew.end().await
    }

    async fn finish_here(self, ledgers: &mut [SessionLedger]) -> Result<()> {
        let heads: Arc<[u64]> = ledgers.iter().map(SessionLedger::last).collect();
        self.shared.orders.send_modify(|orders| orders.finish = Some(heads));
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

fn unexpected(reply: &Reply) -> Stop {
    Stop::Tool(anyhow!("an unexpected reply of a worker: {reply:?}"))
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
