//! Files of Kubernetes objects: which objects are in them, and how to replace
//! some of them without touching a byte of the rest.
//!
//! [`find`] walks documents and Lists, [`splice`] replaces objects, [`edit`](mod@edit) changes
//! parts of them; both prove by reading the result again that nothing else changed. The caller decides what a Secret
//! means, and what is written in its place.

mod claims;
mod conflict;
mod decode;
mod edit;
mod fields;
mod find;
mod lenient;
mod look;
mod patch;
mod splice;
mod stray;

pub use claims::Claims;
pub(crate) use claims::text_at;
pub use conflict::conflict;
pub use decode::DecodeError;
pub(crate) use decode::Decoder;
pub use edit::{Edited, Edits, edit};
pub use fields::{Field, FieldError, Fields, is_word, shown, text_of};
pub use find::{FindError, Kind, Object, Slot};
pub use lenient::{Fault, Lenient, Unread};
pub use look::Look;
pub use patch::is_directive;
pub use splice::{SpliceError, Spliced, splice};
pub use stray::Strays;

use std::ops::Range;
use std::sync::OnceLock;

use crate::source::{Located, Source, Spot, Spotted, Visible};
use crate::yaml::tree::{ParseError, Tree};
use crate::yaml::{Syntax, json, tree};

/// A source, read.
pub struct Manifest<'a> {
    pub source: &'a Source,
    pub syntax: Syntax,
    pub documents: Vec<Tree<'a>>,
    /// Every object of every document, the items of Lists one by one.
    pub objects: Vec<Object>,
    /// Made when they are first asked for, and once: a file may have a message for each of its objects.
    visible: OnceLock<Visible>,
    comments: OnceLock<Vec<Range<usize>>>,
}

/// Why a text isn't a file of Kubernetes objects.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error(transparent)]
    Unread(#[from] ParseError),
    /// The text can't be read, and has the marks of a Helm template.
    #[error(transparent)]
    Unrendered(ParseError),
    #[error(transparent)]
    Object(#[from] FindError),
    /// A merge isn't finished.
    #[error("a conflict marker of git stands in the file")]
    Conflicted {
        /// The name of the source.
        file: String,
    },
}

impl ManifestError {
    /// A way out, for the user.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unread(error) => error.hint(),
            Self::Unrendered(_) => {
                Some("is it a template that wasn't rendered? helm template … | seal …".to_owned())
            }
            Self::Object(error) => error.hint(),
            Self::Conflicted { .. } => Some("finish the merge first".to_owned()),
        }
    }
}

impl<'a> Manifest<'a> {
    /// Reads a text, and finds the objects in it.
    ///
    /// # Errors
    ///
    /// The first document that can't be read, or object that isn't one. Of a text with a conflict marker, it is that marker:
    /// what a reader stumbles on in the middle of a merge tells nobody what to do.
    pub fn parse(source: &'a Source) -> Result<Self, Spotted<ManifestError>> {
        Self::parse_whole(source).map_err(|error| match conflict::first_marker(source.text()) {
            Some(at) => Spotted {
                error: ManifestError::Conflicted { file: source.name.clone() },
                spot: Box::new(source.spot_unparsed(at)),
            },
            None => error,
        })
    }

    fn parse_whole(source: &'a Source) -> Result<Self, Spotted<ManifestError>> {
        let (syntax, parsed) = read(source.text());
        let documents = parsed.map_err(|Located { at, error }| {
            let is_template = source.text().contains("{{");
            let error =
                if is_template { ManifestError::Unrendered(error) } else { ManifestError::Unread(error) };
            Spotted { error, spot: Box::new(source.spot_unparsed(at)) }
        })?;
        let (visible, comments) = (OnceLock::new(), OnceLock::new());
        let mut manifest = Self { source, syntax, documents, objects: Vec::new(), visible, comments };
        manifest.objects =
            find::objects(&manifest.documents).map_err(|error| manifest.locate(error.map(Into::into)))?;
        Ok(manifest)
    }

    /// The tree an object is in.
    pub fn tree(&self, object: &Object) -> &Tree<'a> {
        &self.documents[object.document]
    }

    /// The Secrets that pass through in plaintext with an object that does.
    pub fn strays(&self, object: &Object) -> Option<Strays> {
        stray::find(self.tree(object), object)
    }

    /// How many comments stand in an object, or around it in its own document: those that go where it is replaced.
    pub fn comments_in(&self, object: &Object) -> usize {
        let tree = self.tree(object);
        let range = if object.slot == Slot::Document { tree.body.clone() } else { tree.range(object.node) };
        self.comments().iter().filter(|comment| range.contains(&comment.start)).count()
    }

    pub fn spot(&self, at: usize) -> Spot {
        self.source.spot(at, self.visible())
    }

    /// An error with the line it is about.
    pub fn locate<E>(&self, error: Located<E>) -> Spotted<E> {
        Spotted { spot: Box::new(self.spot(error.at)), error: error.error }
    }

    /// The ranges of the comments, in their order.
    fn comments(&self) -> &[Range<usize>] {
        self.comments.get_or_init(|| match self.syntax {
            Syntax::Json => Vec::new(),
            Syntax::Yaml => splice::comments(self.source.text()),
        })
    }

    /// The parts of this file that may be shown in a message: keys and public scalars.
    fn visible(&self) -> &Visible {
        self.visible.get_or_init(|| {
            let mut ranges = Vec::new();
            for tree in &self.documents {
                find::visible(tree, &mut ranges);
            }
            Visible::new(ranges)
        })
    }
}

/// Text that kubectl takes for JSON is JSON, all other is YAML.
fn read(text: &str) -> (Syntax, Result<Vec<Tree<'_>>, Located<ParseError>>) {
    match json::parse_json(text) {
        Some(parsed) => (Syntax::Json, parsed),
        None => (Syntax::Yaml, tree::parse(text, 0)),
    }
}
