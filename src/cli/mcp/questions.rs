//! Questions that this process waits for. Each has a task of its own, which reads the answer in time also while no
//! request waits for it; requests wait for the task.

use super::problem::problem;
use hiloop_sdk::{AskedQuestion, Client, Decision, Error, Question};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// Questions of one process at a time.
const MAX_QUESTIONS: usize = 1000;
/// Before the next attempt where the hub is out of reach.
const PAUSE: Duration = Duration::from_secs(1);

/// How far a question is.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// It is not at the hub yet.
    Asking,
    Pending(AskedQuestion),
    Settled(AskedQuestion, Arc<Decision>),
    /// It was not asked, or its answer does not count.
    Failed(Option<AskedQuestion>, String),
}

impl State {
    pub(super) fn asked(&self) -> Option<AskedQuestion> {
        match self {
            Self::Asking => None,
            Self::Pending(asked) | Self::Settled(asked, _) => Some(*asked),
            Self::Failed(asked, _) => *asked,
        }
    }

    fn is_over(&self) -> bool {
        matches!(self, Self::Settled(..) | Self::Failed(..))
    }
}

/// A question as it was put: its name, where, and what follows from what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) key: Option<String>,
    /// The session that the caller gave.
    pub(super) session: Option<Uuid>,
    /// A digest of the question's arguments; none of a question that was only found again.
    pub(super) digest: Option<String>,
}

/// A question with its task.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) name: Name,
    state: watch::Receiver<State>,
    acknowledged: AtomicBool,
}

impl Waiting {
    pub(super) fn state(&self) -> State {
        let state = self.state.borrow().clone();
        let is_gone = self.state.has_changed().is_err();
        if is_gone && !state.is_over() {
            return State::Failed(state.asked(), "An internal error. Call again with the same arguments.".to_owned());
        }
        state
    }

    /// Returns once the question is at the hub, or is not going to be.
    pub(super) async fn sent(&self) {
        let _ = self.state.clone().wait_for(|state| !matches!(state, State::Asking)).await.is_ok();
    }

    /// The state once the question is over.
    pub(super) async fn over(&self) -> State {
        let mut state = self.state.clone();
        // It fails if the task has ended without an outcome.
        let _ = state.wait_for(State::is_over).await.is_ok();
        self.state()
    }

