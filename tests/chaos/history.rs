//! What happened, so that a failure can show it: the faults, each operation with all its attempts, and what was found
//! wrong.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long after a fault everything has to be as if there had been none: a tick, and connections that are made anew.
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

/// Several answers to one question that were given at once.
#[derive(Clone, Debug)]
pub struct Race {
    pub session: String,
    pub question: String,
    /// The ids of the answers that were accepted.
    pub won: Vec<String>,
    /// The winners' ids, as those were told who came too late.
    pub told: Vec<String>,
}

/// A question that nobody answers before its deadline.
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
    /// When there was no fault, from its settling to the next one; the last may still last.
    calm: Mutex<Vec<(Instant, Option<Instant>)>>,
    /// How often a client had to try again.
    pub retries: AtomicUsize,
    /// How often a reader resumed where it had been.
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
        self.fault("all is well");
        self.calm.lock().expect("no panic").push((Instant::now() + SETTLE, None));
    }

    /// What is late from now on may be late.
    pub fn disturbed(&self) {
        if let Some((_, until @ None)) = self.calm.lock().expect("no panic").last_mut() {
            *until = Some(Instant::now());
        }
    }

    /// How late something is, that became so at `since` and was over at `at`, as far as there was no fault meanwhile.
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

    /// Notes a broken promise.
    pub fn wrong(&self, session: &str, what: String) {
        self.note(session, format!("WRONG: {what}"));
        self.wrong.lock().expect("no panic").push((session.to_owned(), what));
    }

    /// No more faults, and no more new work.
    pub fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Fails with the faults and the history of each session in which a promise was broken.
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
        panic!("{} broken promises:\n{}", listed.len(), listed.join("\n"));
    }
}
