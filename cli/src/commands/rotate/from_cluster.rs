//! `seal rotate --from-cluster -r PINS`: the envelopes that the cluster's controller offers, without a private key.
//!
//! A file finds its offer by the envelopes that it has, in its own namespace if it has one. Invariants: a file is only ever
//! sealed to the pinned recipients, and to all of them that don't retire; a run ends with 0 only if every native object of
//! the files is, as far as it says so itself. Objects of bitnami.com stay as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use seal_crds::native::{NamedRecipient, OfferPins};
use seal_crds::{Format, Namespace};
use seal_documents::manifest::Object;

use super::patches::Patches;
use super::{Outcome, interest, report, rotate_files, sealed_secrets};
use crate::args::RotateArgs;
use crate::args::intent::{self, IntentError};
use crate::commands::choose::Chooser;
use crate::files::repository::{self, FilesFound, ManifestFile, Problems};
use crate::keys::cluster::Cluster;
use crate::keys::recipients;
use crate::objects::rotation::{self, Counterpart, Decision, FoundNative};
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::terminal;

/// A native object, and where it stands.
struct Candidate<'m> {
    object: &'m Object,
    found: FoundNative,
    source: String,
}

pub(super) fn run(args: RotateArgs) -> Result<Exit, Failure> {
    if args.cluster.context.is_none() && !intent::is_watched() {
        return Err(IntentError::UnnamedFetch.into());
    }
    let mut chooser = Chooser::new(args.recipients.clone(), args.cluster.clone(), args.accept.clone());
    if !args.recipients.is_empty() {
        // Bad pins are found before anything else is read.
        recipients::load(&args.recipients)?;
    }
    let mut problems = Problems::default();
    let FilesFound { files: found, failures, .. } = repository::files(&args.paths, interest)?;
    problems.extend(failures);
    let files = repository::manifests(&found, &mut problems);
    let mut bitnami = 0;
    let mut candidates: Vec<Vec<Candidate<'_>>> = Vec::new();
    for file in &files {
        let mut here = Vec::new();
        for (object, format) in sealed_secrets(file, &mut problems) {
            if format == Format::Bitnami {
                bitnami += 1;
                continue;
            }
            let found = problems.keep(rotation::read_native(&file.manifest, object)).flatten();
            here.extend(found.map(|found| Candidate { object, source: found.sealed.source(), found }));
        }
        candidates.push(here);
    }
    let all = || candidates.iter().flatten();
    let stays = match bitnami {
        0 => String::new(),
        1 => "; 1 SealedSecret of bitnami.com stays, since there are no offers for it".to_owned(),
        some => format!("; {some} SealedSecrets of bitnami.com stay, since there are no offers for them"),
    };
    let lost = Patches::of(&files).lost(&files);
    if all().next().is_none() {
        let mut done = super::Done::default();
        done.leave(lost);
        return report(&args, done, &problems, &stays);
    }

    let pinned = pins(&mut chooser, &files, &candidates, &mut problems)?;
    let wanted: BTreeSet<&str> = all().map(|candidate| candidate.source.as_str()).collect();
    let namespaces = all().filter_map(|candidate| candidate.found.object_name.namespace.clone());
    let namespaces: BTreeSet<Namespace> = namespaces.chain(args.namespace.clone()).collect();
    let cluster = Cluster::connect(&args.cluster)?;
    terminal::note(&format!("taking offers from {}", cluster.summary()));
    let live = rotation::list(&cluster, &[Format::Native].into(), &namespaces, |live| {
        sources(live).any(|source| wanted.contains(source))
    })?;
    let mut by_source: BTreeMap<&str, Vec<&Counterpart>> = BTreeMap::new();
    for object in &live.objects {
        for source in sources(object).collect::<BTreeSet<_>>() {
            by_source.entry(source).or_default().push(object);
        }
    }
    let look = |index: usize| {
        let mut outcome = Outcome::default();
        let Some(pinned) = &pinned[index] else { return outcome };
        for Candidate { object, found, source } in &candidates[index] {
            let manifest = &files[index].manifest;
            let namespace = found.object_name.namespace.as_ref().or(args.namespace.as_ref());
            let there = by_source.get(source.as_str()).map(Vec::as_slice).unwrap_or_default();
            let there = rotation::at_home(there, namespace);
            match rotation::decide(found, &there, &live, live.covers(namespace), pinned) {
                Decision::Current => outcome.current += 1,
                Decision::Take(envelope) => {
                    outcome.rotated.push(found.with_envelope(manifest, object, envelope));
                }
                Decision::Left(why) => {
                    let at = manifest.tree(object).range(object.node).start;
                    outcome.left.push((at, format!("{}: left: {why}", found.object_name)));
                }
            }
        }
        outcome
    };
    let mut done = rotate_files(&files, args.dry_run, &mut problems, look);
    done.leave(lost);
    report(&args, done, &problems, &stays)
}

/// The recipients that an offer for each file has to have, and may have; `None` for a file without candidates, and for one into which nothing
/// may be sealed, which is a problem.
///
/// # Errors
///
/// A file has neither a rule nor the recipients of `-r`: a cluster doesn't pin its own offers.
fn pins(
    chooser: &mut Chooser,
    files: &[ManifestFile<'_>],
    candidates: &[Vec<Candidate<'_>>],
    problems: &mut Problems,
) -> Result<Vec<Option<Arc<OfferPins>>>, Failure> {
    let mut ruled = Vec::new();
    for (index, file) in files.iter().enumerate().filter(|(index, _)| !candidates[*index].is_empty()) {
        ruled.push((index, chooser.ruled(Some(file.path))?));
    }
    let chosen = chooser.accepted_pins(&ruled.iter().map(|(_, ruled)| ruled).collect::<Vec<_>>())?;
    let mut pins = vec![None; files.len()];
    // The files of one rule have the same recipients.
    let mut last: Option<(Arc<[NamedRecipient]>, Arc<OfferPins>)> = None;
    for ((index, ruled), chosen) in ruled.iter().zip(chosen) {
        let unpinned = || IntentError::Unpinned(seal_foreign::path(files[*index].path));
        let Some(chosen) = problems.keep(chosen.ok_or_else(unpinned)?) else { continue };
        let here = match last.take() {
            Some((before, pins)) if Arc::ptr_eq(&before, &chosen) => pins,
            _ => Arc::new(chooser.offer_pins(ruled, &chosen)),
        };
        pins[*index] = Some(Arc::clone(&here));
        last = Some((chosen, here));
    }
    Ok(pins)
}

/// The sources that an object of the cluster answers to: that of its own envelopes, and that of its offer.
fn sources(live: &Counterpart) -> impl Iterator<Item = &str> {
    live.source().into_iter().chain(live.rewrap.as_ref().map(|offer| offer.source.as_str()))
}
