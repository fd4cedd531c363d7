//! Objects that are asked for one after another, when an answer decides about the next question: one `git cat-file --batch`
//! for all of them.
//!
//! Many objects that are known beforehand are read faster by [`Repository::read_entries`]. Invariant: of an object at most as
//! many bytes are held as were asked for.

use std::cell::RefCell;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::process::{Header, spawn};
use super::{Content, Entry, GitError, Repository};

/// A process that answers.
pub(crate) struct Questions<'r> {
    repository: &'r Repository,
    /// Started with the first question.
    process: RefCell<Option<Answering>>,
}

struct Answering {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Repository {
    pub(crate) fn questions(&self) -> Questions<'_> {
        Questions { repository: self, process: RefCell::new(None) }
    }
}

impl Questions<'_> {
    /// The content of an entry of up to `max` bytes.
    pub(crate) fn content(&self, entry: &Entry, max: u64) -> Result<Content, GitError> {
        let mut process = self.process.borrow_mut();
        let answering = match &mut *process {
            Some(answering) => answering,
            none => none.insert(Answering::start(self.repository)?),
        };
        answering.ask(entry.id(), max).map_err(|_| GitError::Unexpected("cat-file"))
    }
}

impl Answering {
    fn start(repository: &Repository) -> Result<Self, GitError> {
        let mut child = spawn(repository.git.command().args(["cat-file", "--batch"]).stdin(Stdio::piped()))?;
        let questions = child.stdin.take().expect("stdin is piped");
        let answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Ok(Self { child, questions, answers })
    }

    fn ask(&mut self, id: &str, max: u64) -> io::Result<Content> {
        writeln!(self.questions, "{id}")?;
        self.questions.flush()?;
        let mut line = String::new();
        (&mut self.answers).take(1024).read_line(&mut line)?;
        let header = Header::parse(&line, id).ok_or(io::ErrorKind::InvalidData)?;
        let Some(size) = header.size else { return Ok(Content::Missing) };
        let mut content = (&mut self.answers).take(size);
        let answer = if size > max {
            io::copy(&mut content, &mut io::sink())?;
            Content::TooLarge
        } else {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            Content::Bytes(bytes)
        };
        self.answers.read_exact(&mut [0])?;
        Ok(answer)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        // The end of its input ends it, but an answer that nobody reads may hold it up.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
