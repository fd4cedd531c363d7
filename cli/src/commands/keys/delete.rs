//! `seal keys delete`: the private half of a key goes for good, once nothing needs it.
//!
//! The command asks; the controller proves. It tries every object with all other keys, and only then lets the Secret go.
//! Before it asks, the command looks at what the controller has said of each object: a deletion can't be taken back, so
//! it isn't asked for if it is known to be in vain. With `--force` people decide in the controller's place, and are told
//! what they lose; the loss is acknowledged once no Secret holds the key, because an acknowledgement that came before a
//! loss counts for none. The keys of sealed-secrets are in [`bitnami`]. Invariants: without `--force` no finalizer is
//! touched; a key counts as destroyed only if the controller says so, or if neither its SealingKey nor its Secret is
//! there; a run that was killed anywhere is finished by the next one.

mod bitnami;

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use seal_crds::keys::Fingerprint;
use seal_crds::resources::{PublishedState, SealingKey};

use super::{connect, listed, named};
use crate::args::DeleteArgs;
use crate::files::output;
use crate::keys::cluster::{Cluster, ConnectError, name_of};
use crate::keys::reference::KeyReference;
use crate::objects::live::{self, LiveObjects, Need};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::{prompt, terminal};

/// How often the controller's word is looked for.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
enum DeleteError {
    #[error("{key} is the key that Secrets are sealed to")]
    Primary { key: String },
    #[error("{key} is needed by {needing}")]
    Needed { key: String, needing: String },
    #[error("no Secret in namespace {namespace} holds the private half of {key}")]
    NoSecret { key: String, namespace: String },
}

impl Explain for DeleteError {
    fn rule(&self) -> Rule {
        match self {
            Self::Primary { .. } | Self::Needed { .. } => Rule::KeyNeeded,
            Self::NoSecret { .. } => Rule::NoSealingKey,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Primary { .. } => "make a new key first: seal keys renew".to_owned(),
            Self::Needed { .. } => {
                "seal them to the new key first: seal rotate --from-cluster; --force loses them".to_owned()
            }
            Self::NoSecret { .. } => {
                "restore it from its backup; or add --force if it is lost for good, so that the controller waits for it \
                 no longer"
                    .to_owned()
            }
        })
    }
}

pub(super) fn run(args: &DeleteArgs) -> Result<Exit, Failure> {
    if args.bitnami {
        return bitnami::run(args);
    }
    let given: KeyReference = args.key.parse()?;
    let cluster = connect(&args.cluster)?;
    let keys = cluster.sealing_keys()?;
    let key = given.find(&keys)?;
    let name = named(key);
    if state(key) == Some(PublishedState::Destroyed) {
        terminal::note(&format!("{name} was deleted before; nothing to do"));
        return Ok(Exit::Done);
    }
    let live = live::list(&cluster)?;
    let use_of = Use::of(&key.fingerprint(), &live);
    if !args.force {
        if key.is_primary() {
            return Err(DeleteError::Primary { key: name }.into());
        }
        if !use_of.needing.is_empty() {
            return Err(DeleteError::Needed { key: name, needing: listed(&use_of.needing) }.into());
        }
    }
    let secrets = cluster.secrets_of(key)?;
    if secrets.is_empty() && !args.force {
        let namespace = cluster.namespace().to_owned();
        return Err(DeleteError::NoSecret { key: name, namespace }.into());
    }
    if !args.yes {
        prompt::confirm(&question(args, key, &use_of))?;
    } else if args.force {
        terminal::warn(&use_of.loss(), None);
    }
    for secret in &secrets {
        cluster.delete_secret(secret)?;
        if args.force {
            cluster.let_go(secret)?;
        }
        terminal::note(&format!("asked for the deletion of Secret {}", secret.name));
    }
    let after = wait(&cluster, key, args)?;
    report(&cluster, &name, key, after, args.force)
}

/// Whether, and by what, a key is used.
struct Use {
    needing: BTreeSet<String>,
    /// Objects of which the controller hasn't said which keys they need.
    unsaid: BTreeSet<String>,
    gaps: Vec<String>,
}

impl Use {
    fn of(key: &Fingerprint, live: &LiveObjects) -> Self {
        let with = |need| {
            let objects = live.objects.iter().filter(|object| object.need(key) == need);
            objects.map(|object| object.claimed.object.clone()).collect()
        };
        Self { needing: with(Need::Needs), unsaid: with(Need::Unsaid), gaps: live.gaps.clone() }
    }

    /// What is lost with the key, as far as it is known.
    fn loss(&self) -> String {
        let mut lost = Vec::new();
        if !self.needing.is_empty() {
            lost.push(format!("these need the key and are lost with it: {}", listed(&self.needing)));
        }
        if !self.unsaid.is_empty() {
            lost.push(format!("these may need it, the controller hasn't said: {}", listed(&self.unsaid)));
        }
        lost.extend(self.gaps.iter().map(|gap| format!("not looked at: {gap}")));
        lost.push(
            "files and their former revisions weren't looked at: what only they have, and what nobody applied, is lost, \
             unless a backup of the key opens it (seal keys status PATH --rev REV counts them)"
                .to_owned(),
        );
        lost.join("\n")
    }
}

