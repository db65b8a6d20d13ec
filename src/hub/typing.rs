//! Who is typing, as this node knows: the newest word of any node counts, and one timer wheel for the whole node ends
//! whatever is not repeated.
//!
//! Someone behind a load balancer begins on one node, goes on over another and stops over a third. So there is one
//! entry for each of them in each session, whoever spoke; what is said is passed on to the other nodes; and what
//! lapses is told to this node's readers alone, since every node with readers minds what it heard by itself. Nobody
//! waits for a node that has died, and no node ends what goes on elsewhere.

use crate::domain::{Actor, PrincipalId, SessionId};
use crate::protocol::limits::TYPING_LAPSE_MILLIS;
use crate::supervisor::Supervisor;
use futures::StreamExt as _;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::time::{DelayQueue, delay_queue};

/// Most people typing at once, as this node knows; beyond it `typing:true` is not announced.
const MAX_TYPING: usize = 100_000;
const MAX_QUEUE: usize = 4096;

type Who = (SessionId, PrincipalId);

/// Where somebody said that they type, or no longer do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// On this node, which tells the others.
    Here,
    /// On another node, which has told this one.
    Elsewhere,
}

/// Whom an announcement is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum To {
    /// The readers on this node.
    Readers,
    /// The other nodes.
    Nodes,
}

struct Note {
    who: Who,
    actor: Actor,
    typing: bool,
    origin: Origin,
}

/// Called with what is to be announced: session, actor, whether they type, and to whom.
pub(super) type Announce = Box<dyn Fn(SessionId, Actor, bool, To) + Send + Sync>;

#[derive(Clone)]
pub(super) struct Typing {
    notes: mpsc::Sender<Note>,
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

    /// Notes that somebody types or has stopped. Ephemeral: dropped if too much is going on.
    pub(super) fn note(&self, session: SessionId, who: PrincipalId, actor: Actor, typing: bool, origin: Origin) {
        let _ = self.notes.try_send(Note { who: (session, who), actor, typing, origin });
    }
}

/// What the task works with.
struct State {
    notes: mpsc::Receiver<Note>,
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
                let Some(Note { who, actor, typing, origin }) = note else { return };
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
                    // Nobody here was told of a beginning.
                    (None, false) => false,
                };
                if is_shown {
                    announce(who.0, actor.clone(), typing, To::Readers);
                }
                // An end goes on though nothing is known here: without readers this node hears nothing of the session,
                // and they may have begun on another one.
                if origin == Origin::Here {
                    announce(who.0, actor, typing, To::Nodes);
                }
            }
            Some(lapsed) = timers.next(), if !timers.is_empty() => {
                if let Some((_, actor)) = active.remove(lapsed.get_ref()) {
                    announce(lapsed.get_ref().0, actor, false, To::Readers);
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

    /// Three nodes that hear each other; only the last two have readers of the session.
    struct Story {
        nodes: Arc<Vec<Typing>>,
        shown: mpsc::UnboundedReceiver<(usize, bool)>,
        session: SessionId,
        actor: Actor,
    }

    impl Story {
        fn new() -> Self {
            let (show, shown) = mpsc::unbounded_channel();
            let supervisor = Supervisor::new(Arc::new(crate::metrics::Metrics::new().expect("the names are good")));
            let nodes = Arc::new_cyclic(|others: &std::sync::Weak<Vec<Typing>>| {
                let node = |own: usize| {
                    let (others, show) = (others.clone(), show.clone());
                    let announce: Announce = Box::new(move |session, actor, typing, to| match to {
                        To::Readers if own > 0 => drop(show.send((own, typing))),
                        To::Readers => {}
                        To::Nodes => {
                            let Some(nodes) = others.upgrade() else { return };
                            for other in (1..nodes.len()).filter(|other| *other != own) {
                                let who = PrincipalId(actor.id.expect("an id"));
                                nodes[other].note(session, who, actor.clone(), typing, Origin::Elsewhere);
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
            self.nodes[node].note(self.session, who, self.actor.clone(), typing, Origin::Here);
        }

        /// What the readers of both nodes are shown next: the same.
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
    async fn whoever_begins_on_one_node_may_stop_over_any_other() {
        for (begins, stops) in [(0, 1), (1, 0), (1, 2), (0, 0), (1, 1)] {
            let mut story = Story::new();
            story.says(begins, true);
            story.sees(true).await;
            let since = Instant::now();
            story.says(stops, false);
            story.sees(false).await;
            assert!(since.elapsed() < LAPSE / 2, "from {begins} to {stops} it took {:?}", since.elapsed());
            // Once: neither the timers nor a repetition add to it.
            story.says(begins, false);
            sleep(LAPSE * 2).await;
            assert!(story.shown.try_recv().is_err());
        }
    }

    #[tokio::test]
    async fn whoever_goes_on_over_another_node_has_not_ended_and_ends_once() {
        'story: loop {
            let mut story = Story::new();
            for node in [0, 1, 2, 0, 2, 1] {
                let since = Instant::now();
                story.says(node, true);
                story.sees(true).await;
                sleep(LAPSE * 6 / 10).await;
                if since.elapsed() > LAPSE * 8 / 10 {
                    // The machine was held up, and they did not go on in time: once more from the beginning.
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
