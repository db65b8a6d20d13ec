//! The client: its connection pool, and checks before the first call.

use crate::call::Call;
use crate::e2e::encoding::Bytes;
use crate::e2e::identity::Identity;
use crate::e2e::keys::SecretKeys;
use crate::error::Error;
use crate::http::Http;
use crate::types::{Myself, Page};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// The most entries that a page of a list may have.
pub(crate) const PAGE_SIZE: u32 = 100;
/// A list with more pages is none that a client can work on.
const MOST_PAGES: u32 = 1000;

/// An agent's client of a hub. Clones share its connections.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) http: Http,
    space: Option<String>,
    space_checked: OnceCell<()>,
    me: OnceCell<Myself>,
    pub(crate) security: Security,
    /// The agent's keys, once they are needed.
    pub(crate) identity: OnceCell<Arc<Identity>>,
    /// How many take part in each session, when it was last read.
    pub(crate) crowds: Mutex<HashMap<Uuid, usize>>,
}

/// The settings of end-to-end encryption.
pub(crate) struct Security {
    pub(crate) is_required: bool,
    /// In place of a file.
    pub(crate) secret_key: Option<SecretKeys>,
    pub(crate) space_key: Option<Bytes<32>>,
    /// The folder of keys, `…/hiloop`.
    pub(crate) folder: Option<PathBuf>,
}

impl Client {
    pub(crate) fn new(http: Http, space: Option<String>, security: Security) -> Self {
        let inner = Inner {
            http,
            space,
            space_checked: OnceCell::new(),
            me: OnceCell::new(),
            security,
            identity: OnceCell::new(),
            crowds: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The hub's URL.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.inner.http.url()
    }

    /// Returns once the hub replies at all. It needs no valid key.
    ///
    /// # Errors
    /// `UNREACHABLE` after the client's timeout.
    pub async fn reach(&self) -> Result<(), Error> {
        self.inner.http.send(&Call::get("/livez")).await
    }

    /// The agent that the client acts as, and its key. Looked up once.
    ///
    /// # Errors
    /// As every call: of the hub, or `UNREACHABLE`.
    pub async fn me(&self) -> Result<&Myself, Error> {
        self.check_space().await?;
        self.inner.me.get_or_try_init(|| async { self.inner.http.call(&Call::get("/v1/agent/me")).await }).await
    }

    pub(crate) async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        self.check_space().await?;
        self.inner.http.call(&call).await
    }

    /// For a reply without a body.
    pub(crate) async fn send_call(&self, call: Call) -> Result<(), Error> {
        self.check_space().await?;
        self.inner.http.send(&call).await
    }

    /// Every entry of a list.
    pub(crate) async fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Error> {
        let mut entries = Vec::new();
        for page in 1.. {
            let found: Page<T> = self.call(Call::get(page_of(path, page, PAGE_SIZE))).await?;
            let is_last = is_last(page, found.data.len())?;
            entries.extend(found.data);
            if is_last {
                break;
            }
        }
        Ok(entries)
    }

    /// Checks once that the key belongs to the space that the settings name.
    pub(crate) async fn check_space(&self) -> Result<(), Error> {
        let Some(name) = &self.inner.space else { return Ok(()) };
        self.inner.space_checked.get_or_try_init(|| self.find_space(name)).await.copied()
    }

    async fn find_space(&self, name: &str) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Space {
            id: Uuid,
            name: String,
        }
        let http = &self.inner.http;
        let me: Myself = http.call(&Call::get("/v1/agent/me")).await?;
        for page in 1.. {
            let spaces: Page<Space> = http.call(&Call::get(page_of("/v1/manage/spaces", page, PAGE_SIZE))).await?;
            match spaces.data.iter().find(|space| space.id == me.space_id) {
                Some(own) if own.name == name => return Ok(()),
                Some(own) => return Err(Error::invalid("space_name", format!("the key belongs to '{}'", own.name))),
                None if is_last(page, spaces.data.len())? => break,
                None => {}
            }
        }
        Err(Error::invalid("space_name", "the key belongs to another space"))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base_url", &self.base_url()).finish_non_exhaustive()
    }
}

/// Whether a page with so many entries is the last one of a list. A list without an end is an error.
pub(crate) fn is_last(page: u32, entries: usize) -> Result<bool, Error> {
    if entries > PAGE_SIZE as usize {
        return Err(Error::unexpected("the list", format!("a page has more than {PAGE_SIZE} entries")));
    }
    if page >= MOST_PAGES && entries == PAGE_SIZE as usize {
        return Err(Error::unexpected("the list", format!("it has more than {MOST_PAGES} pages")));
    }
    Ok(entries < PAGE_SIZE as usize)
}

/// The path of a page of a list.
pub(crate) fn page_of(path: &str, page: u32, size: u32) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}page={page}&pageSize={size}")
}
