//! `seal rotate --verify`: waits until the cluster has every SealedSecret of these files as it stands there, and says that
//! it is Ready.
//!
//! It changes nothing. Only after it ends with 0 may an old key go: an envelope that was forged, or that the cluster can't
//! open, shows here. Invariant: an object counts only with exactly the sealed content of the file, and Ready at its present
//! generation. If the cluster has that content several times, only the one in the object's namespace counts: whoever reads
//! the repository can apply a copy elsewhere, which never opens. Where no namespace is known, each has to be Ready.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use seal_crds::native::{Difference, OfferPins};
use seal_crds::{Format, Namespace, SealedTo};
use seal_documents::manifest::Object;

use super::patches::Patches;
use super::{interest, print_lines, sealed_secrets};
use crate::args::RotateArgs;
use crate::args::intent::{self, IntentError};
use crate::commands::choose::Chooser;
use crate::commands::counted;
use crate::files::repository::{self, FilesFound, Lines, ManifestFile, NothingSealed, Problems};
use crate::keys::cluster::{Cluster, ConnectError};
use crate::keys::recipients;
use crate::objects::name::ObjectName;
use crate::objects::rotation::{self, Counterpart, Listing, SealedAs, State};
use crate::objects::sealed;
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::progress::Progress;
use crate::talk::terminal;

/// The time between two looks. A list of a large cluster takes a second.
const INTERVAL: Duration = Duration::from_secs(2);

/// An object of a file that the cluster has to have.
struct Expected {
    /// The index of its file.
    file: usize,
    /// The byte offset in the file.
    at: usize,
    object_name: ObjectName,
    sealed_as: SealedAs,
    /// How the recipients in the file differ from the pins.
    difference: Difference,
}

/// What the cluster says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Ready,
    /// The file itself is wrong, so there is nothing to wait for.
    NotPinned,
    NotThere,
    NotListed,
    /// The place in the cluster, and its state.
    Not(String, State),
    /// It is somewhere else than where the file says, and waits for a change there. Holds the place and the reason. It may
    /// be somebody's copy, while the object itself is still on its way.
    Elsewhere(String, String),
}

impl Answer {
    /// Whether waiting changes nothing.
    fn is_settled(&self) -> bool {
        matches!(self, Self::Ready | Self::NotPinned | Self::NotListed | Self::Not(_, State::Stalled(_)))
    }

    fn describe(&self, expected: &Expected) -> String {
        match self {
            Self::Ready => "is Ready".to_owned(),
            Self::NotPinned => {
                let listed =
                    |all: &[SealedTo]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let Difference { not_pinned, lacking } = &expected.difference;
                let not_pinned = (!not_pinned.is_empty())
                    .then(|| format!("it is sealed to {}, not given with -r", listed(not_pinned)));
                let lacking =
                    (!lacking.is_empty()).then(|| format!("it isn't sealed to {}", listed(lacking)));
                let why: Vec<String> = not_pinned.into_iter().chain(lacking).collect();
                format!("isn't rotated: {}", why.join("; "))
            }
            Self::NotThere => "no object of the cluster is sealed like this; is the file applied?".to_owned(),
            Self::NotListed => "you may not list the SealedSecrets of its namespace".to_owned(),
            Self::Not(place, State::Stalled(reason)) => {
                format!(
                    "{place} is not Ready and won't be: {reason}; kubectl describe says more, and Git has the old one"
                )
            }
            Self::Elsewhere(place, reason) => format!(
                "only {place} is sealed like this, and it is not Ready: {reason}; if it is a copy, is the file applied? Its \
                 namespace can be given with -n"
            ),
            Self::Not(place, State::Pending(Some(reason))) => format!("{place} is not Ready: {reason}"),
            Self::Not(place, _) => {
                format!("the controller says nothing of {place} as it is now; is it running?")
            }
        }
    }
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
    let mut expected = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let sealed = sealed_secrets(file, &mut problems);
        let ruled = chooser.ruled(Some(file.path))?;
        let pinned = match chooser.pinned(&[&ruled])?.pop().flatten() {
            Some(pinned) => match problems.keep(pinned) {
                Some(pinned) => Some(chooser.offer_pins(&ruled, &pinned)),
                None => continue,
            },
            None => None,
        };
        for (object, format) in sealed {
            let one = expect(index, file, object, format, pinned.as_ref());
            expected.extend(problems.keep(one).flatten());
        }
    }
    let lost = Patches::of(&files).lost(&files);
    if expected.is_empty() && problems.is_empty() && lost.is_empty() {
        return Err(NothingSealed::in_paths(&args.paths).into());
    }
    let cluster = Cluster::connect(&args.cluster)?;
    terminal::note(&format!("asking {}", cluster.summary()));
    let answers = wait(&args, &cluster, &expected)?;

    let findings = expected.iter().zip(&answers).filter(|(_, answer)| **answer != Answer::Ready);
    let mut lines: Vec<_> = findings
        .map(|(expected, answer)| {
            let text = format!("{}: {}", expected.object_name, answer.describe(expected));
            Lines::new(files[expected.file].manifest.source).line(expected.at, &text)
        })
        .collect();
    let ready = answers.len() - lines.len();
    lines.extend(lost);
    lines.sort();
    print_lines(&lines)?;
    let failed = problems.print();
    let mut closing = format!(
        "{} {} Ready as {} in these files",
        counted(ready, "SealedSecret"),
        if ready == 1 { "is" } else { "are" },
        if ready == 1 { "it stands" } else { "they stand" }
    );
    match lines.len() + failed {
        0 => {}
        1 => closing += "; 1 isn't, as said above",
        others => closing += &format!("; {others} aren't, as said above"),
    }
    terminal::note(&closing);
    Ok(if lines.is_empty() && failed == 0 { Exit::Done } else { Exit::Findings })
}

