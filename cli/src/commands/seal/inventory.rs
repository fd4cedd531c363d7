//! The inventory of an input: the Secrets to seal, each with its namespace and name, and the objects that
//! pass through.
//!
//! [`objects::sealing`](crate::objects::sealing) seals. The inventory counts each sort of object that passes
//! through, because a run that seals nothing may be right (everything was sealed before, so `seal -w` twice
//! is the same as once) or a slip (a forgotten file, a misspelt kind). A Secret without values passes through
//! too: it holds nothing to seal, and the controller would make the very Secret that is there already. So a
//! placeholder never stands in the way of the other objects.

use seal_crds::ItemName;
use seal_documents::manifest::{Kind, Manifest, Object, Strays};
use seal_documents::source::Spot;

use super::Target;
use super::name::{self, NameChoiceError, NameFlags};
use crate::args::{SealArgs, SealFormat};
use crate::commands::list;
use crate::objects::name::ObjectName;
use crate::objects::secret::Secret;
use crate::objects::secret::read::{self, Reading};
use crate::talk::exit::Exit;
use crate::talk::failure::{Explain, Failure, Rule};
use crate::talk::pasted;
use crate::talk::terminal;

/// A Secret of a manifest, with the namespace and name to seal it for.
pub(super) struct SecretToSeal<'m> {
    pub(super) object: &'m Object,
    pub(super) secret: Secret,
    pub(super) object_name: ObjectName,
}

/// All objects of the input of one run.
#[derive(Default)]
pub(super) struct Inventory<'m> {
    /// The Secrets to seal, file by file.
    pub(super) to_seal: Vec<Vec<SecretToSeal<'m>>>,
    /// The number of SealedSecrets.
    sealed: usize,
    /// The number of patches: Secrets without values that are merged into others.
    patches: usize,
    /// Whole Secrets without values, which may be a mistake.
    empty: Vec<EmptySecret>,
    /// The number of objects of other kinds.
    others: usize,
    /// Secrets inside of objects that pass through.
    strays: Vec<(Strays, Spot)>,
    /// The spot of the first object.
    first: Option<Spot>,
    /// Whether SOPS encrypted an object entirely, its kind included.
    is_sops: bool,
}

/// A Secret without values.
struct EmptySecret {
    spot: Spot,
    comments: usize,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum NothingToSeal {
    #[error("the input is empty")]
    Empty,
    #[error("there is no Secret in the input")]
    NoSecret,
    #[error("there is nothing to seal: this Secret has no values")]
    NoValues,
    #[error("there is no Secret in the input: SOPS encrypted all of it")]
    Sops,
}

impl Explain for NothingToSeal {
    fn rule(&self) -> Rule {
        Rule::NothingToDo
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Empty => "pipe a manifest in, or name a file: seal secret.yaml".to_owned(),
            Self::NoSecret => "a Secret has apiVersion: v1 and kind: Secret".to_owned(),
            Self::NoValues => "put the values under stringData, or, in base64, under data; \
                              if it is meant to have none, --allow-empty-data lets it pass"
                .to_owned(),
            Self::Sops => "decrypt it first: sops -d FILE | seal …".to_owned(),
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no Secret in the input has an item {name}")]
struct NoSuchItem {
    name: ItemName,
    there: String,
}

impl Explain for NoSuchItem {
    fn rule(&self) -> Rule {
        Rule::Usage
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(format!("--template-item names an item that is being sealed; the items are: {}", self.there))
    }
}

impl<'m> Inventory<'m> {
    /// Reads every Secret and finds its namespace and name, manifest by manifest. Prints warnings about what
    /// it reads.
    pub(super) fn find(
        args: &SealArgs,
        manifests: &'m [Manifest<'_>],
        targets: &[Target],
    ) -> Result<Self, Failure> {
        let mut inventory = Self::default();
        for (manifest, target) in manifests.iter().zip(targets) {
            inventory.to_seal.push(Vec::new());
            for object in &manifest.objects {
                inventory.first.get_or_insert_with(|| spot(manifest, object));
                let passes = match object.kind {
                    Kind::Secret => inventory.add_secret(args, target, manifest, object)?,
                    Kind::SealedSecret => {
                        inventory.sealed += 1;
                        true
                    }
                    Kind::Other => {
                        inventory.others += 1;
                        inventory.is_sops |= is_sops(manifest, object);
                        true
                    }
                };
                if let Some(strays) = manifest.strays(object).filter(|_| passes) {
                    let spot = manifest.spot(strays.at);
                    inventory.strays.push((strays, spot));
                }
            }
        }
        inventory.check_flags(args)?;
        Ok(inventory)
    }

    /// Adds a Secret; returns whether it passes through.
    fn add_secret(
        &mut self,
        args: &SealArgs,
        target: &Target,
        manifest: &'m Manifest<'_>,
        object: &'m Object,
    ) -> Result<bool, Failure> {
        let reading = read::read(manifest.tree(object), manifest.source.text(), object.node)
            .map_err(|error| manifest.locate(error))?;
        if reading.is_patch {
            self.patches += 1;
            return Ok(true);
        }
        if reading.secret.items.is_empty() {
            self.empty
                .push(EmptySecret { spot: spot(manifest, object), comments: manifest.comments_in(object) });
            return Ok(true);
        }
        warn(args, manifest, &reading);
        let (flag, own) = (args.sealing.namespace.as_ref(), reading.secret.namespace.as_ref());
        let by_rule = target
            .ruled
            .namespace(own.or(flag))
            .map_err(|failure| failure.at(manifest.spot(reading.offsets.namespace)))?;
        target
            .ruled
            .check_type(&reading.secret.type_)
            .map_err(|failure| failure.at(manifest.spot(reading.offsets.whole)))?;
        let flags =
            NameFlags { namespace: flag.or(by_rule.as_ref()), name: args.name.as_ref(), scope: target.scope };
        let object_name = flags.resolve(&reading).map_err(|error| {
            let lacks_namespace = matches!(error.error, NameChoiceError::NoNamespace);
            let failure = Failure::from(manifest.locate(error));
            if lacks_namespace {
                let several = "seal one for each, with -n and -o";
                failure.hinted(
                    target.ruled.namespace_hint(|flag| again(args, &manifest.source.name, flag), several),
                )
            } else {
                failure
            }
        })?;
        let here = self.to_seal.last_mut().expect("one was pushed for this manifest");
        here.push(SecretToSeal { object, secret: reading.secret, object_name });
        Ok(false)
    }

    /// Checks the flags against the Secrets to seal.
    fn check_flags(&self, args: &SealArgs) -> Result<(), Failure> {
        let count = self.secrets().count();
        name::check_count(args.name.as_ref(), count)?;
        let has = |item: &&ItemName| self.secrets().any(|p| p.secret.items.contains_key(*item));
        match args.sealing.template_items.iter().find(|item| !has(item)).filter(|_| count > 0) {
            None => Ok(()),
            Some(missing) => {
                let there = self.secrets().flat_map(|to_seal| to_seal.secret.items.keys());
                Err(NoSuchItem { name: missing.clone(), there: list(there) }.into())
            }
        }
    }

    fn secrets(&self) -> impl Iterator<Item = &SecretToSeal<'m>> {
        self.to_seal.iter().flatten()
    }

