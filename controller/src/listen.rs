//! Connections of the two listeners: how many at once, and for how long.
//!
//! Not the routes. axum's own `serve` waits for a slow client for ever and takes connections without end, and
//! every client in the cluster reaches these listeners. Invariants: at most [`CONNECTIONS`] are open. A new
//! connection is always taken: at the limit, the client with the most connections loses its oldest one. So a
//! client that opens many shuts nobody else out (a probe that fails restarts the Pod). No client holds a
//! connection for longer than [`LIFETIME`] and the time of one answer.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

/// The most connections that one listener has open at once.
pub(crate) const CONNECTIONS: usize = 32;
/// How long a client may take for the header of a request, and how long a connection may be idle before the
/// next request.
const HEADER_TIME: Duration = Duration::from_secs(20);
/// The age at which a connection takes no further request; sealed-secrets has the same limit.
const LIFETIME: Duration = Duration::from_secs(120);
/// How long an answer may still take if it is under way when its connection reaches [`LIFETIME`].
const LAST_ANSWER: Duration = Duration::from_secs(60);

/// The client of a connection: an IPv4 address, or the /64 network of an IPv6 address, because one host has
/// all 2^64 addresses of its network. Every request carries it as an extension.
///
/// Not taken from `X-Forwarded-For`: its sender may write anything there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Client(IpAddr);

impl Client {
    pub(crate) fn new(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            address => address,
        })
    }
}

/// The controller can't listen on an address.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}")]
pub(crate) struct ListenError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Listens on `address`. Also returns the address with the port that the system chose, if `address` has port
/// 0.
///
/// # Errors
///
/// If another program listens there, or the host doesn't have the address.
pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ListenError> {
    let failed = |source| ListenError { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Serves in a task of its own. Aborting the task also ends its connections.
pub(crate) fn serve(listener: TcpListener, router: Router) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut tasks = JoinSet::new();
        // Oldest first.
        let mut open: Vec<(Client, AbortHandle)> = Vec::new();
        loop {
            match listener.accept().await {
                Ok((stream, address)) => {
                    while tasks.try_join_next().is_some() {}
                    open.retain(|(_, task)| !task.is_finished());
                    if open.len() == CONNECTIONS {
                        open.remove(most_burdensome(&open)).1.abort();
                    }
                    let client = Client::new(address.ip());
                    let router = router.clone().layer(Extension(client));
                    open.push((client, tasks.spawn(serve_connection(stream, address, router))));
                }
                // Most likely no file descriptor is left; one comes back when a client leaves.
                Err(error) => {
                    tracing::warn!(kind = %error.kind(), "can't take a connection");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    })
}

/// The index of the oldest connection of the client with the most; of several such clients, the oldest of
/// all.
fn most_burdensome<T>(open: &[(Client, T)]) -> usize {
    let count = |of: Client| open.iter().filter(|(client, _)| *client == of).count();
    let most = open.iter().map(|(client, _)| count(*client)).max();
    open.iter().position(|(client, _)| Some(count(*client)) == most).unwrap_or(0)
}

async fn serve_connection(stream: TcpStream, client: SocketAddr, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let ended = match tokio::time::timeout(LIFETIME, connection.as_mut()).await {
        Ok(ended) => ended,
        Err(_) => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(LAST_ANSWER, connection).await.unwrap_or(Ok(()))
        }
    };
    if ended.is_err() {
        tracing::debug!(%client, "a connection broke");
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use axum::routing::get;

    use super::*;

    fn client(address: &str) -> Client {
        Client::new(address.parse().unwrap())
    }

    #[test]
    fn a_client_is_an_address_or_the_network_of_one() {
        assert_eq!(client("::ffff:10.0.0.1"), client("10.0.0.1"));
        assert_ne!(client("10.0.0.1"), client("10.0.0.2"));
        assert_eq!(client("2001:db8:1:2:3:4:5:6"), client("2001:db8:1:2:ffff::"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
    }

    #[test]
    fn who_has_the_most_gives_up_the_oldest() {
        let [a, b, c] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(client);
        let index =
            |clients: &[Client]| most_burdensome(&clients.iter().map(|c| (*c, ())).collect::<Vec<_>>());
        assert_eq!(index(&[a, b, c, b]), 1);
        assert_eq!(index(&[a, b, c]), 0);
        assert_eq!(index(&[a, b, b, c, c]), 1);
    }

    /// Connects from 127.0.0.2 and from 127.0.0.1, which count as two clients.
    #[tokio::test(flavor = "multi_thread")]
    async fn one_who_opens_many_connections_shuts_nobody_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = serve(listener, Router::new().route("/", get(|| async { "ok" })));
        let connect = async |from: [u8; 4]| {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::from((from, 0))).unwrap();
            let stream = socket.connect(address).await.unwrap().into_std().unwrap();
            stream.set_nonblocking(false).unwrap();
            stream
        };
        let ask = |stream: &mut std::net::TcpStream| {
            let mut answer = [0; 1024];
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").is_ok()
                && stream.read(&mut answer).is_ok_and(|_| answer.starts_with(b"HTTP/1.1 200"))
        };
        let mut patient = connect([127, 0, 0, 1]).await;
        assert!(ask(&mut patient));
        let mut many = Vec::new();
        for _ in 0..4 * CONNECTIONS {
            let mut stream = connect([127, 0, 0, 2]).await;
            assert!(ask(&mut stream), "a new connection is always taken");
            many.push(stream);
        }
        assert!(ask(&mut patient), "another client's connection stays");
        assert_eq!(many.iter_mut().filter_map(|stream| ask(stream).then_some(())).count(), CONNECTIONS - 1);
        server.abort();
    }
}
