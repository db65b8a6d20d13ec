//! Many long-polls at once: opened, repeated while they are pending, and audited at the end.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use futures::StreamExt as _;
use tokio::{sync::Notify, task::JoinSet};

use crate::{
    client::{Api, Message, Target},
    latency::{Latencies, Summary},
    live::Live,
    payload,
    problems::{Kind, Problems},
    progress::Phase,
    schedule::Schedule,
    stop::Stop,
};

/// How much before its timeout a pending reply may come, since clocks are read on both sides.
const EARLY: Duration = Duration::from_millis(100);
/// The pause after a pending reply that came too early, so that a faulty hub is not flooded.
const AFTER_EARLY: Duration = Duration::from_millis(100);

/// A message that requires a response.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// Of its content, and of its answer's.
    pub(crate) index: u64,
    /// The index of its session.
    pub(crate) session: usize,
    pub(crate) session_id: String,
    pub(crate) message: String,
}

/// One long-poll for each question.
pub(crate) struct LongPolls {
    shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
}

struct Shared {
    /// A separate pool, so that answers never use the connection of a long-poll.
    api: Api,
    questions: Arc<[Question]>,
    problems: Arc<Problems>,
    live: Arc<Live>,
    seconds: u8,
    schedule: OnceLock<Schedule>,
    latency: Latencies,
    repolls: AtomicU64,
    ended: AtomicU64,
    progress: Notify,
    /// The last reply of each long-poll; none for one that failed, no entry while it waits.
    replies: Mutex<HashMap<usize, Option<Message>>>,
}

impl LongPolls {
    pub(crate) fn new(
        target: &Arc<Target>,
        questions: Arc<[Question]>,
        problems: &Arc<Problems>,
        live: &Arc<Live>,
        seconds: u8,
    ) -> Self {
        let shared = Shared {
            // One more for the last poll of `open`.
            api: Api::new(Arc::clone(target), questions.len() + 1, live),
            questions,
            problems: Arc::clone(problems),
            live: Arc::clone(live),
            seconds,
            schedule: OnceLock::new(),
            latency: Latencies::new(),
            repolls: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            progress: Notify::new(),
            replies: Mutex::default(),
        };
        live.watch("answer", &shared.latency);
        Self { shared: Arc::new(shared), tasks: Mutex::default() }
    }

    /// Opens a connection for each long-poll and polls on it. It returns after the reply to a poll that was sent after
    /// all of them and does not wait.
    pub(crate) async fn open(&self, connecting: usize, phase: &Phase) -> Result<(), Stop> {
        let shared = &self.shared;
        let mut opened = futures::stream::iter(0..shared.questions.len())
            .map(|number| async move { (number, shared.api.open_connection().await) })
            .buffer_unordered(connecting);
        let mut failed = 0;
        while let Some((number, result)) = opened.next().await {
            phase.advance(1);
            match result {
                Ok(()) => {
                    let shared = Arc::clone(shared);
                    lock(&self.tasks).spawn(async move { shared.poll(number).await });
                }
                Err(error) => {
                    failed += 1;
                    if failed == shared.questions.len() {
                        return Err(Stop::Hub(error.context("no long-poll could be opened")));
                    }
                    shared.problems.add(Kind::ConnectFailed, 1, || format!("{error:#}"));
                    shared.end(number, None);
                }
            }
        }
        drop(opened);
        if let Some(question) = shared.questions.first() {
            let last = async {
                shared.api.open_connection().await?;
                shared.api.await_message(&question.session_id, &question.message, 0).await
            };
            last.await.map_err(|error| Stop::Hub(error.context("a long-poll that does not wait")))?;
        }
        Ok(())
    }

    /// Sets the schedule of the answers.
    pub(crate) fn follow(&self, schedule: Schedule) -> Result<()> {
        self.shared.schedule.set(schedule).map_err(|_| anyhow!("the schedule was already set"))
    }

