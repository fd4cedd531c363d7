//! A proxy between a program and a server, whose connections a test can cut, or leave dead.
//!
//! It forwards bytes and knows no protocol, so TLS passes through it, and other clients still reach the server.
//! Invariant: while it is cut, no connection through it lives and none begins.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A stream whose two directions can be closed separately.
pub trait Stream: Read + Write + Send + Sized + 'static {
    /// Another handle of the same stream.
    ///
    /// # Errors
    /// When the system has no handles left.
    fn another(&self) -> io::Result<Self>;

    /// Closes the direction away from here.
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
/// When a stream gives no second handle.
pub fn splice(one: &impl Stream, other: &impl Stream) -> io::Result<()> {
    copy(one.another()?, other.another()?);
    copy(other.another()?, one.another()?);
    Ok(())
}

fn copy(mut from: impl Stream, mut to: impl Stream) {
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        // Pass the end of this direction on; the other direction may still have data.
        let _ = to.finish();
    });
}

/// Connects each client of `listener` to the Unix socket at `path`, as long as this process lives.
pub fn lead(listener: TcpListener, path: PathBuf) {
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // If the server is gone, the client sees a closed connection.
            let _ = UnixStream::connect(&path).and_then(|server| splice(&client, &server));
        }
    });
}

/// A proxy to one server. Its threads end with the process.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    cut: AtomicBool,
    /// New connections are dead from their beginning.
    silent: AtomicBool,
    /// How often all connections were left dead.
    silences: AtomicUsize,
    refused: AtomicUsize,
    streams: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// A proxy to `server`.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn to(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, state) = (listener.local_addr()?, Arc::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Refused clients and missing servers are expected here: tests cause them.
                let _ = shared.connect(&client, server);
            }
        });
        Ok(Self { address, state })
    }

    /// The address that it listens on.
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

    /// Leaves all connections dead, and new ones until [`Proxy::mend`]: they stay open, and nothing comes through them any
    /// more, as when a node or a route is gone.
    pub fn silence(&self) {
        self.state.silent.store(true, Ordering::SeqCst);
        self.state.silences.fetch_add(1, Ordering::SeqCst);
    }

    /// How many connections were refused since the last cut.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.state.refused.load(Ordering::SeqCst)
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.state.silent.store(false, Ordering::SeqCst);
        self.state.cut.store(false, Ordering::SeqCst);
    }
}

/// Copies as [`splice`] does, until the proxy has left its connections dead once more.
fn splice_until_silence(state: &Arc<State>, one: &TcpStream, other: &TcpStream) -> io::Result<()> {
    let born = state.silences.load(Ordering::SeqCst);
    let streams = [(one.try_clone()?, other.try_clone()?), (other.try_clone()?, one.try_clone()?)];
    for (mut from, mut to) in streams {
        let state = Arc::clone(state);
        thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            loop {
                let read = from.read(&mut buffer).unwrap_or(0);
                let is_dead = state.silences.load(Ordering::SeqCst) != born;
                match read {
                    // Nobody hears that a dead connection ends.
                    0 if is_dead => return,
                    0 => break,
                    _ if is_dead => {}
                    read => {
                        if to.write_all(&buffer[..read]).is_err() {
                            break;
                        }
                    }
                }
            }
            let _ = to.finish();
        });
    }
    Ok(())
}

impl State {
    fn streams(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(self: &Arc<Self>, client: &TcpStream, server: SocketAddr) -> io::Result<()> {
        // The lock makes sure that a cut either stops this connection or finds its streams in the list.
        let mut streams = self.streams();
        if self.cut.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return client.shutdown(Shutdown::Both);
        }
        if self.silent.load(Ordering::SeqCst) {
            // Kept, so that it stays open.
            streams.push(client.try_clone()?);
            return Ok(());
        }
        let server = TcpStream::connect(server)?;
        streams.extend([client.try_clone()?, server.try_clone()?]);
        splice_until_silence(self, client, &server)
    }
}
