//! Returns free memory to the operating system after a burst.
//!
//! The allocator, mimalloc, keeps free memory for a second, and returns it the next time a thread frees the last block of
//! one of its pages. On an idle hub that may take long, and each thread keeps some pages. An allocation that fails makes
//! it return all free memory of the calling thread and of abandoned pages first.

use crate::context::Context;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(2);
/// More than can ever be allocated.
const TOO_LARGE: usize = 1 << 62;

pub(super) fn start(context: &Arc<Context>) {
    context.supervisor.spawn("memory", Arc::clone(context), |context| Box::pin(run(context)));
}

async fn run(context: &Context) {
    let mut schedule = super::Schedule::every(EVERY);
    while schedule.next(context).await {
        return_free_memory();
    }
}

fn return_free_memory() {
    let refused = black_box(Vec::<u8>::new()).try_reserve_exact(TOO_LARGE);
    debug_assert!(refused.is_err());
}
