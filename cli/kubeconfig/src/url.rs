//! URLs of servers and proxies, as they stand in a kubeconfig or the environment.
//!
//! Invariant: every URL that is handed on has a scheme and a host, names no user, and doesn't make kube panic.

use std::net::IpAddr;

use http::Uri;
use http::uri::Authority;

use crate::error::ValueError;

/// Parses the URL of an API server.
///
/// # Errors
///
/// Anything but a URL of http or https. kubectl puts `http://` in front of one without a scheme. We don't: the
/// answers of this server decide whom a Secret is sealed to, so the connection may be unprotected only if
/// somebody wrote so.
pub(crate) fn server(text: &str) -> Result<Uri, ValueError> {
    if !text.contains("://") {
        return Err(ValueError::NoScheme);
    }
    let url: Uri = text.parse().map_err(|_| ValueError::NotUrl)?;
    if !matches!(url.scheme_str(), Some("http" | "https")) || !leads_somewhere(&url) {
        return Err(ValueError::NotUrl);
    }
    if user(&url).is_some() {
        return Err(ValueError::NamesUser);
    }
    Ok(url)
}

/// Parses the URL of a proxy, and adds the default port of its scheme.
///
/// # Errors
///
/// A scheme that isn't http, https or socks5.
pub(crate) fn proxy(text: &str) -> Result<Uri, ValueError> {
    let url: Uri = text.parse().map_err(|_| ValueError::NotUrl)?;
    if !leads_somewhere(&url) {
        return Err(ValueError::NotUrl);
    }
    match url.scheme_str() {
        Some("http" | "https") => Ok(url),
        // Go resolves names at the proxy for both schemes. kube does too, and knows only the first.
        Some("socks5" | "socks5h") if user(&url).is_some() => Err(ValueError::SocksUser),
        Some("socks5" | "socks5h") => {
            let port = url.port_u16().unwrap_or(1080);
            let authority = format!("{}:{port}", url.host().unwrap_or_default());
            build("socks5", &authority).ok_or(ValueError::NotUrl)
        }
        _ => Err(ValueError::ProxyScheme),
    }
}

/// The same URL with its port written out: behind a proxy, kube takes 443 for plain HTTP too.
pub(crate) fn with_port(url: Uri) -> Uri {
    if url.scheme_str() != Some("http") || url.port().is_some() {
        return url;
    }
    let mut parts = url.clone().into_parts();
    parts.authority = format!("{}:80", url.host().unwrap_or_default()).parse().ok();
    Uri::from_parts(parts).unwrap_or(url)
}

/// The host, without the brackets of an IPv6 address.
pub(crate) fn host(url: &Uri) -> &str {
    url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
}

/// Whether a host is this machine: `localhost`, or a loopback address.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Whether a URL has a host, and no port or a valid one: `http` reads `:x` and `:99999` as no port at all.
fn leads_somewhere(url: &Uri) -> bool {
    let authority = url.authority().map_or("", Authority::as_str);
    let place = authority.rsplit('@').next().unwrap_or_default();
    let after = place.strip_prefix(url.host().unwrap_or_default()).unwrap_or_default();
    !host(url).is_empty() && (after.is_empty() || url.port_u16().is_some())
}

fn user(url: &Uri) -> Option<&str> {
    url.authority().map(Authority::as_str)?.rsplit_once('@').map(|(user, _)| user)
}

fn build(scheme: &str, authority: &str) -> Option<Uri> {
    Uri::builder().scheme(scheme).authority(authority).path_and_query("/").build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_url_of_http_with_a_host_and_no_user() {
        for good in ["https://api.example:6443", "http://[::1]:8001/k8s/clusters/c", "https://10.0.0.1/"] {
            assert!(server(good).is_ok(), "{good}");
        }
        for bare in ["127.0.0.1:1", "api.example", "", "localhost:8080/x", "https:api"] {
            assert!(matches!(server(bare), Err(ValueError::NoScheme)), "{bare}");
        }
        for bad in [
            "ftp://x",
            "https://",
            "https:///x",
            "https://a b",
            "https://x\n",
            "://x",
            "https://:6443",
            "https://x:y",
            "https://x:65536",
        ] {
            assert!(matches!(server(bad), Err(ValueError::NotUrl)), "{bad}");
        }
        assert!(matches!(server("https://me:hunter2@x"), Err(ValueError::NamesUser)));
    }

    #[test]
    fn a_proxy_has_a_scheme_that_is_spoken_and_the_port_of_it() {
        let proxied = |text| proxy(text).map(|url| url.to_string());
        assert_eq!(proxied("http://me:pw@proxy.example:3128").unwrap(), "http://me:pw@proxy.example:3128/");
        assert_eq!(proxied("socks5://127.0.0.1").unwrap(), "socks5://127.0.0.1:1080/");
        assert_eq!(proxied("socks5h://[::1]:9").unwrap(), "socks5://[::1]:9/");
        assert!(matches!(proxy("socks5://me:pw@x"), Err(ValueError::SocksUser)));
        for bad in ["ftp://x", "socks4://x:1", "proxy:3128"] {
            assert!(matches!(proxy(bad), Err(ValueError::ProxyScheme)), "{bad}");
        }
        for bad in ["", "http://", "http://a b", "/x", "http://x:y", "socks5://x:65536"] {
            assert!(matches!(proxy(bad), Err(ValueError::NotUrl)), "{bad}");
        }
    }

    #[test]
    fn only_plain_http_gets_its_port() {
        for (url, expected) in [
            ("http://x/y?z", "http://x:80/y?z"),
            ("http://[::1]", "http://[::1]:80/"),
            ("http://x:8080/", "http://x:8080/"),
            ("https://x/", "https://x/"),
        ] {
            assert_eq!(with_port(url.parse().unwrap()).to_string(), expected);
        }
    }

    #[test]
    fn this_machine_is_told_from_others() {
        for here in ["localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(is_loopback(here), "{here}");
        }
        for there in ["localhost.example", "128.0.0.1", "::2", "", "LOCALHOST."] {
            assert!(!is_loopback(there), "{there}");
        }
    }
}
