//! The namespace and name of a SealedSecret: those of its metadata; for a missing namespace, that of `-n`.

use seal_crds::{NameError, Namespace, Reason};
use seal_documents::manifest::{FieldError, Fields, Manifest, Object, text_of};
use seal_documents::source::Located;

use crate::objects::name::ObjectName;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};

#[derive(Debug, thiserror::Error)]
enum ObjectNameError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("the SealedSecret has no name")]
    NoName,
    #[error("the SealedSecret has no namespace, and it opens only in the right one")]
    NoNamespace,
    #[error("-n says {flag}, the manifest says {manifest}")]
    OtherNamespace { flag: Namespace, manifest: Namespace },
}

impl Explain for ObjectNameError {
    fn rule(&self) -> Rule {
        match self {
            Self::Field(_) => Rule::Refused(Reason::Malformed),
            Self::Name(_) | Self::NoName => Rule::Refused(Reason::InvalidName),
            Self::NoNamespace | Self::OtherNamespace { .. } => Rule::Usage,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::NoNamespace | Self::OtherNamespace { .. } => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Field(error) => error.hint(),
            Self::NoNamespace => Some("give it with -n".to_owned()),
            Self::OtherNamespace { .. } => Some("leave -n out".to_owned()),
            Self::Name(_) | Self::NoName => None,
        }
    }
}

/// Reads the namespace and name of a SealedSecret. If its scope doesn't bind the namespace, `may_be_open` is
/// true, and the namespace may be missing.
pub(crate) fn read(
    manifest: &Manifest<'_>,
    object: &Object,
    flag: Option<&Namespace>,
    may_be_open: bool,
) -> Result<ObjectName, Failure> {
    let (tree, source) = (manifest.tree(object), manifest.source.text());
    let at = tree.range(object.node).start;
    let find = || -> Result<ObjectName, Located<ObjectNameError>> {
        let fields =
            Fields::read(tree, object.node, "the SealedSecret").map_err(|e| e.map(ObjectNameError::from))?;
        let no_name = || Located { error: ObjectNameError::NoName, at };
        let metadata = Fields::read(tree, fields.get("metadata").ok_or_else(no_name)?, "metadata")
            .map_err(|e| e.map(ObjectNameError::from))?;
        let text = |key: &str| match metadata.get(key) {
            None => Ok(None),
            Some(id) => text_of(tree, source, id, || format!("metadata.{key}"))
                .map(|text| Some((text, tree.range(id).start)))
                .map_err(|e| e.map(ObjectNameError::from)),
        };
        let (name, name_at) = text("name")?.ok_or_else(no_name)?;
        let name = name.parse().map_err(|error: NameError| Located { error: error.into(), at: name_at })?;
        let namespace = match (text("namespace")?, flag) {
            (Some((text, at)), flag) => {
                let manifest: Namespace =
                    text.parse().map_err(|error: NameError| Located { error: error.into(), at })?;
                if let Some(flag) = flag.filter(|flag| **flag != manifest) {
                    let error = ObjectNameError::OtherNamespace { flag: flag.clone(), manifest };
                    return Err(Located { error, at });
                }
                Some(manifest)
            }
            (None, Some(flag)) => Some(flag.clone()),
            (None, None) if may_be_open => None,
            (None, None) => {
                return Err(Located { error: ObjectNameError::NoNamespace, at });
            }
        };
        Ok(ObjectName { namespace, name })
    };
    find().map_err(|error| manifest.locate(error).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use seal_documents::source::Source;
    use zeroize::Zeroizing;

    fn place(metadata: &str, flag: Option<&str>, may_be_open: bool) -> Result<String, String> {
        let text = format!("apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {metadata}\n");
        let source = Source::new("f".to_owned(), Zeroizing::new(text));
        let manifest = Manifest::parse(&source).unwrap();
        let object = &manifest.objects[0];
        let flag = flag.map(|flag| flag.parse().unwrap());
        let object_name = read(&manifest, object, flag.as_ref(), may_be_open);
        object_name.map(|object_name| object_name.to_string()).map_err(|failure| failure.facts[0].clone())
    }

    #[test]
    fn a_place_is_the_manifests_else_the_flags() {
        assert_eq!(place("{name: db, namespace: prod}", None, false).unwrap(), "prod/db");
        assert_eq!(place("{name: db}", Some("prod"), false).unwrap(), "prod/db");
        assert_eq!(place("{name: db}", None, true).unwrap(), "db");
        let contradiction = place("{name: db, namespace: prod}", Some("dev"), false);
        assert_eq!(contradiction.unwrap_err(), "-n says dev, the manifest says prod");
        assert!(place("{name: db}", None, false).is_err());
        assert!(place("{namespace: prod}", None, false).is_err());
        assert!(place("{name: ../db, namespace: prod}", None, false).is_err());
    }
}
