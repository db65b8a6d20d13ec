//! A further guest of a session, who comes with a link, reads, and has the link revoked.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};

use super::{cast::create_guest, traffic::Traffic};
use crate::{
    client::{Closed, Credential, Frame, Socket, SocketOptions},
    fleet::random,
    ledger::{SessionLedger, SocketLedger},
    problems::Kind,
    schedule::Schedule,
};

/// The hub closes within 2 s of a revocation.
const REVOKED_WITHIN: Duration = Duration::from_secs(5);
const READ_BUFFER: usize = 4096;

impl Traffic {
    pub(super) async fn visit(&self, _: Schedule, number: u64) {
        let (session, _) = self.place(number);
        self.visits.fetch_add(1, Ordering::Relaxed);
        let mut ledger = None;
        if let Err(error) = self.visit_now(session, &mut ledger).await {
            self.problems
                .add(Kind::VisitFailed, 1, || format!("session {}: {error:#}", self.cast.sessions[session].id));
        }
        let Some(ledger) = ledger else { return };
        // It has left before the end: only what it got can be judged.
        let audit = ledger.audit(&SessionLedger::default());
        for (kind, tally) in
            [(Kind::Lost, audit.lost), (Kind::Doubled, audit.doubled), (Kind::Misordered, audit.misordered)]
        {
            self.problems.add(kind, tally.count, || {
                format!("a guest, session {}: {} from seq {}", self.cast.sessions[session].id, tally.count, tally.first)
            });
        }
    }

    async fn visit_now(&self, session: usize, ledger: &mut Option<SocketLedger>) -> Result<()> {
        let id = &self.cast.sessions[session].id;
        let agent = &self.cast.players[session][0].credential;
        let guest = create_guest(&self.api, agent, id).await?;
        let credential = Credential::bearer(&guest.token)?;
        let options = SocketOptions { read_buffer: READ_BUFFER, receive_buffer: None };
        let mut socket = Socket::open(&self.target, &credential, options).await?;
        let head = socket.subscribe(&self.target, id, None).await?;
        let ledger = ledger.insert(SocketLedger::new(head));
        let stay = tokio::time::timeout(random(self.stay), read(&mut socket, ledger)).await;
        if let Ok(ended) = stay {
            return ended.and_then(|closed| Err::<(), anyhow::Error>(closed.into())).context("before the revocation");
        }
        self.api.delete(agent, &format!("/v1/agent/sessions/{id}/guest-tokens/{}", guest.id)).await?;
        let revoked = Instant::now();
        let closed = tokio::time::timeout(REVOKED_WITHIN, read(&mut socket, ledger))
            .await
            .map_err(|_| anyhow!("still open {REVOKED_WITHIN:?} after the revocation"))??;
        if closed.code != Some(4403) {
            bail!("{closed} after the revocation");
        }
        self.revocations.record(revoked.elapsed());
        Ok(())
    }
}

/// Reads until the hub closes.
async fn read(socket: &mut Socket, ledger: &mut SocketLedger) -> Result<Closed> {
    loop {
        let text = match socket.next_text().await {
            Ok(text) => text,
            Err(error) => return error.downcast::<Closed>(),
        };
        if let Frame::Event { seq, message, .. } = Frame::parse(&text)? {
            ledger.observe(seq, message.map(|message| message.index.unwrap_or(u64::MAX)));
        }
    }
}
