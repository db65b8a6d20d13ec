//! The task of one socket: it reads, follows orders, returns after it has lost its connection, and keeps the ledger.

use std::{fmt::Display, sync::atomic::Ordering, time::Duration};

use anyhow::{Result, anyhow};
use tokio::{sync::watch, time::Instant};

use super::{
    habits::Agenda,
    link::{Link, LinkKind},
    orders::{Orders, Resumed, Storm},
    seat::{Group, Seat},
    shared::{Missed, Shared},
};
use crate::{
    client::{Backoff, Cause, Frame},
    ledger::{Arrival, SocketLedger},
    live::Open,
    problems::Kind,
};

/// Timeout of the final pong of a socket.
const FENCE: Duration = Duration::from_secs(10);
/// In which a member that has left by itself must be back.
pub(super) const LEAVING_PATIENCE: Duration = Duration::from_secs(30);

/// A socket that did not return in time, or was told not to.
#[derive(Debug, thiserror::Error)]
#[error("not back after {attempts} attempts: {last}")]
struct NotBack {
    attempts: u64,
    last: String,
}

/// One socket and its expected events.
pub(super) struct Member {
    pub(super) seat: Seat,
    /// None while it is away.
    pub(super) link: Option<Link>,
    /// Counted as open as long as it is.
    open: Option<Open>,
    pub(super) ledger: SocketLedger,
    /// The number of the last storm that it took part in.
    storm: u64,
    /// When the last stall ended that it took part in.
    resumed: Option<std::time::Instant>,
    /// Up to this `seq` events are replayed: they were missed.
    replay: u64,
    /// The same for an event stream, which does not name it: what was due before.
    back_since: Option<std::time::Instant>,
    pub(super) returning: Option<Returning>,
    /// Of the credential that the connection was opened with, or that it has sent since.
    pub(super) version: u64,
    pub(super) typing: bool,
}

/// A return that is not complete yet.
#[derive(Clone, Copy)]
pub(super) struct Returning {
    pub(super) since: Instant,
    pub(super) give_up: Instant,
    /// It is back when it has read up to here,
    pub(super) until: u64,
    /// and got the pong to the ping that it sent when it read again.
    pub(super) pong: bool,
}

/// The events that one socket has received.
pub(super) struct Outcome {
    pub(super) number: usize,
    pub(super) session: usize,
    pub(super) ledger: SocketLedger,
}

impl Member {
    pub(super) async fn open(seat: Seat, shared: &Shared) -> Result<Self> {
        let after = match seat.link {
            LinkKind::Socket => None,
            // A stream does not say where it begins.
            LinkKind::EventStream(_) => shared.sessions.get(seat.session).map(|session| session.last_seq),
        };
        let version = seat.credential.version();
        let (link, head) = Link::open(&seat, shared, after).await?;
        let ledger = SocketLedger::new(head.or(after).unwrap_or_default());
        let storm = shared.orders.borrow().storm.map_or(0, |storm| storm.number);
        let open = Some(shared.live.opened());
        Ok(Self {
            seat,
            link: Some(link),
            open,
            ledger,
            storm,
            resumed: None,
            replay: 0,
            back_since: None,
            returning: None,
            version,
            typing: false,
        })
    }

    /// Lives until it is told to finish, or its connection is lost for good.
    pub(super) async fn run(mut self, shared: &Shared) -> Outcome {
        let mut ended = self.live(shared).await;
        if ended.is_ok() {
            ended = tokio::time::timeout(FENCE, self.drain(shared))
                .await
                .unwrap_or_else(|_| Err(anyhow!("not everything, or no pong, within {} s", FENCE.as_secs())));
        }
        let number = self.seat.number;
        match (ended, self.link) {
            (Ok(()), Some(link)) => link.close().await,
            (Ok(()), None) => {}
            (Err(error), _) => {
                let kind = if error.is::<NotBack>() { Kind::NotBack } else { Kind::ClosedEarly };
                shared.problems.add(kind, 1, || format!("socket {number}: {error:#}"));
                // Storms and stalls do not wait for it any more.
                shared.gone[self.seat.group as usize].fetch_add(1, Ordering::SeqCst);
            }
        }
        if self.returning.is_some() {
            shared.settle(None);
        }
        Outcome { number, session: self.seat.session, ledger: self.ledger }
    }

