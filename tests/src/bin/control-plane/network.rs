//! A network of this process's own: loopback, and one other address, as a Pod has it.
//!
//! Not the making of the network namespace, which the starter of the supervisor does (`control_plane/apart.rs`).
//! No other program sets the addresses, because not every machine has one that can. Invariant: nothing leaves
//! this network; the only way in is a Unix socket in the control plane's directory.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use seal_tests::control_plane::POD_ADDRESS;
use seal_tests::proxy::splice;

// rtnetlink(7), in the order of the header: length, type, flags, sequence number, port.
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_CREATE: u16 = 0x400;
const HEADER: usize = 16;
const IFF_UP: u32 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const AF_INET: u8 = 2;
/// The loopback device is the first of every network.
const LOOPBACK: u32 = 1;

/// Brings loopback up, and gives it the Pods' address.
///
/// # Errors
/// When this isn't a network of our own.
pub(crate) fn raise() -> io::Result<()> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // None is protocol 0, which is rtnetlink.
        None,
    )?;
    request(&socket, RTM_NEWLINK, &link_up())?;
    request(&socket, RTM_NEWADDR, &address(POD_ADDRESS))
}

/// Serves the program at `server` in this network through a Unix socket, which belongs to no network.
///
/// # Errors
/// When the socket can't be made.
pub(crate) fn open_gate(path: &Path, server: SocketAddr) -> io::Result<()> {
    let gate = UnixListener::bind(path)?;
    thread::spawn(move || {
        for client in gate.incoming().flatten() {
            // A client that comes too early gets a closed connection; one that goes away needs no answer.
            let _ = TcpStream::connect(server).and_then(|server| splice(&client, &server));
        }
    });
    Ok(())
}

/// `struct ifinfomsg`: family, type, index, flags, and the mask of flags to change.
fn link_up() -> Vec<u8> {
    [[0; 4], LOOPBACK.to_ne_bytes(), IFF_UP.to_ne_bytes(), IFF_UP.to_ne_bytes()].concat()
}

/// `struct ifaddrmsg`: family, length of the prefix, flags, scope, index; then the address, twice.
fn address(address: Ipv4Addr) -> Vec<u8> {
    let mut message = vec![AF_INET, 32, 0, 0];
    message.extend(LOOPBACK.to_ne_bytes());
    for attribute in [IFA_LOCAL, IFA_ADDRESS] {
        message.extend(8_u16.to_ne_bytes());
        message.extend(attribute.to_ne_bytes());
        message.extend(address.octets());
    }
    message
}

fn request(socket: &OwnedFd, kind: u16, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(HEADER + body.len()).map_err(io::Error::other)?;
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend((NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE).to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    rustix::net::send(socket, &message, SendFlags::empty())?;

    // `struct nlmsgerr`: after the header, zero or the negated error.
    let mut answer = [0; 256];
    let (_, read) = rustix::net::recv(socket, &mut answer[..], RecvFlags::empty())?;
    let error: Option<[u8; 4]> = answer[..read].get(HEADER..HEADER + 4).and_then(|it| it.try_into().ok());
    match error.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(-error)),
        None => Err(io::Error::other("the kernel's answer is cut off")),
    }
}
