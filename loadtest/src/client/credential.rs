//! Who a request or socket acts as.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, Result};
use hyper::header::{self, HeaderName, HeaderValue};

/// The header of an API key, a person's JWT or a guest's token. Clones share the value.
#[derive(Debug, Clone)]
pub(crate) struct Credential(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: HeaderName,
    value: RwLock<HeaderValue>,
    /// How often it was replaced.
    version: AtomicU64,
}

impl Credential {
    /// An API key. Fails for one that no header may hold.
    pub(crate) fn key(key: &str) -> Result<Self> {
        Ok(Self::with(HeaderName::from_static("x-api-key"), sensitive(key)?))
    }

    /// A JWT or a guest token. Fails for one that no header may hold.
    pub(crate) fn bearer(token: &str) -> Result<Self> {
        Ok(Self::with(header::AUTHORIZATION, sensitive(&format!("Bearer {token}"))?))
    }

    pub(crate) fn header(&self) -> (HeaderName, HeaderValue) {
        let value = self.0.value.read().unwrap_or_else(PoisonError::into_inner);
        (self.0.name.clone(), value.clone())
    }

    /// Replaces a JWT by a later one.
    pub(crate) fn replace(&self, token: &str) -> Result<()> {
        *self.0.value.write().unwrap_or_else(PoisonError::into_inner) = sensitive(&format!("Bearer {token}"))?;
        self.0.version.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// How often it was replaced, and the JWT or guest token without its scheme; none for a key.
    pub(crate) fn token(&self) -> (u64, Option<String>) {
        let version = self.version();
        let (_, value) = self.header();
        let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
        (version, token.map(str::to_owned))
    }

    pub(crate) fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    fn with(name: HeaderName, value: HeaderValue) -> Self {
        Self(Arc::new(Inner { name, value: RwLock::new(value), version: AtomicU64::new(0) }))
    }
}

fn sensitive(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).context("a credential that no header may hold")?;
    value.set_sensitive(true);
    Ok(value)
}
