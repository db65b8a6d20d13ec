//! The cost of encryption: messages sealed and opened a second, and the bytes of an envelope.
//! `cargo run --release -p hiloop-sdk --example cost`

use hiloop_sdk::e2e::cost;
use std::time::{Duration, Instant};

const TIME: Duration = Duration::from_secs(1);

fn rate(mut once: impl FnMut()) -> f64 {
    let started = Instant::now();
    let mut count = 0;
    while started.elapsed() < TIME {
        once();
        count += 1;
    }
    f64::from(count) / started.elapsed().as_secs_f64()
}

fn main() {
    println!("recipients  bytes  sealed/s  opened/s");
    for recipients in [1, 3, 20] {
        let group = cost::Group::of(recipients);
        let envelope = group.seal();
        let bytes = serde_json::to_string(&envelope).map_or(0, |text| text.len());
        let sealed = rate(|| drop(group.seal()));
        let opened = rate(|| assert!(group.open(&envelope)));
        println!("{recipients:>10}  {bytes:>5}  {sealed:>8.0}  {opened:>8.0}");
    }
}
