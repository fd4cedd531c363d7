//! `seal keys restore DIR -i IDENTITY -r PINS`: gives a cluster its keys back, from backups or from saved Secrets.
//!
//! [`plan`] decides, [`found`] reads the files. The keys are created as the controller creates them, so the controller
//! may have started or not.
//!
//! Invariants: nothing is printed of a private half, and none is in an argument, a temporary file or the environment.
//! None goes to a cluster that the user hasn't named, or seen in a question and answered with yes.
//! A Secret that is there is never changed. A run that was cut off is finished by the next one.

mod found;
mod plan;

use seal_crds::keys::Fingerprint;
use seal_crds::keys::stored::{Note, StoredKey};
use seal_crds::native::NamedRecipient;
use seal_crds::resources::KeyState;

use crate::args::RestoreArgs;
use crate::args::intent::{self, IntentError};
use crate::files::input::Input;
use crate::files::output;
use crate::keys::cluster::{Cluster, ClusterKeys, Created, RECOVERY, name_of_restored};
use crate::keys::{identities, recipients};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::{prompt, terminal};
use found::FoundKey;
use plan::{Decision, NoPrimary, Trusted, decide, primary};

/// The most Secrets of one key: the first one, and some for keys that were deleted and restored before.
const MAX_NAMES: usize = 9;

#[derive(Debug, thiserror::Error)]
enum RestoreError {
    #[error("nothing says which keys are yours")]
    NoList,
    #[error("--keep-primary takes the key that the pins seal to, and there are no pins")]
    NoPins,
    #[error("nothing can be restored")]
    NothingToRestore,
    #[error(transparent)]
    NoPrimary(NoPrimary),
    #[error("all names for a Secret of key {0} are taken")]
    NoName(String),
}

impl Explain for RestoreError {
    fn rule(&self) -> Rule {
        match self {
            Self::NoList | Self::NoPins => Rule::Usage,
            Self::NothingToRestore | Self::NoName(_) => Rule::NothingToDo,
            Self::NoPrimary(_) => Rule::NoSealingKey,
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::NoList | Self::NoPins => Exit::Usage,
            _ => Exit::Failure,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoList => {
                "give the repository's pins with -r FILE, or a fingerprint that you know with --accept".to_owned()
            }
            Self::NoPins => "give them with -r FILE".to_owned(),
            Self::NothingToRestore => "the warnings above say what is wrong with each file".to_owned(),
            Self::NoPrimary(NoPrimary::Unnamed) => {
                "a sealing key is one that seal keys fetch wrote, below # created and # fingerprint; without --keep-primary \
                 the keys are restored to open, and the cluster seals to a new one"
                    .to_owned()
            }
            Self::NoPrimary(NoPrimary::NotFound(_)) => {
                "its backup is missing or was skipped, or the pins are of another cluster; without --keep-primary the keys \
                 are restored to open, and the cluster seals to a new one"
                    .to_owned()
            }
            Self::NoPrimary(NoPrimary::Several(_)) => {
                "give the pins of one cluster alone, or leave --keep-primary out".to_owned()
            }
            Self::NoName(_) => "kubectl get secrets -l sealing.dev/sealing-key shows them".to_owned(),
        })
    }
}

