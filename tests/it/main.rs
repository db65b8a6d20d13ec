//! The hub as its users meet it: a real server on a free port, real sockets, real databases.
#![allow(clippy::disallowed_methods)] // tests start tasks that end with them

mod support;

mod accounts;
mod asyncapi;
mod audit;
mod autobahn;
mod awaiting;
mod bad_input;
mod cli;
mod connections;
mod contract;
mod crash;
mod deadlines;
mod degraded;
mod doubt;
mod drain;
mod held;
mod idempotency;
mod interactions;
mod limits;
mod metrics;
mod nodes;
mod openapi;
mod pages;
mod permissions;
mod plans;
mod pooler;
mod presence;
mod proxy;
mod race;
mod readiness;
mod redis;
mod replay;
mod restored;
mod retention;
mod sessions;
mod slow;
mod sockets;
mod store;
mod store_files;
mod storm;
mod streams;
mod supervision;
mod typing;
mod uploads;
