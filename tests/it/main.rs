//! The hub as its users meet it: a real server on a free port, real sockets, real databases.

mod support;

mod store;
mod crash;
mod nodes;
mod race;
mod replay;
mod slow;
mod sockets;
