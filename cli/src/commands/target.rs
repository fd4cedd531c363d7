//! Whom `seal set`, `seal edit` and `seal move` seal to, file by file, and for which place, and what they say of it.
//!
//! [`choose`](super::choose) puts rules and flags together. Invariants: flags that no file can use, and places that no rule
//! allows, are refused before a value is asked for; a path decides about the namespace as it does for `seal`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use seal_crds::keys::RsaPublicKey;
use seal_crds::native::NamedRecipient;
use seal_crds::{Format, ItemName, Namespace};
use seal_documents::manifest::{Manifest, Object};

use super::choose::{BitnamiFlags, CertificateFlag, Chooser, Ruled};
use super::list;
use crate::args::TargetArgs;
use crate::keys::recipients::looks_like_recipient;
use crate::objects::change::{self, Changeable, SealTo};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

#[derive(Debug, thiserror::Error)]
pub(super) enum TargetError {
    #[error("{0} is for SealedSecrets of bitnami.com, and these are native")]
    ForBitnami(&'static str),
    #[error("{0} is for native SealedSecrets, and one of these is of bitnami.com")]
    ForNative(&'static str),
}

impl Explain for TargetError {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::ForNative("-r") => Some("give the certificate with --cert".to_owned()),
            Self::ForNative(_) => Some("in that of bitnami.com templates may use every item".to_owned()),
            Self::ForBitnami(_) => None,
        }
    }
}

/// Whom one file is sealed to.
pub(super) struct Target {
    keys: Keys,
    /// The names of those who will open it: a rule's names for them, else those of their keys.
    names: Vec<String>,
}

/// The keys, in the format of the file.
enum Keys {
    Recipients(Arc<[NamedRecipient]>),
    Certificate(RsaPublicKey),
}

impl Target {
    pub(super) fn seal_to(&self) -> SealTo<'_> {
        match &self.keys {
            Keys::Recipients(recipients) => SealTo::Recipients(recipients),
            Keys::Certificate(key) => SealTo::Certificate(key),
        }
    }

    /// The names of those who will open the items, for a message.
    pub(super) fn names(&self) -> String {
        self.names.join(", ")
    }
}

/// Refuses flags that none of the files can use.
pub(super) fn check_formats(
    args: &TargetArgs,
    template_items: &[ItemName],
    formats: impl Iterator<Item = Format> + Clone,
) -> Result<(), TargetError> {
    let has = |wanted| formats.clone().any(|format| format == wanted);
    let (native, bitnami) = (has(Format::Native), has(Format::Bitnami));
    if bitnami && !template_items.is_empty() {
        return Err(TargetError::ForNative("--template-item"));
    }
    if bitnami && !native && args.recipients.iter().any(|given| looks_like_recipient(given)) {
        return Err(TargetError::ForNative("-r"));
    }
    if !bitnami && args.cert.is_some() {
        return Err(TargetError::ForBitnami("--cert"));
    }
    if !bitnami && args.controller_name.is_some() {
        return Err(TargetError::ForBitnami("--controller-name"));
    }
    Ok(())
}

/// A SealedSecret to change, with the rule for its file.
pub(super) struct Placed<'f> {
    pub(super) file: &'f Path,
    pub(super) sealed: Changeable,
    ruled: Ruled,
    /// The namespace for an object that names none: that of `-n`, else the one that the rule takes from the path.
    pub(super) namespace: Option<Namespace>,
}

/// The chooser of a command that changes files.
pub(super) fn chooser(args: &TargetArgs) -> Chooser {
    Chooser::new(args.recipients.clone(), args.cluster.clone(), args.accept.clone())
}

impl<'f> Placed<'f> {
    /// Reads an object. `flag` is the namespace of `-n`, for an object that names none.
    ///
    /// # Errors
    ///
    /// The rules around the file aren't understood, or the object isn't.
    pub(super) fn read(
        chooser: &mut Chooser,
        file: &'f Path,
        manifest: &Manifest<'_>,
        object: &Object,
        flag: Option<&Namespace>,
    ) -> Result<Self, Failure> {
        let ruled = chooser.ruled(Some(file))?;
        let namespace = match flag {
            Some(flag) => Some(flag.clone()),
            None if change::names_namespace(manifest, object) => None,
            None => ruled.namespace(None)?,
        };
        let lacks_namespace = namespace.is_none() && !change::names_namespace(manifest, object);
        let sealed =
            Changeable::read(manifest, object, namespace.as_ref()).map_err(|failure| match failure.exit {
                Exit::Usage if lacks_namespace => failure
                    .hinted(ruled.namespace_hint(|_| None, "give the one that it was sealed for with -n")),
                _ => failure,
            })?;
        Ok(Self { file, sealed, ruled, namespace })
    }

    /// Refuses a place or a scope that the rule doesn't allow.
    pub(super) fn check_rule(&self) -> Result<(), Failure> {
        self.check_namespace()?;
        self.ruled.scope(Some(self.sealed.scope())).map(drop)
    }

