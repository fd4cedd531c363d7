//! `seal rotate -i FILE`: with the identities at hand, and no cluster.
//!
//! The identity files say which formats can be rotated: age identities open native objects, RSA keys those of
//! bitnami.com. Objects of the other format stay, and are counted. Invariant: nothing is opened before it is clear to whom
//! everything is sealed.

use std::sync::Arc;

use seal_crds::Format;
use seal_crds::keys::{Keyring, RsaPublicKey};
use seal_crds::native::NamedRecipient;
use seal_documents::manifest::{Manifest, Object};

use super::patches::Patches;
use super::{Outcome, interest, report, rotate_files, sealed_secrets};
use crate::args::RotateArgs;
use crate::args::intent::IntentError;
use crate::commands::choose::Chooser;
use crate::commands::counted;
use crate::files::input::Input;
use crate::files::repository::{self, FilesFound, ManifestFile, Problems};
use crate::keys::{certificate, identities};
use crate::objects::rotation::{self, Rotation, Settings};
use crate::objects::sealed;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};

#[derive(Debug, thiserror::Error)]
enum OfflineError {
    #[error("there is an RSA key for the {0} of bitnami.com, and no certificate to seal to")]
    NoCertificate(String),
    #[error("--cert is given, and none of the files given with -i has an RSA key")]
    NoRsaKey,
}

impl Explain for OfflineError {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoCertificate(_) => {
                "give it with --cert (kubeseal --fetch-cert > cert.pem), or leave the file with the RSA key out".to_owned()
            }
            Self::NoRsaKey => {
                format!("SealedSecrets of bitnami.com are opened by one; {}", identities::BACKUP)
            }
        })
    }
}

/// What objects are sealed to. A format without it stays as it is.
struct Targets {
    /// The recipients for each file, by its index; `None` for a file without native objects.
    recipients: Option<Vec<Option<Arc<[NamedRecipient]>>>>,
    certificate: Option<RsaPublicKey>,
}

pub(super) fn run(args: RotateArgs) -> Result<Exit, Failure> {
    let keys = read_keys(&args)?;
    if args.cert.is_some() && keys.rsa_keys().is_empty() {
        return Err(OfflineError::NoRsaKey.into());
    }
    let mut problems = Problems::default();
    let FilesFound { files: found, failures, .. } = repository::files(&args.paths, interest)?;
    problems.extend(failures);
    let files = repository::manifests(&found, &mut problems);
    let objects: Vec<_> = files.iter().map(|file| sealed_secrets(file, &mut problems)).collect();
    let of = |wanted: Format| objects.iter().flatten().filter(|(_, format)| *format == wanted).count();
    let (native, bitnami) = (of(Format::Native), of(Format::Bitnami));

    let targets = Targets {
        recipients: if native == 0 || keys.is_empty() {
            None
        } else {
            Some(resolve_recipients(&args, &files, &objects, &mut problems)?)
        },
        certificate: resolve_certificate(&args, &keys, bitnami)?,
    };
    let patches = Patches::of(&files);
    let settings = Settings { keys: &keys, reseal: args.reseal, patched: patches.used.clone() };
    let look = |index: usize| {
        let mut outcome = Outcome::default();
        for (object, format) in &objects[index] {
            outcome.add(rotate(&args, &files[index].manifest, index, object, *format, &targets, &settings));
        }
        outcome
    };
    let mut done = rotate_files(&files, args.dry_run, &mut problems, look);
    done.leave(patches.lost(&files));
    let mut stays = String::new();
    if targets.recipients.is_none() {
        stays += &stay(native, "", "there is no identity for them in the files given with -i");
    }
    if targets.certificate.is_none() {
        stays += &stay(bitnami, " of bitnami.com", "there is no RSA key for them in the files given with -i");
    }
    report(&args, done, &problems, &stays)
}

/// The part of the closing note about objects that stay as they are.
fn stay(objects: usize, of: &str, why: &str) -> String {
    match objects {
        0 => String::new(),
        1 => format!("; 1 SealedSecret{of} stays, since {}", why.replace("them", "it")),
        objects => format!("; {objects} SealedSecrets{of} stay, since {why}"),
    }
}

fn read_keys(args: &RotateArgs) -> Result<Keyring, Failure> {
    let inputs: Vec<Input> = args.identities.iter().map(|path| Input::from_arg(path)).collect();
    if inputs.iter().filter(|input| **input == Input::Stdin).count() > 1 {
        return Err(IntentError::StdinTwice.into());
    }
    identities::read(&inputs)
}

/// The recipients of each file with native objects. A file into which nothing may be sealed is a problem.
fn resolve_recipients(
    args: &RotateArgs,
    files: &[ManifestFile<'_>],
    objects: &[Vec<(&Object, Format)>],
    problems: &mut Problems,
) -> Result<Vec<Option<Arc<[NamedRecipient]>>>, Failure> {
    let mut chooser = Chooser::new(args.recipients.clone(), args.cluster.clone(), args.accept.clone());
    let is_native =
        |objects: &[(&Object, Format)]| objects.iter().any(|(_, format)| *format == Format::Native);
    let mut ruled = Vec::new();
    for (index, file) in files.iter().enumerate().filter(|(index, _)| is_native(&objects[*index])) {
        ruled.push((index, chooser.ruled(Some(file.path))?));
    }
    let chosen = chooser.recipients(&ruled.iter().map(|(_, ruled)| ruled).collect::<Vec<_>>())?;
    let mut recipients = vec![None; files.len()];
    for ((index, _), chosen) in ruled.iter().zip(chosen) {
        recipients[*index] = problems.keep(chosen);
    }
    Ok(recipients)
}

/// The key of bitnami.com objects; `None` if there is none of them, or no RSA key for them.
fn resolve_certificate(
    args: &RotateArgs,
    keys: &Keyring,
    objects: usize,
) -> Result<Option<RsaPublicKey>, Failure> {
    if objects == 0 || keys.rsa_keys().is_empty() {
        return Ok(None);
    }
    let Some(from) = &args.cert else {
        return Err(OfflineError::NoCertificate(counted(objects, "SealedSecret")).into());
    };
    let certificate = certificate::for_sealing(&certificate::load(from)?, from)?;
    Ok(Some(certificate.public_key().clone()))
}

/// Rotates one object; `None` if its format stays as it is.
fn rotate(
    args: &RotateArgs,
    manifest: &Manifest<'_>,
    index: usize,
    object: &Object,
    format: Format,
    targets: &Targets,
    settings: &Settings<'_>,
) -> Option<Result<Rotation, Failure>> {
    match format {
        Format::Native => {
            let recipients = targets.recipients.as_ref()?[index].as_ref()?;
            Some(rotation::read_native(manifest, object).and_then(|found| match found {
                None => Ok(Rotation::Patch),
                Some(found) => found.rotate(manifest, object, recipients, settings),
            }))
        }
        Format::Bitnami => {
            let to = targets.certificate.as_ref()?;
            let public = sealed::public_parts(manifest, object, args.namespace.as_ref());
            Some(public.and_then(|public| rotation::rotate_bitnami(manifest, object, &public, to, settings)))
        }
    }
}
