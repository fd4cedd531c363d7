//! The SealedSecret of a file that a command changes: the only one, or the one that `--object` names.
//!
//! Invariant: a command never guesses which of several objects is meant.

use seal_documents::manifest::{Kind, Manifest, Object};

use crate::objects::sealed;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};

/// The most names of objects in a message.
const SHOWN: usize = 20;

#[derive(Debug, thiserror::Error)]
enum FindError {
    #[error("there is no SealedSecret in {0}")]
    None(String),
    #[error("{file} has {} SealedSecrets: {}", names.len(), shown(names))]
    Several { file: String, names: Vec<String> },
    #[error("{file} has no SealedSecret {wanted}")]
    Other { file: String, wanted: String, names: Vec<String> },
    #[error("{file} has the SealedSecret {wanted} twice")]
    Twice { file: String, wanted: String },
}

fn shown(names: &[String]) -> String {
    let mut shown: Vec<String> = names.iter().take(SHOWN).cloned().collect();
    if names.len() > SHOWN {
        shown.push(format!("{} more", names.len() - SHOWN));
    }
    shown.join(", ")
}

impl Explain for FindError {
    fn rule(&self) -> Rule {
        match self {
            Self::None(_) => Rule::NothingToDo,
            Self::Several { .. } | Self::Other { .. } | Self::Twice { .. } => Rule::Usage,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::None(_) => Exit::Failure,
            Self::Several { .. } | Self::Other { .. } | Self::Twice { .. } => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::None(_) => None,
            Self::Several { names, .. } => Some(format!("say which: --object {}", names[0])),
            Self::Other { names, .. } => Some(format!("it has {}", shown(names))),
            Self::Twice { .. } => Some("remove one of the two".to_owned()),
        }
    }
}

/// Finds the object. `wanted` is its `NAMESPACE/NAME`, or its name alone if it has no namespace.
pub(crate) fn find<'m>(manifest: &'m Manifest<'_>, wanted: Option<&str>) -> Result<&'m Object, Failure> {
    let file = || manifest.source.name.clone();
    let objects: Vec<&Object> =
        manifest.objects.iter().filter(|object| object.kind == Kind::SealedSecret).collect();
    let name = |object: &Object| match sealed::read_name(manifest, object, None, true) {
        Ok(name) => name.to_string(),
        Err(_) => "one without a name".to_owned(),
    };
    match (&objects[..], wanted) {
        ([], _) => Err(FindError::None(file()).into()),
        ([object], None) => Ok(object),
        (_, None) => {
            let names = objects.iter().map(|object| name(object)).collect();
            Err(FindError::Several { file: file(), names }.into())
        }
        (_, Some(wanted)) => {
            let mut found = objects.iter().filter(|object| name(object) == wanted);
            match (found.next(), found.next()) {
                (Some(object), None) => Ok(object),
                (Some(_), Some(_)) => {
                    Err(FindError::Twice { file: file(), wanted: wanted.to_owned() }.into())
                }
                (None, _) => {
                    let names = objects.iter().map(|object| name(object)).collect();
                    Err(FindError::Other { file: file(), wanted: wanted.to_owned(), names }.into())
                }
            }
        }
    }
}
