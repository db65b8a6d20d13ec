//! The program: everything is in the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Gives memory back to the system after a burst, which the default allocator is slow to do.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hiloop::cli::run()
}
