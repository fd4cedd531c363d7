//! `seal keys revoke`: a key whose private half leaked isn't sealed to again, and what was sealed to it has to be changed.
//!
//! The revocation stands in two places. The controller knows it in the cluster; the pins know it in the repository, where
//! no restored cluster can forget it. Any recipient can be revoked. The list of values that follows is made from what is
//! public ([`checklist`]), once the controller has said its part ([`controller`]). Invariants: everything that is needed for the revocation is read before anything is written;
//! once it is done, nothing about the list fails any more: what can't be looked at is named, and the command then ends
//! with [`Exit::Findings`].

mod checklist;
mod controller;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use seal_crds::keys::pins::{Mark, Marked, PinName, raise};
use seal_crds::keys::{Fingerprint, Pins};
use seal_crds::resources::{KeyState, SealingKey, bitnami};
use seal_documents::source::Source;

use super::state::say_next;
use super::{connect, today};
use crate::args::RevokeArgs;
use crate::args::intent::{self, IntentError};
use crate::files::git::{GitError, Repository, Tips};
use crate::files::input::Input;
use crate::files::output::{self, Replacement};
use crate::keys::cluster::{Changed, Cluster, RECOVERY, name_of, name_of_restored, recovery_of};
use crate::keys::recipients::{self, label, looks_like_recipient};
use crate::keys::reference::{KeyReference, ReferenceError};
use crate::talk::exit::Exit;
use crate::talk::failure::Failure;
use crate::talk::{prompt, terminal};
use checklist::Checklist;
use controller::Revoked;

/// A file of pins that is to be marked.
struct PinsFile {
    path: PathBuf,
    source: Source,
    pins: Pins,
}

impl PinsFile {
    /// Whether the file has this key's recipient, or a mark of it that only our keys get.
    fn calls_native(&self, key: &Fingerprint) -> bool {
        let marked = self.pins.marked(key).is_some_and(|marked| marked.mark != Mark::Revoked);
        marked || self.pins.recipients().iter().any(|recipient| recipient.fingerprint() == *key)
    }
}

/// The key to revoke, and what is known of it.
struct Target {
    fingerprint: Fingerprint,
    name: PinName,
    /// Its SealingKey, if it is a key of the controller.
    sealing_key: Option<SealingKey>,
    /// The controller takes it for revoked by a flag or a note of its own.
    is_revoked_there: bool,
    /// The sealing keys whose backup it opens, because it is in their recovery set.
    opens_backups_of: BTreeMap<Fingerprint, String>,
    /// The sealing keys whose backup it may open: nobody has said whose recovery set they have. Empty for a sealing key,
    /// which is in no set.
    may_open_backups_of: Vec<String>,
    /// It is known to be no key of sealed-secrets. A fingerprint alone, marked as revoked or not, may be of either sort.
    is_native: bool,
}

pub(super) fn run(args: &RevokeArgs) -> Result<Exit, Failure> {
    let given: KeyReference = args.key.parse()?;
    let files = args.pins.iter().map(|path| read(path)).collect::<Result<Vec<_>, Failure>>()?;
    if !args.offline && args.cluster.context.is_none() && !intent::is_watched() {
        return Err(IntentError::UnnamedRevocation.into());
    }
    let cluster = if args.offline { None } else { Some(connect(&args.cluster)?) };
    let keys = cluster.as_ref().map(Cluster::sealing_keys).transpose()?.unwrap_or_default();
    let target = Target::find(args, &given, &files, &keys)?;
    let history = History::find(&args.revisions)?;
    let key = label(target.name.as_str(), &target.fingerprint);
    if !args.yes {
        prompt::confirm(&target.question(&key, cluster.as_ref(), &files))?;
    }

    revoke(&key, &target, cluster.as_ref(), &files)?;
    let mut list = Checklist::new(&target);
    for other in &target.may_open_backups_of {
        list.miss(format!(
            "what is sealed to {other}: the key was restored without its recovery set, and {key} may be in that"
        ));
    }
    let revoked =
        Revoked { key: target.fingerprint, label: &key, is_sealing_key: target.sealing_key.is_some() };
    match cluster.as_ref().map(|cluster| controller::listen(cluster, &revoked, args.wait)) {
        Some(Ok(heard)) => {
            list.add_cluster(heard.live);
            heard.word.gap(&revoked).into_iter().for_each(|gap| list.miss(gap));
        }
        Some(Err(error)) => list.miss(format!("the SealedSecrets in the cluster: {error}")),
        None => list.miss("the cluster".to_owned()),
    }
    match &history {
        Ok(history) => {
            let unread = history.tips.unread.iter();
            unread.for_each(|words| list.miss(format!("all branches and tags: {words}")));
            list.add_history(&history.repository, &history.tips.commits);
        }
        Err(error) => list.miss(format!("revisions: {error}")),
    }
    if list.is_bitnami() {
        terminal::warn(
            &format!(
                "{key} is a key of sealed-secrets, whose format has no place for a revocation: kubectl label secret NAME \
                 {}=compromised --overwrite takes it out of use, and its objects say nothing of it afterwards",
                bitnami::SEALING_KEY_LABEL
            ),
            None,
        );
    }
    if target.sealing_key.as_ref().is_some_and(SealingKey::is_primary) {
        say_next();
    }
    output::report(list.to_lines())?;
    Ok(if list.is_complete() { Exit::Done } else { Exit::Findings })
}

