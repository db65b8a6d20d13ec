//! `chat`: many sessions with few sockets each, written to in turn.

use serde_json::json;

use super::{Context, paced};
use crate::{cli::ChatArgs, report::Report, stop::Stop};

pub(super) async fn run(context: &Context, arguments: &ChatArgs) -> Result<Report, Stop> {
    let sessions = context.create_sessions(arguments.sessions).await?;
    let load = paced::Load {
        name: "chat",
        parameters: json!(arguments),
        sockets_per_session: arguments.sockets_per_session,
        rate: arguments.rate,
        burst: 1,
        duration: arguments.load.duration,
        size: arguments.load.size,
    };
    Ok(paced::run(context, load, sessions).await?.report)
}
