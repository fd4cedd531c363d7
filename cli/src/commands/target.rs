//! Whom `seal set`, `seal edit` and `seal move` seal to, file by file, and what they say of it.
//!
//! [`choose`](super::choose) puts rules and flags together. Invariant: flags that no file can use are refused before a value
//! is asked for.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use seal_crds::keys::RsaPublicKey;
use seal_crds::native::NamedRecipient;
use seal_crds::{Format, ItemName};

use super::choose::{BitnamiFlags, CertificateFlag, Chooser};
use super::list;
use crate::args::TargetArgs;
use crate::keys::recipients::looks_like_recipient;
use crate::objects::change::{Changeable, SealTo};
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

/// Whom one file is sealed to, in its format.
pub(super) enum Target {
    Recipients(Arc<[NamedRecipient]>),
    Certificate(RsaPublicKey),
}

impl Target {
    pub(super) fn seal_to(&self) -> SealTo<'_> {
        match self {
            Self::Recipients(recipients) => SealTo::Recipients(recipients),
            Self::Certificate(key) => SealTo::Certificate(key),
        }
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

/// Whom to seal to, file by file. What the rule for a file doesn't allow is refused.
pub(super) fn resolve(args: &TargetArgs, files: &[(&Path, &Changeable)]) -> Result<Vec<Target>, Failure> {
    let is_native = |file: &(&Path, &Changeable)| file.1.format() == Format::Native;
    let mut recipients = args.recipients.clone();
    let given = if files.iter().any(is_native) { None } else { recipients.pop() };
    let certificate = CertificateFlag::of(args.cert.as_ref(), given.as_ref());
    let flags = BitnamiFlags { certificate, controller_name: args.controller_name.clone() };
    let mut chooser = Chooser::new(recipients, args.cluster.clone(), args.accept.clone());
    let ruled = files.iter().map(|file| chooser.ruled(Some(file.0))).collect::<Result<Vec<_>, Failure>>()?;
    for ((_, sealed), ruled) in files.iter().zip(&ruled) {
        ruled.namespace(sealed.object_name.namespace.as_ref())?;
        ruled.scope(Some(sealed.scope()))?;
    }
    let of = |native: bool| {
        let files = files.iter().zip(&ruled).filter(move |(file, _)| is_native(file) == native);
        files.map(|(_, ruled)| ruled).collect::<Vec<_>>()
    };
    let mut recipients = chooser.recipients(&of(true))?.into_iter();
    let mut keys = chooser.bitnami_keys(&flags, &of(false))?.into_iter();
    const EACH: &str = "there is one for each file of the format";
    let target = |file: &(&Path, &Changeable)| {
        Ok(if is_native(file) {
            Target::Recipients(recipients.next().expect(EACH)?)
        } else {
            Target::Certificate(keys.next().expect(EACH))
        })
    };
    files.iter().map(target).collect()
}

/// Refuses a namespace that isn't that of the rule for a file. For a change that seals nothing: it asks for no recipients.
pub(super) fn check_namespace(args: &TargetArgs, file: &Path, sealed: &Changeable) -> Result<(), Failure> {
    let mut chooser = Chooser::new(Vec::new(), args.cluster.clone(), args.accept.clone());
    chooser.ruled(Some(file))?.namespace(sealed.object_name.namespace.as_ref()).map(|_| ())
}

/// Warns where items join others in an object that names no namespace. Nobody can tell without a key whether the one that was
/// given is that of the others; if it isn't, the object opens nowhere. A rule that gives the namespace has been obeyed.
pub(super) fn warn_of_place<'i>(
    args: &TargetArgs,
    file: &Path,
    sealed: &Changeable,
    items: impl Iterator<Item = &'i ItemName>,
) -> Result<(), Failure> {
    let items: BTreeSet<&str> = items.map(ItemName::as_str).collect();
    let is_alone = sealed.lines().keys().all(|name| items.contains(name.as_str()));
    if !sealed.is_place_unproven() || is_alone {
        return Ok(());
    }
    let mut chooser = Chooser::new(Vec::new(), args.cluster.clone(), args.accept.clone());
    if chooser.ruled(Some(file))?.namespace(None)?.is_some() {
        return Ok(());
    }
    let warning = format!(
        "{} names no namespace, so that of -n is taken for {}; if the other items were sealed for another one, it opens nowhere",
        seal_foreign::path(file),
        sealed.object_name
    );
    terminal::warn(&warning, None);
    Ok(())
}

/// What becomes of items, in words: `password sealed again, token added for prod, recovery`.
pub(super) fn describe<'i>(
    sealed: &Changeable,
    items: impl Iterator<Item = &'i ItemName>,
    to: &SealTo<'_>,
) -> String {
    let is_known = |name: &&ItemName| sealed.lines().contains_key(name.as_str());
    let (again, added): (Vec<&ItemName>, Vec<&ItemName>) = items.partition(is_known);
    let mut what = Vec::new();
    for (items, verb) in [(again, "sealed again"), (added, "added")] {
        if !items.is_empty() {
            what.push(format!("{} {verb}", list(items)));
        }
    }
    format!("{} for {}", what.join(", "), names(to))
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

/// The names of those who will open the items.
pub(super) fn names(to: &SealTo<'_>) -> String {
    match to {
        SealTo::Certificate(key) => key.fingerprint().short(),
        SealTo::Recipients(recipients) => {
            let name = |named: &NamedRecipient| {
                named.name.clone().unwrap_or_else(|| named.recipient.fingerprint().short())
            };
            recipients.iter().map(name).collect::<Vec<_>>().join(", ")
        }
    }
}
