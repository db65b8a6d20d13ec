//! Connections that are lost, and readers that stall: what a correct hub does passes, anything else fails.

mod slow;
mod storm;
