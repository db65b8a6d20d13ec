//! Benchmarks of hand-written parts of the hub against the crates that could replace them.
