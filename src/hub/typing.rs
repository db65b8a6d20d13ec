//! Typing notices: the newest one counts, from whichever node, and one timer wheel expires those that are not repeated.
//!
//! A client behind a load balancer may start on one node, continue on another and stop on a third. So there is one
//! entry for each participant of each session. A notice is passed on to the other nodes. An expiry is shown to this
//! node's readers only, because every node with readers has its own timer: no node waits for one that has died, and no
//! node expires a notice that is repeated elsewhere.

use crate::domain::{Actor, PrincipalId, SessionId};
use crate::protocol::limits::TYPING_LAPSE_MILLIS;
use crate::supervisor::Supervisor;
use futures::StreamExt as _;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::time::{DelayQueue, delay_queue};

/// Most people typing at once; beyond it `typing:true` is not announced.
const MAX_TYPING: usize = 100_000;
const MAX_QUEUE: usize = 4096;

type Who = (SessionId, PrincipalId);

/// The node on which a notice came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// This node, which passes the notice on.
    ThisNode,
    /// Another node, which has passed it on to this one.
    OtherNode,
}

/// The recipients of an announcement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Recipients {
    LocalReaders,
    OtherNodes,
}

struct Notice {
    who: Who,
    actor: Actor,
    typing: bool,
    source: Source,
}

/// Sends an announcement: session, actor, whether they type, recipients.
pub(super) type Announce = Box<dyn Fn(SessionId, Actor, bool, Recipients) + Send + Sync>;

#[derive(Clone)]
pub(super) struct Typing {
    notes: mpsc::Sender<Notice>,
}

impl Typing {
    pub(super) fn start(announce: Announce, supervisor: &Supervisor) -> Self {
        Self::start_with(announce, supervisor, Duration::from_millis(TYPING_LAPSE_MILLIS))
    }

    fn start_with(announce: Announce, supervisor: &Supervisor, lapse: Duration) -> Self {
        let (notes, receiver) = mpsc::channel(MAX_QUEUE);
        let state = State { notes: receiver, announce, lapse, active: HashMap::new(), timers: DelayQueue::new() };
        supervisor.spawn("typing", state, |state| Box::pin(run(state)));
        Self { notes }
    }

    /// Notes that a participant types or has stopped. Dropped if the queue is full.
    pub(super) fn note(&self, session: SessionId, who: PrincipalId, actor: Actor, typing: bool, source: Source) {
        let _ = self.notes.try_send(Notice { who: (session, who), actor, typing, source });
    }
}

/// The state of the task.
struct State {
    notes: mpsc::Receiver<Notice>,
    announce: Announce,
    lapse: Duration,
    active: HashMap<Who, (delay_queue::Key, Actor)>,
    timers: DelayQueue<Who>,
}

