//! The parts that every HTTP request here needs, to a URL or to a cluster: a runtime, a body within a bound,
//! and the cause of a failure in a few words.
//!
//! The requests themselves are made in [`url`](super::url) and [`cluster`](super::cluster). Invariant: no
//! more of a body is held in memory than the caller's limit.

use std::error::Error;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use kube::client::Body;

use crate::talk::failure::reason;

/// A runtime that doesn't wait, when dropped, for a login program that hangs.
pub(crate) struct Runtime(Option<tokio::runtime::Runtime>);

impl Runtime {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self(Some(runtime.expect("a runtime needs nothing but file descriptors")))
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.as_ref().expect("it is taken only by drop").block_on(future)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Reasons why a body can't be read.
pub(crate) enum BodyError {
    /// It has more bytes than the limit.
    TooLarge,
    /// The connection failed; the text is the innermost cause.
    Broken(String),
}

/// Reads a whole body of up to `limit` bytes.
pub(crate) async fn read_body(body: Body, limit: usize) -> Result<Vec<u8>, BodyError> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Err(error) => Err(BodyError::Broken(root_cause(&*error).to_string())),
    }
}

/// The innermost of an error's causes, which has the fact in a few words. The layers above it repeat each
/// other.
pub(crate) fn root_cause<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}

/// Whether an innermost cause is a timeout.
pub(crate) fn is_timeout(root: &(dyn Error + 'static)) -> bool {
    root.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut)
}

/// An innermost cause in words for people.
pub(crate) fn last_words(root: &(dyn Error + 'static)) -> String {
    match root.downcast_ref::<std::io::Error>() {
        Some(error) => reason(error),
        // hyper-util's SOCKS errors don't show the cause under them.
        None => {
            root.to_string().replace("failed to create underlying connection", "no connection to the proxy")
        }
    }
}
