//! The proxy for a URL, as Go's clients find it in the environment (golang.org/x/net/http/httpproxy).
//!
//! A kubeconfig's `proxy-url` goes before all of this ([`Route`](crate::Route)). The rules aren't curl's, which
//! hyper-util follows: with curl, `.example.com` also means the domain itself, and loopback addresses go through
//! the proxy. Invariant: `NO_PROXY` is compared with the URL that is asked for, and an empty part of it is
//! skipped.

use std::env;
use std::net::IpAddr;

use http::Uri;
use http::uri::Authority;
use kube::Config;

use crate::error::{Field, Owner, RouteError};
use crate::url;

/// The proxies that the environment names. No `Debug`: a proxy's URL may hold a password.
pub struct Proxies {
    http: Option<Variable>,
    https: Option<Variable>,
    exceptions: Vec<Exception>,
}

struct Variable {
    name: &'static str,
    value: String,
}

/// A part of `NO_PROXY`.
enum Exception {
    Everything,
    Network {
        address: IpAddr,
        prefix: u8,
    },
    Address {
        address: IpAddr,
        port: Option<String>,
    },
    /// `name` begins with a dot. `itself` says whether the domain itself is covered too, or only the names below
    /// it.
    Domain {
        name: String,
        itself: bool,
        port: Option<String>,
    },
}

impl Proxies {
    /// The proxies in the environment of this process. Lower case goes before upper case.
    #[must_use]
    pub fn from_env() -> Self {
        Self::new(|name| env::var(name).ok())
    }

    pub(crate) fn new(variable: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: [&'static str; 2]| {
            names.into_iter().find_map(|name| {
                let value = variable(name).filter(|value| !value.is_empty())?;
                Some(Variable { name, value })
            })
        };
        let exceptions = first(["no_proxy", "NO_PROXY"]).map(|list| list.value).unwrap_or_default();
        Self {
            http: first(["http_proxy", "HTTP_PROXY"]),
            https: first(["https_proxy", "HTTPS_PROXY"]),
            exceptions: exceptions.split(',').filter_map(Exception::parse).collect(),
        }
    }

    /// The kube configuration for a server, without credentials and through the proxy that leads to it.
    ///
    /// # Errors
    ///
    /// The variable holds no proxy. Go asks the server directly then; we don't, because somebody meant a proxy to
    /// be used.
    pub fn config(&self, server: Uri) -> Result<Config, RouteError> {
        let proxy = self.proxy_for(&server)?;
        Ok(through(server, proxy))
    }

    /// The proxy that leads to a URL. None if the server is asked directly, as every address of this machine is.
    pub(crate) fn proxy_for(&self, url: &Uri) -> Result<Option<Uri>, RouteError> {
        let (variable, port) = match url.scheme_str() {
            Some("http") => (&self.http, 80),
            _ => (&self.https, 443),
        };
        let Some(variable) = variable else { return Ok(None) };
        let host = url::host(url);
        let port = url.port_u16().unwrap_or(port).to_string();
        if url::is_loopback(host) || self.exceptions.iter().any(|exception| exception.covers(host, &port)) {
            return Ok(None);
        }
        let text = &variable.value;
        let proxy =
            if text.contains("://") { url::proxy(text) } else { url::proxy(&format!("http://{text}")) };
        let field = Field { name: variable.name, owner: Owner::Environment };
        proxy.map(Some).map_err(|error| field.error(error))
    }
}

/// The kube configuration for a server behind a proxy. kube asks every proxy for a tunnel, even to a server of
/// plain HTTP.
pub(crate) fn through(server: Uri, proxy: Option<Uri>) -> Config {
    let mut config = Config::new(if proxy.is_some() { url::with_port(server) } else { server });
    config.proxy_url = proxy;
    config
}

/// ` through the proxy proxy.example:3128`, for the end of a message about a server; empty without a proxy.
#[must_use]
pub fn through_proxy(config: &Config) -> String {
    let authority = config.proxy_url.as_ref().and_then(Uri::authority).map(Authority::as_str);
    let place = authority.and_then(|authority| authority.rsplit('@').next());
    place.map_or_else(String::new, |place| format!(" through the proxy {place}"))
}

impl Exception {
    fn parse(part: &str) -> Option<Self> {
        let part = part.trim().to_lowercase();
        if part == "*" {
            return Some(Self::Everything);
        }
        if let Some((address, prefix)) = part.split_once('/')
            && let (Ok(address), Ok(prefix)) = (address.parse::<IpAddr>(), prefix.parse())
            && prefix <= if address.is_ipv4() { 32 } else { 128 }
        {
            return Some(Self::Network { address, prefix });
        }
        // An IPv6 address has colons of its own, unless it stands in brackets.
        let (host, port) = match part.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port.to_owned())),
            _ => (part.as_str(), None),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(Self::Address { address: address.to_canonical(), port });
        }
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        match host.strip_prefix('.') {
            _ if host.is_empty() => None,
            Some(_) => Some(Self::Domain { name: host.to_owned(), itself: false, port }),
            None => Some(Self::Domain { name: format!(".{host}"), itself: true, port }),
        }
    }

    fn covers(&self, host: &str, port: &str) -> bool {
        let host = host.to_lowercase();
        let address: Option<IpAddr> = host.parse().ok().map(|address: IpAddr| address.to_canonical());
        let at = |wanted: &Option<String>| wanted.as_deref().is_none_or(|wanted| wanted == port);
        match self {
            Self::Everything => true,
            Self::Network { address: network, prefix } => {
                address.is_some_and(|address| in_network(address, *network, *prefix))
            }
            Self::Address { address: wanted, port } => address == Some(*wanted) && at(port),
            Self::Domain { name, itself, port } => {
                address.is_none() && (host.ends_with(name) || *itself && host == name[1..]) && at(port)
            }
        }
    }
}

