//! The web origins (RFC 6454: scheme, host and port) whose pages may open sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The local address of a connection.
#[derive(Clone, Copy, Debug)]
pub struct LocalAddress(pub SocketAddr);

/// The origins whose pages may open sockets.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins {
    origins: Vec<String>,
    /// Whether the hub listens on every address of the machine, without a public URL.
    anywhere: bool,
}

impl AllowedOrigins {
    /// The origin of the public URL or, without one, of the address that the hub listens on; and the configured ones.
    pub fn new(public_url: Option<&str>, configured: &[String], listens: SocketAddr) -> Self {
        let mut origins: Vec<String> = configured.iter().map(|url| origin_of(url)).collect();
        let mut anywhere = false;
        match public_url {
            Some(url) => origins.push(origin_of(url)),
            None => {
                anywhere = listens.ip().is_unspecified();
                if anywhere || listens.ip().is_loopback() {
                    let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
                    origins.extend(loopback.map(|ip| http(SocketAddr::new(ip, listens.port()))));
                    origins.push(origin_of(&format!("http://localhost:{}", listens.port())));
                }
                origins.push(http(listens));
            }
        }
        Self { origins, anywhere }
    }

    /// Whether a page of this `Origin` may open sockets over a connection to `reached`.
    pub fn contains(&self, origin: &str, reached: Option<SocketAddr>) -> bool {
        let origin = origin_of(origin);
        self.origins.contains(&origin) || (self.anywhere && reached.is_some_and(|reached| http(reached) == origin))
    }
}

/// The origin of a page at this address.
fn http(address: SocketAddr) -> String {
    origin_of(&format!("http://{}", SocketAddr::new(address.ip().to_canonical(), address.port())))
}

/// The origin of a URL as browsers send it: in lower case, without the scheme's default port.
pub fn origin_of(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority = rest.split('/').next().unwrap_or_default().to_ascii_lowercase();
    let scheme = scheme.to_ascii_lowercase();
    let port = match scheme.as_str() {
        "https" => ":443",
        _ => ":80",
    };
    format!("{scheme}://{}", authority.strip_suffix(port).unwrap_or(&authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn only_the_public_url_and_configured_origins_are_allowed() {
        let allowed = AllowedOrigins::new(
            Some("https://hub.example:443/base"),
            &["https://App.example".to_owned()],
            address("127.0.0.1:8080"),
        );
        for good in ["https://hub.example", "https://HUB.example", "https://app.example", "https://hub.example:443"] {
            assert!(allowed.contains(good, Some(address("127.0.0.1:8080"))), "{good}");
        }
        for bad in [
            "http://hub.example",
            "https://hub.example:8443",
            "http://127.0.0.1:8080",
            "null",
            "",
            "https://hub.example.evil.com",
        ] {
            assert!(!allowed.contains(bad, Some(address("127.0.0.1:8080"))), "{bad}");
        }
    }

    #[test]
    fn without_a_public_url_the_listen_address_is_allowed() {
        let allowed = AllowedOrigins::new(None, &[], address("127.0.0.1:8080"));
        for good in ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080"] {
            assert!(allowed.contains(good, None), "{good}");
        }
        for bad in ["http://127.0.0.1:8081", "https://127.0.0.1:8080", "http://evil.example:8080"] {
            assert!(!allowed.contains(bad, Some(address("127.0.0.1:8080"))), "{bad}");
        }
        let allowed = AllowedOrigins::new(None, &[], address("192.0.2.1:80"));
        assert!(allowed.contains("http://192.0.2.1", None) && !allowed.contains("http://localhost", None));
    }

    #[test]
    fn on_the_unspecified_address_the_local_address_of_the_connection_is_allowed() {
        let allowed = AllowedOrigins::new(None, &[], address("0.0.0.0:8080"));
        assert!(allowed.contains("http://192.0.2.7:8080", Some(address("192.0.2.7:8080"))));
        assert!(allowed.contains("http://192.0.2.7:8080", Some(address("[::ffff:192.0.2.7]:8080"))));
        assert!(allowed.contains("http://localhost:8080", Some(address("192.0.2.7:8080"))));
        assert!(!allowed.contains("http://192.0.2.8:8080", Some(address("192.0.2.7:8080"))));
        assert!(!allowed.contains("http://evil.example:8080", Some(address("192.0.2.7:8080"))));
    }
}
