//! A host for tests: a checkout, an output and an identity file in one temporary directory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser as _;
use seal_crds::keys::Identity;
use seal_crds::native::{Item, NamedRecipient, seal};
use seal_crds::resources::{SealedSecret, Template, find_condition};
use seal_crds::{Place, Plaintext, Scope};

use super::args::HostArgs;
use super::identities::IdentityFiles;
use super::pass::{Agent, Outcome};
use super::run;

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    args: HostArgs,
}

pub(super) struct Site {
    tmp: tempfile::TempDir,
    pub(super) identity: Identity,
}

pub(super) fn place(text: &str) -> Place {
    let (namespace, name) = text.split_once('/').expect("namespace/name");
    Place { namespace: namespace.parse().unwrap(), name: name.parse().unwrap() }
}

impl Site {
    pub(super) fn new() -> Self {
        let site = Self { tmp: tempfile::tempdir().unwrap(), identity: Identity::generate() };
        fs::create_dir(site.path("manifests")).unwrap();
        fs::create_dir(site.path("secrets")).unwrap();
        site.write_identity(&site.identity);
        site
    }

    pub(super) fn path(&self, at: &str) -> PathBuf {
        self.tmp.path().join(at)
    }

    pub(super) fn write_identity(&self, identity: &Identity) {
        fs::write(self.path("keys.txt"), identity.to_secret_string().as_bytes()).unwrap();
    }

    /// The flags of this site and `more`, parsed as if they were typed.
    pub(super) fn args(&self, more: &[&str]) -> HostArgs {
        self.args_for(&self.path("secrets"), more)
    }

    pub(super) fn args_for(&self, secrets: &Path, more: &[&str]) -> HostArgs {
        let text = |path: PathBuf| path.into_os_string().into_string().unwrap();
        let base = [
            "host".to_owned(),
            format!("--manifests={}", text(self.path("manifests"))),
            format!("--secrets={}", text(secrets.to_owned())),
            format!("--identity={}", text(self.path("keys.txt"))),
        ];
        Cli::try_parse_from(base.into_iter().chain(more.iter().map(|&flag| flag.to_owned())))
            .expect("flags that make sense")
            .args
    }

    pub(super) fn agent(&self, more: &[&str]) -> Agent {
        let mut args = self.args(more);
        if !more.iter().any(|flag| flag.starts_with("--prune-after")) {
            args.prune_after = Duration::ZERO;
        }
        let identities = IdentityFiles::open(args.identities.clone()).unwrap();
        run::start(&args, &self.path("secrets"), &identities).unwrap()
    }

    /// The manifest of a SealedSecret, sealed to this site's identity.
    pub(super) fn sealed(&self, at: &str, scope: Scope, items: &[(&str, &str)]) -> String {
        let recipient =
            NamedRecipient { recipient: self.identity.recipient().clone(), name: Some("site".to_owned()) };
        let items = items.iter().map(|(item, value)| {
            let value = Plaintext::from(value.as_bytes().to_vec());
            (item.parse().unwrap(), Item::new(value, false))
        });
        let place = place(at);
        let template = Template::default();
        let spec = seal(&place, scope, &[recipient], &items.collect(), template, &BTreeSet::new()).unwrap();
        let mut object = SealedSecret::new(place.name.as_str(), spec);
        object.metadata.namespace = Some(place.namespace.to_string());
        serde_yaml::to_string(&object).unwrap()
    }

    /// Commits a strict SealedSecret of one item, `password`.
    pub(super) fn commit(&self, at: &str, value: &str) {
        self.commit_text(
            &format!("{}.yaml", at.replace('/', "-")),
            &self.sealed(at, Scope::Strict, &[("password", value)]),
        );
    }

    pub(super) fn commit_text(&self, file: &str, text: &str) {
        fs::write(self.path("manifests").join(file), text).unwrap();
    }

    pub(super) fn remove(&self, file: &str) {
        fs::remove_file(self.path("manifests").join(file)).unwrap();
    }

    /// The value that a reader sees for an item; `None` if there is none.
    pub(super) fn item(&self, at: &str) -> Option<String> {
        fs::read_to_string(self.path("secrets").join(at)).ok()
    }

    /// State, reason and message of the `Ready` condition. The state also says whether an object that isn't
    /// ready is stalled: `True`, `False/Stalled`, `False/Reconciling`.
    pub(super) fn condition(&self, at: &str) -> Option<(String, String, String)> {
        let file = self.path("secrets/..status").join(at).join("status.json");
        let value: serde_json::Value = serde_json::from_slice(&fs::read(file).ok()?).unwrap();
        let status: seal_crds::resources::SealedSecretStatus =
            serde_json::from_value(value["status"].clone()).unwrap();
        let ready = find_condition(&status.conditions, "Ready")?;
        let other = status.conditions.iter().find(|condition| condition.type_ != "Ready");
        let kind = other.map(|condition| format!("/{}", condition.type_)).unwrap_or_default();
        Some((format!("{:?}{kind}", ready.status), ready.reason.clone(), ready.message.clone()))
    }

    /// Everything below the output, with inode and time of change. If two results are equal, nothing was
    /// touched between.
    pub(super) fn fingerprint(&self) -> BTreeMap<PathBuf, (u64, i64, i64)> {
        use std::os::unix::fs::MetadataExt as _;
        let mut found = BTreeMap::new();
        let mut left = vec![self.path("secrets")];
        while let Some(path) = left.pop() {
            let metadata = fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
            found.insert(path, (metadata.ino(), metadata.ctime(), metadata.ctime_nsec()));
        }
        found
    }
}

/// Runs one pass that nobody interrupts.
pub(super) async fn pass(agent: &mut Agent) -> Outcome {
    let (_sender, stop) = tokio::sync::watch::channel(false);
    agent.pass(&stop).await
}

/// The value of a counter.
pub(super) fn count(agent: &Agent, name: &str) -> u64 {
    let text = agent.context.metrics.to_text();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("seal_controller_{name}_total ")));
    line.and_then(|count| count.parse().ok()).unwrap_or(0)
}
