//! The hub as its users meet it: a real server on a free port, real sockets, real databases.

mod support;

mod accounts;
mod asyncapi;
mod autobahn;
mod awaiting;
mod bad_input;
mod cli;
mod contract;
mod crash;
mod deadlines;
mod degraded;
mod doubt;
mod drain;
mod idempotency;
mod interactions;
mod limits;
mod metrics;
mod nodes;
mod openapi;
mod permissions;
mod plans;
mod presence;
mod proxy;
mod race;
mod readiness;
mod redis;
mod replay;
mod retention;
mod sessions;
mod slow;
mod sockets;
mod store;
mod streams;
mod typing;
mod uploads;
