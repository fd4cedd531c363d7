//! Objects and files for the tests of lints: real ones, sealed on the spot.

use std::collections::BTreeSet;

use seal_crds::keys::{Identity, Recipient};
use seal_crds::native::{Item, NamedRecipient, seal};
use seal_crds::resources::{SealedSecretSpec, Template};
use seal_crds::{Place, Plaintext, Scope};
use seal_documents::manifest::Manifest;
use seal_documents::source::Source;
use zeroize::Zeroizing;

use super::Sealed;
use crate::check::finding::Finding;
use crate::objects::outline::{self, Outline};
use crate::objects::sealing;
use crate::rules::book::{Book, Governing};
use crate::rules::reader::Memory;

/// A file with its outlines.
pub(super) struct File {
    pub(super) path: String,
    pub(super) source: Source,
    pub(super) outlines: Vec<Outline>,
}

impl File {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let source = Source::new(path.to_owned(), Zeroizing::new(text.to_owned()));
        let outlines = outline::read_all(&Manifest::parse(&source).unwrap());
        Self { path: path.to_owned(), source, outlines }
    }

    pub(super) fn sealed(&self) -> Vec<Sealed<'_>> {
        let is_alone = self.outlines.len() == 1;
        self.outlines.iter().map(|outline| Sealed { path: &self.path, outline, is_alone }).collect()
    }

    pub(super) fn manifest(&self) -> Manifest<'_> {
        Manifest::parse(&self.source).unwrap()
    }
}

/// The objects of some files.
pub(super) fn objects(files: &[File]) -> Vec<Sealed<'_>> {
    files.iter().flat_map(File::sealed).collect()
}

pub(super) fn recipient() -> Recipient {
    Identity::generate().recipient().clone()
}

/// A native spec with the items `user` and `password`, the second of them for templates.
pub(super) fn spec(place: &str, scope: Scope, recipients: &[&Recipient]) -> SealedSecretSpec {
    let (namespace, name) = place.split_once('/').unwrap();
    let place = Place { namespace: namespace.parse().unwrap(), name: name.parse().unwrap() };
    let named = |recipient: &&Recipient| NamedRecipient { recipient: (*recipient).clone(), name: None };
    let recipients: Vec<NamedRecipient> = recipients.iter().map(named).collect();
    let items = [("user", false), ("password", true)].map(|(name, template)| {
        (name.parse().unwrap(), Item::new(Plaintext::from(b"value".to_vec()), template))
    });
    seal(&place, scope, &recipients, &items.into(), Template::default(), &BTreeSet::new()).unwrap()
}

/// A manifest with this spec.
pub(super) fn manifest(metadata: &str, spec: &SealedSecretSpec) -> String {
    let spec = sealing::spec_value(spec).to_yaml(2);
    format!("apiVersion: sealing.dev/v1alpha1\nkind: SealedSecret\nmetadata: {metadata}\nspec:\n  {}", *spec)
}

/// A strict object at its place.
pub(super) fn strict(place: &str) -> String {
    let (namespace, name) = place.split_once('/').unwrap();
    let metadata = format!("{{name: {name}, namespace: {namespace}}}");
    manifest(&metadata, &spec(place, Scope::Strict, &[&recipient()]))
}

/// An object of bitnami.com; its ciphertext is as long as a real one's start.
pub(super) fn bitnami(place: &str) -> String {
    let (namespace, name) = place.split_once('/').unwrap();
    format!(
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n  \
         encryptedData: {{password: {}}}\n",
        "AgBy".repeat(20)
    )
}

/// `rule path` of each finding.
pub(super) fn told(found: &[Finding]) -> Vec<String> {
    found.iter().map(|found| format!("{} {}", found.lint.name(), found.path)).collect()
}

/// The rules that count at the top of a repository with this rules file and these files of pins.
pub(super) fn rules(text: &str, pins: &[(&str, &str)]) -> Governing {
    let memory = Memory::default().with(".seal.yaml", text);
    let memory = pins.iter().fold(memory, |memory, (path, text)| memory.with(path, text));
    Book::new(memory).around("x.yaml").unwrap()
}
