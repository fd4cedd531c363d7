//! `seal keys restore DIR -i IDENTITY -r PINS`: gives a cluster its keys back, from backups or from saved Secrets.
//!
//! [`plan`] decides, [`found`] reads the files. The keys are created as the controller creates them, so the controller
//! may have started or not.
//!
//! Invariants: nothing is printed of a private half, and none is in an argument, a temporary file or the environment.
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
use crate::keys::cluster::{Created, KeyNamespace, RECOVERY};
use crate::keys::{identities, recipients};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;
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
            Self::NoPrimary(NoPrimary::None) => {
                "its backup is missing, or the pins are of another cluster; without --keep-primary the keys are restored \
                 to open, and the cluster seals to a new one"
                    .to_owned()
            }
            Self::NoPrimary(NoPrimary::Several(_)) => {
                "the pins don't say which of them are retiring: leave --keep-primary out, or name the files of one".to_owned()
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
    if args.cluster.context.is_none() && !intent::is_watched() {
        return Err(IntentError::UnnamedFetch.into());
    }
    let inputs: Vec<Input> = args.identities.iter().map(|path| Input::from_arg(path)).collect();
    if inputs.iter().filter(|input| **input == Input::Stdin).count() > 1 {
        return Err(IntentError::StdinTwice.into());
    }
    let given = recipients::load(&args.recipients)?;
    let is_recovery = |named: &NamedRecipient| named.name.as_deref() == Some(RECOVERY);
    let recovery = given.recipients.into_iter().filter(is_recovery).map(|named| named.recipient).collect();
    let trusted = Trusted { pins: given.pins, recovery, accepted: args.accept.iter().copied().collect() };
    let identities = identities::read(&inputs)?;
    let (keys, problems) = found::read(&args.sources, &identities, &trusted)?;
    problems
        .iter()
        .for_each(|problem| terminal::warn(&format!("skipped: {}", problem.facts.join(": ")), None));
    if keys.is_empty() {
        return Err(RestoreError::NothingToRestore.into());
    }
    let facts: Vec<plan::Found> = keys.iter().map(FoundKey::facts).collect();
    let primary = args.keep_primary.then(|| primary(&facts, &trusted));
    let primary = primary.transpose().map_err(RestoreError::NoPrimary)?;

    let cluster = KeyNamespace::connect(&args.cluster)?;
    let decisions = decide(&facts, &trusted, primary, &cluster.keys()?);
    terminal::note(&format!("restoring to {}", cluster.summary()));
    let is_complete = problems.is_empty() && decisions.iter().all(Decision::is_clean);
    let mut work: Vec<_> = keys.into_iter().zip(decisions).collect();
    // The key to seal to comes last: once it is there, so is everything that it replaces.
    work.sort_by_key(|(_, decision)| matches!(decision, Decision::Restore { state: KeyState::Active, .. }));
    for (key, decision) in work {
        // Each line at once: whatever ends the run, what was done is said.
        let line = act(&cluster, key, &decision, &trusted)?;
        output::to_stdout(seal_foreign::lines(&line, usize::MAX).as_bytes())?;
    }
    Ok(if is_complete { Exit::Done } else { Exit::Findings })
}

impl Decision {
    /// Whether the user got what he asked for.
    fn is_clean(&self) -> bool {
        matches!(self, Self::Restore { .. } | Self::There | Self::Again)
    }
}

/// Does what was decided about a key, and gives the report's line about it.
fn act(
    cluster: &KeyNamespace,
    key: FoundKey,
    decision: &Decision,
    trusted: &Trusted,
) -> Result<String, Failure> {
    let (file, short) = (key.file.clone(), key.stored.identity.fingerprint().short());
    Ok(match decision {
        Decision::Restore { sequence, state } => {
            let fingerprint = key.stored.identity.fingerprint();
            let recovery = key.recovery(*state, trusted);
            let stored = StoredKey { sequence: *sequence, recovery, ..key.stored };
            let name = create(cluster, &stored, *state, &fingerprint)?;
            format!("{file}: restored as {name}, sequence {sequence}, {}\n", word(*state))
        }
        Decision::There => format!("{file}: there already ({short})\n"),
        Decision::Again => String::new(),
        Decision::ThereInAnotherState(note) => {
            let state = match note {
                Note::Says(state) => word(*state),
                Note::Absent | Note::Unreadable => "without a state that can be read",
            };
            terminal::warn(
                &format!("key {short} is there already, {state}: restoring changes no key that is there"),
                None,
            );
            format!("{file}: there already ({short}), {state}\n")
        }
        Decision::Untrusted => {
            terminal::warn(&not_listed(&file, &key.stored.identity.fingerprint()), None);
            format!("{file}: skipped\n")
        }
    })
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
    cluster: &KeyNamespace,
    stored: &StoredKey,
    state: KeyState,
    fingerprint: &Fingerprint,
) -> Result<String, Failure> {
    let base = format!("sealing-key-{}", fingerprint.short());
    let others = (2..=MAX_NAMES).map(|number| format!("{base}-{number}"));
    for name in std::iter::once(base.clone()).chain(others) {
        if cluster.create(&stored.to_json(&name, state))? == Created::Done {
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
