//! The task of one socket: it reads, follows orders, returns after it has lost its connection, and keeps the ledger.

use std::{fmt::Display, sync::atomic::Ordering, time::Duration};

use anyhow::{Result, anyhow};
use tokio::{sync::watch, time::Instant};

use super::{
    orders::{Orders, Resumed, Storm},
    seat::{Group, Seat},
    shared::Shared,
};
use crate::{
    client::{Backoff, Cause, Frame, Socket},
    ledger::{Arrival, SocketLedger},
    live::Open,
    problems::Kind,
};

/// Timeout of the final pong of a socket.
const FENCE: Duration = Duration::from_secs(10);

/// A socket that did not return in time, or was told not to.
#[derive(Debug, thiserror::Error)]
#[error("not back after {attempts} attempts: {last}")]
struct NotBack {
    attempts: u64,
    last: String,
}

/// One socket and its expected events.
pub(super) struct Member {
    seat: Seat,
    /// None while it is away.
    socket: Option<Socket>,
    /// Counted as open as long as it is.
    open: Option<Open>,
    ledger: SocketLedger,
    /// The number of the last storm that it took part in.
    storm: u64,
    /// Up to this `seq` events are replayed: they were missed.
    replay: u64,
    returning: Option<Returning>,
}

/// A return that is not complete yet.
#[derive(Clone, Copy)]
struct Returning {
    since: Instant,
    give_up: Instant,
    /// It is back when it has read up to here,
    until: u64,
    /// and got the pong to the ping that it sent when it read again.
    pong: bool,
}

/// The events that one socket has received.
pub(super) struct Outcome {
    pub(super) number: usize,
    pub(super) session: usize,
    pub(super) ledger: SocketLedger,
}

impl Member {
    pub(super) async fn open(seat: Seat, shared: &Shared) -> Result<Self> {
        let (socket, head) = connect(&seat, shared, None).await?;
        let ledger = SocketLedger::new(head);
        let storm = shared.orders.borrow().storm.map_or(0, |storm| storm.number);
        Ok(Self {
            seat,
            socket: Some(socket),
            open: Some(shared.live.opened()),
            ledger,
            storm,
            replay: 0,
            returning: None,
        })
    }

    /// Lives until it is told to finish, or its connection is lost for good.
    pub(super) async fn run(mut self, shared: &Shared) -> Outcome {
        let mut ended = self.live(shared).await;
        if ended.is_ok() {
            ended = tokio::time::timeout(FENCE, self.drain(shared))
                .await
                .unwrap_or_else(|_| Err(anyhow!("no pong within {} s", FENCE.as_secs())));
        }
        let number = self.seat.number;
        match (ended, self.socket) {
            (Ok(()), Some(socket)) => socket.close().await,
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
        // Kept over all frames, since it takes a lock that all sockets share to begin to wait.
        let mut order = Box::pin(changed(shared.orders.subscribe()));
        loop {
            let Some(socket) = &mut self.socket else { return Err(anyhow!("there is no connection")) };
            tokio::select! {
                biased;
                text = socket.next_text() => match text {
                    Ok(text) => if self.take(&text, shared) { self.got_pong(shared); },
                    Err(error) => self.lost(error, shared).await?,
                },
                orders = &mut order => {
                    let mut orders = orders?;
                    let now = orders.borrow_and_update().clone();
                    if now.finish {
                        return Ok(());
                    }
                    match (self.seat.group, now.storm) {
                        (Group::Main, Some(storm)) if storm.number > self.storm => self.weather(storm, shared).await?,
                        (Group::Other, _) if now.stalled => self.stall(&mut orders, shared).await?,
                        _ => {}
                    }
                    order.set(changed(orders));
                }
            }
        }
    }

    /// Drops the connection and returns.
    async fn weather(&mut self, storm: Storm, shared: &Shared) -> Result<()> {
        self.storm = storm.number;
        self.open = None;
        match self.socket.take() {
            Some(socket) if storm.polite => socket.close().await,
            Some(socket) => socket.reset(),
            None => {}
        }
        let since = storm.at.into();
        self.returning =
            Some(Returning { since, give_up: since + storm.spread + storm.patience, until: u64::MAX, pong: false });
        tokio::time::sleep(storm.spread.mul_f64(fastrand::f64())).await;
        self.connect_again(shared).await
    }

    /// Does not read until it is told to.
    async fn stall(&mut self, orders: &mut watch::Receiver<Orders>, shared: &Shared) -> Result<()> {
        let now = orders.wait_for(|orders| !orders.stalled).await?.clone();
        if let Some(Resumed { at, heads, patience }) = now.resumed {
            let until = heads.get(self.seat.session).copied().unwrap_or_default();
            let since = Instant::from(at);
            self.returning = Some(Returning { since, give_up: since + patience, until, pong: true });
        }
        // Where the hub has closed the connection, what it had sent before is still to be read.
        match &mut self.socket {
            Some(socket) => match socket.ping().await {
                Ok(()) => Ok(()),
                Err(_) => self.read_rest(shared).await,
            },
            None => Ok(()),
        }
    }

    /// Reads a connection that can't be written to until it ends, then returns.
    async fn read_rest(&mut self, shared: &Shared) -> Result<()> {
        loop {
            let Some(socket) = &mut self.socket else { return Ok(()) };
            match socket.next_text().await {
                Ok(text) => self.take(&text, shared),
                Err(error) => return self.lost(error, shared).await,
            };
        }
    }

    /// The connection ended. While the socket is returning, it tries again, as a client does.
    async fn lost(&mut self, error: anyhow::Error, shared: &Shared) -> Result<()> {
        let (cause, _) = Cause::of(&error);
        if self.returning.is_none() || !cause.retries() {
            return Err(error);
        }
        shared.cause(cause);
        self.connect_again(shared).await
    }

    /// Opens the connection again, with the last `seq` that it has, as often as is needed.
    async fn connect_again(&mut self, shared: &Shared) -> Result<()> {
        self.socket = None;
        self.open = None;
        let give_up = self.returning.map_or_else(Instant::now, |returning| returning.give_up);
        let mut backoff = Backoff::new();
        let mut last = "no answer".to_owned();
        for attempts in 1.. {
            let connecting = connect(&self.seat, shared, Some(self.ledger.last()));
            match tokio::time::timeout_at(give_up, connecting).await {
                Ok(Ok((socket, head))) => {
                    self.socket = Some(socket);
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

    /// Reads what is on its way.
    async fn drain(&mut self, shared: &Shared) -> Result<()> {
        if let Some(socket) = &mut self.socket {
            socket.ping().await?;
        }
        while let Some(socket) = &mut self.socket {
            let text = socket.next_text().await?;
            if self.take(&text, shared) {
                break;
            }
        }
        Ok(())
    }

    /// Counts a frame; true where it is the pong.
    fn take(&mut self, text: &str, shared: &Shared) -> bool {
        let arrived = std::time::Instant::now();
        match Frame::parse(text) {
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
                    shared.count(self.seat.group, index, seq <= self.replay, arrived, text.len());
                }
                self.check_back(shared);
            }
            Ok(Frame::Pong) => return true,
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

/// Opens a socket and subscribes it; returns the session's last `seq` before the live events.
async fn connect(seat: &Seat, shared: &Shared, after: Option<u64>) -> Result<(Socket, u64)> {
    let mut socket = Socket::open(&seat.target, &seat.credential, seat.socket).await?;
    let head = match shared.sessions.get(seat.session) {
        Some(session) if shared.subscribe => socket.subscribe(&seat.target, &session.id, after).await?,
        _ => 0,
    };
    Ok((socket, head))
}