fn question(args: &DeleteArgs, key: &SealingKey, use_of: &Use) -> String {
    let name = named(key);
    if args.force {
        return format!("Delete {name} without the controller's proof?\n{}", use_of.loss());
    }
    let mut question = format!(
        "Delete {name}? The controller lets it go once every object in the cluster opens without it.\nFiles that nobody \
         applied and former revisions open no more then, except with a backup of the key."
    );
    if !use_of.unsaid.is_empty() {
        question +=
            &format!("\nThe controller hasn't said yet which keys these need: {}", listed(&use_of.unsaid));
    }
    question
}

fn state(key: &SealingKey) -> Option<PublishedState> {
    key.status.as_ref().and_then(|status| status.state)
}

/// How far a deletion came.
enum After {
    Destroyed,
    /// The SealingKey; `None` if somebody deleted it, which deletes no Secret. The controller makes it again.
    Waits(Option<Box<SealingKey>>),
}

impl After {
    /// What the cluster says now.
    fn see(cluster: &Cluster, key: &SealingKey) -> Result<Self, Failure> {
        let now = cluster.sealing_key(&name_of(key))?;
        // Another key may have the name by now.
        let now = now.filter(|now| now.fingerprint() == key.fingerprint());
        let is_destroyed = match &now {
            Some(now) => state(now) == Some(PublishedState::Destroyed),
            None => cluster.secrets_of(key)?.is_empty(),
        };
        Ok(if is_destroyed { Self::Destroyed } else { Self::Waits(now.map(Box::new)) })
    }
}

/// What became of the key, as soon as it is destroyed, or after the time to wait. With `--force`, its loss is acknowledged
/// meanwhile.
fn wait(cluster: &Cluster, key: &SealingKey, args: &DeleteArgs) -> Result<After, Failure> {
    let (started, time) = (Instant::now(), args.wait);
    if !time.is_zero() {
        terminal::note("waiting for the controller");
    }
    loop {
        let after = After::see(cluster, key)?;
        if let (After::Waits(Some(now)), true) = (&after, args.force)
            && cluster.secrets_of(key)?.is_empty()
        {
            // A SealingKey that is gone by now has nothing to acknowledge: the next look says what that means.
            match cluster.acknowledge_loss(now) {
                Ok(_) | Err(ConnectError::Gone { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if matches!(after, After::Destroyed) || started.elapsed() >= time {
            return Ok(after);
        }
        thread::sleep(INTERVAL.min(time.saturating_sub(started.elapsed())));
    }
}

/// Says how far the deletion came. A deletion that waits is a finding: what it waits for goes to standard output.
fn report(
    cluster: &Cluster,
    name: &str,
    key: &SealingKey,
    after: After,
    is_forced: bool,
) -> Result<Exit, Failure> {
    let After::Waits(after) = after else {
        terminal::note(&format!("{name} is destroyed"));
        return Ok(Exit::Done);
    };
    let use_of = Use::of(&key.fingerprint(), &live::list(cluster)?);
    let conditions = after.iter().flat_map(|after| after.status.iter().flat_map(|status| &status.conditions));
    let words = conditions
        .filter(|condition| condition.type_ != "Primary" && !condition.message.is_empty())
        .map(|condition| format!("the controller says: {}: {}", condition.reason, condition.message));
    let left = if is_forced { cluster.secrets_of(key)? } else { Vec::new() };
    let waits_for =
        if is_forced { "the controller to see that it is gone" } else { "the controller's proof" };
    let mut lines = vec![format!("{name} still waits for {waits_for}")];
    lines.extend(left.iter().map(|secret| format!("another finalizer holds Secret {}", secret.name)));
    for (what, objects) in [("needed by", &use_of.needing), ("not tried yet", &use_of.unsaid)] {
        lines.extend(objects.iter().map(|object| format!("{what}: {object}")));
    }
    if after.is_none() {
        lines.push("its SealingKey is gone, and its Secret is not".to_owned());
    }
    lines.extend(words);
    output::report(lines)?;
    terminal::note("the key opens until then, and isn't sealed to; kubectl get sealingkeys shows its state");
    Ok(Exit::Findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forced_deletion_says_what_is_lost_and_what_was_not_looked_at() {
        let use_of = Use {
            needing: BTreeSet::from(["prod/db".to_owned()]),
            unsaid: BTreeSet::from(["prod/new".to_owned()]),
            gaps: vec!["SealedSecrets of bitnami.com in the cluster: you may not list them".to_owned()],
        };
        let said = use_of.loss();
        for expected in
            ["lost with it: prod/db", "hasn't said: prod/new", "not looked at: SealedSecrets of", "revisions"]
        {
            assert!(said.contains(expected), "{expected}: {said}");
        }
    }
}
