//! Files and standard input, read into buffers that are wiped.
//!
//! Invariant: a buffer never grows in place, because that would leave a copy of its content in freed memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use seal_documents::source::{Source, Spot};

use crate::talk::failure::{Explain, Failure, Rule};

/// The most bytes of one input: more than any manifest has, and few enough for memory, so that `seal
/// /dev/zero` ends.
const MAX_INPUT: usize = 64 * 1024 * 1024;

/// The origin of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Stdin,
    File(PathBuf),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("can't read {0}")]
    Unreadable(String, #[source] io::Error),
    #[error("{0} is a directory")]
    Directory(String),
    #[error("{0} is larger than {mib} MiB", mib = MAX_INPUT / 1024 / 1024)]
    TooLarge(String),
    #[error("this isn't text in UTF-8")]
    NotText,
}

impl Explain for InputError {
    fn rule(&self) -> Rule {
        Rule::Unreadable
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable(_, error) if error.kind() == io::ErrorKind::NotFound => {
                let here = std::env::current_dir().unwrap_or_default();
                Some(format!("check the path; a relative one starts at {}", here.display()))
            }
            Self::Unreadable(name, error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Some(format!("ls -ld {name} says who may read it"))
            }
            Self::Directory(name) => {
                let name = name.trim_end_matches('/');
                Some(format!("name the files: {name}/*.yaml"))
            }
            Self::NotText => {
                Some("is it compressed, or in UTF-16? Manifests are YAML or JSON in UTF-8".to_owned())
            }
            Self::Unreadable(..) | Self::TooLarge(_) => None,
        }
    }
}

impl Input {
    /// The input that an argument names; `-` is standard input.
    pub(crate) fn from_arg(arg: &Path) -> Self {
        if arg.as_os_str() == "-" { Self::Stdin } else { Self::File(arg.to_owned()) }
    }

    /// The input's name in messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Stdin => "<stdin>".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Reads the bytes.
    pub(crate) fn read_bytes(&self) -> Result<Zeroizing<Vec<u8>>, InputError> {
        let unreadable = |error| InputError::Unreadable(self.name(), error);
        let bytes = match self {
            Self::Stdin => read_wiped(io::stdin().lock(), 0),
            Self::File(path) => {
                let file = File::open(path).map_err(unreadable)?;
                let metadata = file.metadata().map_err(unreadable)?;
                if metadata.is_dir() {
                    return Err(InputError::Directory(self.name()));
                }
                read_wiped(file, usize::try_from(metadata.len()).unwrap_or(usize::MAX))
            }
        };
        bytes.map_err(unreadable)?.ok_or_else(|| InputError::TooLarge(self.name()))
    }

    /// Reads the text.
    ///
    /// # Errors
    ///
    /// Any [`InputError`]; text that isn't UTF-8 is refused at the spot of its first wrong byte.
    pub(crate) fn read(&self) -> Result<Source, Failure> {
        let mut bytes = self.read_bytes()?;
        match String::from_utf8(std::mem::take(&mut *bytes)) {
            Ok(text) => Ok(Source::new(self.name(), Zeroizing::new(text))),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let bytes = Zeroizing::new(error.into_bytes());
                let line_start = bytes[..valid].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
                let line = bytes[..valid].iter().filter(|b| **b == b'\n').count() + 1;
                let spot = Spot::unseen(&self.name(), line, valid - line_start + 1);
                Err(Failure::from(InputError::NotText).at(spot))
            }
        }
    }
}

/// Reads to the end; `None` if the input is longer than [`MAX_INPUT`].
fn read_wiped(mut reader: impl Read, size_hint: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // The buffer holds one byte more than expected, so that reading sees the end without a larger buffer.
    let mut buffer = Zeroizing::new(vec![0; size_hint.clamp(8 * 1024, MAX_INPUT) + 1]);
    let mut filled = 0;
    loop {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if filled > MAX_INPUT {
            return Ok(None);
        }
        if filled == buffer.len() {
            let mut larger = Zeroizing::new(vec![0; (filled * 2).min(MAX_INPUT + 1)]);
            larger[..filled].copy_from_slice(&buffer);
            buffer = larger;
        }
    }
    buffer.truncate(filled);
    Ok(Some(buffer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_any_length_arrives_whole() {
        for length in [0, 1, 8192, 8193, 100_000] {
            let bytes: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            assert_eq!(*read_wiped(&bytes[..], 0).unwrap().unwrap(), bytes);
            assert_eq!(*read_wiped(&bytes[..], length).unwrap().unwrap(), bytes);
        }
    }

    #[test]
    fn an_endless_stream_is_refused() {
        assert!(read_wiped(io::repeat(0), 0).unwrap().is_none());
    }

    #[test]
    fn what_may_not_be_read_comes_with_what_to_look_at() {
        let denied = InputError::Unreadable("db.yaml".to_owned(), io::ErrorKind::PermissionDenied.into());
        assert_eq!(denied.hint().as_deref(), Some("ls -ld db.yaml says who may read it"));
        let other = InputError::Unreadable("db.yaml".to_owned(), io::ErrorKind::TimedOut.into());
        assert_eq!(other.hint(), None);
    }

    #[test]
    fn text_that_is_no_utf8_is_refused_with_its_place() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"a: b\nc: \xff").unwrap();
        let failure = Input::File(file.path().to_owned()).read().err().unwrap();
        assert!(failure.spot.as_ref().unwrap().label().ends_with(":2:4"));
    }
}
