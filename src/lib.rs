//! Hiloop Hub: a self-hosted real-time messaging hub through which AI agents and people talk.
//!
//! A session's timeline is the only source of truth, and everything live is a cursor over it. A request to change
//! something enters the write path (`timeline`), is decided by pure rules ([`domain`]), made durable in one transaction
//! ([`store`]), and only then announced (`hub`, [`broker`]). Every reader, be it a socket (`ws`), an event stream or a
//! long-poll (`http`), has a position on the timeline and moves forward. What was lost on the way is read again from the
//! store.
//!
//! The modules, from the outside in; each depends only on those below it:
//!
//! - [`cli`] the command line; [`server`] wires everything together
//! - `http`, `ws`, `jobs` requests, sockets and periodic jobs; `service` use cases; `context` shared state
//! - `timeline` changes; `hub` live readers; `auth` authentication; `audit` the audit log
//! - [`store`] storage; [`broker`] hints between nodes
//! - [`config`] settings; `net` the connection under HTTP and WebSocket, [`protocol`] everything that crosses the wire
//! - `limits` fair shares, memory and connections; `supervisor` long-lived tasks; `metrics`; [`clock`] time
//! - [`domain`] types and rules
//!
//! The public modules are what the program, the tests and the fuzz targets use; [`testing`] has what only the latter two
//! need. `ARCHITECTURE.md` follows one message from its POST to every socket.
#![forbid(unsafe_code)]
// They panic if the output is closed; `cli/print.rs` does not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod audit;
mod auth;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod config;
mod context;
pub mod domain;
mod http;
mod hub;
mod jobs;
mod limits;
mod metrics;
mod net;
pub mod protocol;
pub mod server;
mod service;
pub mod store;
mod supervisor;
pub mod testing;
mod timeline;
mod ws;
