//! The signal to end, and the orders that come before it.
//!
//! Invariant: a closed stdin and a signal look the same to the waiting code.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use seal_tests::control_plane::Order;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// Waits for the end: stdin is closed, or a signal came. A line of stdin is an [`Order`].
pub(crate) struct Stop(Receiver<Heard>);

enum Heard {
    End,
    Order(Order),
}

impl Stop {
    pub(crate) fn listen() -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        listen_for_signals(sender.clone())?;
        thread::spawn(move || {
            let lines = io::stdin().lines().map_while(Result::ok);
            // Any other line has no meaning; a person may press Enter.
            for order in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                let _ = sender.send(Heard::Order(order));
            }
            let _ = sender.send(Heard::End);
        });
        Ok(Self(receiver))
    }

    /// Sleeps until the time is over or an order comes.
    pub(crate) fn sleep(&self, duration: Duration) -> Result<Option<Order>, Failure> {
        match self.0.recv_timeout(duration) {
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Ok(Heard::Order(order)) => Ok(Some(order)),
            Ok(Heard::End) | Err(RecvTimeoutError::Disconnected) => Err(Failure::Stopped),
        }
    }
}

fn listen_for_signals(sender: Sender<Heard>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let entered = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    drop(entered);
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        let _ = sender.send(Heard::End);
    });
    Ok(())
}
