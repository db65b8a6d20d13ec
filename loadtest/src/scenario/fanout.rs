//! `fanout`: one session with many sockets, and its cost relative to the floor.

use anyhow::{Result, anyhow};
use serde_json::json;

use super::{Context, paced};
use crate::{
    cli::FanoutArgs,
    client::{Frame, Socket, wire_size},
    floor::{self, Floor, FloorPlan},
    payload::Payload,
    progress::Phase,
    report::{Report, Section},
    stop::Stop,
};

pub(super) async fn run(context: &Context, arguments: &FanoutArgs) -> Result<Report, Stop> {
    let load = paced::Load {
        name: "fanout",
        parameters: json!(arguments),
        sockets_per_session: arguments.sockets,
        rate: arguments.rate,
        burst: arguments.burst,
        duration: arguments.load.duration,
        size: arguments.load.size,
        ramp: arguments.ramp.clone(),
    };
    let floor = match arguments.floor {
        true => Some(floor_plan(context, arguments).await?),
        false => None,
    };
    // Once before and once after the run, since a machine's speed drifts.
    let before = measure(floor).await?;
    let sessions = context.create_sessions(1).await?;
    let mut outcome = paced::run(context, load, sessions).await?;
    let after = measure(floor).await?;
    if let (Some(before), Some(after)) = (before, after) {
        report_floor(&mut outcome, [before, after]);
    }
    Ok(outcome.report)
}

/// Sends one message to one socket to learn how large its frame is.
async fn floor_plan(context: &Context, arguments: &FanoutArgs) -> Result<FloorPlan, Stop> {
    let frame_bytes = probe(context, arguments.load.size)
        .await
        .map_err(|error| Stop::Hub(error.context("probing the size of a frame")))?;
    Ok(FloorPlan { sockets: arguments.sockets, frame_bytes, rate: arguments.rate, time: arguments.floor_time })
}

async fn probe(context: &Context, size: usize) -> Result<usize> {
    let session = context.api.create_session().await?;
    let target = &context.others[0];
    let mut socket = Socket::open(target, target.credential(), context.socket_options()).await?;
    socket.subscribe(target, &session.id, None).await?;
    let path = context.api.messages_path(&session.id);
    context.api.post_message(&path, Payload::new(size).body(0)).await?;
    let arrival = async {
        loop {
            let text = socket.next_text().await?;
            if let Frame::Event { message: Some(_), .. } = Frame::parse(&text)? {
                return Ok(wire_size(text.len()));
            }
        }
    };
    let arrival = tokio::time::timeout(target.timeout(), arrival).await;
    let size = arrival.map_err(|_| anyhow!("the message never arrived"))?;
    socket.close().await;
    size
}

async fn measure(plan: Option<FloorPlan>) -> Result<Option<Floor>, Stop> {
    let Some(plan) = plan else { return Ok(None) };
    let _phase = Phase::start("floor", 1);
    let measured = tokio::task::spawn_blocking(move || floor::measure(plan)).await;
    let floor = measured.map_err(|error| Stop::Tool(error.into()))?.map_err(Stop::Tool)?;
    Ok(Some(floor))
}

fn report_floor(outcome: &mut paced::Outcome, floors: [Floor; 2]) {
    let [before, after] = floors.map(Floor::micros_per_write);
    let mean = f64::midpoint(before, after);
    let report = &mut outcome.report;
    report.count(Section::Floor, "floorSockets", "sockets", floors[0].sockets as u64);
    let writes = floors.iter().map(|floor| floor.writes).sum();
    report.count(Section::Floor, "floorWrites", "writes", writes);
    report.figure(Section::Floor, "floorUsBefore", "CPU per write before", before, "µs");
    report.figure(Section::Floor, "floorUsAfter", "CPU per write after", after, "µs");
    if let (Some(server), 1..) = (outcome.usage.server, outcome.delivered) {
        let per_delivery = server.as_secs_f64() * 1e6 / outcome.delivered as f64;
        report.figure(Section::Floor, "ratioToFloor", "ratio to floor", per_delivery / mean, "×");
    }
}
