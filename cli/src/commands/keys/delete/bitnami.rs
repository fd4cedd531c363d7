//! `seal keys delete --bitnami`: a key of sealed-secrets, whose Secret has no finalizer.
//!
//! So the command proves by itself what the controller proves of its own keys: it opens every SealedSecret of bitnami.com
//! in the cluster with all active keys but this one. What doesn't open counts as needing the key, for whatever reason.
//! The proof can't cover what is applied after it, what only files and revisions have, and hosts; the command says so.
//! Invariant: without `--force`, a Secret goes only after every object that can be listed opened without it.

use std::collections::{BTreeMap, BTreeSet};

use kube::core::DynamicObject;
use seal_crds::bitnami::BitnamiSealed;
use seal_crds::keys::{Fingerprint, Keyring};
use seal_crds::resources::{Group, bitnami};
use seal_crds::{Name, Namespace, Sealed};

use super::DeleteError;
use crate::args::DeleteArgs;
use crate::commands::counted;
use crate::commands::keys::{connect_for, listed};
use crate::files::repository::{Task, on_all_cores};
use crate::keys::cluster::{Cluster, Listed, RsaSecret};
use crate::keys::recipients::label;
use crate::keys::reference::{KeyReference, ReferenceError};
use crate::objects::name::ObjectName;
use crate::objects::sealed::PublicParts;
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::{prompt, terminal};

#[derive(Debug, thiserror::Error)]
enum ProofError {
    #[error("whether {key} is needed can't be proved: you may not list the SealedSecrets of all namespaces")]
    NotAllowed { key: String },
    #[error("{key} is the only active key of sealed-secrets in namespace {namespace}")]
    Last { key: String, namespace: String },
}

impl Explain for ProofError {
    fn rule(&self) -> Rule {
        Rule::KeyNeeded
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotAllowed { .. } => {
                "ask for that right, or add --force to delete it without a proof".to_owned()
            }
            Self::Last { .. } => {
                "kubeseal seals to it; with another one in place, seal the objects again first".to_owned()
            }
        })
    }
}

/// What the trial of all objects found.
#[derive(Default)]
struct Trial {
    /// Objects that don't open without the key.
    needing: BTreeSet<String>,
    /// Objects among them that don't open with it either.
    shut: BTreeSet<String>,
    opened: usize,
}

pub(super) fn run(args: &DeleteArgs) -> Result<Exit, Failure> {
    let given: KeyReference = args.key.parse()?;
    let cluster = connect_for(&args.cluster, args.cluster.bitnami_namespace())?;
    let secrets = cluster.rsa_secrets()?;
    let fingerprint = find(&given, &secrets)?;
    let (mut going, staying): (Vec<RsaSecret>, Vec<RsaSecret>) =
        secrets.into_iter().partition(|secret| secret.fingerprint() == Some(fingerprint));
    let key = label(&going[0].name, &fingerprint);
    let is_active = |secret: &RsaSecret| secret.is_active && secret.fingerprint().is_some();
    let is_last = going.iter().any(is_active) && !staying.iter().any(is_active);
    if is_last && !args.force {
        return Err(ProofError::Last { key, namespace: cluster.namespace().to_owned() }.into());
    }
    let trial = prove(&cluster, going.iter_mut().map(|secret| std::mem::take(&mut secret.keys)), staying)?;
    match &trial {
        None if !args.force => return Err(ProofError::NotAllowed { key }.into()),
        Some(trial) if !trial.needing.is_empty() && !args.force => {
            if !trial.shut.is_empty() {
                terminal::warn(&format!("these open with no key at hand: {}", listed(&trial.shut)), None);
            }
            return Err(DeleteError::Needed { key, needing: listed(&trial.needing) }.into());
        }
        _ => {}
    }
    let question = question(&key, trial.as_ref());
    if !args.yes {
        prompt::confirm(&question)?;
    } else if args.force {
        terminal::warn(&question, None);
    }
    for secret in &going {
        cluster.delete_rsa_secret(secret)?;
        terminal::note(&format!("deleted Secret {} with {key}", secret.name));
    }
    if let Some(trial) = &trial {
        terminal::note(&format!(
            "{} of {} opened without it",
            counted(trial.opened, "SealedSecret"),
            Group::BITNAMI.name
        ));
    }
    terminal::note(
        "not looked at: files that nobody applied, former revisions, hosts, and what was applied since (seal keys status \
         PATH --rev REV counts files)",
    );
    Ok(Exit::Done)
}

