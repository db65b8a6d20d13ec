//! Idempotency: `Idempotency-Key` on every POST that creates or settles something, and `idempotencyKey` of the socket's
//! `send`; with retries, concurrent requests, several nodes, and kills of the hub.

mod kills;
mod posts;
mod retries;

use crate::support::client::Reply;

fn is_replayed(reply: &Reply) -> bool {
    reply.header("idempotent-replayed") == Some("true")
}
