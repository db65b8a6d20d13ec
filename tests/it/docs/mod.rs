//! The documents against the hub: links and names resolve, commands run, tables list what there is.

mod commands;
mod links;
mod markdown;
mod tables;
