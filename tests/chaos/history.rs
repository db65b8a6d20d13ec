//! The history of a run, for the report of a failure: the faults, each operation with all its attempts, and the
//! violations.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Recovery time after a fault: a reconcile tick and reconnects.
const SETTLE: Duration = Duration::from_secs(3);

/// A message that the hub said it had stored.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    pub session: String,
    pub message: String,
    pub content: String,
    pub seq: i64,
    pub at: Instant,
}

/// Concurrent answers to one question.
#[derive(Clone, Debug)]
pub struct Race {
    pub session: String,
    pub question: String,
    /// The ids of the answers that were accepted.
    pub won: Vec<String>,
    /// The ids of the winners, from the errors of the late answers.
    pub reported: Vec<String>,
}

/// A question that expires without an answer.
#[derive(Clone, Debug)]
pub struct Lapse {
    pub session: String,
    pub question: String,
}

pub struct History {
    began: Instant,
    lines: Mutex<Vec<(f64, String, String)>>,
    pub acknowledged: Mutex<Vec<Acknowledged>>,
    pub races: Mutex<Vec<Race>>,
    pub lapses: Mutex<Vec<Lapse>>,
    wrong: Mutex<Vec<(String, String)>>,
    /// Periods without a fault; the last one may be open.
    calm: Mutex<Vec<(Instant, Option<Instant>)>>,
    /// Number of retries of clients.
    pub retries: AtomicUsize,
    /// Number of times that a reader resumed.
    pub resumes: AtomicUsize,
    over: AtomicBool,
}

impl History {
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            lines: Mutex::default(),
            acknowledged: Mutex::default(),
            races: Mutex::default(),
            lapses: Mutex::default(),
            wrong: Mutex::default(),
            calm: Mutex::default(),
            retries: AtomicUsize::new(0),
            resumes: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        }
    }

    /// Notes something about a session, or about the cluster (an empty name).
    pub fn note(&self, session: &str, what: String) {
        let at = self.began.elapsed().as_secs_f64();
        self.lines.lock().expect("no panic").push((at, session.to_owned(), what));
    }

    pub fn fault(&self, what: &str) {
        self.disturbed();
        println!("{:8.3} s  {what}", self.began.elapsed().as_secs_f64());
        self.note("", what.to_owned());
    }

    /// The last fault has been mended.
    pub fn calm(&self) {
        self.fault("no fault");
        self.calm.lock().expect("no panic").push((Instant::now() + SETTLE, None));
    }

    /// Delays are allowed from now on.
    pub fn disturbed(&self) {
        if let Some((_, until @ None)) = self.calm.lock().expect("no panic").last_mut() {
            *until = Some(Instant::now());
        }
    }

    /// The delay from `since` to `at`, without the time of faults.
    pub fn delay(&self, since: Instant, at: Instant) -> Option<Duration> {
        let calm = self.calm.lock().expect("no panic");
        let within =
            |(from, until): &&(Instant, Option<Instant>)| *from <= since && until.is_none_or(|end| since < end);
        let (_, until) = calm.iter().find(within)?;
        Some(until.map_or(at, |end| at.min(end)).saturating_duration_since(since))
    }

    pub fn retried(&self) {
        self.retries.fetch_add(1, Ordering::SeqCst);
    }

    /// Records a violated guarantee.
    pub fn wrong(&self, session: &str, what: String) {
        self.note(session, format!("WRONG: {what}"));
        self.wrong.lock().expect("no panic").push((session.to_owned(), what));
    }

    /// Ends the injection of faults and new operations.
    pub fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Fails with the faults and the history of each session with a violation.
    pub fn judge(&self) {
        let wrong = self.wrong.lock().expect("no panic");
        if wrong.is_empty() {
            return;
        }
        let sessions: Vec<&str> = wrong.iter().map(|(session, _)| session.as_str()).collect();
        for (at, session, what) in &*self.lines.lock().expect("no panic") {
            if session.is_empty() || sessions.contains(&session.as_str()) {
                println!("{at:8.3} s  {session:36}  {what}");
            }
        }
        let listed: Vec<_> = wrong.iter().map(|(session, what)| format!("{session}: {what}")).collect();
        panic!("{} violations:\n{}", listed.len(), listed.join("\n"));
    }
}
