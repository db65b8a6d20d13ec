//! Gives memory back to the system after a burst.
//!
//! The allocator, mimalloc, keeps what is free for a second in case it is needed again. After that it gives it back the
//! next time that a thread frees the last block of one of its pages, which on a quiet hub may not happen for a long
//! time; and each thread keeps some pages for itself. An allocation that fails makes it give back all that is free of
//! the thread that asks and of none, before it says that there is no memory.

use crate::context::Context;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(2);
/// More than there can be.
const TOO_LARGE: usize = 1 << 62;

pub(super) fn start(context: &Arc<Context>) {
    context.supervisor.spawn("memory", Arc::clone(context), |context| Box::pin(run(context)));
}

async fn run(context: &Context) {
    let mut turns = super::Turns::every(EVERY);
    while turns.next(context).await {
        give_back();
    }
}

fn give_back() {
    let refused = black_box(Vec::<u8>::new()).try_reserve_exact(TOO_LARGE);
    debug_assert!(refused.is_err());
}
