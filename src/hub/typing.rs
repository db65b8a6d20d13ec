//! Who is typing: one timer wheel for the whole node announces the end of whatever is not repeated.
//!
//! The node of the one who types announces the end to all nodes. That word may get lost, or the node may die before
//! it: so each node also minds what it heard from others, a little longer, and then tells its own readers the end.

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
/// How much longer than its own node another one waits for the end, so that there is one end and not two.
const OTHERS_LATER: Duration = Duration::from_secs(2);

type Who = (SessionId, PrincipalId, Origin);

/// Where somebody types.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Origin {
    /// On this node, which announces it everywhere.
    Here,
    /// On another node: what is announced here is for this node's readers alone.
    Elsewhere,
}

struct Note {
    who: Who,
    actor: Actor,
    typing: bool,
}

/// Called with what is to be announced: session, actor, whether they type, and where.
pub(super) type Announce = Box<dyn Fn(SessionId, Actor, bool, Origin) + Send + Sync>;

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
    pub(super) fn note(&self, session: SessionId, who: PrincipalId, actor: Actor, typing: bool, origin: Origin) {
        let _ = self.notes.try_send(Note { who: (session, who, origin), actor, typing });
    }
}

async fn run(mut notes: mpsc::Receiver<Note>, announce: Announce) {
    let mut active: HashMap<Who, (delay_queue::Key, Actor)> = HashMap::new();
    let mut timers: DelayQueue<Who> = DelayQueue::new();
    loop {
        tokio::select! {
            note = notes.recv() => {
                let Some(Note { who, actor, typing }) = note else { return };
                let lapse = match who.2 {
                    Origin::Here => Duration::from_millis(TYPING_LAPSE_MILLIS),
                    Origin::Elsewhere => Duration::from_millis(TYPING_LAPSE_MILLIS) + OTHERS_LATER,
                };
                match (active.get(&who), typing) {
                    (Some((key, _)), true) => {
                        timers.reset(key, lapse);
                        announce(who.0, actor, true, who.2);
                    }
                    (None, true) if active.len() < MAX_TYPING => {
                        active.insert(who, (timers.insert(who, lapse), actor.clone()));
                        announce(who.0, actor, true, who.2);
                    }
                    (Some(_), false) => {
                        if let Some((key, actor)) = active.remove(&who) {
                            timers.remove(&key);
                            announce(who.0, actor, false, who.2);
                        }
                    }
                    _ => {}
                }
            }
            Some(lapsed) = timers.next(), if !timers.is_empty() => {
                if let Some((_, actor)) = active.remove(lapsed.get_ref()) {
                    let (session, _, origin) = *lapsed.get_ref();
                    announce(session, actor, false, origin);
                }
            }
        }
    }
}
