//! Once, however often it is asked for: `Idempotency-Key` on every POST that creates or settles something, and
//! `idempotencyKey` of the socket's `send`; by repetition, in a race, across nodes, and across the hub's death.

mod kills;
mod posts;
mod retries;

use crate::support::client::Reply;

fn is_replayed(reply: &Reply) -> bool {
    reply.header("idempotent-replayed") == Some("true")
}
