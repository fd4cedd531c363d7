//! Files of Kubernetes objects: which objects are in them, and how to replace
//! some of them without touching a byte of the rest.
//!
//! [`find`] walks documents and Lists, [`splice`] replaces objects, [`edit`](mod@edit) changes
//! parts of them; both prove by reading the result again that nothing else changed. What a Secret means
//! is [`crate::objects::secret`]'s; what is written instead is [`crate::objects::sealing`]'s.

mod decode;
mod edit;
mod fields;
mod find;
mod patch;
mod splice;
mod stray;

pub(crate) use edit::{Edits, edit};
pub(crate) use fields::{Field, FieldError, Fields, Located, shown, text_of};
pub(crate) use find::{Kind, Object};
pub(crate) use patch::is_directive;
pub(crate) use splice::splice;
pub(crate) use stray::Strays;

use std::{ops::Range, sync::OnceLock};

use find::Slot;

use crate::{
    source::{Source, Spot, Visible},
    talk::failure::{Explain, Failure},
    yaml::{
        json,
        tree::{self, Tree},
    },
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Yaml,
    Json,
}

/// A source, read.
pub(crate) struct Manifest<'a> {
    pub(crate) source: &'a Source,
    pub(crate) format: Format,
    pub(crate) documents: Vec<Tree<'a>>,
    /// Every object of every document, the items of Lists one by one.
    pub(crate) objects: Vec<Object>,
    /// Made when they are first asked for, and once: a file may have a message for each of its objects.
    visible: OnceLock<Visible>,
    comments: OnceLock<Vec<Range<usize>>>,
}

impl Explain for tree::Problem {
    fn hint(&self) -> Option<String> {
        let Self::NotYaml(problem) = self else { return None };
        Some(if problem.contains("tab") {
            "YAML is indented with spaces only".to_owned()
        } else {
            "is it a manifest? A value with special characters needs quotes: password: \"…\"".to_owned()
        })
    }
}

impl<'a> Manifest<'a> {
    pub(crate) fn parse(source: &'a Source) -> Result<Self, Failure> {
        let (format, parsed) = read(source.text());
        let documents = parsed.map_err(|error| {
            let failure = Failure::from(error.problem).at(source.spot_unparsed(error.at));
            let is_template = source.text().contains("{{");
            if is_template {
                failure.hinting("is it a template that wasn't rendered? helm template … | seal …")
            } else {
                failure
            }
        })?;
        let (visible, comments) = (OnceLock::new(), OnceLock::new());
        let mut manifest = Self { source, format, documents, objects: Vec::new(), visible, comments };
        manifest.objects = find::objects(&manifest.documents).map_err(|error| manifest.locate(error))?;
        Ok(manifest)
    }

    /// The tree an object is in.
    pub(crate) fn tree(&self, object: &Object) -> &Tree<'a> {
        &self.documents[object.document]
    }

    /// The Secrets that pass through in plaintext with an object that does.
    pub(crate) fn strays(&self, object: &Object) -> Option<Strays> {
        stray::find(self.tree(object), object)
    }

    /// How many comments stand in an object, or around it in its own document: those that go where it is replaced.
    pub(crate) fn comments_in(&self, object: &Object) -> usize {
        let tree = self.tree(object);
        let range = if object.slot == Slot::Document { tree.body.clone() } else { tree.range(object.node) };
        self.comments().iter().filter(|comment| range.contains(&comment.start)).count()
    }

    pub(crate) fn spot(&self, at: usize) -> Spot {
        self.source.spot(at, self.visible())
    }

    /// An error with the line it is about.
    pub(crate) fn locate<E: Explain>(&self, error: Located<E>) -> Failure {
        Failure::from(error.error).at(self.spot(error.at))
    }

    /// Where the comments stand, in their order.
    fn comments(&self) -> &[Range<usize>] {
        self.comments.get_or_init(|| match self.format {
            Format::Json => Vec::new(),
            Format::Yaml => splice::comments(self.source.text()),
        })
    }

    /// What of this file may be shown in a message: keys and public scalars.
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
fn read(text: &str) -> (Format, Result<Vec<Tree<'_>>, tree::ParseError>) {
    match json::parse_json(text) {
        Some(parsed) => (Format::Json, parsed),
        None => (Format::Yaml, tree::parse(text, 0)),
    }
}
