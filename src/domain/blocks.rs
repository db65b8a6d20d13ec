//! Appending a block to an interaction (contract section 4).

use super::change::Change;
use super::decision::{CommandResult, Decision};
use super::facts::Facts;
use super::{Envelope, Refusal, Session, SessionStatus};

/// Most blocks of one interaction.
const MAX_BLOCKS: i64 = 100;
/// No block is taken once those before it have so many bytes as events.
const MAX_BLOCK_BYTES: i64 = 1024 * 1024;

/// Appends a block, also to an interaction that has settled: an agent may show how it goes on.
pub(super) fn push_blocks(session: &Session, facts: Facts<'_>, block: &Envelope) -> Decision {
    let Some(interaction) = facts.interaction else { return Decision::refuse(Refusal::NotFound("Interaction")) };
    if session.status != SessionStatus::Active {
        return Decision::refuse(Refusal::SessionClosed);
    }
    if interaction.blocks >= MAX_BLOCKS || interaction.block_bytes >= MAX_BLOCK_BYTES {
        let text =
            format!("An interaction holds at most {MAX_BLOCKS} blocks, and no more past {MAX_BLOCK_BYTES} bytes");
        return Decision::refuse(Refusal::Conflict(text));
    }
    Decision::accept(vec![Change::BlocksPushed(interaction.message, block.clone())], CommandResult::Interaction)
}
