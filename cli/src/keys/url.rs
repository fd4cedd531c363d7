//! One GET of a URL, bounded in size and time, for certificates.
//!
//! kube makes the connections, and brings TLS and the system's roots of trust; clusters are asked in
//! [`cluster`](super::cluster). Proxies come from the environment, as Go reads it.
//!
//! Invariant: an answer is held in memory only up to a limit, and every wait has a limit.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use kube::Client;
use kube::client::Body;
use seal_kubeconfig::{Proxies, RouteError, through_proxy};
use zeroize::Zeroizing;

use super::request::{BodyError, Runtime, is_timeout, last_words, read_body, root_cause};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The limit for everything: name look-up, redirects, the answer.
const DEADLINE: Duration = Duration::from_secs(30);
/// The most redirects that are followed, as in Go's client and so in kubeseal.
const MAX_REDIRECTS: usize = 10;

/// Reasons why a URL gives no usable answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GetError {
    #[error("isn't a URL of http or https")]
    NotHttp,
    #[error("{host} can't be reached{via}: {reason}")]
    Unreachable { host: String, via: String, reason: String },
    #[error("{host} doesn't answer")]
    Timeout { host: String },
    #[error("{host} answered with status {code}")]
    Status { host: String, code: u16 },
    #[error("{host} answered with more than {limit} bytes")]
    TooLarge { host: String, limit: usize },
    #[error("{host} redirects to a place that isn't followed")]
    Redirect { host: String },
    #[error(transparent)]
    Proxy(#[from] RouteError),
}

/// The body that a URL answers with status 200. Redirects are followed, but never from https to http.
///
/// # Errors
///
/// Any [`GetError`].
pub(crate) fn get(url: &str, limit: usize) -> Result<Vec<u8>, GetError> {
    get_within(url, limit, DEADLINE)
}

fn get_within(url: &str, limit: usize, deadline: Duration) -> Result<Vec<u8>, GetError> {
    let mut url = parse(url).ok_or(GetError::NotHttp)?;
    let runtime = Runtime::new();
    let host = |url: &Uri| url.host().unwrap_or_default().to_owned();
    let started = std::time::Instant::now();
    for _ in 0..=MAX_REDIRECTS {
        let left = deadline.saturating_sub(started.elapsed());
        let answer = runtime.block_on(async { tokio::time::timeout(left, get_once(&url, limit)).await });
        match answer.map_err(|_| GetError::Timeout { host: host(&url) })?? {
            Answer::Body(body) => return Ok(body),
            Answer::Elsewhere(location) => {
                let next = resolve(&url, &location).ok_or(GetError::Redirect { host: host(&url) })?;
                if url.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
                    return Err(GetError::Redirect { host: host(&url) });
                }
                url = next;
            }
        }
    }
    Err(GetError::Redirect { host: host(&url) })
}

enum Answer {
    Body(Vec<u8>),
    Elsewhere(String),
}

async fn get_once(url: &Uri, limit: usize) -> Result<Answer, GetError> {
    let host = url.host().unwrap_or_default().to_owned();
    let mut config = Proxies::from_env().config(base(url))?;
    let via = through_proxy(&config);
    let failed = |error: kube::Error| {
        let (host, root) = (host.clone(), root_cause(&error));
        if is_timeout(root) {
            return GetError::Timeout { host };
        }
        GetError::Unreachable { host, via: via.clone(), reason: last_words(root) }
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(DEADLINE);
    config.default_retry = false;
    let client = Client::try_from(config).map_err(failed)?;
    // `path_and_query().as_str()` would lack the `/` of `https://host?query`.
    let query = url.query().map_or_else(String::new, |query| format!("?{query}"));
    let mut request = Request::get(format!("{}{query}", url.path()))
        .header(header::ACCEPT, "application/x-pem-file, */*")
        .body(Body::empty())
        .expect("a path of a URL and a fixed header make a request");
    if let Some(login) = login(url) {
        request.headers_mut().insert(header::AUTHORIZATION, login);
    }
    let response = client.send(request).await.map_err(failed)?;
    let status = response.status();
    if status.is_redirection() {
        let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
        let location = location.ok_or_else(|| GetError::Redirect { host: host.clone() })?;
        return Ok(Answer::Elsewhere(location.to_owned()));
    }
    if status != StatusCode::OK {
        return Err(GetError::Status { host, code: status.as_u16() });
    }
    match read_body(response.into_body(), limit).await {
        Ok(body) => Ok(Answer::Body(body)),
        Err(BodyError::TooLarge) => Err(GetError::TooLarge { host, limit }),
        Err(BodyError::Broken(reason)) => Err(GetError::Unreachable { host, via, reason }),
    }
}

/// Parses a URL of http or https with a host.
fn parse(text: &str) -> Option<Uri> {
    let url: Uri = text.split('#').next()?.parse().ok()?;
    let is_http = matches!(url.scheme_str(), Some("http" | "https"));
    (is_http && url.host().is_some_and(|host| !host.is_empty())).then_some(url)
}

/// The `user:password@` of a URL as a header, in Go's form.
fn login(url: &Uri) -> Option<HeaderValue> {
    let (user, _) = url.authority()?.as_str().rsplit_once('@')?;
    let mut login = Zeroizing::new(unescape(user));
    if !login.contains(&b':') {
        login.push(b':');
    }
    let mut header = HeaderValue::try_from(format!("Basic {}", BASE64.encode(&*login))).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// A URL as it may be shown, without the login in it. Text that isn't a URL stays as it is.
pub(crate) fn without_login(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// A part of a URL with its escapes resolved (RFC 3986, 2.1). A `%` that starts no escape stays.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex =
            |at: usize| char::from(*after.get(at)?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high << 4 | low);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    bytes
}

/// The scheme and authority of a URL, with the path `/`.
fn base(url: &Uri) -> Uri {
    let mut parts = url.clone().into_parts();
    parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/"));
    Uri::from_parts(parts).expect("a URL stays one when its path becomes /")
}

/// The URL that a redirect leads to (RFC 3986, 5.2). Dots in the path stay, because servers remove them
/// themselves.
fn resolve(from: &Uri, location: &str) -> Option<Uri> {
    let (scheme, authority) = (from.scheme_str()?, from.authority()?);
    if location.contains("://") {
        parse(location)
    } else if location.starts_with("//") {
        parse(&format!("{scheme}:{location}"))
    } else if location.starts_with('/') {
        parse(&format!("{scheme}://{authority}{location}"))
    } else {
        let directory = from.path().rsplit_once('/').map_or("", |(directory, _)| directory);
        parse(&format!("{scheme}://{authority}{directory}/{location}"))
    }
}

#[cfg(test)]
mod tests;
