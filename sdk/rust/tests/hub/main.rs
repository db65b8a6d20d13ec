//! Encrypted conversations through a real hub, the program that `HUB_BIN` names:
//! `HUB_BIN=target/release/hiloop cargo test -p hiloop-sdk --features testing --test hub -- --ignored`

mod process;
mod restarts;
mod sealed;
