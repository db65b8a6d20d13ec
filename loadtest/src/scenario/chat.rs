//! `chat`: many sessions with few sockets each, written to in turn.

use serde_json::json;

use super::{
    Context,
    durable::{self, Load, Rows},
    paced,
};
use crate::{cli::ChatArgs, report::Report, stop::Stop};

pub(super) async fn run(context: &Context, arguments: &ChatArgs) -> Result<Report, Stop> {
    let rows = Rows { sessions: arguments.sessions, size: arguments.load.size, load: Load::Rate(arguments.rate) };
    let before = durable::measure(context, &arguments.floor, rows).await?;
    let sessions = context.create_sessions(arguments.sessions).await?;
    let load = paced::Load {
        name: "chat",
        parameters: json!(arguments),
        sockets_per_session: arguments.sockets_per_session,
        rate: arguments.rate,
        burst: 1,
        duration: arguments.load.duration,
        size: arguments.load.size,
        ramp: arguments.ramp.clone(),
    };
    let mut outcome = paced::run(context, load, sessions).await?;
    let after = durable::measure(context, &arguments.floor, rows).await?;
    durable::report(&mut outcome.report, [before, after], outcome.usage, outcome.acknowledged);
    Ok(outcome.report)
}