async fn run(State { notes, announce, lapse, active, timers }: &mut State) {
    let lapse = *lapse;
    loop {
        tokio::select! {
            note = notes.recv() => {
                let Some(Notice { who, actor, typing, source }) = note else { return };
                let is_shown = match (active.get(&who), typing) {
                    (Some((key, _)), true) => {
                        timers.reset(key, lapse);
                        true
                    }
                    (None, true) if active.len() < MAX_TYPING => {
                        active.insert(who, (timers.insert(who, lapse), actor.clone()));
                        true
                    }
                    (None, true) => continue,
                    (Some(_), false) => active.remove(&who).is_some_and(|(key, _)| {
                        timers.remove(&key);
                        true
                    }),
                    // The readers here were shown no start.
                    (None, false) => false,
                };
                if is_shown {
                    announce(who.0, actor.clone(), typing, Recipients::LocalReaders);
                }
                // A stop is passed on even without an entry: a node without readers of the session gets no notices, and
                // the participant may have started on another node.
                if source == Source::ThisNode {
                    announce(who.0, actor, typing, Recipients::OtherNodes);
                }
            }
            Some(lapsed) = timers.next(), if !timers.is_empty() => {
                if let Some((_, actor)) = active.remove(lapsed.get_ref()) {
                    announce(lapsed.get_ref().0, actor, false, Recipients::LocalReaders);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ActorType;
    use std::sync::Arc;
    use std::time::Instant;
    use tokio::time::{sleep, timeout};
    use uuid::Uuid;

    const LAPSE: Duration = Duration::from_secs(1);

    /// Three nodes that are connected. Only the last two have readers of the session.
    struct Story {
        nodes: Arc<Vec<Typing>>,
        shown: mpsc::UnboundedReceiver<(usize, bool)>,
        session: SessionId,
        actor: Actor,
    }

    impl Story {
        fn new() -> Self {
            let (show, shown) = mpsc::unbounded_channel();
            let supervisor = Supervisor::new(Arc::new(crate::metrics::Metrics::new().expect("valid metric names")));
            let nodes = Arc::new_cyclic(|others: &std::sync::Weak<Vec<Typing>>| {
                let node = |own: usize| {
                    let (others, show) = (others.clone(), show.clone());
                    let announce: Announce = Box::new(move |session, actor, typing, to| match to {
                        Recipients::LocalReaders if own > 0 => drop(show.send((own, typing))),
                        Recipients::LocalReaders => {}
                        Recipients::OtherNodes => {
                            let Some(nodes) = others.upgrade() else { return };
                            for other in (1..nodes.len()).filter(|other| *other != own) {
                                let who = PrincipalId(actor.id.expect("an id"));
                                nodes[other].note(session, who, actor.clone(), typing, Source::OtherNode);
                            }
                        }
                    });
                    Typing::start_with(announce, &supervisor, LAPSE)
                };
                (0..3).map(node).collect()
            });
            let actor = Actor { kind: ActorType::Human, id: Some(Uuid::now_v7()), name: "Ann".to_owned() };
            Self { nodes, shown, session: SessionId::new(), actor }
        }

        fn says(&self, node: usize, typing: bool) {
            let who = PrincipalId(self.actor.id.expect("an id"));
            self.nodes[node].note(self.session, who, self.actor.clone(), typing, Source::ThisNode);
        }

        /// Waits until the readers of both nodes have been shown the same.
        async fn sees(&mut self, typing: bool) {
            let mut both = Vec::new();
            for _ in 0..2 {
                both.push(timeout(LAPSE * 10, self.shown.recv()).await.expect("in time").expect("it runs"));
            }
            both.sort_unstable();
            assert_eq!(both, [(1, typing), (2, typing)]);
        }
    }

    #[tokio::test]
    async fn a_participant_may_start_on_one_node_and_stop_on_another() {
        for (begins, stops) in [(0, 1), (1, 0), (1, 2), (0, 0), (1, 1)] {
            let mut story = Story::new();
            story.says(begins, true);
            story.sees(true).await;
            let since = Instant::now();
            story.says(stops, false);
            story.sees(false).await;
            assert!(since.elapsed() < LAPSE / 2, "from {begins} to {stops} it took {:?}", since.elapsed());
            // Shown once: neither the timers nor a repetition add to it.
            story.says(begins, false);
            sleep(LAPSE * 2).await;
            assert!(story.shown.try_recv().is_err());
        }
    }

    #[tokio::test]
    async fn a_notice_that_is_repeated_on_another_node_does_not_expire_and_expires_once() {
        'story: loop {
            let mut story = Story::new();
            for node in [0, 1, 2, 0, 2, 1] {
                let since = Instant::now();
                story.says(node, true);
                story.sees(true).await;
                sleep(LAPSE * 6 / 10).await;
                if since.elapsed() > LAPSE * 8 / 10 {
                    // The machine was busy and the repetition came too late: begin again.
                    continue 'story;
                }
            }
            story.sees(false).await;
            sleep(LAPSE * 2).await;
            assert!(story.shown.try_recv().is_err());
            return;
        }
    }
}
