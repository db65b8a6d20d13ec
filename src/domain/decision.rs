//! The outcome of a command: the changes that it makes, and the reply to its caller.

use super::change::Change;
use super::{MessageId, Participant, Refusal};

/// The reply to the caller, once the changes are durable.
#[derive(Clone, Debug)]
pub enum CommandResult {
    /// The message that was created, as it was created.
    Posted(MessageId),
    /// The message that the command settled.
    Settled(MessageId),
    /// The message whose outcome was taken.
    Acknowledged(MessageId),
    Session,
    Participant {
        participant: Box<Participant>,
        created: bool,
    },
    Removed(Box<Participant>),
    /// The interaction that the session is.
    Interaction,
}

/// The outcome of a command. A refusal may come with changes: an answer that is too late still lets the message
/// expire.
#[derive(Debug)]
pub struct Decision {
    pub changes: Vec<Change>,
    pub reply: Result<CommandResult, Refusal>,
}

impl Decision {
    pub(super) fn accept(changes: Vec<Change>, reply: CommandResult) -> Self {
        Self { changes, reply: Ok(reply) }
    }

    pub(super) fn refuse(refusal: Refusal) -> Self {
        Self { changes: Vec::new(), reply: Err(refusal) }
    }
}
