//! `hiloop healthcheck`: checks the health of the hub on this machine. A container image has no other HTTP client.

use super::{CliError, print};
use crate::config::{ConfigError, ListenSettings};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;

/// Time for the whole exchange. `/readyz` itself gives its store up to 4 s.
const WITHIN: Duration = Duration::from_secs(5);
/// Longest reply that is printed, in bytes.
const MAX_REPLY: usize = 4096;

#[derive(Args)]
pub(super) struct Healthcheck {
    #[command(flatten)]
    listen: ListenSettings,
    /// Check liveness (/livez) instead of readiness (/readyz)
    #[arg(long)]
    live: bool,
}

impl Healthcheck {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let address = address(&self.listen)?;
        let path = if self.live { "/livez" } else { "/readyz" };
        let failed = |problem: String| CliError::Other(format!("http://{address}{path}: {problem}"));
        let reply = tokio::time::timeout(WITHIN, get(address, path)).await;
        let reply = reply.map_err(|_| failed(format!("no reply within {} s", WITHIN.as_secs())))?;
        let (status, body) = reply.map_err(|error| failed(error.to_string()))?;
        let body = String::from_utf8_lossy(&body);
        if status != StatusCode::OK {
            return Err(failed(format!("{status}: {body}")));
        }
        print::line(&body)
    }
}

/// The address to check: the metrics port if there is one, since it stays open while the hub drains.
fn address(settings: &ListenSettings) -> Result<SocketAddr, ConfigError> {
    let (listen, metrics) = settings.check()?;
    let mut address = metrics.unwrap_or(listen);
    if address.port() == 0 {
        let setting = if metrics.is_some() { "HILOOP_METRICS_LISTEN" } else { "HILOOP_LISTEN" };
        return Err(ConfigError { setting, problem: "must have a port other than 0".to_owned() });
    }
    // Every address of the machine: the loopback one is among them.
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(address)
}

async fn get(address: SocketAddr, path: &str) -> Result<(StatusCode, Bytes), Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path).header(header::HOST, address.to_string()).body(Empty::<Bytes>::new())?;
    let exchange = async move {
        let reply = sender.send_request(request).await?;
        let status = reply.status();
        let body = Limited::new(reply.into_body(), MAX_REPLY).collect().await?;
        Ok((status, body.to_bytes()))
    };
    // The connection ends once the exchange has dropped its sender.
    let (reply, _) = tokio::join!(exchange, connection);
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(listen: &str, metrics: Option<&str>) -> Result<String, String> {
        let settings = ListenSettings { listen: listen.to_owned(), metrics_listen: metrics.map(str::to_owned) };
        address(&settings).map(|address| address.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_address_is_the_loopback_one_of_the_listen_address() {
        assert_eq!(asked("127.0.0.1:8080", None).expect("valid"), "127.0.0.1:8080");
        assert_eq!(asked("0.0.0.0:8080", Some("")).expect("valid"), "127.0.0.1:8080");
        assert_eq!(asked("[::]:8080", None).expect("valid"), "[::1]:8080");
        assert_eq!(asked("10.0.0.7:8080", Some("0.0.0.0:9100")).expect("valid"), "127.0.0.1:9100");
        assert!(asked("127.0.0.1:0", None).expect_err("refused").starts_with("HILOOP_LISTEN: "));
        assert!(asked("127.0.0.1:80", Some("[::1]:0")).expect_err("refused").starts_with("HILOOP_METRICS_LISTEN: "));
    }
}
