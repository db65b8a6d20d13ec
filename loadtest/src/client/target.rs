//! The address of the hub, and connections to it from several source addresses, with TLS or without.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result};
use hyper::Uri;
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::either::Either;

use super::{
    credential::Credential,
    tls::{Stream, Tls},
};
use crate::{cli::Options, stop::Stop};

/// A hub and the credential to use there.
#[derive(Debug)]
pub(crate) struct Target {
    address: SocketAddr,
    authority: String,
    prefix: String,
    tls: Option<Tls>,
    credential: Credential,
    sources: u32,
    next_source: AtomicU32,
    timeout: Duration,
}

impl Target {
    /// The address for requests.
    pub(crate) fn new(options: &Options) -> Result<Self, Stop> {
        Self::at("--url", &options.url, options)
    }

    /// The other nodes.
    pub(crate) fn others(options: &Options) -> Result<Vec<Self>, Stop> {
        options.other_url.iter().map(|url| Self::at("--other-url", url, options)).collect()
    }

    fn at(flag: &str, url: &str, options: &Options) -> Result<Self, Stop> {
        let usage = |text: String| Stop::Usage(text);
        let uri: Uri = url.parse().map_err(|error| usage(format!("{flag} {url}: {error}")))?;
        let secure = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(usage(format!("{flag} {url}: only http://, https://, ws:// and wss:// can be tested"))),
        };
        let authority = uri.authority().ok_or_else(|| usage(format!("{flag} {url}: no host")))?.to_string();
        let address =
            resolve(&uri, if secure { 443 } else { 80 }).map_err(|error| usage(format!("{flag}: {error:#}")))?;
        if !address.ip().is_loopback() && !options.allow_remote {
            return Err(usage(format!("{} is no loopback address; --allow-remote accepts it", address.ip())));
        }
        let local_v4 = address.is_ipv4() && address.ip().is_loopback();
        if options.sources > 1 && !local_v4 {
            return Err(usage("--sources needs a target in 127.0.0.0/8".to_owned()));
        }
        let key = options.key.as_deref().ok_or_else(|| usage("--key or HILOOP_KEY is needed".to_owned()))?;
        let credential = Credential::key(key).map_err(|error| usage(format!("--key: {error:#}")))?;
        let tls = secure.then(|| Tls::new(host(&uri)?, options.ca.as_deref())).transpose();
        Ok(Self {
            address,
            authority,
            tls: tls.map_err(|error| usage(format!("{flag} {url}: {error:#}")))?,
            prefix: uri.path().trim_end_matches('/').to_owned(),
            credential,
            sources: u32::from(options.sources),
            next_source: AtomicU32::new(0),
            timeout: options.timeout,
        })
    }

    /// A new connection, from the next source address.
    pub(crate) async fn connect(&self) -> Result<Stream> {
        self.connect_with(None).await
    }

    /// The same with a receive buffer of so many bytes in the kernel, rather than one that it sizes itself.
    pub(crate) async fn connect_with(&self, receive_buffer: Option<u32>) -> Result<Stream> {
        let connecting = async {
            let stream = self.connect_plain(receive_buffer).await?;
            stream.set_nodelay(true).context("setting TCP_NODELAY")?;
            Ok(match &self.tls {
                None => Either::Left(stream),
                Some(tls) => Either::Right(Box::new(tls.connect(stream).await?)),
            })
        };
        tokio::time::timeout(self.timeout, connecting).await.context("connecting took too long")?
    }

    async fn connect_plain(&self, receive_buffer: Option<u32>) -> Result<TcpStream> {
        let socket = match self.address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }
        .context("opening a socket")?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes).context("setting the receive buffer")?;
        }
        if self.sources > 1 {
            let turn = self.next_source.fetch_add(1, Ordering::Relaxed) % self.sources;
            let source = Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST) + turn);
            socket.bind(SocketAddr::new(IpAddr::V4(source), 0)).with_context(|| format!("binding to {source}"))?;
        }
        socket.connect(self.address).await.with_context(|| format!("connecting to {}", self.address))
    }

    /// Host and port of the URL.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The path of an endpoint below the base URL.
    pub(crate) fn path(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.prefix)
    }

    /// The API key of `--key`.
    pub(crate) fn credential(&self) -> &Credential {
        &self.credential
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// The host, an IPv6 address without its brackets.
fn host(uri: &Uri) -> Result<&str> {
    let host = uri.host().context("no host")?;
    Ok(host.trim_start_matches('[').trim_end_matches(']'))
}

fn resolve(uri: &Uri, default_port: u16) -> Result<SocketAddr> {
    let host = host(uri)?;
    let port = uri.port_u16().unwrap_or(default_port);
    let addresses: Vec<SocketAddr> =
        (host, port).to_socket_addrs().with_context(|| format!("resolving {host}"))?.collect();
    let v4 = addresses.iter().find(|address| address.is_ipv4());
    v4.or(addresses.first()).copied().with_context(|| format!("{host} has no address"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    fn target(arguments: &[&str]) -> Result<Target, Stop> {
        let line = ["loadtest", "--key", "hlp_0"].iter().chain(arguments).chain(&["ingest"]);
        Target::new(&Cli::try_parse_from(line).expect("valid").options)
    }

    #[test]
    fn only_loopback_unless_allowed() {
        assert!(target(&["--url", "http://127.0.0.9:1"]).is_ok());
        assert!(target(&["--url", "http://[::1]:1"]).is_ok());
        assert!(matches!(target(&["--url", "http://192.0.2.1:1"]), Err(Stop::Usage(_))));
        assert!(target(&["--url", "http://192.0.2.1:1", "--allow-remote"]).is_ok());
    }

    #[test]
    fn targets_that_cannot_be_tested_are_refused() {
        for arguments in [
            &["--url", "ftp://127.0.0.1:1"][..],
            &["--url", "127.0.0.1:1"],
            &["--url", "https://127.0.0.1:1", "--ca", "/nowhere/ca.pem"],
            &["--url", "https://127.0.0.1:1", "--ca", "/dev/null"],
            &["--url", "http://[::1]:1", "--sources", "2"],
            &["--url", "http://192.0.2.1:1", "--allow-remote", "--sources", "2"],
        ] {
            assert!(matches!(target(arguments), Err(Stop::Usage(_))), "{arguments:?}");
        }
    }

    #[test]
    fn the_default_port_is_that_of_the_scheme() {
        for (url, port) in [("http://127.0.0.1", 80), ("ws://127.0.0.1", 80), ("http://[::1]:7", 7)] {
            assert_eq!(target(&["--url", url]).expect("valid").address.port(), port, "{url}");
        }
        let uri = "wss://127.0.0.1".parse().expect("a URI");
        assert_eq!(resolve(&uri, 443).expect("an address").port(), 443);
    }

    #[test]
    fn a_base_path_is_kept() {
        let target = target(&["--url", "http://127.0.0.1:1/hub/"]).expect("valid");
        assert_eq!(target.path("/v1/ws"), "/hub/v1/ws");
    }
}
