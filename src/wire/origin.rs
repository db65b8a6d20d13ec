//! Where a request comes from, read off its connection and its headers.

use crate::domain::Origin;
use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The origin of a request; `X-Forwarded-For` counts as far as proxies of these networks have written it.
pub fn origin(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpNet]) -> Origin {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map_or(Ipv4Addr::UNSPECIFIED.into(), |info| info.0.ip());
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    // Without proxies, which is what most requests come without, there is nothing to read.
    if trusted.is_empty() {
        return Origin::new(peer);
    }
    let values = headers.get_all("x-forwarded-for").iter().map(|value| value.to_str().unwrap_or_default());
    let hops: Vec<&str> = values.flat_map(|value| value.split(',')).collect();
    Origin::of(peer, hops.into_iter(), is_trusted)
}
