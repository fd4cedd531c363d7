//! The pattern of a path in the rules file: `clusters/prod/{namespace}/**`.
//!
//! | segment | stands for |
//! | --- | --- |
//! | `**` | any number of segments; as the last one, at least one |
//! | `*` | any one segment |
//! | `{namespace}` | one segment, the namespace of the objects in the file |
//! | `db-*.yaml` | one segment, each `*` for any characters |
//! | any other | itself |
//!
//! The threat is a repository that somebody else made: a regular expression, or a glob that goes back to every star,
//! takes exponential time on a path that is made for it. Here only the last star is gone back to, so a match takes at most
//! the product of both lengths, and a pattern has at most [`MAX_LENGTH`] bytes and [`MAX_SEGMENTS`] segments.
//!
//! Invariant: a path has at most one namespace under a pattern. So `{namespace}` stands in a pattern once, and never
//! behind `**`: there, the author of a path could choose which of its directories is meant.

use std::fmt;
use std::str::FromStr;

/// The most segments of a pattern. Each rule is compared with those before it, which takes the product of both lengths.
const MAX_SEGMENTS: usize = 32;

/// The most bytes of a pattern.
const MAX_LENGTH: usize = 1024;

const NAMESPACE: &str = "{namespace}";

/// Reasons why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    #[error("a path has at least one character")]
    Empty,
    #[error("a path has at most {MAX_LENGTH} bytes")]
    TooLong,
    #[error("a path has at most {MAX_SEGMENTS} segments")]
    TooDeep,
    #[error("a path starts at the rules file, and not at /")]
    Absolute,
    #[error("a path has no empty segment, and no / at its end")]
    EmptySegment,
    #[error("a path has no . and no .. in it")]
    Dots,
    #[error("{0:?} means nothing in a path here")]
    Special(char),
    #[error("** is a whole segment")]
    PartOfDeep,
    #[error("{NAMESPACE} is a whole segment")]
    PartOfNamespace,
    #[error("{NAMESPACE} stands in a path once")]
    NamespaceTwice,
    #[error("behind **, {NAMESPACE} could be any directory")]
    NamespaceBehindDeep,
    #[error("{NAMESPACE} is a directory, and no file")]
    NamespaceLast,
}

impl PatternError {
    /// A way out, for the user.
    pub(crate) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Empty => "\"**\" stands for every file".to_owned(),
            Self::TooLong => return None,
            Self::TooDeep => "** stands for any number of segments".to_owned(),
            Self::Absolute => "write it as it is seen from the rules file: clusters/prod/**".to_owned(),
            Self::EmptySegment => "every file beneath a directory is DIRECTORY/**".to_owned(),
            Self::Dots => "a rule reaches no file above the rules file".to_owned(),
            Self::Special(_) => {
                format!("there are * for a part of a name, ** for any directories, and {NAMESPACE}")
            }
            Self::PartOfDeep => "write a/**/b, or a* for a part of a name".to_owned(),
            Self::PartOfNamespace => format!("name directories after namespaces: apps/{NAMESPACE}/**"),
            Self::NamespaceTwice => "use * for the other one".to_owned(),
            Self::NamespaceBehindDeep => format!("write * for each directory before it: */*/{NAMESPACE}/**"),
            Self::NamespaceLast => format!("write {NAMESPACE}/**"),
        })
    }
}

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: String,
    /// A `**` at the end is here as `**` and `*`, so that it stands for at least one segment.
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// A name with one star or more, and something else.
    Glob(String),
    Any,
    Namespace,
    /// `**`
    Deep,
}

/// A path that matches a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Matched<'p> {
    /// The segment that `{namespace}` stands for. It may be no valid namespace; then no object fits the rule.
    pub(crate) namespace: Option<&'p str>,
}

