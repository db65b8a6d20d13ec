//! End-to-end encryption: the scheme `hiloop/v2`.
//!
//! A [`Client`](crate::Client) does all of this by itself. These are the parts that a program may need beside it: keys
//! and entries, safety numbers, and receipts, which can be checked without a hub.

pub(crate) mod answer;
pub(crate) mod content;
#[doc(hidden)]
pub mod cost;
pub(crate) mod encoding;
pub(crate) mod entry;
pub(crate) mod folder;
pub(crate) mod header;
pub(crate) mod identity;
pub(crate) mod journal;
mod json;
pub(crate) mod key_file;
pub(crate) mod keys;
pub(crate) mod notes;
pub(crate) mod open;
mod padding;
pub(crate) mod parts;
pub(crate) mod pins;
pub(crate) mod receipt;
pub(crate) mod refusal;
pub(crate) mod safety;
pub(crate) mod seal;
#[cfg(test)]
mod vectors;

pub use encoding::{Bytes, Digest, KeyId, NotBase64Url};
pub use entry::{Attestation, Entry, Previous};
pub use header::{Header, Kind, Party};
pub use keys::{PublicKeys, SecretKeys};
pub use receipt::{Decided, Receipt};
pub use refusal::Refusal;
pub use safety::safety_number;
