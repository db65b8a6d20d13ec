//! The client of a request: the address of its connection, or the one that its trusted proxies name.

use crate::domain::ClientNetwork;
use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The network of a request's client. `X-Forwarded-For` counts as far as proxies of the `trusted` networks have written it.
pub fn client_network(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpNet]) -> ClientNetwork {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map_or(Ipv4Addr::UNSPECIFIED.into(), |info| info.0.ip());
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    // Without trusted proxies the header is not read at all.
    if trusted.is_empty() {
        return ClientNetwork::new(peer);
    }
    let values = headers.get_all("x-forwarded-for").iter().map(|value| value.to_str().unwrap_or_default());
    let hops: Vec<&str> = values.flat_map(|value| value.split(',')).collect();
    ClientNetwork::new(client(peer, hops.into_iter(), is_trusted))
}

/// The client behind `peer`: the right-most address of `X-Forwarded-For`, whose hops are given from left to right, that is
/// no trusted proxy. Everything left of it may be forged.
fn client<'a>(
    peer: IpAddr,
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> IpAddr {
    let mut nearest = peer.to_canonical();
    for hop in forwarded.rev() {
        if !is_trusted(nearest) {
            break;
        }
        let Some(address) = address_of(hop) else { break };
        nearest = address.to_canonical();
    }
    nearest
}

/// Parses a hop: an address, optionally in brackets and with a port.
fn address_of(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, forwarded: &str, trusted: &[&str]) -> String {
        let trusted: Vec<IpAddr> = trusted.iter().map(|ip| ip.parse().expect("an address")).collect();
        let hops: Vec<&str> = forwarded.split(',').filter(|hop| !hop.is_empty()).collect();
        let client = client(peer.parse().expect("an address"), hops.into_iter(), |ip| trusted.contains(&ip));
        ClientNetwork::new(client).to_string()
    }

    #[test]
    fn only_hops_of_trusted_proxies_count() {
        let forwarded = "1.1.1.1, 2.2.2.2, 10.0.0.2";
        assert_eq!(of("9.9.9.9", forwarded, &["10.0.0.1"]), "9.9.9.9");
        assert_eq!(of("10.0.0.1", forwarded, &["10.0.0.1"]), "10.0.0.2");
        assert_eq!(of("10.0.0.1", forwarded, &["10.0.0.1", "10.0.0.2"]), "2.2.2.2");
        assert_eq!(of("::ffff:10.0.0.1", forwarded, &["10.0.0.1", "10.0.0.2"]), "2.2.2.2");
        assert_eq!(of("10.0.0.1", "", &["10.0.0.1"]), "10.0.0.1");
        // An unparsable hop ends the search: addresses left of it may be forged.
        assert_eq!(of("10.0.0.1", "1.1.1.1, unknown", &["10.0.0.1"]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", "1.1.1.1:4711", &["10.0.0.1"]), "1.1.1.1");
        assert_eq!(of("10.0.0.1", "[2001:db8::1]:4711", &["10.0.0.1"]), "2001:db8::");
    }
}
