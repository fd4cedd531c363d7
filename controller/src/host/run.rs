//! `seal-controller host`: set-up, one pass or the loop around passes, and a graceful end.
//!
//! Not the work of a pass. Invariants: apart from the output directory itself, nothing is written before the
//! lock on it is held; after a signal, the objects at work finish and no other begins.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::args::HostArgs;
use super::beneath::Dir;
use super::directory::DirectoryStore;
use super::identities::{IdentityFileError, IdentityFiles};
use super::lock::{Lock, LockError};
use super::pass::{Agent, Outcome};
use super::state::{StateError, only_we_write};
use super::status::StatusFiles;
use super::store::HostStore;
use super::volume::Access;
use super::watch::Watch;
use crate::backoff::Backoff;
use crate::cores::Cores;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::reconcile::Context;

/// The default directory for Secrets, if `/run` is in memory.
const DEFAULT_SECRETS: &str = "/run/seal/secrets";

/// `TMPFS_MAGIC` and `RAMFS_MAGIC` of linux/magic.h: file systems whose files are never on a disk (except as
/// swap).
const IN_MEMORY: [i128; 2] = [0x0102_1994, 0x8584_58f6];

/// Why host mode can't start, or can't go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    /// `--secrets` isn't given, and there is no good default.
    #[error("/run is not in memory here, so --secrets has to say where the Secrets go")]
    NoDefault,
    /// `--owner` names another user, and only root may give files away.
    #[error("--owner {0}:{1} needs root")]
    Owner(u32, u32),
    /// The checkout isn't a directory that can be read.
    #[error("can't open the manifests in {}", path.display())]
    Manifests {
        /// The directory.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The output can't be made or opened.
    #[error("can't use {} for the Secrets", path.display())]
    Secrets {
        /// The directory.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// One directory lies in the other: the output would be committed with the manifests, or the manifests
    /// read from the output.
    #[error("--manifests and --secrets lie one within the other ({} and {})", .0.display(), .1.display())]
    Nested(PathBuf, PathBuf),
    /// Other users can write to the output, and so put anything there.
    #[error("others can write to {}; only its owner may (chmod go-w)", .0.display())]
    Exposed(PathBuf),
    /// Another agent is at work on the output, or it can't be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The state file can't be kept.
    #[error("can't keep the state file {}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// Status files can't be kept.
    #[error("can't keep status files in {}", path.display())]
    Status {
        /// The directory.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The identity files can't be used.
    #[error(transparent)]
    Identities(#[from] IdentityFileError),
    /// The output directory was moved away or mounted over.
    #[error("{} was moved away or mounted over", .0.display())]
    Moved(PathBuf),
    /// Signals can't be caught.
    #[error("can't catch signals")]
    Signals(#[source] io::Error),
}

impl HostError {
    /// 2 if other flags would help, else 3.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::NoDefault | Self::Owner(..) | Self::Nested(..) => ExitCode::from(2),
            _ => ExitCode::from(3),
        }
    }
}

/// Runs host mode. The exit code is 0 when done, and 1 if something isn't in place with `--once`.
pub(crate) async fn run(args: HostArgs) -> Result<ExitCode, HostError> {
    let stop = stop_on_signals().map_err(HostError::Signals)?;
    let done = run_until(args, stop).await?;
    Ok(if done.is_none_or(|outcome| outcome.is_complete()) { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Runs until `stop` turns true. With `--once`, runs until everything has been looked at, and returns the
/// outcome.
pub(crate) async fn run_until(
    args: HostArgs,
    mut stop: watch::Receiver<bool>,
) -> Result<Option<Outcome>, HostError> {
    let mut identities = IdentityFiles::open(args.identities.clone())?;
    let secrets = match &args.secrets {
        Some(secrets) => secrets.clone(),
        None if is_in_memory(Path::new("/run")) => DEFAULT_SECRETS.into(),
        None => return Err(HostError::NoDefault),
    };
    let mut agent = start(&args, &secrets, &identities)?;
    if args.once {
        return Ok(Some(once(&mut agent, &mut stop).await));
    }
    let mut watch = Watch::start(&args.manifests, &secrets, &args.identities);
    let mut before = None;
    loop {
        if !agent.context.store.directory.lock().is_on(&secrets) {
            return Err(HostError::Moved(secrets));
        }
        identities.refresh();
        watch.follow();
        let outcome = agent.pass(&stop).await;
        if before != Some((outcome.objects, outcome.ready)) {
            tracing::info!(objects = outcome.objects, ready = outcome.ready, "looked at the checkout");
            before = Some((outcome.objects, outcome.ready));
        }
        let resync = std::time::Instant::now() + args.resync;
        let next = outcome.again.map_or(resync, |again| again.min(resync));
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = watch.changed() => {}
            () = sleep_until(next.into()) => {}
        }
    }
    tracing::info!("stopped");
    Ok(None)
}

/// Repeats passes as long as a manifest is gone whose Secret can't be pruned yet.
async fn once(agent: &mut Agent, stop: &mut watch::Receiver<bool>) -> Outcome {
    loop {
        let outcome = agent.pass(stop).await;
        let Some(next) = agent.prune_due() else {
            return outcome;
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return outcome,
            () = sleep_until(next.into()) => {}
        }
    }
}

pub(super) fn start(args: &HostArgs, secrets: &Path, identities: &IdentityFiles) -> Result<Agent, HostError> {
    if let Some((uid, gid)) = args.owner {
        let ours = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        if ours.0 != 0 && ours != (uid, gid) {
            return Err(HostError::Owner(uid, gid));
        }
    }
    let unreadable = |source| HostError::Manifests { path: args.manifests.clone(), source };
    Dir::open(&args.manifests).map_err(unreadable)?;
    if one_holds_the_other(&args.manifests, secrets).map_err(unreadable)? {
        return Err(HostError::Nested(args.manifests.clone(), secrets.to_owned()));
    }

    let access = Access::new(args.mode, args.owner);
    make_output(secrets, &access)
        .map_err(|source| HostError::Secrets { path: secrets.to_owned(), source })?;
    let lock = Lock::take(secrets)?;
    let exposed = |dir: &Dir| dir.stat_self().map(|stat| !only_we_write(&stat));
    if exposed(lock.dir()).map_err(|source| HostError::Secrets { path: secrets.to_owned(), source })? {
        return Err(HostError::Exposed(secrets.to_owned()));
    }
    if !is_in_memory(secrets) {
        tracing::warn!(path = %secrets.display(), "the Secrets are kept on a disk; a directory in memory (tmpfs) leaves no trace");
    }
    let path = args.state.clone().unwrap_or_else(|| secrets.join("..seal-state.json"));
    let (directory, lost) = DirectoryStore::open(lock, access, &path)
        .map_err(|source| HostError::State { path: path.clone(), source })?;
    if let Some(lost) = lost {
        say_lost(&lost);
    }
    let path = args.status.clone().unwrap_or_else(|| secrets.join("..status"));
    let status = StatusFiles::open(&path).map_err(|source| HostError::Status { path, source })?;

    let namespaces = &args.allow_namespaces;
    let policy = Policy {
        namespaces: (!namespaces.is_empty()).then(|| namespaces.iter().cloned().collect()),
        ..args.policy.to_policy()
    };
    let context = Context {
        store: HostStore { directory, status },
        policy,
        keys: identities.keys(),
        metrics: Metrics::default(),
        backoff: Backoff::default(),
        examinations: None,
        cores: Cores::default(),
    };
    Ok(Agent::new(context, args.manifests.clone(), args.allow_empty, args.prune_after))
}

/// Whether one directory lies within the other, after all links are followed. This is judged before the
/// output is made, by the part of its path that is there already.
fn one_holds_the_other(manifests: &Path, secrets: &Path) -> io::Result<bool> {
    let manifests = manifests.canonicalize()?;
    let absolute = std::path::absolute(secrets)?;
    let there = absolute.ancestors().find_map(|part| {
        let rest = absolute.strip_prefix(part).ok()?;
        Some(part.canonicalize().ok()?.join(rest))
    });
    let secrets = there.unwrap_or(absolute);
    Ok(secrets.starts_with(&manifests) || manifests.starts_with(&secrets))
}

fn say_lost(lost: &StateError) {
    tracing::warn!(
        "{lost}: nothing that is there now is pruned, and only what we recognise as ours is written"
    );
}

/// Makes the output if there is none. Everybody can pass through the directories above it; the output itself
/// gets the access that the flags give.
fn make_output(path: &Path, access: &Access) -> io::Result<()> {
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(above)?;
    }
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => access.apply_to_directory(&Dir::open(path)?).map(drop),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn is_in_memory(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|found| IN_MEMORY.contains(&i128::from(found.f_type)))
}

/// A channel that turns true on SIGTERM and SIGINT.
fn stop_on_signals() -> io::Result<watch::Receiver<bool>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        tracing::info!("told to stop; finishing what is at work");
        let _ = sender.send(true);
        // The sender lives as long as a receiver may wait for it.
        sender.closed().await;
    });
    Ok(receiver)
}

#[cfg(test)]
mod tests;
