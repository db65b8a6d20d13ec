//! A worker process: it opens its share of the sockets and does what the tester says until its stdin ends.

use std::{sync::Arc, thread, time::Duration};

use anyhow::{Context as _, Result, bail};
use tokio::sync::mpsc;

use super::{
    Fleet,
    crew::reply,
    wire::{Command, Reply},
};
use crate::{problems::Problems, progress::Phase, stop::Stop};

/// How often totals are sent without being asked.
const EVERY: Duration = Duration::from_millis(250);

/// Runs until the tester has no more commands; `open` opens the sockets of this process.
pub(crate) async fn run<F>(
    problems: &Arc<Problems>,
    open: impl FnOnce(Arc<[crate::client::Session]>, Vec<(std::ops::Range<usize>, super::Group)>, bool) -> F,
) -> Result<(), Stop>
where
    F: Future<Output = Result<Fleet, Stop>>,
{
    let mut commands = commands().map_err(Stop::Tool)?;
    let Some(Command::Open { sessions, groups, subscribe }) = commands.recv().await else { return Ok(()) };
    let fleet = match open(sessions.into(), groups, subscribe).await {
        Ok(fleet) => fleet,
        Err(Stop::Hub(error)) => {
            return reply(&Reply::Failed(format!("{error:#}"))).map_err(Stop::Tool);
        }
        Err(stop) => return Err(stop),
    };
    obey(fleet, problems, commands).await.map_err(Stop::Tool)
}

async fn obey(fleet: Fleet, problems: &Problems, mut commands: mpsc::UnboundedReceiver<Command>) -> Result<()> {
    reply(&Reply::Opened {
        readers: fleet.readers.clone(),
        sockets: fleet.len() as u64,
        opening: fleet.opening().counts(),
    })?;
    let mut due = tokio::time::interval(EVERY);
    loop {
        let command = tokio::select! {
            command = commands.recv() => command,
            _ = due.tick() => {
                reply(&Reply::Totals(fleet.shared.take()))?;
                continue;
            }
        };
        match command {
            // The tester has ended.
            None => return Ok(()),
            Some(Command::Follow(schedule)) => fleet.follow_here(vec![schedule.into()]),
            Some(Command::Storm(storm)) => {
                let storming = fleet.storm_here(storm.into());
                tokio::pin!(storming);
                let back = loop {
                    tokio::select! {
                        back = &mut storming => break back,
                        _ = due.tick() => reply(&Reply::Totals(fleet.shared.take()))?,
                    }
                };
                reply(&Reply::Returned(back.counts()))?;
            }
            Some(Command::Collect) => reply(&Reply::Collected(fleet.shared.take()))?,
            Some(Command::Finish(mut ledgers)) => {
                let shared = Arc::clone(&fleet.shared);
                let _phase = Phase::start("closing", fleet.len() as u64);
                fleet.finish_here(&mut ledgers).await?;
                reply(&Reply::Finished { totals: shared.take(), problems: problems.snapshot() })?;
                // Until the tester lets it go.
                while commands.recv().await.is_some() {}
                return Ok(());
            }
            Some(Command::Open { .. }) => bail!("a second fleet"),
        }
    }
}

/// The commands on stdin, which a thread reads.
fn commands() -> Result<mpsc::UnboundedReceiver<Command>> {
    let (sender, commands) = mpsc::unbounded_channel();
    let read = move || {
        for line in std::io::stdin().lines() {
            let command = line.ok().and_then(|line| serde_json::from_str(&line).ok());
            let Some(command) = command else { break };
            if sender.send(command).is_err() {
                break;
            }
        }
    };
    thread::Builder::new().name("commands".to_owned()).spawn(read).context("starting a thread")?;
    Ok(commands)
}