    async fn live(&mut self, shared: &Shared) -> Result<()> {
        let mut orders = shared.orders.subscribe();
        // Orders may have been given since it was opened.
        orders.mark_changed();
        // Kept over all frames, since it takes a lock that all sockets share to begin to wait.
        let mut order = Box::pin(changed(orders));
        let mut agenda = Agenda::new(self.seat.habits.as_deref());
        loop {
            let Some(link) = &mut self.link else { return Err(anyhow!("there is no connection")) };
            tokio::select! {
                biased;
                text = link.next_text() => match text {
                    Ok(text) => if self.take(&text, shared) { self.got_pong(shared); },
                    Err(error) => self.lost(error, shared).await?,
                },
                orders = &mut order => {
                    let mut orders = orders?;
                    let now = orders.borrow_and_update().clone();
                    if now.finish.is_some() {
                        return Ok(());
                    }
                    if self.seat.group == Group::Disturbed {
                        match now.storm {
                            Some(storm) if storm.number > self.storm => self.weather(storm, shared).await?,
                            _ if now.stalled => self.stall(&mut orders, shared).await?,
                            // A stall may be over before this task has noticed it.
                            _ => self.read_again(now.resumed, shared).await?,
                        }
                    }
                    order.set(changed(orders));
                }
                (due, act) = agenda.next() => self.act(due, act, shared).await?,
            }
        }
    }

    pub(super) async fn disconnect(&mut self, polite: bool) {
        self.open = None;
        match self.link.take() {
            Some(link) if polite => link.close().await,
            Some(link) => link.reset(),
            None => {}
        }
    }

    /// Drops the connection and returns.
    async fn weather(&mut self, storm: Storm, shared: &Shared) -> Result<()> {
        self.storm = storm.number;
        self.disconnect(storm.polite).await;
        let since = storm.at.into();
        self.returning =
            Some(Returning { since, give_up: since + storm.spread + storm.patience, until: u64::MAX, pong: false });
        tokio::time::sleep(storm.spread.mul_f64(fastrand::f64())).await;
        self.connect_again(shared).await
    }

    /// Does not read until it is told to.
    async fn stall(&mut self, orders: &mut watch::Receiver<Orders>, shared: &Shared) -> Result<()> {
        let now = orders.wait_for(|orders| !orders.stalled).await?.clone();
        self.read_again(now.resumed, shared).await
    }

    /// Reads everything that has been sent meanwhile, once for each stall.
    async fn read_again(&mut self, resumed: Option<Resumed>, shared: &Shared) -> Result<()> {
        let Some(Resumed { at, heads, patience }) = resumed.filter(|resumed| self.resumed < Some(resumed.at)) else {
            return Ok(());
        };
        self.resumed = Some(at);
        let until = heads.get(self.seat.session).copied().unwrap_or_default();
        let since = Instant::from(at);
        self.returning = Some(Returning { since, give_up: since + patience, until, pong: true });
        // Where the hub has closed the connection, what it had sent before is still to be read.
        match &mut self.link {
            Some(link) => match link.ping().await {
                Ok(_) => Ok(()),
                Err(_) => self.read_rest(shared).await,
            },
            None => Ok(()),
        }
    }

    /// Reads a connection that can't be written to until it ends, then returns.
    async fn read_rest(&mut self, shared: &Shared) -> Result<()> {
        loop {
            let Some(link) = &mut self.link else { return Ok(()) };
            match link.next_text().await {
                Ok(text) => self.take(&text, shared),
                Err(error) => return self.lost(error, shared).await,
            };
        }
    }

    /// The connection ended. While the socket is returning, it tries again, as a client does.
    pub(super) async fn lost(&mut self, error: anyhow::Error, shared: &Shared) -> Result<()> {
        let (cause, _) = Cause::of(&error);
        // A JWT has its time; a member with habits has a new one by then.
        let renews = self.seat.habits.is_some() && self.seat.credential.version() != self.version;
        if !cause.retries() || (self.returning.is_none() && !renews) {
            return Err(error);
        }
        if self.returning.is_none() {
            let since = Instant::now();
            self.returning = Some(Returning { since, give_up: since + LEAVING_PATIENCE, until: u64::MAX, pong: false });
        }
        shared.cause(cause);
        self.connect_again(shared).await
    }