    /// Counts the long-polls that have ended.
    pub(crate) fn counter(&self) -> impl Fn() -> u64 + Send + Sync + 'static {
        let shared = Arc::clone(&self.shared);
        move || shared.ended.load(Ordering::Relaxed)
    }

    /// Waits until this number has ended, or the time is up.
    pub(crate) async fn wait_for(&self, number: u64, patience: Duration) {
        let reached = async {
            loop {
                let progress = self.shared.progress.notified();
                if self.shared.ended.load(Ordering::Relaxed) >= number {
                    return;
                }
                progress.await;
            }
        };
        let _ = tokio::time::timeout(patience, reached).await;
    }

    /// The time from the due time of each answer to the reply of its long-poll.
    pub(crate) fn latency(&self) -> Summary {
        self.shared.latency.summary()
    }

    /// Polls that came back pending.
    pub(crate) fn repolls(&self) -> u64 {
        self.shared.repolls.load(Ordering::Relaxed)
    }

    /// Ends the waiting ones and compares every reply with its question and the acknowledged answer.
    pub(crate) async fn finish(self, answers: &[OnceLock<String>]) {
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        tasks.shutdown().await;
        let shared = &self.shared;
        let unasked = shared.api.unasked();
        shared.problems.add(Kind::Doubled, unasked, || format!("{unasked} connections had more than their replies"));
        let replies = lock(&shared.replies);
        for (number, (question, answer)) in shared.questions.iter().zip(answers).enumerate() {
            let Some(answer) = answer.get() else { continue };
            match replies.get(&number) {
                Some(None) => {}
                Some(Some(message)) => shared.audit(question, answer, message),
                None => shared.problems.add(Kind::Lost, 1, || {
                    format!("message {}: answered by {answer}, but its long-poll got no reply", question.message)
                }),
            }
        }
    }
}

impl Shared {
    async fn poll(&self, number: usize) {
        let Some(question) = self.questions.get(number) else { return };
        let _open = self.live.opened();
        loop {
            let start = Instant::now();
            match self.api.await_message(&question.session_id, &question.message, self.seconds).await {
                Ok(message) if message.status == "Pending" && message.id == question.message => {
                    self.repolls.fetch_add(1, Ordering::Relaxed);
                    if start.elapsed() + EARLY < Duration::from_secs(self.seconds.into()) {
                        self.problems.add(Kind::AwaitEarly, 1, || {
                            format!("message {}: pending after {:?}", question.message, start.elapsed())
                        });
                        tokio::time::sleep(AFTER_EARLY).await;
                    }
                }
                Ok(message) => {
                    self.record_reply(number, question);
                    return self.end(number, Some(message));
                }
                Err(error) => {
                    self.problems.add(Kind::AwaitFailed, 1, || format!("{error:#}"));
                    return self.end(number, None);
                }
            }
        }
    }

    /// Records the latency of a reply, or that it came before there was an answer.
    fn record_reply(&self, number: usize, question: &Question) {
        let place = number as u64;
        let schedule = self.schedule.get().filter(|schedule| place < schedule.count());
        let due =
            schedule.and_then(|schedule| Some((schedule, Instant::now().checked_duration_since(schedule.at(place))?)));
        match due {
            Some((schedule, latency)) if place >= schedule.warmup => self.latency.record(latency),
            Some(_) => {}
            None => self.problems.add(Kind::AwaitWrong, 1, || {
                format!("message {}: its long-poll got a reply before there was an answer", question.message)
            }),
        }
    }

    fn end(&self, number: usize, reply: Option<Message>) {
        lock(&self.replies).insert(number, reply);
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.progress.notify_one();
    }

    /// Checks that the reply is the message of this long-poll, completed with its answer.
    fn audit(&self, question: &Question, answer: &str, message: &Message) {
        let index = Some(question.index);
        let own = message.id == question.message && payload::index_of(&message.encrypted_content.ciphertext) == index;
        let answered = message.response.as_ref().is_some_and(|response| {
            response.message_id == answer && payload::index_of(&response.encrypted_content.ciphertext) == index
        });
        let right = own && answered && message.status == "Completed";
        self.problems.add(Kind::AwaitWrong, u64::from(!right), || {
            let by = message.response.as_ref().map_or("nothing", |response| &response.message_id);
            format!(
                "message {}: answered by {answer}, but its long-poll got {} as {}, answered by {by}",
                question.message, message.id, message.status
            )
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