fn read(path: &Path) -> Result<PinsFile, Failure> {
    let source = Input::File(path.to_owned()).read()?;
    let pins = recipients::parse(&source.name, source.text())?;
    Ok(PinsFile { path: path.to_owned(), source, pins })
}

/// The revisions whose history is looked at.
struct History {
    repository: Repository,
    tips: Tips,
}

impl History {
    /// The named revisions, or all of the repository here. If none is named, and they can't be read here, that is no
    /// error, and the reason is returned: a broken repository stops no revocation.
    fn find(revisions: &[String]) -> Result<Result<Self, GitError>, Failure> {
        if revisions.is_empty() {
            return Ok(Self::all());
        }
        let repository = Repository::around(Path::new("."))?;
        let commits = revisions.iter().map(|revision| repository.commit(revision));
        let tips = Tips { commits: commits.collect::<Result<_, _>>()?, unread: None };
        Ok(Ok(Self { repository, tips }))
    }

    fn all() -> Result<Self, GitError> {
        let repository = Repository::around(Path::new("."))?;
        Ok(Self { tips: repository.all_tips()?, repository })
    }
}

impl Target {
    fn find(
        args: &RevokeArgs,
        given: &KeyReference,
        files: &[PinsFile],
        keys: &[SealingKey],
    ) -> Result<Self, Failure> {
        let recorded: Vec<&SealingKey> = keys.iter().filter(|key| key.is_recorded()).collect();
        let mut known: Vec<(Fingerprint, String)> =
            recorded.iter().map(|key| (key.fingerprint(), name_of(key))).collect();
        for file in files {
            known.extend(file.pins.marks().map(|(key, marked)| (*key, marked.name.to_string())));
            let named = recipients::named(&file.pins, file.source.text()).into_iter();
            known.extend(named.map(|named| (named.recipient.fingerprint(), named.name.unwrap_or_default())));
        }
        for key in &recorded {
            known.extend(recovery_of(key).map(|it| (it.fingerprint(), RECOVERY.to_owned())));
        }
        let found = given.among(known.iter().map(|(fingerprint, name)| (*fingerprint, name.as_str())))?;
        let fingerprint = match (found, given) {
            (Some(fingerprint), _) => fingerprint,
            (None, KeyReference::Whole(fingerprint)) => *fingerprint,
            (None, KeyReference::Name(_)) => return Err(ReferenceError::Unknown(given.to_string()).into()),
        };
        let own_name = known.iter().find(|(key, name)| *key == fingerprint && !name.is_empty());
        let name = args.name.as_deref().or(own_name.map(|(_, name)| name.as_str())).unwrap_or("unnamed");
        let backed_up =
            recorded.iter().filter(|key| recovery_of(key).any(|it| it.fingerprint() == fingerprint));
        let opens_backups_of: BTreeMap<_, _> =
            backed_up.map(|key| (key.fingerprint(), name_of(key))).collect();
        let is_ours = recorded.iter().any(|key| key.fingerprint() == fingerprint);
        let may_open = recorded.iter().filter(|key| !is_ours && has_unknown_set(key));
        let is_native = is_ours
            || looks_like_recipient(&args.key)
            || !opens_backups_of.is_empty()
            || files.iter().any(|file| file.calls_native(&fingerprint));
        Ok(Self {
            fingerprint,
            name: PinName::shortened(name),
            sealing_key: KeyReference::Whole(fingerprint).find(keys).ok().cloned(),
            is_revoked_there: controller::revoked(keys).contains(&fingerprint),
            opens_backups_of,
            is_native,
            may_open_backups_of: may_open.map(|key| label(&name_of(key), &key.fingerprint())).collect(),
        })
    }