    /// Opens the connection again, with the last `seq` that it has, as often as is needed.
    pub(super) async fn connect_again(&mut self, shared: &Shared) -> Result<()> {
        self.link = None;
        self.open = None;
        let give_up = self.returning.map_or_else(Instant::now, |returning| returning.give_up);
        let mut backoff = Backoff::new();
        let mut last = "no answer".to_owned();
        for attempts in 1.. {
            self.version = self.seat.credential.version();
            let connecting = Link::open(&self.seat, shared, Some(self.ledger.last()));
            match tokio::time::timeout_at(give_up, connecting).await {
                Ok(Ok((link, head))) => {
                    self.back_since = head.is_none().then(std::time::Instant::now);
                    let head = head.unwrap_or_else(|| self.ledger.last());
                    self.link = Some(link);
                    self.open = Some(shared.live.opened());
                    self.replay = head;
                    if let Some(returning) = &mut self.returning {
                        returning.until = head;
                        returning.pong = false;
                    }
                    self.check_back(shared);
                    return Ok(());
                }
                Ok(Err(error)) => {
                    let (cause, asked) = Cause::of(&error);
                    shared.cause(cause);
                    last = format!("{error:#}");
                    let next = Instant::now() + backoff.wait(asked);
                    if cause.retries() && next < give_up {
                        tokio::time::sleep_until(next).await;
                        continue;
                    }
                }
                Err(_) => {}
            }
            return Err(NotBack { attempts, last }.into());
        }
        Ok(())
    }

    fn got_pong(&mut self, shared: &Shared) {
        if let Some(returning) = &mut self.returning {
            returning.pong = false;
        }
        self.check_back(shared);
    }

    fn check_back(&mut self, shared: &Shared) {
        let is_back = |returning: &Returning| !returning.pong && self.ledger.last() >= returning.until;
        if let Some(returning) = self.returning.filter(is_back) {
            self.returning = None;
            shared.settle(Some(returning.since.elapsed()));
        }
    }

    /// Reads what is on its way: up to a pong, or the last `seq` of the session.
    async fn drain(&mut self, shared: &Shared) -> Result<()> {
        let pings = match &mut self.link {
            Some(link) => link.ping().await?,
            None => return Ok(()),
        };
        let heads = shared.orders.borrow().finish.clone().unwrap_or_default();
        let head = heads.get(self.seat.session).copied().unwrap_or_default();
        while pings || self.ledger.last() < head {
            let Some(link) = &mut self.link else { break };
            let text = link.next_text().await?;
            if self.take(&text, shared) {
                break;
            }
        }
        Ok(())
    }

    /// Counts a frame; true where it is the pong.
    fn take(&mut self, text: &str, shared: &Shared) -> bool {
        let arrived = std::time::Instant::now();
        let Some(link) = &self.link else { return false };
        match link.parse(text) {
            Ok(Frame::Event { session, seq, message }) => {
                let own = shared.sessions.get(self.seat.session);
                if own.is_none_or(|own| own.id != *session) {
                    shared
                        .problems
                        .add(Kind::Foreign, 1, || format!("socket {}: session {session}, seq {seq}", self.seat.number));
                    return false;
                }
                let index = message.map(|message| message.index.unwrap_or(u64::MAX));
                let arrival = self.ledger.observe(seq, index);
                if let (Some(index), Arrival::Fresh | Arrival::Late) = (index, arrival) {
                    let missed = Missed { replayed: seq <= self.replay, before: self.back_since };
                    shared.count(self.seat.group, index, missed, arrived, text.len());
                }
                self.check_back(shared);
            }
            Ok(Frame::Pong) => return true,
            Ok(Frame::Typing { actor, typing, .. }) => {
                let age = shared.marks.age(self.seat.session, &actor, u64::from(typing));
                age.into_iter().for_each(|age| shared.marks.typing.record(age));
            }
            Ok(Frame::Receipt { participant, seq, .. }) => {
                let age = shared.marks.age(self.seat.session, &participant, seq);
                age.into_iter().for_each(|age| shared.marks.receipts.record(age));
            }
            Ok(Frame::Error(error)) => self.bad_frame(shared, &error),
            Ok(_) => {}
            Err(error) => self.bad_frame(shared, &error),
        }
        false
    }

    fn bad_frame(&self, shared: &Shared, error: &dyn Display) {
        shared.problems.add(Kind::BadFrame, 1, || format!("socket {}: {error}", self.seat.number));
    }
}

/// Waits for new orders.
async fn changed(mut orders: watch::Receiver<Orders>) -> Result<watch::Receiver<Orders>> {
    orders.changed().await?;
    Ok(orders)
}