    /// Tells the hub once that the outcome was taken.
    pub(super) async fn acknowledge(&self, client: &Client) -> Result<(), Error> {
        let State::Settled(asked, _) = self.state() else { return Ok(()) };
        if !self.acknowledged.load(Ordering::Relaxed) {
            client.acknowledge(asked.session_id, asked.message_id, false).await?;
            self.acknowledged.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The questions of this process.
#[derive(Default)]
pub(super) struct Questions {
    waiting: Mutex<Vec<Arc<Waiting>>>,
    newest: Arc<Newest>,
}

/// The message of the question that was sent last, by session.
type Newest = Mutex<HashMap<Uuid, Uuid>>;

fn note(newest: &Newest, asked: AskedQuestion) {
    let mut newest = newest.lock();
    if newest.len() >= MAX_QUESTIONS {
        // The hub is asked instead.
        newest.clear();
    }
    newest.insert(asked.session_id, asked.message_id);
}

impl Questions {
    /// Asks, unless this process asks with the same key already.
    pub(super) fn ask(&self, client: &Client, question: Question, name: Name) -> Result<Arc<Waiting>, String> {
        let mut questions = self.waiting.lock();
        let known = |other: &Arc<Waiting>| other.name.key == name.key && other.name.session == name.session;
        if let Some(place) = questions.iter().position(known) {
            let other = &questions[place];
            let is_same = other.name.digest == name.digest;
            if other.name.digest.is_some() && !is_same {
                return Err("'key' names another question of this server, with other arguments: give each question a \
                            key of its own"
                    .to_owned());
            }
            if is_same && !other.state().is_over() {
                return Ok(Arc::clone(other));
            }
            // One that was found by its key alone: what it asks is compared when it is asked.
            questions.remove(place);
        }
        let (client, newest) = (client.clone(), Arc::clone(&self.newest));
        start(&mut questions, name, State::Asking, |state| async move {
            let asked = match client.post_question(question).await {
                Ok(asked) => asked,
                Err(error) => return drop(state.send_replace(State::Failed(None, problem(&error)))),
            };
            note(&newest, asked);
            state.send_replace(State::Pending(asked));
            settle(client, asked, state).await;
        })
    }

    /// Waits for a question that was asked before, by this process or another.
    pub(super) fn resume(&self, client: &Client, asked: AskedQuestion, name: Name) -> Result<Arc<Waiting>, String> {
        let mut questions = self.waiting.lock();
        let known = |other: &Arc<Waiting>| other.state().asked() == Some(asked);
        if let Some(place) = questions.iter().position(known) {
            if !matches!(questions[place].state(), State::Failed(..)) {
                return Ok(Arc::clone(&questions[place]));
            }
            questions.remove(place);
        }
        let client = client.clone();
        start(&mut questions, name, State::Pending(asked), |state| settle(client, asked, state))
    }

    /// The question of this key, if this process waits for it.
    pub(super) fn of_key(&self, key: &str, session: Option<Uuid>) -> Option<Arc<Waiting>> {
        let questions = self.waiting.lock();
        let is_there = |other: &Waiting| {
            session.is_none() || other.name.session == session || other.state().asked().map(|q| q.session_id) == session
        };
        let mut found = questions.iter().filter(|other| other.name.key.as_deref() == Some(key) && is_there(other));
        found.next().filter(|found| !matches!(found.state(), State::Failed(..))).cloned()
    }

    /// Notes the question that was sent to its session last.
    pub(super) fn note_newest(&self, asked: AskedQuestion) {
        note(&self.newest, asked);
    }

    /// The message of the question that this process has sent to a session last.
    pub(super) fn newest_of(&self, session: Uuid) -> Option<Uuid> {
        self.newest.lock().get(&session).copied()
    }

    /// The question in this message, if this process waits for it.
    pub(super) fn of_message(&self, message: Uuid) -> Option<Arc<Waiting>> {
        let questions = self.waiting.lock();
        let mut found = questions.iter().filter(|other| other.state().asked().map(|q| q.message_id) == Some(message));
        found.next().filter(|found| !matches!(found.state(), State::Failed(..))).cloned()
    }
}

/// Starts the task of a question.
fn start<F: Future<Output = ()> + Send + 'static>(
    questions: &mut Vec<Arc<Waiting>>,
    name: Name,
    first: State,
    task: impl FnOnce(watch::Sender<State>) -> F,
) -> Result<Arc<Waiting>, String> {
    if questions.len() >= MAX_QUESTIONS {
        let over = questions.iter().position(|other| other.state().is_over());
        let over = over.ok_or_else(|| format!("{MAX_QUESTIONS} questions wait for an answer already"))?;
        questions.remove(over);
    }
    let (sender, state) = watch::channel(first);
    tokio::spawn(task(sender));
    let waiting = Arc::new(Waiting { name, state, acknowledged: AtomicBool::new(false) });
    questions.push(Arc::clone(&waiting));
    Ok(waiting)
}

/// Waits for the outcome for as long as it takes: also while the hub is out of reach.
async fn settle(client: Client, asked: AskedQuestion, state: watch::Sender<State>) {
    let outcome = loop {
        match client.await_response(asked.session_id, asked.message_id, None).await {
            Err(error) if error.is_transient() => tokio::time::sleep(PAUSE).await,
            outcome => break outcome,
        }
    };
    state.send_replace(match outcome {
        Ok(decision) => State::Settled(asked, Arc::new(decision)),
        Err(error) => State::Failed(Some(asked), problem(&error)),
    });
}
