//! Who is typing: one timer wheel for the whole node announces the end of whatever is not repeated.

use super::frame::TYPING_LAPSE_MILLIS;
use crate::domain::{Actor, PrincipalId, SessionId};
use futures::StreamExt as _;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::time::{DelayQueue, delay_queue};

/// Most people typing at once on this node; beyond it `typing:true` is not announced.
const MAX_TYPING: usize = 100_000;
const MAX_QUEUE: usize = 4096;

type Who = (SessionId, PrincipalId);

struct Note {
    who: Who,
    actor: Actor,
    typing: bool,
}

/// Called with what is to be announced: session, actor, whether they type.
pub(super) type Announce = Box<dyn Fn(SessionId, Actor, bool) + Send + Sync>;

#[derive(Clone)]
pub(super) struct Typing {
    notes: mpsc::Sender<Note>,
}

impl Typing {
    pub(super) fn start(announce: Announce) -> Self {
        let (notes, receiver) = mpsc::channel(MAX_QUEUE);
        tokio::spawn(run(receiver, announce));
        Self { notes }
    }

    /// Notes that somebody types or has stopped. Ephemeral: dropped if too much is going on.
    pub(super) fn note(&self, session: SessionId, who: PrincipalId, actor: Actor, typing: bool) {
        let _ = self.notes.try_send(Note { who: (session, who), actor, typing });
    }
}

async fn run(mut notes: mpsc::Receiver<Note>, announce: Announce) {
    let lapse = Duration::from_millis(TYPING_LAPSE_MILLIS);
    let mut active: HashMap<Who, (delay_queue::Key, Actor)> = HashMap::new();
    let mut timers: DelayQueue<Who> = DelayQueue::new();
    loop {
        tokio::select! {
            note = notes.recv() => {
                let Some(Note { who, actor, typing }) = note else { return };
                match (active.get(&who), typing) {
                    (Some((key, _)), true) => {
                        timers.reset(key, lapse);
                        announce(who.0, actor, true);
                    }
                    (None, true) if active.len() < MAX_TYPING => {
                        active.insert(who, (timers.insert(who, lapse), actor.clone()));
                        announce(who.0, actor, true);
                    }
                    (Some(_), false) => {
                        if let Some((key, actor)) = active.remove(&who) {
                            timers.remove(&key);
                            announce(who.0, actor, false);
                        }
                    }
                    _ => {}
                }
            }
            Some(lapsed) = timers.next(), if !timers.is_empty() => {
                if let Some((_, actor)) = active.remove(lapsed.get_ref()) {
                    announce(lapsed.get_ref().0, actor, false);
                }
            }
        }
    }
}
