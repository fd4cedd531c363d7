//! The namespace and name to seal a Secret for: those of the manifest, else those of the flags.
//!
//! Invariant: the manifest and the flags never override each other, because a Secret sealed for the wrong
//! place can't be opened in the right one.

use seal_crds::{Name, Namespace, Scope};
use seal_documents::source::Located;

use crate::objects::name::ObjectName;
use crate::objects::secret::read::{ReadSecretError, Reading};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Rule};

#[derive(Debug, thiserror::Error)]
pub(super) enum NameChoiceError {
    #[error("no namespace: it is part of what is sealed")]
    NoNamespace,
    #[error("-n says {flag}, the manifest says {manifest}")]
    OtherNamespace { flag: Namespace, manifest: Namespace },
    #[error("the Secret has no name")]
    NoName,
    #[error("--name says {flag}, the manifest says {manifest}")]
    OtherName { flag: Name, manifest: Name },
    #[error("--name is for one Secret, and there are {0}")]
    NameForMany(usize),
    #[error(transparent)]
    Read(ReadSecretError),
}

impl Explain for NameChoiceError {
    fn rule(&self) -> Rule {
        match self {
            Self::Read(error) => error.rule(),
            _ => Rule::Usage,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Read(_) => Exit::Failure,
            _ => Exit::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoNamespace => "give it with -n, or write metadata.namespace".to_owned(),
            Self::OtherNamespace { .. } => "leave -n out, or correct the manifest".to_owned(),
            Self::NoName => "write metadata.name, or give --name".to_owned(),
            Self::OtherName { .. } | Self::NameForMany(_) => "leave --name out".to_owned(),
            Self::Read(error) => return error.hint(),
        })
    }
}

/// The flags about namespace and name. The namespace may be that of the rule for the file.
pub(super) struct NameFlags<'a> {
    pub(super) namespace: Option<&'a Namespace>,
    pub(super) name: Option<&'a Name>,
    pub(super) scope: Scope,
}

/// Refuses `--name` for more than one Secret.
pub(super) fn check_count(name: Option<&Name>, secrets: usize) -> Result<(), NameChoiceError> {
    if name.is_some() && secrets > 1 { Err(NameChoiceError::NameForMany(secrets)) } else { Ok(()) }
}

impl NameFlags<'_> {
    /// The namespace and name of a Secret.
    ///
    /// # Errors
    ///
    /// One of them is missing, or manifest and flag contradict each other.
    pub(super) fn resolve(&self, reading: &Reading) -> Result<ObjectName, Located<NameChoiceError>> {
        let (secret, offsets) = (&reading.secret, &reading.offsets);
        let namespace = match (&secret.namespace, self.namespace) {
            (Some(manifest), Some(flag)) if manifest != flag => {
                let error =
                    NameChoiceError::OtherNamespace { flag: flag.clone(), manifest: manifest.clone() };
                return Err(Located { error, at: offsets.namespace });
            }
            (Some(namespace), _) | (None, Some(namespace)) => Some(namespace.clone()),
            (None, None) if !self.scope.binds_namespace() => None,
            (None, None) => {
                return Err(Located { error: NameChoiceError::NoNamespace, at: offsets.whole });
            }
        };
        let name = match (&secret.name, self.name) {
            (Some(manifest), Some(flag)) if manifest != flag => {
                let error = NameChoiceError::OtherName { flag: flag.clone(), manifest: manifest.clone() };
                return Err(Located { error, at: offsets.name });
            }
            (Some(name), _) | (None, Some(name)) => name.clone(),
            (None, None) => {
                return Err(match offsets.generate_name {
                    Some(at) => Located { error: NameChoiceError::Read(ReadSecretError::GeneratedName), at },
                    None => Located { error: NameChoiceError::NoName, at: offsets.whole },
                });
            }
        };
        Ok(ObjectName { namespace, name })
    }
}

#[cfg(test)]
mod tests {
    use seal_documents::yaml::tree::parse;

    use super::*;
    use crate::objects::secret::read::read;

    fn resolve(metadata: &str, name_flags: &NameFlags<'_>) -> Result<String, NameChoiceError> {
        let text = format!("apiVersion: v1\nkind: Secret\nmetadata: {metadata}\nstringData: {{a: b}}\n");
        let trees = parse(&text, 0).unwrap();
        let reading = read(&trees[0], &text, trees[0].root.unwrap()).ok().unwrap();
        name_flags.resolve(&reading).map(|object_name| object_name.to_string()).map_err(|error| error.error)
    }

    fn name_flags<'a>(namespace: Option<&'a Namespace>, name: Option<&'a Name>) -> NameFlags<'a> {
        NameFlags { namespace, name, scope: Scope::Strict }
    }

    #[test]
    fn manifest_and_flags_complete_each_other_and_never_contradict() {
        let (prod, db): (Namespace, Name) = ("prod".parse().unwrap(), "db".parse().unwrap());
        let flags = name_flags(Some(&prod), Some(&db));
        for metadata in
            ["{}", "{name: db}", "{namespace: prod}", "{name: db, namespace: prod}", "{generateName: x}"]
        {
            assert_eq!(resolve(metadata, &flags).unwrap(), "prod/db", "{metadata}");
        }
        let error = resolve("{name: db, namespace: dev}", &flags).unwrap_err();
        assert_eq!(error.to_string(), "-n says prod, the manifest says dev");
        assert_eq!(error.exit(), Exit::Usage);
        let error = resolve("{name: web, namespace: prod}", &flags).unwrap_err();
        assert_eq!(error.to_string(), "--name says db, the manifest says web");
        assert!(matches!(check_count(Some(&db), 2), Err(NameChoiceError::NameForMany(2))));
    }

    #[test]
    fn what_is_sealed_in_is_never_guessed() {
        let none = name_flags(None, None);
        assert!(matches!(resolve("{name: db}", &none), Err(NameChoiceError::NoNamespace)));
        assert!(matches!(resolve("{namespace: prod}", &none), Err(NameChoiceError::NoName)));
        let generated = resolve("{namespace: prod, generateName: db-}", &none).unwrap_err();
        assert_eq!(generated.exit(), Exit::Failure);
        assert!(generated.hint().unwrap().contains("--name"));
    }

    #[test]
    fn only_a_cluster_wide_object_may_leave_its_namespace_open() {
        let scope = |scope| NameFlags { namespace: None, name: None, scope };
        assert_eq!(resolve("{name: db}", &scope(Scope::ClusterWide)).unwrap(), "db");
        assert!(resolve("{name: db}", &scope(Scope::NamespaceWide)).is_err());
    }
}