fn in_network(address: IpAddr, network: IpAddr, prefix: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            address.to_bits() & mask == network.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::new(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn found(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let url = url.parse().unwrap();
        proxies(variables).proxy_for(&url).unwrap().map(|proxy| proxy.to_string())
    }

    #[test]
    fn no_proxy_is_about_the_server_and_not_about_the_proxy() {
        let is_direct = |exceptions, url| {
            found(&[("HTTPS_PROXY", "http://127.0.0.1:3128"), ("NO_PROXY", exceptions)], url).is_none()
        };
        let server = "https://api.corp.example:6443";
        for covering in [
            "api.corp.example",
            ".corp.example",
            "corp.example",
            "*.corp.example",
            "API.Corp.Example",
            "other, api.corp.example:6443",
            "*",
            ",,.corp.example,",
        ] {
            assert!(is_direct(covering, server), "{covering}");
        }
        for other in [
            "127.0.0.1",
            "10.0.0.0/8,127.0.0.0/8",
            "other.example,",
            ",",
            " , ",
            "orp.example",
            ".api.corp.example",
            "api.corp.example:443",
            "*corp.example",
            ":6443",
            "[]",
            "/",
            "*.",
        ] {
            assert!(!is_direct(other, server), "{other}");
        }
    }

    #[test]
    fn addresses_are_covered_by_themselves_and_by_their_networks() {
        let is_direct = |exceptions, url| {
            found(&[("HTTPS_PROXY", "proxy.example:3128"), ("NO_PROXY", exceptions)], url).is_none()
        };
        for covering in
            ["10.1.2.3", "10.0.0.0/8", "10.1.2.3/32", "0.0.0.0/0", "10.1.2.3:6443", "::ffff:10.1.2.3"]
        {
            assert!(is_direct(covering, "https://10.1.2.3:6443"), "{covering}");
        }
        for other in ["10.1.2.4", "11.0.0.0/8", "10.1.2.3/33", "10.1.2.3:443", "2.3", "::/0", ".2.3"] {
            assert!(!is_direct(other, "https://10.1.2.3:6443"), "{other}");
        }
        for covering in ["fd00::1", "[fd00::1]", "[fd00::1]:6443", "fd00::/8", "::/0"] {
            assert!(is_direct(covering, "https://[fd00::1]:6443"), "{covering}");
        }
        assert!(!is_direct("[fd00::1]:443", "https://[fd00::1]:6443"));
    }

    #[test]
    fn this_machine_is_always_asked_directly() {
        for url in ["https://localhost:6443", "https://127.0.0.1", "https://[::1]:1"] {
            assert_eq!(found(&[("HTTPS_PROXY", "http://proxy.example:3128")], url), None, "{url}");
        }
    }

    #[test]
    fn a_proxy_goes_by_the_scheme_and_may_be_written_without_one() {
        let environment = [
            ("HTTPS_PROXY", "upper.example:3128"),
            ("https_proxy", "socks5h://lower.example"),
            ("HTTP_PROXY", "plain.example"),
            ("http_proxy", ""),
        ];
        assert_eq!(found(&environment, "https://x"), Some("socks5://lower.example:1080/".to_owned()));
        assert_eq!(found(&environment, "http://x"), Some("http://plain.example/".to_owned()));
        assert_eq!(found(&environment[..1], "https://x"), Some("http://upper.example:3128/".to_owned()));
        assert_eq!(found(&environment[..1], "http://x"), None);
    }

    #[test]
    fn a_proxy_is_told_without_who_asks_it() {
        let told = |proxy| through_proxy(&through("https://x".parse().unwrap(), proxy));
        assert_eq!(told(None), "");
        assert_eq!(told("http://me:hunter2@[::1]:3128".parse().ok()), " through the proxy [::1]:3128");
    }

    #[test]
    fn a_variable_that_names_no_proxy_is_named_and_not_quoted() {
        let url = "https://x".parse().unwrap();
        let proxies = proxies(&[("HTTPS_PROXY", "ftp://me:hunter2@x")]);
        let error = proxies.proxy_for(&url).unwrap_err();
        assert_eq!(error.to_string(), "HTTPS_PROXY can't be used");
        let cause = std::error::Error::source(&error).unwrap();
        assert_eq!(cause.to_string(), "it isn't a proxy of http, https or socks5");
    }
}
