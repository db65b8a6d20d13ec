//! The floor: the cost of one plain blocking write for each delivery on this machine.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use tokio::{io::AsyncReadExt as _, runtime, sync::oneshot};

use crate::proc_stat;

/// Each needs two descriptors of the 20,000 that a process may commonly hold.
const MOST_SOCKETS: usize = 8000;
const READ_BUFFER: usize = 4096;

/// The same traffic as the hub's, without a hub.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FloorPlan {
    pub(crate) sockets: usize,
    pub(crate) frame_bytes: usize,
    /// Rounds a second; each writes once to every socket.
    pub(crate) rate: f64,
    pub(crate) time: Duration,
}

/// CPU time of the writing thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floor {
    pub(crate) sockets: usize,
    pub(crate) writes: u64,
    pub(crate) cpu: Duration,
}

impl Floor {
    pub(crate) fn micros_per_write(self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.writes.max(1) as f64
    }
}

/// Measures on the calling thread, which it blocks; another thread drains the sockets.
pub(crate) fn measure(plan: FloorPlan) -> Result<Floor> {
    let listener = TcpListener::bind("127.0.0.1:0").context("binding for the floor")?;
    let address = listener.local_addr().context("the floor's address")?;
    let (stop, stopped) = oneshot::channel();
    let drain = thread::Builder::new()
        .name("floor-drain".to_owned())
        .spawn(move || drain(listener, stopped))
        .context("starting the floor's reader")?;
    let written = connect(address, plan.sockets.min(MOST_SOCKETS)).and_then(|streams| write(&streams, plan));
    // If the reader has failed, its error is returned below.
    let _ = stop.send(());
    drain.join().map_err(|_| anyhow!("the floor's reader panicked"))??;
    written
}

fn connect(address: SocketAddr, sockets: usize) -> Result<Vec<TcpStream>> {
    (0..sockets)
        .map(|_| {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(Duration::from_secs(10)))?;
            Ok(stream)
        })
        .collect::<std::io::Result<_>>()
        .context("connecting for the floor")
}

fn write(streams: &[TcpStream], plan: FloorPlan) -> Result<Floor> {
    let frame = vec![b'x'; plan.frame_bytes.max(1)];
    let round = || -> Result<()> {
        for mut stream in streams {
            stream.write_all(&frame).context("writing for the floor")?;
        }
        Ok(())
    };
    round()?;
    let interval = Duration::from_secs_f64(1.0 / plan.rate);
    let start = Instant::now();
    let before = proc_stat::thread_cpu()?;
    let mut due = start;
    let mut writes = 0;
    while start.elapsed() < plan.time || writes == 0 {
        round()?;
        writes += streams.len() as u64;
        due += interval;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    let cpu = proc_stat::thread_cpu()?.saturating_sub(before);
    Ok(Floor { sockets: streams.len(), writes, cpu })
}

fn drain(listener: TcpListener, stopped: oneshot::Receiver<()>) -> Result<()> {
    listener.set_nonblocking(true).context("the floor's listener")?;
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let accept = async {
            loop {
                let (mut stream, _) = listener.accept().await?;
                tokio::spawn(async move {
                    let mut buffer = vec![0; READ_BUFFER];
                    while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
                });
            }
        };
        tokio::select! {
            ended = accept => ended,
            _ = stopped => Ok(()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_socket_is_written_to_in_every_round() {
        let time = Duration::from_millis(20);
        let plan = FloorPlan { sockets: 5, frame_bytes: 600, rate: 1000.0, time };
        let floor = measure(plan).expect("measured");
        assert!(floor.writes >= 5 && floor.writes.is_multiple_of(5));
        assert!(floor.micros_per_write() > 0.0);
    }
}
