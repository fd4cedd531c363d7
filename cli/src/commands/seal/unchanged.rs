//! `seal` where the destination may have the sealed objects already: unchanged values stay as they are.
//!
//! [`again`] finds the destination, and [`keeping`](crate::objects::keeping) decides what stays. Invariant: every Secret of
//! the input is sealed in the result, whatever the destination has.

use seal_documents::manifest::{Manifest, Object};
use seal_documents::source::Source;

use super::inventory::SecretToSeal;
use super::{Results, pieced, replace, warn_of_size};
use crate::args::intent::Destination;
use crate::commands::again::{self, Part};
use crate::files::input::Input;
use crate::objects::keeping::{Again, Current, Keeper};
use crate::objects::sealing::{self, NativeSealer, Sealer};
use crate::talk::failure::Failure;
use crate::talk::signals::Run;
use crate::talk::terminal;

/// A Secret that was sealed.
pub(super) struct Sealed<'m> {
    pub(super) object: &'m Object,
    /// The object that it is in the destination.
    pub(super) current: Option<Current<'m>>,
    pub(super) again: Again,
    value: seal_documents::yaml::written::Written,
}

/// Seals everything, and gives the texts that go to the destination.
pub(super) fn seal(
    destination: &Destination,
    inputs: &[Input],
    manifests: &[Manifest<'_>],
    to_seal: Vec<Vec<SecretToSeal<'_>>>,
    sealers: &[Option<Sealer>],
    keeper: &Keeper,
) -> Result<Results, Failure> {
    let sources: Vec<Option<Source>> = match destination {
        Destination::InPlace => again::in_git(inputs),
        Destination::File(path) => vec![again::in_file(path)],
        Destination::Stdout => vec![None],
    };
    let present: Vec<Option<Manifest<'_>>> =
        sources.iter().map(|source| Manifest::parse(source.as_ref()?).ok()).collect();
    // All results share the one file of `-o`.
    let present_of = |index: usize| present.get(index.min(present.len() - 1)).and_then(Option::as_ref);
    let mut sealed: Vec<Vec<Sealed<'_>>> = Vec::new();
    // Nothing is written yet, so a signal ends the program after the file in hand.
    let run = Run::new("file", inputs.len());
    for (index, to_seal) in to_seal.into_iter().enumerate() {
        let sealer = match &sealers[index] {
            Some(Sealer::Native(sealer)) => sealer,
            // The file has no Secret; and no other format gets a keeper.
            Some(Sealer::Bitnami(_)) | None => {
                sealed.push(Vec::new());
                continue;
            }
        };
        let seal = |to_seal| seal_one(to_seal, present_of(index), sealer, keeper);
        sealed.push(to_seal.into_iter().map(seal).collect::<Result<_, Failure>>()?);
        if run.is_stopped() {
            break;
        }
    }
    run.settle(0);
    if *destination == Destination::InPlace {
        let texts = manifests.iter().zip(&sealed).enumerate().map(|(index, (manifest, sealed))| {
            let parts = parts(manifest, sealed);
            let present = present_of(index);
            let edited = present
                .filter(|present| again::has_comments(&parts, manifest, present))
                .and_then(|present| again::edited(&parts, present));
            edited.map_or_else(|| anew(manifest, sealed, present), Ok)
        });
        return Ok(Results::Files(texts.collect::<Result<_, Failure>>()?));
    }
    let all: Vec<Part<'_>> =
        manifests.iter().zip(&sealed).flat_map(|(manifest, sealed)| parts(manifest, sealed)).collect();
    if let Some(text) = present_of(0).and_then(|present| again::edited(&all, present)) {
        return Ok(Results::Whole { text, there: there(sources) });
    }
    let texts = manifests.iter().zip(&sealed).map(|(manifest, sealed)| anew(manifest, sealed, present_of(0)));
    let texts = texts.collect::<Result<_, Failure>>()?;
    Ok(Results::Joined { texts, there: there(sources) })
}

/// What the file of `-o` had.
fn there(sources: Vec<Option<Source>>) -> Option<Source> {
    sources.into_iter().next().flatten()
}

fn seal_one<'m>(
    to_seal: SecretToSeal<'m>,
    present: Option<&'m Manifest<'m>>,
    sealer: &NativeSealer,
    keeper: &Keeper,
) -> Result<Sealed<'m>, Failure> {
    let SecretToSeal { object, secret, object_name } = to_seal;
    let current = present.and_then(|present| Current::find(present, &object_name));
    let again = keeper.seal(secret, &object_name, sealer, current)?;
    if current.is_some() {
        terminal::note(&format!("{object_name}: {}", again.summary()));
    }
    let value = sealing::object(&object_name, &again.spec);
    warn_of_size(&object_name, &value);
    Ok(Sealed { object, current, again, value })
}

/// The objects of a manifest in their order, as they are in the result.
fn parts<'m>(manifest: &'m Manifest<'m>, sealed: &'m [Sealed<'m>]) -> Vec<Part<'m>> {
    let part = |object: &'m Object| match sealed.iter().find(|sealed| std::ptr::eq(sealed.object, object)) {
        Some(sealed) => Part::Sealed(sealed.current, &sealed.again),
        None => Part::Passed(manifest, object),
    };
    manifest.objects.iter().map(part).collect()
}

/// The manifest with each Secret replaced. What the destination has of them stays as it is there, if it can.
fn anew(
    manifest: &Manifest<'_>,
    sealed: &[Sealed<'_>],
    present: Option<&Manifest<'_>>,
) -> Result<String, Failure> {
    let text = replace(manifest, sealed.iter().map(|sealed| (sealed.object, &sealed.value)))?;
    let pieced = present.and_then(|present| pieced::piece(&text, manifest, sealed, present));
    Ok(pieced.unwrap_or(text))
}
