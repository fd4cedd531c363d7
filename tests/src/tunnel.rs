//! A proxy as companies have them, of HTTP (CONNECT, RFC 9110) or SOCKS 5 (RFC 1928), with a log of its requests.
//!
//! Not [`crate::proxy`], which forwards to one server and speaks no protocol. This one leads every name to one
//! address of this machine, so a test can ask for names that exist nowhere else. Invariant: a request is logged before it
//! is answered, so that a client that has an answer finds its request in the log.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::proxy::splice;
use crate::tls::read_head;

/// A running proxy. Its threads end with the process.
pub struct Tunnel {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A client's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The requested `host:port`.
    pub target: String,
    /// The header `Proxy-Authorization`.
    pub authorization: Option<String>,
}

impl Tunnel {
    /// An HTTP proxy.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn http(to: SocketAddr) -> Self {
        Self::start(to, http)
    }

    /// A SOCKS proxy that wants no login.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn socks5(to: SocketAddr) -> Self {
        Self::start(to, socks5)
    }

    fn start(to: SocketAddr, greet: Greet) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let address = listener.local_addr().expect("it was just bound");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                // If the client or the server goes away, the other sees a closed connection.
                thread::spawn(move || {
                    let (asked, welcome) = greet(&mut client)?;
                    log.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
                    client.write_all(welcome)?;
                    splice(&client, &TcpStream::connect(to)?)
                });
            }
        });
        Self { address, asked }
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests since the last call.
    #[must_use]
    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The client's request, and the bytes that answer it once it is connected.
type Greeting = io::Result<(Asked, &'static [u8])>;
type Greet = fn(&mut TcpStream) -> Greeting;

fn http(client: &mut TcpStream) -> Greeting {
    let head = read_head(client)?;
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    let authorization = headers.find(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"));
    let authorization = authorization.map(|(_, value)| value.to_owned());
    Ok((Asked { target, authorization }, b"HTTP/1.1 200 OK\r\n\r\n"))
}

fn socks5(client: &mut TcpStream) -> Greeting {
    let methods = read::<2>(client)?[1];
    client.read_exact(&mut vec![0; methods.into()])?;
    client.write_all(&[5, 0])?;
    let host = match read::<4>(client)? {
        [5, 1, 0, 1] => Ipv4Addr::from(read::<4>(client)?).to_string(),
        [5, 1, 0, 4] => Ipv6Addr::from(read::<16>(client)?).to_string(),
        [5, 1, 0, 3] => {
            let mut name = vec![0; read::<1>(client)?[0].into()];
            client.read_exact(&mut name)?;
            String::from_utf8(name).map_err(io::Error::other)?
        }
        _ => return Err(io::Error::other("something else than a connection")),
    };
    let target = format!("{host}:{}", u16::from_be_bytes(read::<2>(client)?));
    Ok((Asked { target, authorization: None }, &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
}

fn read<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes)?;
    Ok(bytes)
}