impl Pattern {
    /// Matches a path, whose segments are separated by `/`.
    pub(crate) fn matches<'p>(&self, path: &'p str) -> Option<Matched<'p>> {
        let segments: Vec<&str> = path.split('/').collect();
        run(&self.segments, &segments, |segment, name| segment.is_name(name))
            .then(|| Matched { namespace: self.namespace_index().map(|index| segments[index]) })
    }

    /// Whether the pattern has `{namespace}`.
    pub(crate) fn binds_namespace(&self) -> bool {
        self.namespace_index().is_some()
    }

    /// Whether every path that matches `other` matches this pattern. `false` if that isn't certain.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        run(&self.segments, &other.segments, Segment::covers)
    }

    /// Every file beneath a directory, which is no pattern itself.
    pub(crate) fn beneath(directory: &str) -> Self {
        let names = directory.split('/').map(|name| Segment::Literal(name.to_owned()));
        Self {
            text: format!("{directory}/**"),
            segments: names.chain([Segment::Deep, Segment::Any]).collect(),
        }
    }

    /// The index of `{namespace}`, which is the same in the pattern and in a path, because no `**` stands before it.
    fn namespace_index(&self) -> Option<usize> {
        self.segments.iter().position(|segment| *segment == Segment::Namespace)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(PatternError::TooLong);
        }
        if text.starts_with('/') {
            return Err(PatternError::Absolute);
        }
        if text.split('/').count() > MAX_SEGMENTS {
            return Err(PatternError::TooDeep);
        }
        let mut segments: Vec<Segment> = Vec::new();
        for segment in text.split('/') {
            let segment = segment.parse()?;
            let is_deep = |segment: Option<&Segment>| segment == Some(&Segment::Deep);
            match segment {
                Segment::Namespace if segments.contains(&segment) => {
                    return Err(PatternError::NamespaceTwice);
                }
                Segment::Namespace if segments.contains(&Segment::Deep) => {
                    return Err(PatternError::NamespaceBehindDeep);
                }
                Segment::Deep if is_deep(segments.last()) => {}
                segment => segments.push(segment),
            }
        }
        match segments.last() {
            Some(Segment::Namespace) => return Err(PatternError::NamespaceLast),
            Some(Segment::Deep) => segments.push(Segment::Any),
            _ => {}
        }
        Ok(Self { text: text.to_owned(), segments })
    }
}

impl FromStr for Segment {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        match text {
            "" => return Err(PatternError::EmptySegment),
            "." | ".." => return Err(PatternError::Dots),
            "**" => return Ok(Self::Deep),
            "*" => return Ok(Self::Any),
            NAMESPACE => return Ok(Self::Namespace),
            _ => {}
        }
        if text.contains("**") {
            return Err(PatternError::PartOfDeep);
        }
        if text.contains(NAMESPACE) {
            return Err(PatternError::PartOfNamespace);
        }
        let means_something_elsewhere = |c: char| "?[]{}!\\".contains(c) || seal_foreign::is_unprintable(c);
        match text.chars().find(|c| means_something_elsewhere(*c)) {
            Some(special) => Err(PatternError::Special(special)),
            None if text.contains('*') => Ok(Self::Glob(text.to_owned())),
            None => Ok(Self::Literal(text.to_owned())),
        }
    }
}

impl Segment {
    /// Whether a name is one that this segment stands for. `**` is decided by [`run`].
    fn is_name(&self, name: &&str) -> bool {
        match self {
            Self::Literal(literal) => literal == name,
            Self::Glob(glob) => is_like(glob.as_bytes(), name.as_bytes()),
            Self::Any | Self::Namespace => true,
            Self::Deep => false,
        }
    }

    /// Whether every name that `other` stands for is one of this segment's.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Deep, _) | (_, Self::Deep) => false,
            (Self::Any | Self::Namespace, _) => true,
            (Self::Literal(one), Self::Literal(other)) | (Self::Glob(one), Self::Glob(other)) => one == other,
            (Self::Glob(glob), Self::Literal(name)) => is_like(glob.as_bytes(), name.as_bytes()),
            (Self::Literal(_) | Self::Glob(_), _) => false,
        }
    }
}

/// Whether segments stand for a row of symbols. `**` stands for any of them.
fn run<S>(segments: &[Segment], symbols: &[S], is_one: impl Fn(&Segment, &S) -> bool) -> bool {
    let (mut at, mut next) = (0, 0);
    // The last `**`, and the symbol behind those that it stands for.
    let mut deep: Option<(usize, usize)> = None;
    while next < symbols.len() {
        if segments.get(at) == Some(&Segment::Deep) {
            deep = Some((at, next));
            at += 1;
        } else if segments.get(at).is_some_and(|segment| is_one(segment, &symbols[next])) {
            (at, next) = (at + 1, next + 1);
        } else if let Some((star, end)) = deep {
            deep = Some((star, end + 1));
            (at, next) = (star + 1, end + 1);
        } else {
            return false;
        }
    }
    segments[at..].iter().all(|segment| *segment == Segment::Deep)
}

/// Whether a name is like a glob, in which each star stands for any bytes.
fn is_like(glob: &[u8], name: &[u8]) -> bool {
    let (mut at, mut next) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while next < name.len() {
        if glob.get(at) == Some(&b'*') {
            star = Some((at, next));
            at += 1;
        } else if glob.get(at) == Some(&name[next]) {
            (at, next) = (at + 1, next + 1);
        } else if let Some((before, end)) = star {
            star = Some((before, end + 1));
            (at, next) = (before + 1, end + 1);
        } else {
            return false;
        }
    }
    glob[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests;
