//! A client of the hub's public API with little CPU cost.

mod api;
mod credential;
mod ended;
mod event_stream;
mod frame;
mod http;
mod socket;
mod target;
mod tls;

pub(crate) use self::{
    api::{Api, Message, Session, Side},
    credential::Credential,
    ended::{Backoff, BadStatus, Cause, Causes, Closed},
    event_stream::EventStream,
    frame::Frame,
    socket::{Socket, SocketOptions, wire_size},
    target::Target,
};
