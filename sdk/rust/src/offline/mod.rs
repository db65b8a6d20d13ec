//! A client without a hub, for development and tests: real keys and envelopes, and a person in memory who answers.

mod hub;
#[cfg(test)]
mod lies;
mod person;
mod store;

use crate::client::{Client, Security};
use crate::e2e::keys::SecretKeys;
use crate::http::Http;
use hub::OfflineHub;
pub use person::Answers;
use std::sync::Arc;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

impl Client {
    /// A client that needs no hub: everything is in memory, and a person there answers each question at once.
    #[must_use]
    pub fn offline(answers: Answers) -> Self {
        over(Arc::new(OfflineHub::new(answers)))
    }
}

fn over(hub: Arc<OfflineHub>) -> Client {
    let http = Http { exchange: hub, url: "http://offline.invalid".to_owned(), timeout: TIMEOUT, on_retry: None };
    let keys = Some(SecretKeys::generate());
    Client::new(http, None, Security { is_required: true, secret_key: keys, space_key: None, folder: None })
}
