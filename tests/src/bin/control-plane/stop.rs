//! The signal to end.
//!
//! Invariant: a closed stdin and a signal look the same to the waiting code.

use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

/// Waits for the end: stdin is closed, or a signal came.
pub(crate) struct Stop(Receiver<()>);

impl Stop {
    pub(crate) fn listen() -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        listen_for_signals(sender.clone())?;
        thread::spawn(move || {
            // Input has no meaning; only its end counts.
            let mut ignored = [0; 1024];
            while io::stdin().read(&mut ignored).is_ok_and(|read| read > 0) {}
            let _ = sender.send(());
        });
        Ok(Self(receiver))
    }

    pub(crate) fn sleep(&self, duration: Duration) -> Result<(), Failure> {
        match self.0.recv_timeout(duration) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Err(Failure::Stopped),
        }
    }
}

fn listen_for_signals(sender: Sender<()>) -> io::Result<()> {
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
        let _ = sender.send(());
    });
    Ok(())
}
