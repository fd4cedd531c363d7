//! `seal keys renew` and `seal keys retire`: people ask for a newer key, or for a key not to be sealed to any more.
//!
//! Both only write a wish into a SealingKey; the controller acts on it. Invariant: a command that is repeated with the
//! name of its key changes nothing more.

use seal_crds::resources::{KeyState, PublishedState, SealingKey};

use super::{connect, named};
use crate::args::{RenewArgs, RetireArgs};
use crate::keys::cluster::{self, Changed};
use crate::keys::reference::KeyReference;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::terminal;

#[derive(Debug, thiserror::Error)]
enum StateError {
    #[error("{key} isn't the key that is sealed to, and isn't retiring either")]
    NotPrimary { key: String, primary: String },
}

impl Explain for StateError {
    fn rule(&self) -> Rule {
        Rule::NoSealingKey
    }

    fn hint(&self) -> Option<String> {
        let Self::NotPrimary { primary, .. } = self;
        Some(format!("Secrets are sealed to {primary}; kubectl describe sealingkeys says why"))
    }
}

pub(super) fn renew(args: &RenewArgs) -> Result<Exit, Failure> {
    let given = args.key.as_deref().map(str::parse::<KeyReference>).transpose()?;
    let cluster = connect(&args.cluster)?;
    let keys = cluster.sealing_keys()?;
    let key = match &given {
        Some(given) => given.find(&keys)?,
        None => cluster::primary(&keys, cluster.namespace())?,
    };
    let name = named(key);
    if !key.is_primary() {
        if !is_past(key) {
            let primary = cluster::primary(&keys, cluster.namespace())?;
            return Err(StateError::NotPrimary { key: name, primary: named(primary) }.into());
        }
        terminal::note(&format!("{name} was renewed before; nothing to do"));
        return Ok(Exit::Done);
    }
    match cluster.ask_state(key, KeyState::Retiring)? {
        Changed::Now => terminal::note(&format!(
            "renewing {name}: the controller makes a new key, and seals to it as soon as it is there"
        )),
        Changed::Already => {
            terminal::note(&format!("{name} is to be renewed already; the controller hasn't done it yet"))
        }
    }
    say_next();
    Ok(Exit::Done)
}

pub(super) fn retire(args: &RetireArgs) -> Result<Exit, Failure> {
    let given: KeyReference = args.key.parse()?;
    let cluster = connect(&args.cluster)?;
    let keys = cluster.sealing_keys()?;
    let key = given.find(&keys)?;
    let name = named(key);
    if is_past(key) {
        terminal::note(&format!("{name} isn't sealed to any more; nothing to do"));
        return Ok(Exit::Done);
    }
    let said = match (cluster.ask_state(key, KeyState::Retiring)?, key.is_primary()) {
        (Changed::Now, true) => {
            format!("retiring {name}: Secrets are sealed to it until the controller has made a new key")
        }
        (Changed::Now, false) => format!("retiring {name}: it opens, and isn't sealed to again"),
        (Changed::Already, _) => format!("{name} is to retire already; the controller hasn't done it yet"),
    };
    terminal::note(&said);
    if key.is_primary() {
        say_next();
    }
    Ok(Exit::Done)
}

/// Whether the controller says that the key isn't sealed to any more.
fn is_past(key: &SealingKey) -> bool {
    let state = key.status.as_ref().and_then(|status| status.state);
    !matches!(state, None | Some(PublishedState::Active))
}

/// What people do once there is a new key.
pub(super) fn say_next() {
    terminal::note(
        "next: seal keys fetch -o FILE brings the new key into the repository, and seal rotate --from-cluster seals its \
         objects to it; the old key opens until it is deleted",
    );
}