fn find(given: &KeyReference, secrets: &[RsaSecret]) -> Result<Fingerprint, ReferenceError> {
    let known = secrets.iter().filter_map(|secret| Some((secret.fingerprint()?, secret.name.as_str())));
    given.among(known)?.ok_or_else(|| ReferenceError::Unknown(given.to_string()))
}

fn question(key: &str, trial: Option<&Trial>) -> String {
    let found = match trial {
        None => "No object was tried without it.".to_owned(),
        Some(trial) if trial.needing.is_empty() => {
            format!("{} of {} opened without it.", counted(trial.opened, "SealedSecret"), Group::BITNAMI.name)
        }
        Some(trial) => format!("These need the key and are lost with it: {}", listed(&trial.needing)),
    };
    format!(
        "Delete {key}? There is no way back but a backup of its Secret.\n{found}\nNot looked at: files that nobody \
         applied, former revisions, and hosts."
    )
}

/// Opens every object with the keys that stay; `None` if the user may not list all objects.
fn prove(
    cluster: &Cluster,
    going: impl Iterator<Item = Keyring>,
    staying: Vec<RsaSecret>,
) -> Result<Option<Trial>, Failure> {
    let mut kept = Keyring::default();
    // A key whose label isn't `active` opens nothing in a cluster.
    for secret in staying.into_iter().filter(|secret| secret.is_active) {
        kept.merge(secret.keys);
    }
    let mut objects: Vec<(String, Option<BitnamiSealed>)> = Vec::new();
    let found = cluster.each_sealed_secret(Group::BITNAMI, None, |object| objects.push(read(&object)))?;
    if found == Listed::NotAllowed {
        return Ok(None);
    }
    let tried =
        on_all_cores(Task::new("opening without the key", "SealedSecret"), objects, |(name, object)| {
            let is_open = object.as_ref().is_some_and(|object| object.unseal(&kept).is_ok());
            (name, object, is_open)
        });
    let mut trial =
        Trial { opened: tried.iter().filter(|(.., is_open)| *is_open).count(), ..Trial::default() };
    going.for_each(|keys| kept.merge(keys));
    for (name, object, _) in tried.into_iter().filter(|(.., is_open)| !is_open) {
        if object.is_none_or(|object| object.unseal(&kept).is_err()) {
            trial.shut.insert(name.clone());
        }
        trial.needing.insert(name);
    }
    Ok(Some(trial))
}

/// The name of an object, and the object if it can be parsed.
fn read(object: &DynamicObject) -> (String, Option<BitnamiSealed>) {
    let metadata = &object.metadata;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let name = format!("{}/{}", text(&metadata.namespace), text(&metadata.name));
    let parsed = || {
        let namespace: Namespace = metadata.namespace.as_deref()?.parse().ok()?;
        let object_name: Name = metadata.name.as_deref()?.parse().ok()?;
        let annotations: BTreeMap<String, String> = metadata.annotations.clone().unwrap_or_default();
        let spec = bitnami::SealedSecretSpec::from_json(&object.data["spec"]).ok()?;
        let object_name = ObjectName { namespace: Some(namespace), name: object_name };
        let sealed = PublicParts { object_name, annotations, spec }.parse().ok()?;
        let opened_by = object.data["status"]["openedBy"].as_array().into_iter().flatten();
        let opened_by = opened_by.filter_map(|text| text.as_str()?.parse().ok());
        // Only an order: a key that isn't at hand any more isn't tried.
        Some(sealed.trying_first(opened_by.collect()))
    };
    let sealed = parsed();
    (name, sealed)
}
