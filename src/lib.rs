//! Hiloop Hub.
#![forbid(unsafe_code)]
pub mod auth;
pub mod broker;
pub mod clock;
pub mod domain;
pub mod hub;
pub mod store;
pub mod timeline;
