//! The broker's metrics: its counters of signals that were sent, received and lost, and their values at a scrape.

use super::maker::Maker;
use prometheus::{Error, IntCounter, IntGauge};
use std::sync::atomic::{AtomicU64, Ordering};

/// The broker's counts since the node started.
#[derive(Debug, Default)]
pub struct SignalCounts {
    /// Messages that the broker has accepted.
    pub published: Count,
    /// Signals that were not sent: no connection, a full queue, or the connection broke. The other nodes find the changes
    /// at their reconcile tick.
    pub dropped: Count,
    /// Messages of other nodes.
    pub received: Count,
    /// Messages that could not be decoded.
    pub rejected: Count,
    /// Connections that were lost, and attempts to connect that failed.
    pub disconnects: Count,
    /// Channels that this node is subscribed to now.
    pub channels: Count,
}

/// One number.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, count: usize) {
        self.0.store(count as u64, Ordering::Relaxed);
    }
}

/// The broker's counters as of the last scrape. Locked during their update, so that two concurrent scrapes count nothing
/// twice.
pub(super) struct BrokerMetrics {
    unreachable: IntGauge,
    channels: IntGauge,
    published: IntCounter,
    dropped: IntCounter,
    received: IntCounter,
    rejected: IntCounter,
    disconnects: IntCounter,
}

impl BrokerMetrics {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, Error> {
        Ok(Self {
            unreachable: make.gauge("hiloop_redis_unreachable", "1 while Redis is configured and unavailable")?,
            channels: make.gauge("hiloop_redis_channels", "Channels that this node is subscribed to")?,
            published: make.counter("hiloop_redis_published_total", "Messages published to Redis")?,
            dropped: make.counter("hiloop_redis_dropped_total", "Signals to other nodes that were dropped")?,
            received: make.counter("hiloop_redis_received_total", "Messages received from other nodes")?,
            rejected: make.counter("hiloop_redis_rejected_total", "Received messages that could not be decoded")?,
            disconnects: make
                .counter("hiloop_redis_disconnects_total", "Connections to Redis that were lost or failed")?,
        })
    }

    pub(super) fn update(&self, is_disconnected: bool, counts: Option<&SignalCounts>) {
        self.unreachable.set(is_disconnected.into());
        let Some(counts) = counts else { return };
        self.channels.set(i64::try_from(counts.channels.get()).unwrap_or(i64::MAX));
        for (figure, count) in [
            (&self.published, &counts.published),
            (&self.dropped, &counts.dropped),
            (&self.received, &counts.received),
            (&self.rejected, &counts.rejected),
            (&self.disconnects, &counts.disconnects),
        ] {
            figure.inc_by(count.get().saturating_sub(figure.get()));
        }
    }
}