/// The object that a cluster has to have; `None` for a patch.
fn expect(
    index: usize,
    file: &ManifestFile<'_>,
    object: &Object,
    format: Format,
    pinned: Option<&OfferPins>,
) -> Result<Option<Expected>, Failure> {
    let manifest = &file.manifest;
    let at = manifest.tree(object).range(object.node).start;
    let expected = |object_name, sealed_as, difference| {
        Some(Expected { file: index, at, object_name, sealed_as, difference })
    };
    match format {
        Format::Native => {
            let Some(found) = rotation::read_native(manifest, object)? else { return Ok(None) };
            let difference = pinned.map(|pins| pins.compare(found.sealed.sealed_to())).unwrap_or_default();
            let sealed_as = found.sealed_as();
            Ok(expected(found.object_name, sealed_as, difference))
        }
        Format::Bitnami => {
            let spec = manifest.bitnami_spec(object)?;
            if spec.encrypted_data.is_empty() && spec.data.is_none() {
                return Ok(None);
            }
            let object_name = sealed::read_name(manifest, object, None, true)?;
            Ok(expected(
                object_name,
                SealedAs::Bitnami(spec.encrypted_data, spec.data),
                Difference::default(),
            ))
        }
    }
}

/// Looks again and again, until waiting changes nothing or the time is up. The result has the order of `expected`.
fn wait(args: &RotateArgs, cluster: &Cluster, expected: &[Expected]) -> Result<Vec<Answer>, ConnectError> {
    let formats = expected.iter().map(|expected| match expected.sealed_as {
        SealedAs::Native { .. } => Format::Native,
        SealedAs::Bitnami(..) => Format::Bitnami,
    });
    let formats: BTreeSet<Format> = formats.collect();
    let namespaces = expected.iter().filter_map(|expected| expected.object_name.namespace.clone());
    let namespaces: BTreeSet<Namespace> = namespaces.chain(args.namespace.clone()).collect();
    let wanted: BTreeSet<&SealedAs> = expected.iter().map(|expected| &expected.sealed_as).collect();
    let is_wanted = |live: &Counterpart| live.sealed_as.as_ref().is_some_and(|it| wanted.contains(it));
    let progress = Progress::new("waiting until all are Ready", expected.len());
    let end = Instant::now() + args.timeout;
    let mut answers: Option<Vec<Answer>> = None;
    loop {
        match rotation::list(cluster, &formats, &namespaces, is_wanted) {
            Ok(live) => answers = Some(judge(expected, &live, args.namespace.as_ref())),
            // A cluster that answered once may be restarting.
            Err(error) if answers.is_none() || Instant::now() >= end => return Err(error),
            Err(_) => {}
        }
        let now = answers.as_deref().unwrap_or_default();
        progress.set(now.iter().filter(|answer| **answer == Answer::Ready).count());
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || (now.len() == expected.len() && now.iter().all(Answer::is_settled)) {
            return Ok(answers.unwrap_or_default());
        }
        thread::sleep(left.min(INTERVAL));
    }
}

/// The answer about every object.
fn judge(expected: &[Expected], live: &Listing, namespace: Option<&Namespace>) -> Vec<Answer> {
    let mut found: BTreeMap<&SealedAs, Vec<&Counterpart>> = BTreeMap::new();
    for object in &live.objects {
        if let Some(sealed_as) = &object.sealed_as {
            found.entry(sealed_as).or_default().push(object);
        }
    }
    let judge = |expected: &Expected| {
        if !expected.difference.is_none() {
            return Answer::NotPinned;
        }
        let there = found.get(&expected.sealed_as).map(Vec::as_slice).unwrap_or_default();
        let namespace = expected.object_name.namespace.as_ref().or(namespace);
        let there = rotation::at_home(there, namespace);
        let not = |live: &&Counterpart| match live.state() {
            State::Ready => None,
            State::Stalled(reason) if !rotation::is_at_home(live, namespace) => {
                Some(Answer::Elsewhere(live.place.clone(), reason))
            }
            state => Some(Answer::Not(live.place.clone(), state)),
        };
        match there.iter().find_map(not) {
            Some(answer) => answer,
            None if !there.is_empty() => Answer::Ready,
            None if live.covers(namespace) => Answer::NotThere,
            None => Answer::NotListed,
        }
    };
    expected.iter().map(judge).collect()
}
