//! Where a request comes from, as far as limits care.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// An IPv4 address, or the /64 network of an IPv6 one: a household or a server has a whole one to itself, so that
/// single addresses of it would be no limit at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin(IpAddr);

impl Origin {
    pub fn new(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.into()),
            IpAddr::V6(v6) => Self(Ipv6Addr::from(u128::from(v6) & (u128::MAX << 64)).into()),
        }
    }

    /// The /48 network of an IPv6 address, which one site has and which holds 65,536 origins.
    #[must_use]
    pub fn site(self) -> Option<Self> {
        match self.0 {
            IpAddr::V4(_) => None,
            IpAddr::V6(v6) => Some(Self(Ipv6Addr::from(u128::from(v6) & (u128::MAX << 80)).into())),
        }
    }

    /// The origin of a request that `peer` sent, with what its `X-Forwarded-For` says from left to right: the right-most
    /// address that is no trusted proxy, since everything left of it is anybody's claim.
    pub fn of<'a>(
        peer: IpAddr,
        forwarded: impl DoubleEndedIterator<Item = &'a str>,
        is_trusted: impl Fn(IpAddr) -> bool,
    ) -> Self {
        let mut nearest = peer.to_canonical();
        for hop in forwarded.rev() {
            if !is_trusted(nearest) {
                break;
            }
            let Some(address) = address_of(hop) else { break };
            nearest = address.to_canonical();
        }
        Self::new(nearest)
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A hop as proxies write it: an address, perhaps in brackets, perhaps with a port.
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
        Origin::of(peer.parse().expect("an address"), hops.into_iter(), |ip| trusted.contains(&ip)).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let told = "1.1.1.1, 2.2.2.2, 10.0.0.2";
        assert_eq!(of("9.9.9.9", told, &["10.0.0.1"]), "9.9.9.9");
        assert_eq!(of("10.0.0.1", told, &["10.0.0.1"]), "10.0.0.2");
        assert_eq!(of("10.0.0.1", told, &["10.0.0.1", "10.0.0.2"]), "2.2.2.2");
        assert_eq!(of("::ffff:10.0.0.1", told, &["10.0.0.1", "10.0.0.2"]), "2.2.2.2");
        assert_eq!(of("10.0.0.1", "", &["10.0.0.1"]), "10.0.0.1");
        // What can't be read is not passed over: what stands left of it is nobody's word.
        assert_eq!(of("10.0.0.1", "1.1.1.1, unknown", &["10.0.0.1"]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", "1.1.1.1:4711", &["10.0.0.1"]), "1.1.1.1");
        assert_eq!(of("10.0.0.1", "[2001:db8::1]:4711", &["10.0.0.1"]), "2001:db8::");
    }

    #[test]
    fn a_network_of_ipv6_is_one_origin() {
        assert_eq!(of("2001:db8:0:1:aaaa::1", "", &[]), of("2001:db8:0:1::2", "", &[]));
        assert_ne!(of("2001:db8:0:1::1", "", &[]), of("2001:db8:0:2::1", "", &[]));
        let site = |text: &str| Origin::new(text.parse().expect("an address")).site();
        assert_eq!(site("2001:db8:0:1::1"), site("2001:db8:0:ffff::1"));
        assert_ne!(site("2001:db8:0:1::1"), site("2001:db8:1:1::1"));
        assert_eq!(site("203.0.113.7"), None);
    }
}
