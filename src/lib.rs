//! Hiloop Hub: a self-hosted real-time messaging hub through which AI agents and people talk.
//!
//! One idea holds it together: a session's timeline is the only truth, and everything live is a cursor over it. A
//! request to change something goes through one write path ([`timeline`]), is decided by pure rules ([`domain`]), is made
//! durable in one transaction ([`store`]), and only then announced ([`hub`], [`broker`]). Every reader — a socket
//! ([`ws`]), an event stream or a long-poll ([`http`]) — has a position and moves forward ([`timeline::reader`]); an event
//! that was lost on the way is read again from the store.
//!
//! The rooms, from the outside in; each depends only on those below it:
//!
//! - [`cli`] the command line, [`app`] puts everything together
//! - [`http`], [`ws`], [`jobs`] what starts work; [`context`] is what they share
//! - [`timeline`], [`hub`], [`auth`], [`audit`] change, live readers, who is asking, what is kept of it
//! - [`store`], [`broker`] what lasts, and hints between nodes
//! - [`domain`] types and rules; [`protocol`] what crosses the wire; [`net`] the connection under it; [`clock`] time; [`config`] settings;
//!   [`metrics`] figures; `gcra` how often something may happen, `shares` how much of something one caller may have,
//!   `backoff` when to try again, [`supervisor`] tasks that
//!   outlive a request
//!
//! `ARCHITECTURE.md` walks one message from its POST to every socket.
#![forbid(unsafe_code)]
// They panic where nobody reads: `cli/print.rs` does not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod app;
pub mod audit;
pub mod auth;
mod backoff;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connections;
pub mod context;
pub mod domain;
mod gcra;
pub mod http;
pub mod hub;
pub mod jobs;
pub mod metrics;
pub mod net;
pub mod protocol;
mod quotas;
pub mod room;
pub mod service;
mod shares;
mod space_bytes;
pub mod store;
pub mod supervisor;
pub mod timeline;
pub mod ws;