    fn question(&self, key: &str, cluster: Option<&Cluster>, files: &[PinsFile]) -> String {
        let mut places: Vec<String> = files.iter().map(|file| file.source.name.clone()).collect();
        if let (Some(cluster), Some(_)) = (cluster, &self.sealing_key) {
            places.insert(0, cluster.summary());
        }
        let places =
            if places.is_empty() { "no place: only the list is made".to_owned() } else { places.join(", ") };
        format!("Revoke {key} for ever in {places}?")
    }
}

/// Whether a key was restored and has no recovery set on record. Its backup doesn't say whom it is for, so any recipient
/// may be one of them.
fn has_unknown_set(key: &SealingKey) -> bool {
    recovery_of(key).next().is_none() && name_of(key).starts_with(&name_of_restored(&key.fingerprint()))
}

/// Revokes the key in the cluster and in the files.
fn revoke(key: &str, target: &Target, cluster: Option<&Cluster>, files: &[PinsFile]) -> Result<(), Failure> {
    let marked = Marked { mark: Mark::Revoked, since: today(), name: target.name.clone() };
    let marks = BTreeMap::from([(target.fingerprint, marked.clone())]);
    let texts: Vec<String> = files
        .iter()
        .map(|file| raise(file.source.text(), &marks).expect("the file was read as pins"))
        .collect();
    match (cluster, &target.sealing_key) {
        (Some(cluster), Some(sealing_key)) => match cluster.ask_state(sealing_key, KeyState::Revoked)? {
            Changed::Now => terminal::note(&format!("{key} is revoked in the cluster")),
            Changed::Already => terminal::note(&format!("{key} was revoked in the cluster before")),
        },
        (Some(_), None) if target.is_revoked_there => {
            terminal::note(&format!("{key} is revoked in the cluster by --revoked-recipients"));
        }
        (Some(_), None) => terminal::note(&format!(
            "{key} is no sealing key of this cluster: add {} to the file of the controller's --revoked-recipients, so \
             that the controller names what is exposed and seals to it no more",
            target.fingerprint
        )),
        (None, _) => {}
    }
    let changed: Vec<Replacement<'_>> = files
        .iter()
        .zip(&texts)
        .filter(|(file, text)| file.source.text() != text.as_str())
        .map(|(file, text)| Replacement {
            path: &file.path,
            old: file.source.text().as_bytes(),
            new: text.as_bytes(),
        })
        .collect();
    output::replace_files(&changed)?;
    let written: BTreeSet<&Path> = changed.iter().map(|file| file.path).collect();
    for file in files {
        let name = &file.source.name;
        let said = if written.contains(file.path.as_path()) {
            format!("{key} is marked as revoked in {name}: commit it")
        } else {
            format!("{key} was marked as revoked in {name} before")
        };
        terminal::note(&said);
        if file.pins.recipients().iter().any(|recipient| recipient.fingerprint() == target.fingerprint) {
            terminal::warn(
                &format!(
                    "{name} still has the recipient of {key}, so nothing can be sealed with it: seal keys fetch -o \
                     {name} takes out a sealing key that has a successor; take any other out by hand"
                ),
                None,
            );
        }
    }
    if files.is_empty() {
        terminal::warn(
            &format!(
                "no file of recipients was given with -r, so a restored cluster can bring {key} back; the line to add \
                 is: {}",
                marked.line(&target.fingerprint)
            ),
            None,
        );
    }
    for (fingerprint, name) in &target.opens_backups_of {
        terminal::warn(
            &format!(
                "{key} is a recovery recipient of {}: whoever holds it and the backup opens all that was ever sealed to \
                 that key; renew it",
                label(name, fingerprint)
            ),
            None,
        );
    }
    Ok(())
}
