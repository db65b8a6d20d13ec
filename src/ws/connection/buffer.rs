//! The read buffer that connections share.

use std::cell::RefCell;

const SCRATCH: usize = 16 * 1024;
thread_local! {
    /// The read buffer that the connections of a thread share. An idle connection owns none.
    pub(super) static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into());
}