pub(super) fn run(args: &RestoreArgs) -> Result<Exit, Failure> {
    if args.recipients.is_empty() && args.accept.is_empty() {
        return Err(RestoreError::NoList.into());
    }
    if args.recipients.is_empty() && args.keep_primary {
        return Err(RestoreError::NoPins.into());
    }
    // A private half goes to no cluster that nobody has named or seen.
    if args.cluster.context.is_none() && (args.yes || !intent::is_watched()) {
        return Err(IntentError::UnnamedRestore.into());
    }
    let inputs: Vec<Input> = args.identities.iter().map(|path| Input::from_arg(path)).collect();
    if inputs.iter().filter(|input| **input == Input::Stdin).count() > 1 {
        return Err(IntentError::StdinTwice.into());
    }
    let given = recipients::load(&args.recipients)?;
    let is_recovery = |named: &NamedRecipient| named.name.as_deref() == Some(RECOVERY);
    let recovery = given.recipients.into_iter().filter(is_recovery).map(|named| named.recipient).collect();
    let accepted = args.accept.iter().copied().collect();
    let trusted = Trusted { pins: given.pins, sealing_keys: given.sealing_keys, recovery, accepted };
    let identities = identities::read(&inputs)?;
    let (mut keys, problems) = found::read(&args.sources, &identities, &trusted)?;
    problems
        .iter()
        .for_each(|problem| terminal::warn(&format!("skipped: {}", problem.facts.join(": ")), None));
    if keys.is_empty() {
        return Err(RestoreError::NothingToRestore.into());
    }
    keys.sort_by_key(FoundKey::ignorance);
    let facts: Vec<plan::Found> = keys.iter().map(FoundKey::facts).collect();
    let primary = args.keep_primary.then(|| primary(&facts, &trusted));
    let primary = primary.transpose().map_err(RestoreError::NoPrimary)?;

    let cluster = Cluster::connect(&args.cluster)?;
    let there = cluster.held_keys()?;
    let decisions = decide(&facts, &trusted, primary, &there);
    let count = |is: fn(&Decision) -> bool| decisions.iter().filter(|decision| is(decision)).count();
    let to_restore = count(|decision| matches!(decision, Decision::Restore { .. }));
    let to_keep = count(|decision| matches!(decision, Decision::There | Decision::ThereInAnotherState(_)));
    let to_skip = problems.len() + count(|decision| *decision == Decision::Untrusted);
    if to_restore > 0 && !args.yes {
        let what = match to_restore {
            1 => "1 key, with the private half".to_owned(),
            several => format!("{several} keys, with the private halves"),
        };
        prompt::confirm(&format!("Restore {what}, to {}?", cluster.summary_of_namespace()))?;
    } else {
        terminal::note(&format!("restoring to {}", cluster.summary_of_namespace()));
    }
    let is_complete = problems.is_empty() && decisions.iter().all(Decision::is_clean);
    let mut work: Vec<_> = keys.into_iter().zip(decisions).collect();
    // The key to seal to comes last: once it is there, so is everything that it replaces.
    work.sort_by_key(|(_, decision)| matches!(decision, Decision::Restore { state: KeyState::Active, .. }));
    for (key, decision) in work {
        // Each line at once: whatever ends the run, what was done is said.
        output::report(act(&cluster, key, &decision, &trusted, &there)?)?;
    }
    terminal::note(&format!("{to_restore} restored, {to_keep} there already, {to_skip} skipped"));
    Ok(if is_complete { Exit::Done } else { Exit::Findings })
}

impl Decision {
    /// Whether the user got what he asked for.
    fn is_clean(&self) -> bool {
        matches!(self, Self::Restore { .. } | Self::There | Self::Again)
    }
}

/// Does what was decided about a key, and gives the report's line about it, if there is one.
fn act(
    cluster: &Cluster,
    key: FoundKey,
    decision: &Decision,
    trusted: &Trusted,
    there: &ClusterKeys,
) -> Result<Option<String>, Failure> {
    let (file, short) = (key.file.clone(), key.stored.identity.fingerprint().short());
    let line = match decision {
        Decision::Restore { sequence, state } => {
            let fingerprint = key.stored.identity.fingerprint();
            let recorded = there.recorded.get(&fingerprint).map(|recorded| &recorded.recovery[..]);
            let recovery = key.recovery(*state, trusted, recorded.unwrap_or_default());
            let stored = StoredKey { sequence: *sequence, recovery, ..key.stored };
            let name = create(cluster, &stored, *state, &fingerprint)?;
            format!("{file}: restored as {name}, sequence {sequence}, {}", word(*state))
        }
        Decision::There => format!("{file}: there already ({short})"),
        Decision::Again => return Ok(None),
        Decision::ThereInAnotherState(note) => {
            let state = match note {
                Note::Says(state) => word(*state),
                Note::Absent | Note::Unreadable => "without a state that can be read",
            };
            terminal::warn(
                &format!("key {short} is there already, {state}: restoring changes no key that is there"),
                None,
            );
            format!("{file}: there already ({short}), {state}")
        }
        Decision::Untrusted => {
            terminal::warn(&not_listed(&file, &key.stored.identity.fingerprint()), None);
            format!("{file}: skipped")
        }
    };
    Ok(Some(line))
}

/// The reason why a key is skipped that nobody says is theirs.
fn not_listed(file: &str, fingerprint: &Fingerprint) -> String {
    format!(
        "skipped: {file} holds key {fingerprint}, which no pins list: anybody can encrypt a key to a recovery recipient. \
         If you know that it is yours, add --accept {fingerprint}"
    )
}

/// Creates the Secret under the first free name of the key. A Secret whose deletion was asked for still has its name.
fn create(
    cluster: &Cluster,
    stored: &StoredKey,
    state: KeyState,
    fingerprint: &Fingerprint,
) -> Result<String, Failure> {
    let base = name_of_restored(fingerprint);
    let others = (2..=MAX_NAMES).map(|number| format!("{base}-{number}"));
    for name in std::iter::once(base.clone()).chain(others) {
        if cluster.create_secret(&stored.to_json(&name, state))? == Created::Done {
            return Ok(name);
        }
    }
    Err(RestoreError::NoName(fingerprint.short()).into())
}

fn word(state: KeyState) -> &'static str {
    match state {
        KeyState::Active => "Active",
        KeyState::Retiring => "Retiring",
        KeyState::Revoked => "Revoked",
    }
}