    /// Refuses a namespace that isn't that of the rule. For a change that seals nothing, this is all there is to check.
    pub(super) fn check_namespace(&self) -> Result<(), Failure> {
        self.ruled.namespace(self.sealed.object_name.namespace.as_ref()).map(drop)
    }

    /// Warns where items join others in an object that names no namespace. Nobody can tell without a key whether the one
    /// that was given is that of the others; if it isn't, the object opens nowhere. A rule that gives the namespace has been
    /// obeyed.
    pub(super) fn warn_of_place<'i>(&self, items: impl Iterator<Item = &'i ItemName>) -> Result<(), Failure> {
        let sealed = &self.sealed;
        let items: BTreeSet<&str> = items.map(ItemName::as_str).collect();
        let is_alone = sealed.lines().keys().all(|name| items.contains(name.as_str()));
        if !sealed.is_place_unproven() || is_alone || self.ruled.namespace(None)?.is_some() {
            return Ok(());
        }
        let warning = format!(
            "{} names no namespace, so that of -n is taken for {}; if the other items were sealed for another one, it opens \
             nowhere",
            seal_foreign::path(self.file),
            sealed.object_name
        );
        terminal::warn(&warning, None);
        Ok(())
    }
}

/// Whom to seal to, file by file. What the rule for a file doesn't allow is refused.
pub(super) fn resolve(
    args: &TargetArgs,
    chooser: &mut Chooser,
    files: &[&Placed<'_>],
) -> Result<Vec<Target>, Failure> {
    let is_native = |file: &Placed<'_>| file.sealed.format() == Format::Native;
    files.iter().try_for_each(|file| file.check_rule())?;
    let given = if files.iter().any(|file| is_native(file)) { None } else { chooser.take_recipient() };
    let certificate = CertificateFlag::of(args.cert.as_ref(), given.as_ref());
    let flags = BitnamiFlags { certificate, controller_name: args.controller_name.clone() };
    let of = |native: bool| {
        let files = files.iter().filter(move |file| is_native(file) == native);
        files.map(|file| &file.ruled).collect::<Vec<_>>()
    };
    let mut recipients = chooser.recipients(&of(true))?.into_iter();
    let mut keys = chooser.bitnami_keys(&flags, &of(false))?.into_iter();
    const EACH: &str = "there is one for each file of the format";
    let target = |file: &&Placed<'_>| {
        let by_rule = args.recipients.is_empty() && args.cert.is_none();
        let rule = if by_rule { file.ruled.ruling() } else { None };
        Ok(if is_native(file) {
            let recipients = recipients.next().expect(EACH)?;
            let names = rule.map_or_else(
                || recipients.iter().map(name_of).collect(),
                |rule| rule.names_with_recipients().into_iter().map(str::to_owned).collect(),
            );
            Target { keys: Keys::Recipients(recipients), names }
        } else {
            let key = keys.next().expect(EACH);
            let names = match rule {
                Some(rule) => rule.certificates().iter().map(|(name, _)| (*name).to_owned()).collect(),
                None => vec![key.fingerprint().short()],
            };
            Target { keys: Keys::Certificate(key), names }
        })
    };
    files.iter().map(target).collect()
}

fn name_of(named: &NamedRecipient) -> String {
    named.name.clone().unwrap_or_else(|| named.recipient.fingerprint().short())
}

/// What becomes of items, in words: `password sealed again, token added for prod, recovery`.
pub(super) fn describe<'i>(
    sealed: &Changeable,
    items: impl Iterator<Item = &'i ItemName>,
    target: &Target,
) -> String {
    let is_known = |name: &&ItemName| sealed.lines().contains_key(name.as_str());
    let (again, added): (Vec<&ItemName>, Vec<&ItemName>) = items.partition(is_known);
    let mut what = Vec::new();
    for (items, verb) in [(again, "sealed again"), (added, "added")] {
        if !items.is_empty() {
            what.push(format!("{} {verb}", list(items)));
        }
    }
    format!("{} for {}", what.join(", "), target.names())
}

/// Warns of recipients who open the other items of the object and won't open these: a recovery recipient that was
/// forgotten is missed only on the day of the recovery.
pub(super) fn warn_of_others<'i>(
    sealed: &Changeable,
    items: impl Iterator<Item = &'i ItemName> + Clone,
    to: &SealTo<'_>,
) {
    let SealTo::Recipients(recipients) = to else { return };
    let names = items.clone().map(ItemName::as_str).collect();
    let now: BTreeSet<_> = recipients.iter().map(|named| named.recipient.fingerprint()).collect();
    let others = sealed.recipients_beside(&names).into_iter().filter(|(key, _)| !now.contains(key));
    let others: Vec<String> = others
        .map(|(key, name)| name.map_or_else(|| key.short(), |name| format!("{name} ({})", key.short())))
        .collect();
    if !others.is_empty() {
        let (object_name, items) = (&sealed.object_name, list(items));
        let warning = format!(
            "the other items of {object_name} are also sealed to {}; {items} won't be",
            others.join(", ")
        );
        terminal::warn(&warning, None);
    }
}
