//! Hiloop Hub.
#![forbid(unsafe_code)]
pub mod clock;
pub mod domain;
pub mod store;
