//! `create_guest_token` and `list_agents`.

use super::schema::{self, Effect, result, tool};
use super::{Agent, Reply, ToolResult, said};
use crate::cli::mcp::args::Args;
use hiloop_sdk::{Contact, GuestInvitation};
use rmcp::model::Tool;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) fn create_guest_token() -> Tool {
    tool(
        "create_guest_token",
        "Invite a guest",
        "Makes a link with which a person without an account takes part in one session. The link is a secret: give it to \
         that person alone.",
        vec![
            ("session_id", schema::id("The session")),
            ("name", schema::text("The guest's name, which nobody else in the session has; Guest unless given")),
            ("expires_in_seconds", schema::number("How long the link is valid, 60 to 2592000; a day unless given")),
        ],
        &["session_id"],
        result(&[
            ("url", schema::text("The link")),
            ("guest_id", schema::optional_text("The guest's id, for 'answerers'")),
            ("token_id", schema::id("The id of the token")),
            ("name", schema::text("The guest's name")),
            ("expires_at", schema::text("When the link ends, RFC 3339")),
        ]),
        Effect::Adds,
    )
}

pub(super) fn list_agents() -> Tool {
    let contact = result(&[
        ("id", schema::id("The id, for 'to' and 'answerers'")),
        ("name", schema::text("The name")),
        ("has_key", schema::flag("Whether there is an encryption key: messages can be sealed")),
    ]);
    tool(
        "list_agents",
        "List agents and people",
        "Lists the agents and the people of the space, and which agent this one is.",
        vec![],
        &[],
        result(&[
            ("me", contact.clone()),
            ("agents", schema::list(&contact, "The agents of the space")),
            ("people", schema::list(&contact, "The people of the space")),
        ]),
        Effect::Reads,
    )
}

pub(super) async fn invite(agent: &Agent, mut args: Args) -> ToolResult {
    let session = Args::required("session_id", args.id("session_id")?)?;
    let name = args.line("name")?;
    let seconds = args.number("expires_in_seconds", 60, 2_592_000)?;
    args.finish()?;
    let mut invitation = GuestInvitation::new();
    if let Some(name) = name {
        invitation = invitation.name(name);
    }
    if let Some(seconds) = seconds {
        invitation = invitation.expires_in(Duration::from_secs(seconds));
    }
    let token = agent.client.create_guest_token(session, invitation).await.map_err(said)?;
    let name = &token.participant.name;
    let text = format!("The link for {name}, valid until {}: {}", token.expires_at, token.url);
    let structured = json!({
        "url": token.url,
        "guest_id": token.participant.principal_id(),
        "token_id": token.id,
        "name": name,
        "expires_at": token.expires_at,
    });
    Ok(Reply { structured, text })
}

pub(super) async fn list(agent: &Agent, args: Args) -> ToolResult {
    args.finish()?;
    let client = &agent.client;
    let me = client.me().await.map_err(said)?;
    let (agents, people) = (client.agents().await.map_err(said)?, client.humans().await.map_err(said)?);
    let mut lines = vec![format!("This agent: {} ({})", me.name, me.id)];
    for (kind, contacts) in [("Agent", &agents), ("Person", &people)] {
        lines.extend(contacts.iter().map(|contact| {
            let key = if contact.key.is_null() { ", no encryption key" } else { "" };
            format!("{kind}: {} ({}{key})", contact.name, contact.id)
        }));
    }
    let structured = json!({
        "me": { "id": me.id, "name": me.name, "has_key": !me.key.is_null() },
        "agents": agents.iter().map(described).collect::<Vec<_>>(),
        "people": people.iter().map(described).collect::<Vec<_>>(),
    });
    Ok(Reply { structured, text: lines.join("\n") })
}

fn described(contact: &Contact) -> Value {
    json!({ "id": contact.id, "name": contact.name, "has_key": !contact.key.is_null() })
}
