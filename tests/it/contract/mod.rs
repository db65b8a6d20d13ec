//! The wire contract, row by row, as a client meets it on every deployment.
//!
//! Each row has a test that is named after it and asserts its exact shapes: keys, statuses, headers, codes. Longer
//! stories of the same rows stand in the files beside this folder. [`rows`] lists the rows and fails when one has no
//! test. Nothing here looks into the hub; a test may choose its settings and speak HTTP and WebSocket.

mod agent_endpoints;
mod client_frames;
mod close_codes;
mod command_line;
mod conventions;
mod envelopes;
mod errors;
mod hub_frames;
mod human_endpoints;
mod interactions;
mod long_poll;
mod objects;
mod operations;
mod principals;
mod rows;
mod settings;
mod socket;
