//! Sessions and events in the store, made through the API by many requests at one time.

use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use futures::{StreamExt as _, TryStreamExt as _};

use crate::{
    client::Session, ledger::SessionLedger, payload::Payload, problems::Kind, progress::Phase, scenario::Context,
    stop::Stop,
};

/// What was stored so far.
#[derive(Default)]
pub(super) struct Stored {
    pub(super) sessions: Vec<Session>,
    events: usize,
}

impl Stored {
    /// Creates sessions until there are so many.
    pub(super) async fn create(&mut self, context: &Context, writers: usize, number: usize) -> Result<(), Stop> {
        let missing = number.saturating_sub(self.sessions.len());
        let made = context.create_sessions_by(writers, missing).await?;
        self.sessions.extend(made.iter().cloned());
        Ok(())
    }

    /// Posts messages, to each session in turn, until there are so many; checks that each session has exactly those
    /// that were acknowledged.
    pub(super) async fn write(
        &mut self,
        context: &Context,
        writers: usize,
        size: usize,
        number: usize,
    ) -> Result<(), Stop> {
        let before = self.last_seqs(context, writers).await?;
        let ledgers: Vec<Mutex<SessionLedger>> = self.sessions.iter().map(|_| Mutex::default()).collect();
        let phase = Phase::start("history", number.saturating_sub(self.events) as u64);
        let payload = Payload::new(size);
        let paths: Vec<String> = self.sessions.iter().map(|session| context.api.messages_path(&session.id)).collect();
        let posted: Result<(), anyhow::Error> = futures::stream::iter(self.events..number)
            .map(|event| {
                let (path, ledger) = (&paths[event % paths.len()], &ledgers[event % paths.len()]);
                let body = payload.body(event as u64);
                async move {
                    let seq = context.api.post_message(path, body).await?;
                    ledger.lock().unwrap_or_else(PoisonError::into_inner).acknowledge(seq, event as u64);
                    Ok(())
                }
            })
            .buffer_unordered(writers)
            .inspect_ok(|()| phase.advance(1))
            .try_collect()
            .await;
        posted.map_err(|error| Stop::Hub(error.context("storing events")))?;
        self.events = number.max(self.events);
        let after = self.last_seqs(context, writers).await?;
        for (((session, ledger), before), after) in self.sessions.iter().zip(ledgers).zip(before).zip(after) {
            let mut ledger = ledger.into_inner().unwrap_or_else(PoisonError::into_inner);
            let filled = ledger.fills(before, after);
            context.problems.add(Kind::SeqConflict, u64::from(!filled), || {
                let messages = ledger.messages();
                format!("session {}: {messages} events stored, but its seq went from {before} to {after}", session.id)
            });
        }
        Ok(())
    }

    async fn last_seqs(&self, context: &Context, writers: usize) -> Result<Vec<u64>, Stop> {
        let reads = futures::stream::iter(&self.sessions)
            .map(|session| async { Ok(context.api.session(&session.id).await?.last_seq) })
            .buffered(writers);
        let seqs: Result<Vec<u64>, anyhow::Error> = reads.try_collect().await;
        seqs.map_err(|error| Stop::Hub(error.context("reading the sessions")))
    }
}

/// At most so many of these, evenly distributed.
pub(super) fn spread<T>(all: &[T], number: usize) -> impl Iterator<Item = &T> {
    let number = number.min(all.len());
    (0..number).map(move |place| &all[place * all.len() / number])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_evenly_distributed() {
        let all: Vec<usize> = (0..100).collect();
        let some = |number| spread(&all, number).copied().collect::<Vec<_>>();
        assert_eq!(some(4), [0, 25, 50, 75]);
        assert_eq!((some(200).len(), some(0).len(), spread::<u8>(&[], 3).count()), (100, 0, 0));
    }
}
