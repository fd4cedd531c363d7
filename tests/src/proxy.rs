//! A wire between a program and a server that a test can cut.
//!
//! It forwards bytes and knows no protocol, so TLS passes through it, and the server stays up for everybody
//! else. Invariant: while it is cut, no connection through it lives and none begins.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A stream whose directions end apart.
pub trait Stream: Read + Write + Send + Sized + 'static {
    /// Another handle of the same stream.
    ///
    /// # Errors
    /// When there are no more.
    fn another(&self) -> io::Result<Self>;

    /// Says that nothing more comes from here.
    ///
    /// # Errors
    /// When it is closed already.
    fn finish(&self) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn another(&self) -> io::Result<Self> {
        self.try_clone()
    }
    fn finish(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Stream for UnixStream {
    fn another(&self) -> io::Result<Self> {
        self.try_clone()
    }
    fn finish(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// Copies both ways between two streams, in threads that end with them.
///
/// # Errors
/// When one can't be had twice.
pub fn splice(one: &impl Stream, other: &impl Stream) -> io::Result<()> {
    copy(one.another()?, other.another()?);
    copy(other.another()?, one.another()?);
    Ok(())
}

fn copy(mut from: impl Stream, mut to: impl Stream) {
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        // The end of one direction is passed on; the other may have more to say.
        let _ = to.finish();
    });
}

/// Leads what connects to `listener` to the Unix socket at `path`, as long as this process lives.
pub fn lead(listener: TcpListener, path: PathBuf) {
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A server that is gone is told by the closed connection.
            let _ = UnixStream::connect(&path).and_then(|server| splice(&client, &server));
        }
    });
}

/// A wire to one server. Its threads end with the process.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    cut: AtomicBool,
    refused: AtomicUsize,
    streams: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// A wire to `server`.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn to(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, state) = (listener.local_addr()?, Arc::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A client that is refused, or a server that is gone, is what tests are about.
                let _ = shared.connect(&client, server);
            }
        });
        Ok(Self { address, state })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections, and refuses new ones until [`Proxy::mend`].
    pub fn cut(&self) {
        self.state.cut.store(true, Ordering::SeqCst);
        self.state.refused.store(0, Ordering::SeqCst);
        for stream in self.state.streams().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// How often somebody tried since it was cut.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.state.refused.load(Ordering::SeqCst)
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.state.cut.store(false, Ordering::SeqCst);
    }
}

impl State {
    fn streams(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self, client: &TcpStream, server: SocketAddr) -> io::Result<()> {
        // Under the lock, so that a cut sees either the flag heeded or the streams in the list.
        let mut streams = self.streams();
        if self.cut.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return client.shutdown(Shutdown::Both);
        }
        let server = TcpStream::connect(server)?;
        streams.extend([client.try_clone()?, server.try_clone()?]);
        splice(client, &server)
    }
}