    /// Warns of objects that pass through but may be a mistake, and returns whether there is anything to
    /// seal.
    ///
    /// # Errors
    ///
    /// There is nothing to seal, and neither the input nor a flag shows that this is intended.
    pub(super) fn settle(&mut self, args: &SealArgs) -> Result<bool, Failure> {
        let is_work = self.secrets().next().is_some();
        let is_meant = args.allow_empty_data && !self.empty.is_empty();
        if !is_work && !is_meant && self.sealed + self.patches == 0 {
            return Err(self.nothing());
        }
        for (strays, spot) in &self.strays {
            terminal::warn(&strays.to_string(), Some(spot));
        }
        for empty in self.empty.iter().filter(|_| !args.allow_empty_data) {
            empty.warn();
        }
        if !is_work {
            terminal::note(&self.passed());
        }
        Ok(is_work)
    }

    /// The note that says why a run that seals nothing is right.
    fn passed(&self) -> String {
        let parts = [
            (self.sealed, "SealedSecret is sealed", "SealedSecrets are sealed", " already"),
            (self.patches, "Secret is a patch", "Secrets are patches", " without values"),
            (self.empty.len(), "Secret has", "Secrets have", " no values"),
        ];
        let parts = parts.into_iter().filter(|(count, ..)| *count > 0);
        let parts = parts.map(|(count, one, many, rest)| {
            let what = if count == 1 { one } else { many };
            format!("{count} {what}{rest}")
        });
        format!("nothing to seal: {}", parts.collect::<Vec<_>>().join(", "))
    }

    /// The failure that says why a run that seals nothing is wrong.
    fn nothing(&mut self) -> Failure {
        let (error, spot) = match std::mem::take(&mut self.empty).into_iter().next() {
            Some(empty) => (NothingToSeal::NoValues, Some(empty.spot)),
            None if self.others == 0 => (NothingToSeal::Empty, None),
            None if self.is_sops => (NothingToSeal::Sops, self.first.take()),
            None => (NothingToSeal::NoSecret, self.first.take()),
        };
        let failure = Failure::from(error);
        match spot {
            Some(spot) => failure.at(spot),
            None => failure,
        }
    }
}

/// The command that seals one of the files with one more flag, where it stands if that was asked for; `None` if the result
/// goes elsewhere. The flag is for this file alone: others that were named may be for other namespaces.
fn again(args: &SealArgs, file: &str, flag: &str) -> Option<String> {
    if args.files.is_empty() || args.output.is_some() || args.destined.is_some() {
        return None;
    }
    Some(format!("seal {}{flag} {}", if args.write { "-w " } else { "" }, pasted::path(file)))
}

impl EmptySecret {
    fn warn(&self) {
        let comments = match self.comments {
            0 => String::new(),
            // Sealing drops comments, since they may hold a value; this one stays, so the warning names it.
            1 => ", with the comment in it".to_owned(),
            comments => format!(", with {comments} comments in it"),
        };
        terminal::warn(&format!("this Secret has no values, and stays as it is{comments}"), Some(&self.spot));
    }
}

fn is_sops(manifest: &Manifest<'_>, object: &Object) -> bool {
    let tree = manifest.tree(object);
    let kind = tree.get(object.node, "kind").and_then(|kind| tree.scalar(kind));
    kind.is_some_and(|kind| kind.starts_with("ENC["))
}

/// Prints the warnings about a Secret to seal: parts that are left out, and values that look odd.
fn warn(args: &SealArgs, manifest: &Manifest<'_>, reading: &Reading) {
    let is_native = args.sealing.seal_format == SealFormat::Native;
    let bitnami_warnings = reading.bitnami_warnings.iter().filter(|_| is_native);
    for warning in reading.warnings.iter().chain(bitnami_warnings) {
        terminal::warn(&warning.error, Some(&manifest.spot(warning.at)));
    }
}

fn spot(manifest: &Manifest<'_>, object: &Object) -> Spot {
    manifest.spot(manifest.tree(object).range(object.node).start)
}
