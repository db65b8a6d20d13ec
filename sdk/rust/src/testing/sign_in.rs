//! Signing in as a person.

use crate::call::Call;
use crate::error::Error;
use crate::http::Http;
use crate::net::{Net, checked_url};
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn http(url: &str, headers: HeaderMap) -> Result<Http, Error> {
    let url = checked_url(url)?;
    let exchange = Arc::new(Net::new(url.clone(), headers, TIMEOUT)?);
    Ok(Http { exchange, url, timeout: TIMEOUT, on_retry: None })
}

pub(super) async fn token(url: &str, email: &str, password: &str) -> Result<String, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct SignIn {
        access_token: String,
    }
    let body =
        Map::from_iter([("email", email), ("password", password)].map(|(name, text)| (name.to_owned(), json!(text))));
    let call = Call::post("/v1/auth/login", Value::Object(body), None);
    Ok(http(url, HeaderMap::new())?.call::<SignIn>(&call).await?.access_token)
}
