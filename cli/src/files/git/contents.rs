//! The contents of many objects, read by one process.
//!
//! Invariant: of an object at most [`MAX_BLOB`] bytes are held in memory, one at a time.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::process::Stdio;
use std::thread;

use super::process::{Header, spawn};
use super::{GitError, Repository};

/// The most bytes of a file that is read, as of a file in the work tree.
pub(crate) const MAX_BLOB: u64 = 64 * 1024 * 1024;

/// The content of a file of a revision.
pub(crate) enum Content {
    Bytes(Vec<u8>),
    /// It has more than [`MAX_BLOB`] bytes.
    TooLarge,
    /// The repository doesn't have it, as a partial clone doesn't.
    Missing,
}

impl Repository {
    /// Reads objects by their ids, and hands each content to `each` with the index of its id.
    pub(super) fn contents(
        &self,
        ids: &[&str],
        mut each: impl FnMut(usize, Content),
    ) -> Result<(), GitError> {
        self.batch("--batch", ids, |index, header, output| {
            let content = match header.size {
                None => Content::Missing,
                Some(size) if size > MAX_BLOB => {
                    io::copy(&mut output.take(size), &mut io::sink())?;
                    Content::TooLarge
                }
                Some(size) => {
                    let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
                    output.read_exact(&mut bytes)?;
                    Content::Bytes(bytes)
                }
            };
            if header.size.is_some() {
                output.read_exact(&mut [0])?;
            }
            each(index, content);
            Ok(())
        })
    }

    /// Asks `git cat-file` about each object.
    pub(super) fn batch(
        &self,
        how: &str,
        ids: &[&str],
        mut each: impl FnMut(usize, &Header<'_>, &mut dyn BufRead) -> io::Result<()>,
    ) -> Result<(), GitError> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut child = spawn(self.git.command().args(["cat-file", "--buffer", how]).stdin(Stdio::piped()))?;
        let questions = child.stdin.take().expect("stdin is piped");
        let mut answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let told = thread::scope(|scope| {
            // Questions and answers go at the same time, so that no full pipe holds up both.
            scope.spawn(move || {
                let mut questions = BufWriter::new(questions);
                let lines = ids.iter().try_for_each(|id| writeln!(questions, "{id}"));
                // If git ended early, its answers say so.
                lines.and_then(|()| questions.flush()).unwrap_or_default();
            });
            let told = ids.iter().enumerate().try_for_each(|(index, id)| {
                let mut line = String::new();
                (&mut answers).take(1024).read_line(&mut line)?;
                let header = Header::parse(&line, id).ok_or(io::ErrorKind::InvalidData)?;
                each(index, &header, &mut answers)
            });
            // What is left is thrown away, so that git and the thread can end.
            let drained = io::copy(&mut answers, &mut io::sink());
            told.and(drained.map(drop))
        });
        let is_done = child.wait().is_ok_and(|status| status.success());
        if told.is_ok() && is_done { Ok(()) } else { Err(GitError::Unexpected("cat-file")) }
    }
}
