//! A client of the hub's public API with little CPU cost.

mod api;
mod credential;
mod ended;
mod frame;
mod http;
mod socket;
mod target;
mod tls;

pub(crate) use self::{
    api::{Api, Message, Session},
    credential::Credential,
    ended::{Backoff, Cause, Causes},
    frame::Frame,
    socket::{Socket, SocketOptions, wire_size},
    target::Target,
};
