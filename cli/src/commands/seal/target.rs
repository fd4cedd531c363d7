//! Which namespace and name a Secret is sealed for: what the manifest says,
//! else what the flags say. They never override each other, since a Secret
//! sealed for the wrong place can't be opened in the right one.

use seal_crds::{Name, Namespace, Scope};

use crate::{
    exit::Exit,
    failure::Explain,
    manifest::Located,
    sealing::Target,
    secret::read::{ReadError, Reading},
};

#[derive(Debug, thiserror::Error)]
pub(super) enum TargetError {
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
    Read(ReadError),
}

impl Explain for TargetError {
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

/// What the flags say.
pub(super) struct Wanted<'a> {
    pub(super) namespace: Option<&'a Namespace>,
    pub(super) name: Option<&'a Name>,
    pub(super) scope: Scope,
}

impl Wanted<'_> {
    pub(super) fn check_count(&self, secrets: usize) -> Result<(), TargetError> {
        if self.name.is_some() && secrets > 1 { Err(TargetError::NameForMany(secrets)) } else { Ok(()) }
    }

    pub(super) fn resolve(&self, reading: &Reading) -> Result<Target, Located<TargetError>> {
        let (secret, places) = (&reading.secret, &reading.places);
        let namespace = match (&secret.namespace, self.namespace) {
            (Some(manifest), Some(flag)) if manifest != flag => {
                let error = TargetError::OtherNamespace { flag: flag.clone(), manifest: manifest.clone() };
                return Err(Located { error, at: places.namespace });
            }
            (Some(namespace), _) | (None, Some(namespace)) => Some(namespace.clone()),
            // The one scope that doesn't bind it.
            (None, None) if self.scope == Scope::ClusterWide => None,
            (None, None) => {
                return Err(Located { error: TargetError::NoNamespace, at: places.whole });
            }
        };
        let name = match (&secret.name, self.name) {
            (Some(manifest), Some(flag)) if manifest != flag => {
                let error = TargetError::OtherName { flag: flag.clone(), manifest: manifest.clone() };
                return Err(Located { error, at: places.name });
            }
            (Some(name), _) | (None, Some(name)) => name.clone(),
            (None, None) => {
                return Err(match places.generate_name {
                    Some(at) => Located { error: TargetError::Read(ReadError::GeneratedName), at },
                    None => Located { error: TargetError::NoName, at: places.whole },
                });
            }
        };
        Ok(Target { namespace, name })
    }
}
